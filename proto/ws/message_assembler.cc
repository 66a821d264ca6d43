// Hot path: per payload. Allocations: 0 and copies: 0 for a frame that lies whole in its input.

#include "proto/ws/message_assembler.h"

#include <algorithm>
#include <utility>

#include "proto/base/check.h"
#include "proto/base/weakness.h"

namespace uproar::ws {
namespace {

// What every compressed message was cut by (RFC 7692 §7.2.2).
constexpr std::byte kDeflateTail[] = {std::byte{0x00}, std::byte{0x00}, std::byte{0xFF},
                                      std::byte{0xFF}};

// What an inflated message is guessed to need for each compressed byte; wrong guesses double.
constexpr std::size_t kInflateGuess = 4;

EventKind kind_of(Opcode opcode) {
  switch (opcode) {
    case Opcode::kText:
      return EventKind::kText;
    case Opcode::kBinary:
      return EventKind::kBinary;
    case Opcode::kPing:
      return EventKind::kPing;
    case Opcode::kPong:
      return EventKind::kPong;
    case Opcode::kClose:
      return EventKind::kClose;
    case Opcode::kContinuation:
      break;
  }
  UPROAR_CHECK(false, opcode);
  return EventKind::kError;
}

constexpr std::uint32_t frame_bytes_max(std::uint32_t message_bytes_max, bool deflate) {
  return deflate ? compressed_bytes_max(message_bytes_max) : message_bytes_max;
}

// "Go on": nothing for the caller yet.
constexpr AssemblerEvent kGoOn{};

// RFC 6455 §5.5.1: empty, or two bytes of code and a reason in UTF-8.
ProtocolError read_close_body(ByteView body, AssemblerEvent& event) {
  if (body.empty()) return ProtocolError::kNone;
  if (body.size() == 1) return ProtocolError::kCloseBodyOneByte;
  const auto code = static_cast<std::uint16_t>(byte_at(body, 0) << 8 | byte_at(body, 1));
  if (!may_be_received(code)) return ProtocolError::kCloseCodeInvalid;
  if (!is_utf8(body.subspan(2))) return ProtocolError::kInvalidUtf8;
  event.close_code = static_cast<CloseCode>(code);
  event.payload = body.subspan(2);
  return ProtocolError::kNone;
}

}  // namespace

MessageAssembler::MessageAssembler(Options options)
    : parser_({.payload_bytes_max = frame_bytes_max(options.message_bytes_max, options.deflate),
               .deflate = options.deflate}),
      message_bytes_max_(options.message_bytes_max) {
  UPROAR_CHECK(message_bytes_max_ >= 1 && message_bytes_max_ <= kMessageBytesMaxCeiling,
               message_bytes_max_);
}

void MessageAssembler::raise_message_bytes_max(std::uint32_t bytes) {
  UPROAR_CHECK(bytes >= message_bytes_max_ && bytes <= kMessageBytesMaxCeiling, bytes);
  message_bytes_max_ = bytes;
  parser_.set_payload_bytes_max(frame_bytes_max(bytes, parser_.deflate()));
}

std::size_t MessageAssembler::held_bytes() const {
  if (partial_ == nullptr) return 0;
  return partial_->bytes.capacity() + (partial_->stream != nullptr ? kInflateStreamBytes : 0);
}

AssemblerEvent MessageAssembler::step(std::span<std::byte> input, AssemblerPool& pool) {
  if (deliver_message_ || deliver_control_) release_delivered();
  if (error_ != ProtocolError::kNone) return fail(error_, input.size());
  if (closed_) return {.consumed = input.size()};
  if (skips_messages_ && partial_ != nullptr && partial_->message_open()) drop_message();
  std::size_t consumed = 0;
  for (;;) {
    const FrameStep step = parser_.step(input.subspan(consumed));
    consumed += step.consumed;
    if (step.status == FrameStatus::kNeedMore) return {.consumed = consumed};
    if (step.status == FrameStatus::kError) return fail(step.error, consumed);
    const AssemblerEvent event = is_control(step.frame.opcode) ? on_control(step, consumed, pool)
                                                               : on_data(step, consumed, pool);
    if (event.kind != EventKind::kNeedMore) return event;
  }
}

AssemblerEvent MessageAssembler::on_control(const FrameStep& step, std::size_t consumed,
                                            AssemblerPool& pool) {
  ByteView body = step.payload;
  if (!step.is_first || !step.is_last) {
    if (partial_ == nullptr) partial_ = pool.take_partial();
    std::copy(body.begin(), body.end(), partial_->control.begin() + partial_->control_bytes);
    partial_->control_bytes = static_cast<std::uint8_t>(partial_->control_bytes + body.size());
    if (!step.is_last) return kGoOn;
    body = ByteView(partial_->control).first(partial_->control_bytes);
    deliver_control_ = true;
  }
  AssemblerEvent event{.kind = kind_of(step.frame.opcode), .consumed = consumed, .payload = body};
  if (event.kind == EventKind::kClose) {
    event.payload = {};
    if (const auto error = read_close_body(body, event); error != ProtocolError::kNone)
      return fail(error, consumed);
    closed_ = true;
    deliver_control_ = true;  // the next step drops whatever was begun
  }
  return event;
}

AssemblerEvent MessageAssembler::on_data(const FrameStep& step, std::size_t consumed,
                                         AssemblerPool& pool) {
  if (skips_messages_) return kGoOn;
  const FrameHeader& frame = step.frame;
  if (step.is_first) {
    if (const auto error = admit(frame); error != ProtocolError::kNone)
      return fail(error, consumed);
    if (step.is_last && frame.fin && frame.opcode != Opcode::kContinuation && !frame.compressed)
        [[likely]] {
      if (frame.opcode == Opcode::kText && !is_utf8(step.payload))
        return fail(ProtocolError::kInvalidUtf8, consumed);
      return {.kind = kind_of(frame.opcode), .consumed = consumed, .payload = step.payload};
    }
    begin_frame(frame, pool);
  }
  PartialMessage& partial = *partial_;
  if (const auto error = take_piece(partial, step); error != ProtocolError::kNone)
    return fail(error, consumed);
  if (!step.is_last || !frame.fin) return kGoOn;
  if (const auto error = end_message(partial); error != ProtocolError::kNone)
    return fail(error, consumed);
  deliver_message_ = true;
  return {.kind = kind_of(partial.opcode),
          .was_compressed = partial.compressed,
          .consumed = consumed,
          .payload = partial.bytes.padded_view()};
}

// What can be said against a data frame as soon as its header is known.
ProtocolError MessageAssembler::admit(const FrameHeader& frame) const {
  const bool open = partial_ != nullptr && partial_->message_open();
  if (frame.opcode == Opcode::kContinuation && !open) return ProtocolError::kOrphanContinuation;
  if (frame.opcode != Opcode::kContinuation && open) return ProtocolError::kInterleavedMessage;
  if (open && partial_->frames >= kMessageFramesMax && !weakened(Weakness::kEndlessFragments))
    return ProtocolError::kTooManyFrames;
  const bool compressed = open ? partial_->compressed : frame.compressed;
  const std::size_t before = !open        ? 0
                             : compressed ? partial_->compressed_bytes
                                          : partial_->bytes.size();
  const std::size_t limit =
      compressed ? compressed_bytes_max(message_bytes_max_) : message_bytes_max_;
  return before + frame.payload_bytes > limit ? ProtocolError::kTooBig : ProtocolError::kNone;
}

void MessageAssembler::begin_frame(const FrameHeader& frame, AssemblerPool& pool) {
  if (partial_ == nullptr) partial_ = pool.take_partial();
  if (frame.opcode != Opcode::kContinuation) {
    partial_->opcode = frame.opcode;
    partial_->compressed = frame.compressed;
    // No stream to be had: the bytes are kept and inflated at the end.
    if (frame.compressed) partial_->stream = pool.take_stream();
  }
  if (partial_->frames < kMessageFramesMax) ++partial_->frames;
  if (partial_->compressed) partial_->compressed_bytes += frame.payload_bytes;
}

ProtocolError MessageAssembler::take_piece(PartialMessage& partial, const FrameStep& step) {
  if (partial.compressed) {
    if (partial.stream != nullptr) return inflate_piece(partial, *partial.stream, step.payload);
    const bool kept = partial.bytes.append(step.payload, compressed_bytes_max(message_bytes_max_));
    return kept ? ProtocolError::kNone : ProtocolError::kOverloaded;
  }
  if (partial.opcode == Opcode::kText && !partial.utf8.feed(step.payload))
    return ProtocolError::kInvalidUtf8;
  // The length of a message of one frame is known, so its buffer need not grow beyond.
  const bool only_frame = step.frame.fin && step.frame.opcode != Opcode::kContinuation;
  const std::size_t total_max = only_frame ? step.frame.payload_bytes : message_bytes_max_;
  return partial.bytes.append(step.payload, total_max) ? ProtocolError::kNone
                                                       : ProtocolError::kOverloaded;
}

ProtocolError MessageAssembler::end_message(PartialMessage& partial) {
  if (partial.compressed) {
    const auto error =
        partial.stream != nullptr ? end_inflate(partial, *partial.stream) : inflate_kept(partial);
    if (error != ProtocolError::kNone) return error;
  }
  if (partial.opcode == Opcode::kText && !partial.utf8.complete())
    return ProtocolError::kInvalidUtf8;
  return ProtocolError::kNone;
}

// Inflates a piece behind the bytes there are, never beyond the limit, and checks text as it comes
// out. Text that came out before the compressed data went wrong is judged first: so the verdict
// does not depend on how the input was cut.
ProtocolError MessageAssembler::inflate_piece(PartialMessage& partial, InflateStream& stream,
                                              ByteView piece) {
  PartialBuffer& out = partial.bytes;
  for (;;) {
    const std::size_t size = out.size();
    const std::size_t left = message_bytes_max_ - size;
    std::byte probe{};  // at the limit: does the stream hold one byte more?
    MutableBytes room(&probe, 1);
    if (left > 0) {
      if (out.room().empty()) {
        const std::size_t guess = std::clamp<std::size_t>(piece.size() * kInflateGuess, 1, left);
        if (!out.reserve(guess, message_bytes_max_)) return ProtocolError::kOverloaded;
      }
      room = out.room();
      room = room.first(std::min(room.size(), left));
    }
    const InflateStream::Progress progress = stream.inflate(piece, room);
    partial.pool.count_inflated(progress.written);
    if (progress.written > 0) {
      if (left == 0) return ProtocolError::kTooBig;
      out.commit(progress.written);
      if (partial.opcode == Opcode::kText && !partial.utf8.feed(out.tail(size)))
        return ProtocolError::kInvalidUtf8;
    }
    if (!progress.ok) return ProtocolError::kBadDeflate;
    piece = piece.subspan(progress.consumed);
    if (piece.empty() && !progress.blocked) return ProtocolError::kNone;
  }
}

ProtocolError MessageAssembler::end_inflate(PartialMessage& partial, InflateStream& stream) {
  // Some encoders write an empty message as no bytes at all instead of one 00.
  if (partial.compressed_bytes == 0) return ProtocolError::kNone;
  // A last block that ends the payload needs no tail.
  if (stream.at_final_end()) return ProtocolError::kNone;
  if (const auto error = inflate_piece(partial, stream, kDeflateTail);
      error != ProtocolError::kNone)
    return error;
  return stream.at_block_end() ? ProtocolError::kNone : ProtocolError::kBadDeflate;
}

ProtocolError MessageAssembler::inflate_kept(PartialMessage& partial) {
  PartialBuffer kept(partial.pool);
  kept.swap(partial.bytes);
  InflateStream& stream = partial.pool.spare_stream();
  if (const auto error = inflate_piece(partial, stream, kept.view()); error != ProtocolError::kNone)
    return error;
  return end_inflate(partial, stream);
}

void MessageAssembler::drop_message() {
  partial_->bytes.trim(0);
  if (partial_->stream != nullptr) partial_->pool.return_stream(std::move(partial_->stream));
  partial_->opcode = Opcode::kContinuation;
}

void MessageAssembler::release_delivered() {
  if (deliver_message_ || closed_ || (partial_ != nullptr && !partial_->message_open())) {
    partial_.reset();
  } else if (partial_ != nullptr) {
    partial_->control_bytes = 0;
  }
  deliver_message_ = false;
  deliver_control_ = false;
}

AssemblerEvent MessageAssembler::fail(ProtocolError error, std::size_t consumed) {
  error_ = error;
  deliver_message_ = false;
  deliver_control_ = false;
  partial_.reset();
  return {.kind = EventKind::kError, .error = error, .consumed = consumed};
}

}  // namespace uproar::ws
