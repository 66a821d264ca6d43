#include "bench/load/masked_frame.h"

#include <array>

namespace uproar::bench {
namespace {

constexpr std::array<char, 4> kMask = {0x37, 0x1A, 0x5C, 0x63};

}  // namespace

void append_masked_frame(std::string& out, std::uint8_t first_byte, std::string_view payload) {
  out += static_cast<char>(first_byte);
  if (payload.size() <= 125) {
    out += static_cast<char>(0x80 | payload.size());
  } else if (payload.size() <= 0xFFFF) {
    out += static_cast<char>(0x80 | 126);
    out += static_cast<char>(payload.size() >> 8);
    out += static_cast<char>(payload.size());
  } else {
    out += static_cast<char>(0x80 | 127);
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift);
  }
  out.append(kMask.data(), kMask.size());
  const std::size_t begin = out.size();
  out.resize(begin + payload.size());
  for (std::size_t i = 0; i < payload.size(); ++i)
    out[begin + i] = static_cast<char>(payload[i] ^ kMask[i % 4]);
}

}  // namespace uproar::bench
