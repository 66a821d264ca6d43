#pragma once

// Hot path: per payload. Allocations: 0 and copies: 0 for a frame that lies whole in its input; a
// message cut by reads or fragments is copied once into a buffer of the shard's pool.
//
// From received bytes to whole messages (a WebSocket message, assembled, is a *payload*): frames,
// fragments (RFC 6455 §5.4), control frames between them, UTF-8 (§8.1), permessage-deflate (RFC
// 7692 §7.2.2) and the body of close frames (§5.5.1). Pure: no I/O, no clock. The events are the
// same however the bytes are split, and an error falls at the first byte that decides it, also
// inside compressed text (unless the pool has lent out all its inflate streams: then at the last
// fragment).
//
// The loop of the caller:
//
//   MutableBytes rest = received;
//   for (;;) {
//     const AssemblerEvent event = assembler.step(rest, pool);
//     rest = rest.subspan(event.consumed);
//     if (event.kind == EventKind::kNeedMore) break;   // rest is empty
//     // … use event.payload now: the next step() may free it …
//     if (event.kind == EventKind::kError || event.kind == EventKind::kClose) break;
//   }
//
// Padding: kPayloadPaddingBytes after the end of event.payload may be read. For assembled payloads
// the buffer has them (zeroed); for a payload that is passed through they are what follows in the
// caller's buffer, so the caller keeps that many readable bytes after the end of every input. Their
// content means nothing.

#include <cstddef>
#include <cstdint>
#include <span>

#include "proto/base/bytes.h"
#include "proto/ws/assembler_pool.h"
#include "proto/ws/close_code.h"
#include "proto/ws/frame_parser.h"
#include "proto/ws/limits.h"

namespace uproar::ws {

enum class EventKind : std::uint8_t {
  kNeedMore,  // all of the input was consumed; no event
  kText,      // `payload` is a whole text message, valid UTF-8, inflated
  kBinary,    // `payload` is a whole binary message, inflated
  kPing,      // `payload` is to be sent back in a pong (0-125 bytes)
  kPong,      // `payload` as sent in a ping, or unsolicited
  kClose,     // `close_code` and `payload` = reason (0-123 bytes of UTF-8); whatever follows is
              // swallowed
  kError,     // `error`; close_advice(error) says how to close; every later step says the same
};

struct AssemblerEvent {
  EventKind kind = EventKind::kNeedMore;
  ProtocolError error = ProtocolError::kNone;  // kError only
  bool was_compressed = false;                 // kText, kBinary
  // kClose only; kNoStatus (1005) when the body was empty. A code that a peer may send but the enum
  // does not name is kept as its number.
  CloseCode close_code = CloseCode::kNoStatus;
  std::size_t consumed = 0;  // bytes taken from the front of the input
  ByteView payload{};        // lives until the next step(), or until the input changes
};

class MessageAssembler {
 public:
  struct Options {
    // 1 .. kMessageBytesMaxCeiling; holds for what is inflated too.
    std::uint32_t message_bytes_max = kMessageBytesMaxDefault;
    bool deflate = false;  // permessage-deflate was negotiated
  };

  explicit MessageAssembler(Options options);

  // Takes bytes from the front of `input`, unmasking in place, up to and including the next event.
  // An assembler is given the same pool in every step. Call until kNeedMore: that step also gives
  // the buffer of the last payload back.
  [[nodiscard]] AssemblerEvent step(std::span<std::byte> input, AssemblerPool& pool);

  // What a message may have from now on. REQUIRES: not less than before; at most
  // kMessageBytesMaxCeiling.
  void raise_message_bytes_max(std::uint32_t bytes);
  // From the next step on nothing of a message is kept, inflated or delivered, nor judged beyond its
  // frame headers: for who has said its close frame and awaits the peer's.
  void skip_messages() { skips_messages_ = true; }

  // Memory of a message that is not whole, with the inflate stream that reads it.
  [[nodiscard]] std::size_t held_bytes() const;

  // True when no frame and no message is begun: outside it, the fragment deadline runs.
  [[nodiscard]] bool idle() const { return parser_.between_frames() && partial_ == nullptr; }

 private:
  [[nodiscard]] AssemblerEvent fail(ProtocolError error, std::size_t consumed);
  [[nodiscard]] AssemblerEvent on_control(const FrameStep& step, std::size_t consumed,
                                          AssemblerPool& pool);
  [[nodiscard]] AssemblerEvent on_data(const FrameStep& step, std::size_t consumed,
                                       AssemblerPool& pool);
  [[nodiscard]] ProtocolError admit(const FrameHeader& frame) const;
  void begin_frame(const FrameHeader& frame, AssemblerPool& pool);
  [[nodiscard]] ProtocolError take_piece(PartialMessage& partial, const FrameStep& step);
  [[nodiscard]] ProtocolError end_message(PartialMessage& partial);
  [[nodiscard]] ProtocolError inflate_piece(PartialMessage& partial, InflateStream& stream,
                                            ByteView piece);
  [[nodiscard]] ProtocolError end_inflate(PartialMessage& partial, InflateStream& stream);
  [[nodiscard]] ProtocolError inflate_kept(PartialMessage& partial);
  void release_delivered();
  void drop_message();

  FrameParser parser_;
  PartialPtr partial_;  // null while idle
  std::uint32_t message_bytes_max_;
  ProtocolError error_ = ProtocolError::kNone;
  bool closed_ : 1 = false;           // a close frame was delivered
  bool deliver_message_ : 1 = false;  // the last event's payload is partial_->bytes
  bool deliver_control_ : 1 = false;  // the last event's payload is partial_->control
  bool skips_messages_ : 1 = false;
};
static_assert(sizeof(MessageAssembler) <= 48, "each idle connection keeps one");

}  // namespace uproar::ws
