// What a request costs: the upgrade request of a browser, a small POST, and both cut by a packet border.
// Reports bytes/s and heap allocations per request (0 when the request lies whole in the input).

#include <cstdlib>
#include <new>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>

#include "proto/http/request_parser.h"
#include "proto/http/response_writer.h"

namespace {

std::size_t allocations = 0;

}  // namespace

// noinline: g++ 12 would otherwise see free() meet a pointer from "new" and warn.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* block = std::malloc(size)) return block;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* block) noexcept {
  std::free(block);
}
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept {
  std::free(block);
}

namespace uproar::http {
namespace {

// As Chromium sends it, with a token of the usual size.
constexpr std::string_view kUpgrade =
    "GET "
    "/ws?token=eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    "eyJzdWIiOiIwMTkyZjBjMS0yZDNlLTdhYmMtOGRlZi0wMTIzNDU2Nzg5YWIiLC"
    "JleHAiOjE3OTUwMDAwMDB9.3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA HTTP/1.1\r\n"
    "Host: chat.example\r\n"
    "Connection: Upgrade\r\n"
    "Pragma: no-cache\r\n"
    "Cache-Control: no-cache\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 Safari/537.36\r\n"
    "Upgrade: websocket\r\n"
    "Origin: https://chat.example\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-GB,en;q=0.9\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    "Sec-WebSocket-Protocol: uproar.v1\r\n"
    "\r\n";

constexpr std::string_view kPost =
    "POST /api/v1/messages HTTP/1.1\r\n"
    "Host: chat.example\r\n"
    "User-Agent: curl/8.10.1\r\n"
    "Accept: */*\r\n"
    "Content-Type: application/json\r\n"
    "Content-Length: 126\r\n"
    "\r\n"
    "{\"conversation_id\":\"0192f0c1-2d3e-7abc-8def-0123456789ab\",\"client_id\":\"0192f0c1\","
    "\"content\":\"See you at "
    "eight by the fountain\"}";

void report(benchmark::State& state, std::size_t bytes, std::size_t allocations_before) {
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
  state.SetItemsProcessed(state.iterations());
  state.counters["allocations"] = static_cast<double>(allocations - allocations_before) /
                                  static_cast<double>(state.iterations());
}

void parse_whole(benchmark::State& state, std::string_view text) {
  const RequestLimits limits;
  RequestParser parser(limits);
  const std::size_t before = allocations;
  for (auto _ : state) {
    Request request;
    const auto step = parser.step(as_bytes(text), request);
    if (step.status != RequestParser::Status::kRequest || step.consumed != text.size()) {
      state.SkipWithError("the request was not accepted");
      return;
    }
    benchmark::DoNotOptimize(request);
    parser.release();
  }
  report(state, text.size(), before);
}

void parse_cut(benchmark::State& state, std::string_view text) {
  const RequestLimits limits;
  RequestParser parser(limits);
  const std::size_t half = text.size() / 2;
  const std::size_t before = allocations;
  for (auto _ : state) {
    Request request;
    auto step = parser.step(as_bytes(text.substr(0, half)), request);
    step = parser.step(as_bytes(text.substr(half)), request);
    if (step.status != RequestParser::Status::kRequest) {
      state.SkipWithError("the request was not accepted");
      return;
    }
    benchmark::DoNotOptimize(request);
    parser.release();
  }
  report(state, text.size(), before);
}

// The lookups a WebSocket handshake makes.
void look_up(benchmark::State& state) {
  const RequestLimits limits;
  RequestParser parser(limits);
  Request request;
  if (parser.step(as_bytes(kUpgrade), request).status != RequestParser::Status::kRequest)
    std::abort();
  for (auto _ : state) {
    benchmark::DoNotOptimize(request.headers.has_token("connection", "upgrade"));
    benchmark::DoNotOptimize(request.headers.has_token("upgrade", "websocket"));
    benchmark::DoNotOptimize(request.headers.count("sec-websocket-key"));
    benchmark::DoNotOptimize(request.headers.find("sec-websocket-key"));
    benchmark::DoNotOptimize(request.headers.find("sec-websocket-version"));
    benchmark::DoNotOptimize(request.headers.find("sec-websocket-protocol"));
    benchmark::DoNotOptimize(request.headers.find("origin"));
  }
}

void write_json(benchmark::State& state) {
  const std::string body(200, 'x');
  std::string out;
  for (auto _ : state) {
    out.clear();
    bool written = write_response({.content_type = "application/json", .body = body},
                                  {.date = "Sun, 06 Nov 1994 08:49:37 GMT"}, out)
                       .ok();
    benchmark::DoNotOptimize(written);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(out.size()) * state.iterations());
}

BENCHMARK_CAPTURE(parse_whole, upgrade, kUpgrade);
BENCHMARK_CAPTURE(parse_whole, post, kPost);
BENCHMARK_CAPTURE(parse_cut, upgrade, kUpgrade);
BENCHMARK_CAPTURE(parse_cut, post, kPost);
BENCHMARK(look_up);
BENCHMARK(write_json);

}  // namespace
}  // namespace uproar::http
