#pragma once

// Cuts an input where a seed says, as reads of a socket would.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace uproar {

// `cuts` + 1 pieces of `text`, some of which may be empty.
inline std::vector<std::string_view> cut(std::string_view text, std::size_t cuts,
                                         std::uint32_t seed) {
  std::vector<std::size_t> at{0, text.size()};
  for (std::size_t i = 0; i < cuts; ++i) {
    seed = seed * 1664525U + 1013904223U;
    at.push_back((seed >> 8U) % (text.size() + 1));
  }
  std::sort(at.begin(), at.end());
  std::vector<std::string_view> pieces;
  for (std::size_t i = 1; i < at.size(); ++i)
    pieces.push_back(text.substr(at[i - 1], at[i] - at[i - 1]));
  return pieces;
}

}  // namespace uproar
