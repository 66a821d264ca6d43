// FrameParser: any bytes, whole and in chunks, must give the same frames and the same verdict.
// Input: byte 0 = options, byte 1 = chunk sizes, the rest is what a client sent.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "proto/base/bytes.h"
#include "proto/base/check.h"
#include "proto/ws/frame_parser.h"

namespace {

using namespace uproar;
using namespace uproar::ws;

struct Frame {
  int opcode;
  bool fin;
  bool compressed;
  std::uint32_t payload_bytes;
  bool ended;
  std::string payload;
  bool operator==(const Frame&) const = default;
};

struct Outcome {
  std::vector<Frame> frames;
  ProtocolError error = ProtocolError::kNone;
  bool between_frames = false;
  bool operator==(const Outcome&) const = default;
};

// `chunk` 0: all at once; otherwise sizes 1..chunk in turn.
Outcome run(const std::uint8_t* data, std::size_t size, FrameParser::Options options,
            std::size_t chunk) {
  FrameParser parser(options);
  Outcome out;
  std::size_t at = 0;
  std::size_t next = 1;
  while (at < size) {
    const std::size_t bytes = chunk == 0 ? size : std::min(next, size - at);
    next = next >= chunk ? 1 : next + 1;
    // A block of just this size: one byte too far trips the sanitizer.
    const std::unique_ptr<std::byte[]> block(new std::byte[bytes]);
    std::memcpy(block.get(), data + at, bytes);
    at += bytes;
    std::span<std::byte> rest(block.get(), bytes);
    for (;;) {
      const FrameStep step = parser.step(rest);
      if (step.status == FrameStatus::kError) {
        UPROAR_CHECK(step.error != ProtocolError::kNone);
        UPROAR_CHECK(parser.step(rest).error == step.error);
        out.error = step.error;
        return out;
      }
      UPROAR_CHECK(step.consumed <= rest.size());
      rest = rest.subspan(step.consumed);
      if (step.status == FrameStatus::kNeedMore) {
        UPROAR_CHECK(rest.empty());
        break;
      }
      UPROAR_CHECK(is_control(step.frame.opcode) ||
                   step.frame.payload_bytes <= options.payload_bytes_max);
      UPROAR_CHECK(!is_control(step.frame.opcode) ||
                   (step.frame.fin && step.frame.payload_bytes <= 125));
      if (step.is_first) {
        UPROAR_CHECK(out.frames.empty() || out.frames.back().ended);
        out.frames.push_back({static_cast<int>(step.frame.opcode),
                              step.frame.fin,
                              step.frame.compressed,
                              step.frame.payload_bytes,
                              false,
                              {}});
      }
      Frame& frame = out.frames.back();
      UPROAR_CHECK(!frame.ended);
      frame.payload += as_text(step.payload);
      frame.ended = step.is_last;
      UPROAR_CHECK(frame.ended == (frame.payload.size() == frame.payload_bytes));
    }
  }
  out.between_frames = parser.between_frames();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const FrameParser::Options options{.payload_bytes_max = (data[0] & 2) != 0 ? 200U : 70000U,
                                     .deflate = (data[0] & 1) != 0};
  const std::size_t chunk = data[1] % 40U + 1;
  data += 2;
  size -= 2;
  const Outcome whole = run(data, size, options, 0);
  UPROAR_CHECK(whole == run(data, size, options, 1));
  UPROAR_CHECK(whole == run(data, size, options, chunk));
  return 0;
}
