#pragma once

// Hot path: per payload. Allocations 0, copies 0 for a message that lies whole in what was received.
//
// The WebSocket half of a connection: bytes in, events out; no ring, no clock, no sending. A thin form of
// ws::MessageAssembler that adds what belongs to a connection: which bytes may still be read after a close, and the
// control-frame budget. Kept inside the connection, so it is small.

#include <cstddef>
#include <cstdint>

#include "proto/base/bytes.h"
#include "proto/ws/message_assembler.h"

namespace uproar::net {

class WsStage {
 public:
  struct Options {
    std::uint32_t message_bytes_max = 64 * 1024;
    bool deflate = false;
  };

  explicit WsStage(Options options)
      : assembler_({.message_bytes_max = options.message_bytes_max, .deflate = options.deflate}) {}

  // The next event from the front of `input` (ws/message_assembler.h has the loop). After kClose or kError nothing
  // more comes.
  [[nodiscard]] ws::AssemblerEvent step(MutableBytes input, ws::AssemblerPool& pool) {
    return assembler_.step(input, pool);
  }

  void raise_message_bytes_max(std::uint32_t bytes) { assembler_.raise_message_bytes_max(bytes); }
  void skip_messages() { assembler_.skip_messages(); }
  [[nodiscard]] std::size_t held_bytes() const { return assembler_.held_bytes(); }

  // True when no message and no frame is begun: outside it the fragment deadline runs.
  [[nodiscard]] bool idle() const { return assembler_.idle(); }

  // Counts a control frame at second `second` (any clock that goes on). False: more than `per_second_max` in it.
  [[nodiscard]] bool control_allowed(std::uint32_t second, std::uint32_t per_second_max) {
    if (second != control_second_) {
      control_second_ = second;
      control_frames_ = 0;
    }
    return ++control_frames_ <= per_second_max;
  }

 private:
  ws::MessageAssembler assembler_;
  std::uint32_t control_second_ = 0;
  std::uint32_t control_frames_ = 0;
};
static_assert(sizeof(WsStage) <= 56, "each idle connection keeps one");

}  // namespace uproar::net
