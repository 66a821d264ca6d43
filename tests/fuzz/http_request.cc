// HTTP requests: whatever the bytes, whole and cut input give the same requests and the same verdict.
//
// Input: [limits 1][cuts 1][cut seed 1] stream. The first byte chooses small or default limits; the second how many
// cuts, the third where they lie, so that libFuzzer can move them without touching the stream. Byte by byte is
// always compared as well.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "proto/base/check.h"
#include "proto/http/origin.h"
#include "proto/http/request_parser.h"
#include "proto/http/response_writer.h"
#include "proto/http/target.h"
#include "tests/fuzz/cut.h"
#include "tests/proto/http/feed.h"

namespace uproar::http {
namespace {

using testing::feed;
using testing::one_by_one;
using testing::Outcome;
using testing::Seen;

constexpr RequestLimits kSmall{
    .request_line_bytes_max = 64, .head_bytes_max = 200, .headers_max = 6, .body_bytes_max = 20};
constexpr RequestLimits kDefault;
constexpr std::size_t kControlBytes = 3;

// What holds for every accepted request, and the helpers that are called on one.
void check_request(const Seen& request, const RequestLimits& limits) {
  UPROAR_CHECK(!request.method.empty());
  UPROAR_CHECK(request.path.starts_with('/') || request.path == "*");
  UPROAR_CHECK(request.version_minor == 0 || !request.headers.empty());
  UPROAR_CHECK(request.headers.size() <= limits.headers_max, request.headers.size());
  UPROAR_CHECK(request.body.size() <= limits.body_bytes_max, request.body.size());
  for (const auto& [name, value] : request.headers) {
    UPROAR_CHECK(name.find_first_of(" \r\n\0:") == std::string::npos);
    UPROAR_CHECK(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
    (void)OriginPolicy().allows(value, request.authority);
  }
  (void)split_path(request.path).ok();
  (void)query_value(request.query, "token").ok();

  // A value that came in can go out again, and is then one header line.
  if (request.headers.empty()) return;
  const Header echo[] = {{"X-Echo", request.headers.front().second}};
  std::string out;
  UPROAR_CHECK(write_response({.headers = echo}, {}, out).ok());
  UPROAR_CHECK(std::count(out.begin(), out.end(), '\n') == 4);
}

}  // namespace
}  // namespace uproar::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace uproar::http;
  if (size < kControlBytes) return 0;
  const RequestLimits& limits = data[0] % 2 == 0 ? kDefault : kSmall;
  const std::string_view text(reinterpret_cast<const char*>(data) + kControlBytes,
                              size - kControlBytes);

  const Outcome whole = feed({text}, limits);
  UPROAR_CHECK(feed(uproar::cut(text, data[1] % 8, data[2]), limits) == whole);
  UPROAR_CHECK(feed(one_by_one(text), limits) == whole);
  for (const Seen& request : whole.requests) check_request(request, limits);
  return 0;
}
