#pragma once

// Hot path: per publish, not per recipient. Allocations: 1 per shared frame (none for control
// frames). Server-to-client frames (RFC 6455 §5.1: never masked), always unfragmented.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/base/bytes.h"
#include "proto/base/shared_bytes.h"
#include "proto/ws/close_code.h"
#include "proto/ws/limits.h"
#include "proto/ws/opcode.h"

namespace uproar::ws {

// 2, 4 or 10: boundaries at 125/126 and 65,535/65,536 payload bytes.
constexpr std::size_t header_bytes(std::uint64_t payload_bytes) {
  if (payload_bytes <= 125) return 2;
  return payload_bytes <= 0xFFFF ? 4 : 10;
}

// Writes the header of a final frame to `out`, which has room for header_bytes(payload_bytes);
// returns that number. `compressed` sets RSV1 (text and binary only).
std::size_t write_header(std::byte* out, Opcode opcode, std::uint64_t payload_bytes,
                         bool compressed = false);

// One whole frame, encoded once for all its hearers.
// REQUIRES: payload.size() < 4 GiB - 10; control opcodes: at most kControlPayloadBytesMax.
[[nodiscard]] SharedBytes frame(Opcode opcode, ByteView payload, bool compressed = false);
[[nodiscard]] inline SharedBytes text_frame(std::string_view text) {
  return frame(Opcode::kText, as_bytes(text));
}

// A control frame by value: no allocation, fits any control payload.
class ControlFrame {
 public:
  [[nodiscard]] ByteView view() const { return {bytes_.data(), size_}; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  friend ControlFrame control_frame(Opcode opcode, ByteView payload);

  std::array<std::byte, 2 + kControlPayloadBytesMax> bytes_;
  std::uint8_t size_ = 0;
};
static_assert(sizeof(ControlFrame) == 128);

// REQUIRES: is_control(opcode), payload.size() <= kControlPayloadBytesMax. To answer a ping:
// control_frame(kPong, event.payload).
[[nodiscard]] ControlFrame control_frame(Opcode opcode, ByteView payload);

// kNoStatus writes an empty body (RFC 6455 §7.1.5); kAbnormal is never written. A reason over
// kCloseReasonBytesMax is cut before the character that does not fit.
[[nodiscard]] ControlFrame close_frame(CloseCode code, std::string_view reason = {});
[[nodiscard]] inline ControlFrame close_frame(ProtocolError error) {
  const CloseAdvice advice = close_advice(error);
  return close_frame(advice.code, advice.reason);
}

}  // namespace uproar::ws
