#pragma once

// Hot path: per frame. Allocations: 0, copies: 0.
// Incremental parser for client-to-server frames (RFC 6455 §5.2). Pure: no I/O, no clock, no
// allocation. It judges each frame by itself; the order of frames (fragments, control frames
// between them) is MessageAssembler's, which most callers want.
//
// The verdict on any input is the same however the bytes are split, and falls at the first byte
// that decides it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "proto/ws/close_code.h"
#include "proto/ws/limits.h"
#include "proto/ws/opcode.h"
#include "proto/ws/unmask.h"

namespace uproar::ws {

struct FrameHeader {
  Opcode opcode = Opcode::kContinuation;
  bool fin = false;
  bool compressed = false;          // RSV1: first frame of a compressed message (RFC 7692 §6)
  std::uint32_t payload_bytes = 0;  // of the whole frame
};

enum class FrameStatus : std::uint8_t {
  kNeedMore,  // all of the input was consumed; call again with later bytes
  kPayload,   // `payload` is the next piece of `frame`
  kError,     // `error` names the rule that was broken; the parser is finished and repeats it
};

// What one step found. `payload` points into the input and dies with it.
struct FrameStep {
  FrameStatus status = FrameStatus::kNeedMore;
  ProtocolError error = ProtocolError::kNone;  // kError only
  // kPayload: first piece of its frame. A frame is reported as soon as its header is whole, so this
  // piece may be empty.
  bool is_first = false;
  bool is_last =
      false;            // kPayload: the frame ends with this piece; a frame of 0 bytes is one piece
  FrameHeader frame{};  // kPayload only
  std::size_t consumed = 0;        // bytes taken from the front of the input
  std::span<std::byte> payload{};  // kPayload only; unmasked in place
};

class FrameParser {
 public:
  struct Options {
    // Data frames above it: kTooBig, as soon as the header says so.
    std::uint32_t payload_bytes_max = kMessageBytesMaxDefault;
    bool deflate = false;  // permessage-deflate negotiated: RSV1 may start a message
  };

  explicit FrameParser(Options options);

  // Reads from the front of `input`, unmasking in place.
  [[nodiscard]] FrameStep step(std::span<std::byte> input);

  // For the frames that begin from now on.
  void set_payload_bytes_max(std::uint32_t bytes) { payload_bytes_max_ = bytes; }
  [[nodiscard]] bool deflate() const { return deflate_ != 0; }

  // True between frames: no header byte and no payload byte of an unfinished frame has been seen.
  [[nodiscard]] bool between_frames() const { return header_bytes_ == 0 && error_ == 0; }

 private:
  [[nodiscard]] FrameStep fail(ProtocolError error);
  [[nodiscard]] FrameStep payload_piece(std::span<std::byte> input, std::size_t consumed,
                                        bool is_first);
  [[nodiscard]] FrameStep collect_header(std::span<std::byte> input);
  [[nodiscard]] ProtocolError judge(const std::uint8_t* header, std::size_t bytes) const;
  void open_frame(const std::uint8_t* header);

  static constexpr std::uint8_t kInPayload = 15;  // header_bytes_ once the header is whole

  std::uint32_t payload_bytes_max_;
  std::uint32_t payload_bytes_ = 0;  // of the open frame
  std::uint32_t left_ = 0;           // of the open frame, still to come
  Mask mask_ = 0;                    // turned so that byte 0 is for the next payload byte
  // Header bytes seen so far, only when the header is cut by the end of an input; [0] stays for the
  // life of the frame.
  std::array<std::uint8_t, kClientHeaderBytesMax> header_{};
  std::uint8_t header_bytes_ : 4 = 0;
  std::uint8_t deflate_ : 1 = 0;
  std::uint8_t error_ = 0;  // ProtocolError
};
static_assert(sizeof(FrameParser) == 32, "each idle connection keeps one");

}  // namespace uproar::ws
