// The PROXY header: whole and cut input name the same client and leave the same bytes, and nothing runs beyond its bounds.
//
// Input: [cuts 1][cut seed 1] stream. Byte by byte is always compared as well.

#include "proto/http/proxy_header.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/check.h"
#include "proto/http/limits.h"
#include "tests/fuzz/cut.h"

namespace uproar::http {
namespace {

constexpr std::size_t kControlBytes = 2;
constexpr std::size_t kHeaderBytesMax = 16 + kProxyHeaderRestBytesMax;

// The verdict, whom it names, and how many bytes were the header's.
std::string verdict(const std::vector<std::string_view>& pieces) {
  ProxyHeaderParser parser;
  std::size_t used = 0;
  for (const std::string_view piece : pieces) {
    const auto block = std::make_unique<std::byte[]>(piece.size());  // its exact size
    if (!piece.empty()) std::memcpy(block.get(), piece.data(), piece.size());
    const auto step = parser.step({block.get(), piece.size()});
    UPROAR_CHECK(step.consumed <= piece.size());
    used += step.consumed;
    UPROAR_CHECK(used <= kHeaderBytesMax, used);
    if (step.status == ProxyHeaderParser::Status::kError) return "error " + std::to_string(used);
    if (step.status == ProxyHeaderParser::Status::kDone) {
      UPROAR_CHECK(!parser.source() || !parser.source()->is_unspecified());
      return (parser.source() ? parser.source()->text() : "nobody") + " " + std::to_string(used);
    }
    UPROAR_CHECK(step.consumed == piece.size());
  }
  return "more";
}

}  // namespace
}  // namespace uproar::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace uproar::http;
  if (size < kControlBytes) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + kControlBytes,
                              size - kControlBytes);
  const std::string whole = verdict({text});
  UPROAR_CHECK(verdict(uproar::cut(text, data[0] % 8, data[1])) == whole);
  std::vector<std::string_view> one_by_one;
  for (std::size_t i = 0; i < text.size(); ++i) one_by_one.push_back(text.substr(i, 1));
  UPROAR_CHECK(verdict(one_by_one) == whole);
  return 0;
}
