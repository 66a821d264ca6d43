#include "proto/ws/frame_writer.h"

#include <cstring>
#include <limits>

#include "proto/base/check.h"

namespace uproar::ws {
namespace {

std::byte low_byte(std::uint64_t value) {
  return static_cast<std::byte>(value & 0xFF);
}

// Longest prefix of at most `bytes` that does not cut a UTF-8 character.
std::string_view cut_text(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<std::uint8_t>(text[bytes]) & 0xC0U) == 0x80U) --bytes;
  return text.substr(0, bytes);
}

}  // namespace

std::size_t write_header(std::byte* out, Opcode opcode, std::uint64_t payload_bytes,
                         bool compressed) {
  UPROAR_DCHECK(!compressed || opcode == Opcode::kText || opcode == Opcode::kBinary);
  out[0] =
      static_cast<std::byte>(0x80U | (compressed ? 0x40U : 0U) | static_cast<unsigned>(opcode));
  if (payload_bytes <= 125) {
    out[1] = low_byte(payload_bytes);
    return 2;
  }
  if (payload_bytes <= 0xFFFF) {
    out[1] = std::byte{126};
    out[2] = low_byte(payload_bytes >> 8);
    out[3] = low_byte(payload_bytes);
    return 4;
  }
  out[1] = std::byte{127};
  for (int i = 0; i < 8; ++i) out[2 + i] = low_byte(payload_bytes >> (56 - 8 * i));
  return 10;
}

SharedBytes frame(Opcode opcode, ByteView payload, bool compressed) {
  UPROAR_CHECK(payload.size() <= std::numeric_limits<std::uint32_t>::max() - kServerHeaderBytesMax);
  UPROAR_CHECK(!is_control(opcode) || payload.size() <= kControlPayloadBytesMax, opcode,
               payload.size());
  const std::size_t header = header_bytes(payload.size());
  SharedBytes bytes = SharedBytes::allocate(static_cast<std::uint32_t>(header + payload.size()));
  write_header(bytes.mutable_data(), opcode, payload.size(), compressed);
  if (!payload.empty()) std::memcpy(bytes.mutable_data() + header, payload.data(), payload.size());
  return bytes;
}

ControlFrame control_frame(Opcode opcode, ByteView payload) {
  UPROAR_CHECK(is_control(opcode), opcode);
  UPROAR_CHECK(payload.size() <= kControlPayloadBytesMax, payload.size());
  ControlFrame out;
  const std::size_t header = write_header(out.bytes_.data(), opcode, payload.size());
  if (!payload.empty()) std::memcpy(out.bytes_.data() + header, payload.data(), payload.size());
  out.size_ = static_cast<std::uint8_t>(header + payload.size());
  return out;
}

ControlFrame close_frame(CloseCode code, std::string_view reason) {
  UPROAR_CHECK(code != CloseCode::kAbnormal);
  if (code == CloseCode::kNoStatus) return control_frame(Opcode::kClose, {});
  const std::string_view kept = cut_text(reason, kCloseReasonBytesMax);
  std::array<std::byte, kControlPayloadBytesMax> body;
  const auto number = static_cast<std::uint16_t>(code);
  body[0] = low_byte(number >> 8);
  body[1] = low_byte(number);
  if (!kept.empty()) std::memcpy(body.data() + 2, kept.data(), kept.size());
  return control_frame(Opcode::kClose, ByteView(body).first(2 + kept.size()));
}

}  // namespace uproar::ws
