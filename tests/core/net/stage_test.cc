// The stages have no ring: bytes in, verdicts out, the same however the bytes are cut.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/net/address_limiter.h"
#include "core/net/http_stage.h"
#include "core/net/listener.h"
#include "core/net/ws_stage.h"
#include "tests/core/net/sim_shard.h"

namespace uproar::net {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// What a stage said about pieces of input, as text.
std::string http_verdicts(const std::vector<std::string>& pieces) {
  static const http::RequestLimits limits;
  static const http::OriginPolicy origins;
  HttpStage stage(limits, origins);
  std::string out;
  for (const std::string& piece : pieces) {
    ByteView rest = as_bytes(piece);
    while (!rest.empty()) {
      const HttpStep step = stage.step(rest);
      rest = rest.subspan(step.consumed);
      if (step.kind == HttpStep::Kind::kNeedMore) {
        if (step.send_continue) out += "continue;";
        break;
      }
      if (step.kind == HttpStep::Kind::kRefused) {
        return out + "refused " + std::to_string(step.refusal.status) + " " +
               std::string(step.refusal.code) + " " + std::string(step.refusal.header.name);
      }
      if (step.kind == HttpStep::Kind::kUpgrade)
        return out + "upgrade " + std::string(stage.request().path);
      out += std::string(stage.request().method) + " " + std::string(stage.request().target) +
             " [" + std::string(as_text(stage.request().body)) + "];";
      stage.answered();
    }
  }
  return out;
}

std::vector<std::string> bytes_of(const std::string& input) {
  std::vector<std::string> out;
  for (const char c : input) out.emplace_back(1, c);
  return out;
}

struct HttpCase {
  const char* name;
  std::string input;
  const char* verdict;
};

std::string upgrade_with(std::string_view from, std::string_view to) {
  std::string out(kUpgrade);
  out.replace(out.find(from), from.size(), to);
  return out;
}

TEST(HttpStage, SaysTheSameAtEveryCut) {
  const std::vector<HttpCase> cases = {
      {"plain", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a [];"},
      {"pipelined",
       "GET /a HTTP/1.1\r\nHost: h\r\n\r\nPOST /b HTTP/1.1\r\nHost: h\r\nContent-Length: "
       "2\r\n\r\nhi",
       "GET /a [];POST /b [hi];"},
      {"upgrade", std::string(kUpgrade), "upgrade /ws"},
      {"no websocket in Upgrade", upgrade_with("Upgrade: websocket", "Upgrade: h2c"),
       "refused 426 upgrade_required Upgrade"},
      {"version 8", upgrade_with("Version: 13", "Version: 8"),
       "refused 426 upgrade_required Sec-WebSocket-Version"},
      {"key too short", upgrade_with("dGhlIHNhbXBsZSBub25jZQ==", "dGhl"),
       "refused 400 bad_request "},
      {"POST upgrade", upgrade_with("GET", "POST"), nullptr},
      {"upgrade with a body", upgrade_with("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\nhi"),
       "refused 400 bad_request "},
      {"upgrade with a body in chunks",
       upgrade_with("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
       "refused 400 bad_request "},
      {"upgrade with an empty body", upgrade_with("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n"),
       "upgrade /ws"},
      {"foreign origin", upgrade_with("Host: a", "Host: a\r\nOrigin: https://evil.example"),
       "refused 403 forbidden_origin "},
      {"same origin", upgrade_with("Host: a", "Host: a\r\nOrigin: http://a"), "upgrade /ws"},
      {"no host", "GET / HTTP/1.1\r\n\r\n", "refused 400 bad_request "},
      {"no host on 1.0", "GET / HTTP/1.0\r\n\r\n", "GET / [];"},
      {"an origin and no host on 1.0", "GET / HTTP/1.0\r\nOrigin: http://a\r\n\r\n", "GET / [];"},
      {"two hosts on 1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n",
       "refused 400 bad_request "},
      {"a host that is none on 1.0", "GET / HTTP/1.0\r\nHost: a/b\r\n\r\n",
       "refused 400 bad_request "},
      {"empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / [];"},
      {"an origin and an empty host", upgrade_with("Host: a", "Host:\r\nOrigin: http://a"),
       "refused 403 forbidden_origin "},
      {"bare cr", "GET / HTTP/1.1\rHost: h\r\n\r\n", "refused 400 bad_request "},
  };
  for (const HttpCase& c : cases) {
    const std::string whole = http_verdicts({c.input});
    if (c.verdict != nullptr) {
      EXPECT_EQ(whole, c.verdict) << c.name;
    } else {
      EXPECT_THAT(whole, StartsWith("refused ")) << c.name;
    }
    EXPECT_EQ(http_verdicts(bytes_of(c.input)), whole) << c.name << ", byte by byte";
    for (std::size_t cut = 1; cut < c.input.size(); ++cut) {
      EXPECT_EQ(http_verdicts({c.input.substr(0, cut), c.input.substr(cut)}), whole)
          << c.name << " cut at " << cut;
    }
  }
}

TEST(HttpStage, AsksForTheBodyOfAClientThatExpectsContinueOnce) {
  const std::string head =
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  EXPECT_EQ(http_verdicts({head, "h", "i"}), "continue;POST / [hi];");
}

TEST(HttpStage, ErrorBodiesAreJson) {
  EXPECT_EQ(error_body("bad_request", "a \"b\" \\ c\n"),
            R"({"type":"error","code":"bad_request","message":"a b  c"})");
  EXPECT_EQ(error_code_of(431), "headers_too_large");
  EXPECT_EQ(error_code_of(299), "error");
}

// Events of a WebSocket stage as text.
std::string ws_verdicts(const std::vector<std::string>& pieces) {
  ws::AssemblerPool pool;
  std::string out;
  {
    WsStage stage({.message_bytes_max = 1000, .deflate = false});
    for (const std::string& piece : pieces) {
      // Exactly the input and its padding on the heap, so that a read beyond trips asan.
      std::vector<std::byte> buffer(piece.size() + runtime::kReadablePadding);
      std::memcpy(buffer.data(), piece.data(), piece.size());
      MutableBytes rest = MutableBytes(buffer).first(piece.size());
      for (;;) {
        const ws::AssemblerEvent event = stage.step(rest, pool);
        rest = rest.subspan(event.consumed);
        if (event.kind == ws::EventKind::kNeedMore) break;
        if (event.kind == ws::EventKind::kError) {
          return out + "error " +
                 std::to_string(static_cast<int>(ws::close_advice(event.error).code));
        }
        const char* names[] = {"", "text ", "binary ", "ping ", "pong ", "close "};
        out += names[static_cast<int>(event.kind)] + std::string(as_text(event.payload)) + ";";
        if (event.kind == ws::EventKind::kClose) return out;
      }
    }
  }
  return out;
}

TEST(WsStage, SaysTheSameAtEveryCut) {
  struct Case {
    const char* name;
    std::string input;
    std::string verdict;
  };
  const std::vector<Case> cases = {
      {"text", client_frame(1, "hello"), "text hello;"},
      {"fragments around a ping",
       client_frame(1, "ab", false) + client_frame(9, "?") + client_frame(0, "cd"),
       "ping ?;text abcd;"},
      {"close with reason", client_frame(8, std::string("\x03\xe8", 2) + "bye"), "close bye;"},
      {"unmasked", std::string("\x81\x01x"), "error 1002"},
      {"reserved opcode", client_frame(3, "x"), "error 1002"},
      {"reserved bit", std::string("\xc1") + client_frame(1, "x").substr(1), "error 1002"},
      {"continuation of nothing", client_frame(0, "x"), "error 1002"},
      {"text inside a text", client_frame(1, "a", false) + client_frame(1, "b"), "error 1002"},
      {"long ping", client_frame(9, std::string(126, 'x')), "error 1002"},
      {"fragmented ping", client_frame(9, "x", false), "error 1002"},
      {"invalid UTF-8", client_frame(1, "ok\xff\xfe"), "error 1007"},
      {"too big", client_frame(2, std::string(1001, 'x')), "error 1009"},
      {"one byte of close body", client_frame(8, "x"), "error 1002"},
      {"close code 1005", client_frame(8, std::string("\x03\xed", 2)), "error 1002"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(ws_verdicts({c.input}), c.verdict) << c.name;
    EXPECT_EQ(ws_verdicts(bytes_of(c.input)), c.verdict) << c.name << ", byte by byte";
    for (std::size_t cut = 1; cut < c.input.size(); ++cut) {
      EXPECT_EQ(ws_verdicts({c.input.substr(0, cut), c.input.substr(cut)}), c.verdict)
          << c.name << " cut at " << cut;
    }
  }
}

PeerAddress v4(std::uint8_t last) {
  PeerAddress out;
  out.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 203, 0, 113, last};
  return out;
}

TEST(PeerAddress, IsCountedByAddressAndOfIPv6ByCustomer) {
  PeerAddress v6;
  v6.bytes = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  PeerAddress neighbour = v6;
  neighbour.bytes[15] = 9;
  EXPECT_EQ(v6.limit_key(), neighbour.limit_key()) << "one /64 is one customer";
  EXPECT_NE(v4(1).limit_key(), v4(2).limit_key());
}

TEST(AddressLimiter, CountsPerAddressAndSecond) {
  const auto limiter = std::make_unique<AddressLimiter>();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limiter->allow(v4(1), 10, 3));
  EXPECT_FALSE(limiter->allow(v4(1), 10, 3));
  EXPECT_TRUE(limiter->allow(v4(2), 10, 3));
  EXPECT_TRUE(limiter->allow(v4(1), 11, 3));
  EXPECT_TRUE(limiter->allow(v4(1), 11, 0)) << "0 is no limit";
}

TEST(Listener, SaysWhatIsWrongWithAnAddress) {
  EXPECT_FALSE(listen_reuseport("nonsense").ok());
  EXPECT_FALSE(listen_reuseport("127.0.0.1:notaport").ok());
  EXPECT_FALSE(listen_reuseport("192.0.2.1:0").ok());
  const auto first = listen_reuseport("127.0.0.1:0");
  ASSERT_TRUE(first.ok());
  const auto port = local_port(*first);
  EXPECT_NE(port, 0);
  const auto second = listen_reuseport("127.0.0.1:" + std::to_string(port));
  ASSERT_TRUE(second.ok()) << "shards share an address";
  ::close(*first);
  ::close(*second);
}

}  // namespace
}  // namespace uproar::net
