// MessageAssembler: any frames, whole and in chunks, must give the same events, and never hold more
// than the limits. To get past the masks, the input is a list of frames in a shorthand: byte 0 =
// options, byte 1 = chunk size, then frames of first byte, length (0-255) and payload. In "raw" mode
// (bit 1 of the options) the rest is what a client sent, byte for byte.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/bytes.h"
#include "proto/base/check.h"
#include "proto/ws/message_assembler.h"
#include "proto/ws/utf8.h"

namespace {

using namespace uproar;
using namespace uproar::ws;

struct Event {
  EventKind kind;
  ProtocolError error;
  CloseCode code;
  bool was_compressed;
  std::string payload;
  bool operator==(const Event&) const = default;
};

constexpr std::uint32_t kCap = 5000;

std::vector<Event> run(std::string_view input, bool deflate, std::size_t chunk,
                       std::uint32_t streams) {
  AssemblerPool pool({.inflate_streams_max = streams});
  std::vector<Event> events;
  {
    MessageAssembler assembler({.message_bytes_max = kCap, .deflate = deflate});
    for (std::size_t at = 0; at < input.size(); at += chunk) {
      const std::string_view piece = input.substr(at, chunk);
      const std::unique_ptr<std::byte[]> block(new std::byte[piece.size()]);
      std::memcpy(block.get(), piece.data(), piece.size());
      std::span<std::byte> rest(block.get(), piece.size());
      for (;;) {
        const AssemblerEvent event = assembler.step(rest, pool);
        UPROAR_CHECK(event.consumed <= rest.size());
        rest = rest.subspan(event.consumed);
        if (event.kind == EventKind::kNeedMore) {
          UPROAR_CHECK(rest.empty());
          break;
        }
        events.push_back({event.kind, event.error, event.close_code, event.was_compressed,
                          std::string(as_text(event.payload))});
        UPROAR_CHECK(event.payload.size() <= kCap);
        if (event.kind == EventKind::kText) UPROAR_CHECK(is_utf8(event.payload));
        if (event.kind == EventKind::kError) return events;
        if (event.kind == EventKind::kClose) break;
      }
      // Partial message, its compressed bytes while they are inflated, and padding.
      UPROAR_CHECK(pool.bytes_held() <= kCap + compressed_bytes_max(kCap) +
                                            2 * kPayloadPaddingBytes + 2 * kPartialBytesMin,
                   pool.bytes_held());
      UPROAR_CHECK(!assembler.idle() || pool.partials_lent() == 0);
    }
  }
  UPROAR_CHECK(pool.partials_lent() == 0 && pool.streams_lent() == 0);
  return events;
}

std::string expand(const std::uint8_t* data, std::size_t size) {
  static constexpr std::uint8_t kMask[4] = {0x11, 0xE2, 0x53, 0xC4};
  std::string out;
  while (size >= 2) {
    const std::size_t length = std::min<std::size_t>(data[1], size - 2);
    out.push_back(static_cast<char>(data[0]));
    if (length > 125) {
      out += {static_cast<char>(0xFE), 0};
      out.push_back(static_cast<char>(length));
    } else {
      out.push_back(static_cast<char>(0x80 | length));
    }
    for (const auto byte : kMask) out.push_back(static_cast<char>(byte));
    for (std::size_t i = 0; i < length; ++i)
      out.push_back(static_cast<char>(data[2 + i] ^ kMask[i % 4]));
    data += 2 + length;
    size -= 2 + length;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const bool deflate = (data[0] & 1) != 0;
  const bool raw = (data[0] & 2) != 0;
  const std::size_t chunk = data[1] % 100U + 1;
  data += 2;
  size -= 2;
  const std::string input =
      raw ? std::string(reinterpret_cast<const char*>(data), size) : expand(data, size);
  if (input.empty()) return 0;
  const std::vector<Event> whole = run(input, deflate, input.size(), 8);
  UPROAR_CHECK(whole == run(input, deflate, 1, 8));
  UPROAR_CHECK(whole == run(input, deflate, chunk, 8));
  if (deflate) {
    // Without streams mistakes inside compressed fragments are found later, so other events may come
    // before and another mistake may win; messages that are delivered are the same.
    const std::vector<Event> late = run(input, deflate, input.size(), 0);
    const std::size_t common =
        whole.empty() || whole.back().kind != EventKind::kError ? whole.size() : whole.size() - 1;
    UPROAR_CHECK(late.size() >= common);
    for (std::size_t i = 0; i < common; ++i) UPROAR_CHECK(whole[i] == late[i]);
  }
  return 0;
}
