// Hot path: per frame. Allocations: 0, copies: 0.

#include "proto/ws/frame_parser.h"

#include <algorithm>
#include <cstring>

#include "proto/base/check.h"

namespace uproar::ws {
namespace {

constexpr std::uint8_t kFin = 0x80;
constexpr std::uint8_t kRsv = 0x70;
constexpr std::uint8_t kRsv1 = 0x40;
constexpr std::uint8_t kOpcode = 0x0F;
constexpr std::uint8_t kMasked = 0x80;
constexpr std::uint8_t kLength = 0x7F;
constexpr std::uint8_t kLength16 = 126;
constexpr std::uint8_t kLength64 = 127;

// Whole header with mask, from the second byte.
std::size_t client_header_bytes(std::uint8_t second) {
  const std::uint8_t length = second & kLength;
  if (length < kLength16) return 2 + 4;
  return length == kLength16 ? 4 + 4 : 10 + 4;
}

std::uint64_t big_endian(const std::uint8_t* bytes, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value = value << 8 | bytes[i];
  return value;
}

std::uint64_t payload_length(const std::uint8_t* header) {
  const std::uint8_t length = header[1] & kLength;
  if (length < kLength16) return length;
  return length == kLength16 ? big_endian(header + 2, 2) : big_endian(header + 2, 8);
}

}  // namespace

FrameParser::FrameParser(Options options)
    : payload_bytes_max_(options.payload_bytes_max), deflate_(options.deflate ? 1 : 0) {}

FrameStep FrameParser::step(std::span<std::byte> input) {
  if (error_ != 0) return fail(static_cast<ProtocolError>(error_));
  if (header_bytes_ == kInPayload) {
    if (input.empty()) return {};
    return payload_piece(input, 0, false);
  }
  if (header_bytes_ == 0 && input.size() >= 2) {
    const auto* header = reinterpret_cast<const std::uint8_t*>(input.data());
    const std::size_t bytes = client_header_bytes(header[1]);
    if (input.size() >= bytes) [[likely]] {
      if (const auto error = judge(header, bytes); error != ProtocolError::kNone)
        return fail(error);
      open_frame(header);
      return payload_piece(input, bytes, true);
    }
  }
  return collect_header(input);
}

// The slow way, for a header that the end of an input cuts: byte by byte, judged at each.
FrameStep FrameParser::collect_header(std::span<std::byte> input) {
  std::size_t consumed = 0;
  while (consumed < input.size()) {
    header_[header_bytes_] = static_cast<std::uint8_t>(input[consumed]);
    ++header_bytes_;
    ++consumed;
    if (const auto error = judge(header_.data(), header_bytes_); error != ProtocolError::kNone) {
      return fail(error);
    }
    if (header_bytes_ >= 2 && header_bytes_ == client_header_bytes(header_[1])) {
      open_frame(header_.data());
      return payload_piece(input, consumed, true);
    }
  }
  return {.consumed = consumed};
}

// The first rule broken by the first `bytes` bytes of a header, in the order of the bytes: so a
// header judged as it grows and one judged whole get the same verdict.
ProtocolError FrameParser::judge(const std::uint8_t* header, std::size_t bytes) const {
  const std::uint8_t first = header[0];
  const std::uint8_t opcode = first & kOpcode;
  if ((first & kRsv) != 0) {
    // RFC 7692 §6.1: RSV1 marks the first frame of a compressed message and no other.
    const bool starts_message = opcode == static_cast<std::uint8_t>(Opcode::kText) ||
                                opcode == static_cast<std::uint8_t>(Opcode::kBinary);
    if ((first & kRsv) != kRsv1 || deflate_ == 0 || !starts_message) {
      return is_known(opcode) ? ProtocolError::kReservedBits : ProtocolError::kReservedOpcode;
    }
  }
  if (!is_known(opcode)) return ProtocolError::kReservedOpcode;
  const bool control = is_control(static_cast<Opcode>(opcode));
  if (control && (first & kFin) == 0) return ProtocolError::kControlFragmented;
  if (bytes < 2) return ProtocolError::kNone;

  const std::uint8_t second = header[1];
  const std::uint8_t length7 = second & kLength;
  if ((second & kMasked) == 0) return ProtocolError::kUnmasked;
  if (control)
    return length7 > kControlPayloadBytesMax ? ProtocolError::kControlTooLong
                                             : ProtocolError::kNone;
  if (length7 < kLength16)
    return length7 > payload_bytes_max_ ? ProtocolError::kTooBig : ProtocolError::kNone;

  const bool wide = length7 == kLength64;
  if (bytes < (wide ? 10U : 4U)) return ProtocolError::kNone;
  const std::uint64_t length = payload_length(header);
  if (length >> 63 != 0) return ProtocolError::kLengthTopBit;
  if (length < (wide ? 0x10000U : 126U)) return ProtocolError::kLengthNotMinimal;
  return length > payload_bytes_max_ ? ProtocolError::kTooBig : ProtocolError::kNone;
}

// REQUIRES: a whole header that judge() passed.
void FrameParser::open_frame(const std::uint8_t* header) {
  const std::uint64_t length = payload_length(header);
  UPROAR_DCHECK(length <= std::max<std::uint64_t>(payload_bytes_max_, kControlPayloadBytesMax));
  std::memcpy(&mask_, header + client_header_bytes(header[1]) - sizeof mask_, sizeof mask_);
  payload_bytes_ = static_cast<std::uint32_t>(length);
  left_ = payload_bytes_;
  header_[0] = header[0];
  header_bytes_ = kInPayload;
}

FrameStep FrameParser::payload_piece(std::span<std::byte> input, std::size_t consumed,
                                     bool is_first) {
  const std::size_t bytes = std::min<std::size_t>(left_, input.size() - consumed);
  const std::span<std::byte> piece = input.subspan(consumed, bytes);
  unmask(piece, mask_);
  mask_ = advance_mask(mask_, bytes);
  left_ -= static_cast<std::uint32_t>(bytes);
  const bool is_last = left_ == 0;
  if (is_last) header_bytes_ = 0;
  const std::uint8_t first = header_[0];
  return {.status = FrameStatus::kPayload,
          .is_first = is_first,
          .is_last = is_last,
          .frame = {.opcode = static_cast<Opcode>(first & kOpcode),
                    .fin = (first & kFin) != 0,
                    .compressed = (first & kRsv1) != 0,
                    .payload_bytes = payload_bytes_},
          .consumed = consumed + bytes,
          .payload = piece};
}

FrameStep FrameParser::fail(ProtocolError error) {
  error_ = static_cast<std::uint8_t>(error);
  return {.status = FrameStatus::kError, .error = error};
}

}  // namespace uproar::ws
