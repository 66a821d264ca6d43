// What the parser accepts. Texts are fed whole, byte by byte and cut at every point; see feed.h.

#include "proto/http/request_parser.h"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/proto/http/feed.h"

namespace uproar::http {
namespace {

using testing::feed;
using testing::one_by_one;
using testing::Outcome;
using testing::Seen;

constexpr RequestLimits kLimits;

constexpr std::string_view kUpgrade =
    "GET /ws?token=abc HTTP/1.1\r\n"
    "Host: chat.example:8080\r\n"
    "Connection: keep-alive, Upgrade\r\n"
    "Upgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "Empty:\r\n"
    "Spaced: \t a b\t \r\n"
    "High: \xc3\xa4\r\n"
    "\r\n";

// Parses one text whole and requires every other cut to agree.
Outcome parsed(std::string_view text, const RequestLimits& limits = kLimits) {
  Outcome whole = feed({text}, limits);
  EXPECT_EQ(feed(one_by_one(text), limits), whole) << text;
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    EXPECT_EQ(feed({text.substr(0, cut), text.substr(cut)}, limits), whole)
        << text << " cut at " << cut;
  }
  return whole;
}

Seen one_request(std::string_view text, const RequestLimits& limits = kLimits) {
  Outcome outcome = parsed(text, limits);
  EXPECT_EQ(outcome.error, RequestError::kNone) << text;
  EXPECT_EQ(outcome.requests.size(), 1U) << text;
  return outcome.requests.empty() ? Seen{} : outcome.requests.front();
}

TEST(RequestParser, ReadsAnUpgradeRequest) {
  const Seen request = one_request(kUpgrade);
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.target, "/ws?token=abc");
  EXPECT_EQ(request.path, "/ws");
  EXPECT_EQ(request.query, "token=abc");
  EXPECT_EQ(request.authority, "chat.example:8080");
  EXPECT_EQ(request.version_minor, 1);
  EXPECT_TRUE(request.keep_alive);
  EXPECT_EQ(request.body, "");
  ASSERT_EQ(request.headers.size(), 8U);
  EXPECT_EQ(request.headers[5], std::make_pair(std::string("Empty"), std::string()));
  EXPECT_EQ(request.headers[6], std::make_pair(std::string("Spaced"), std::string("a b")));
  EXPECT_EQ(request.headers[7].second, "\xc3\xa4");
}

TEST(RequestParser, ReadsBodiesByLength) {
  const Seen request =
      one_request("POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n{\"a\":1}");
  EXPECT_EQ(request.body, "{\"a\":1}");
  EXPECT_EQ(one_request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").body, "");
  EXPECT_EQ(
      one_request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0000000000000000003\r\n\r\nabc")
          .body,
      "abc");
  EXPECT_EQ(one_request("GET / HTTP/1.1\r\nHost: a\r\n\r\n").body, "")
      << "no framing header means no body";
}

TEST(RequestParser, ReadsBodiesInChunks) {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n";
  EXPECT_EQ(one_request(head + "0\r\n\r\n").body, "");
  EXPECT_EQ(one_request(head + "5\r\nhello\r\n0\r\n\r\n").body, "hello");
  EXPECT_EQ(one_request(head + "5\r\nhello\r\n1\r\n \r\n00A\r\nwide world\r\n000\r\n\r\n").body,
            "hello wide world");
  EXPECT_EQ(one_request(head + "2\r\n\r\n\r\n0\r\n\r\n").body, "\r\n")
      << "data may look like line ends";
  EXPECT_EQ(one_request(head + "5;a;b=c;d=\"e \\\" f\"\r\nhello\r\n0;last\r\n\r\n").body, "hello");
}

TEST(RequestParser, ChecksAndDropsTrailers) {
  const Seen request = one_request(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n0\r\nContent-Length: 9\r\nHost: evil\r\n\r\n");
  EXPECT_EQ(request.body, "hello");
  EXPECT_EQ(request.headers.size(), 2U);
  EXPECT_EQ(request.authority, "a");
}

TEST(RequestParser, ReadsPipelinedRequestsOneByOne) {
  const Outcome outcome = parsed(
      "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none"
      "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
      "\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n"
      "GET /4");
  ASSERT_EQ(outcome.requests.size(), 3U);
  EXPECT_EQ(outcome.requests[0].body, "one");
  EXPECT_EQ(outcome.requests[1].body, "two");
  EXPECT_EQ(outcome.requests[2].path, "/3") << "after one empty line, RFC 9112 2.2";
  EXPECT_FALSE(outcome.idle) << "a fourth has begun";
}

TEST(RequestParser, LeavesTheBytesAfterARequestAlone) {
  RequestParser parser(kLimits);
  Request request;
  const std::string text = std::string(kUpgrade).append("\x81\x85 frame");
  const auto step = parser.step(as_bytes(text), request);
  EXPECT_EQ(step.status, RequestParser::Status::kRequest);
  EXPECT_EQ(step.consumed, kUpgrade.size());
}

TEST(RequestParser, KnowsTheFormsOfATarget) {
  struct Case {
    std::string_view line, path, query, authority;
  };
  for (const Case& c : {
           Case{"GET / HTTP/1.1", "/", "", "a"},
           Case{"GET /a/b?c=d?e HTTP/1.1", "/a/b", "c=d?e", "a"},
           Case{"GET /?{|}^` HTTP/1.1", "/", "{|}^`", "a"},
           Case{"GET //a HTTP/1.1", "//a", "", "a"},
           Case{"GET http://b:81/c?d HTTP/1.1", "/c", "d", "b:81"},
           Case{"GET HTTPS://b HTTP/1.1", "/", "", "b"},
           Case{"GET http://b?d HTTP/1.1", "/", "d", "b"},
           Case{"GET http://[::1]:80/ HTTP/1.1", "/", "", "[::1]:80"},
           Case{"OPTIONS * HTTP/1.1", "*", "", "a"},
       }) {
    const Seen request = one_request(std::string(c.line) + "\r\nHost: a\r\n\r\n");
    EXPECT_EQ(request.path, c.path) << c.line;
    EXPECT_EQ(request.query, c.query) << c.line;
    EXPECT_EQ(request.authority, c.authority) << c.line;
  }
}

TEST(RequestParser, KeepsAliveAsTheVersionAndConnectionSay) {  // RFC 9112 §9.3
  struct Case {
    std::string_view version, connection;
    bool keep_alive;
  };
  for (const Case& c : {
           Case{"1.1", "", true},
           Case{"1.1", "Connection: close\r\n", false},
           Case{"1.1", "Connection: CLOSE\r\n", false},
           Case{"1.1", "Connection: Upgrade , close\r\n", false},
           Case{"1.1", "Connection: foreclose\r\n", true},
           Case{"1.1", "Connection: keep-alive\r\nConnection: close\r\n", false},
           Case{"1.0", "", false},
           Case{"1.0", "Connection: keep-alive\r\n", true},
           Case{"1.0", "Connection: Keep-Alive, close\r\n", false},
       }) {
    const Seen request = one_request("GET / HTTP/" + std::string(c.version) + "\r\nHost: a\r\n" +
                                     std::string(c.connection) + "\r\n");
    EXPECT_EQ(request.keep_alive, c.keep_alive) << c.version << " " << c.connection;
  }
}

TEST(RequestParser, AcceptsVersion10WithoutHost) {
  const Seen request = one_request("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(request.version_minor, 0);
  EXPECT_EQ(request.authority, "");
}

TEST(RequestParser, AcceptsWhatJustFitsTheLimits) {
  constexpr RequestLimits limits{
      .request_line_bytes_max = 20, .head_bytes_max = 40, .headers_max = 2, .body_bytes_max = 8};
  EXPECT_EQ(one_request("GET /6789 HTTP/1.1\r\n"
                        "Host: a\r\nX: 345678\r\n"
                        "\r\n",
                        {.request_line_bytes_max = 20,
                         .head_bytes_max = 42,
                         .headers_max = 2,
                         .body_bytes_max = 0})
                .path,
            "/6789");
  EXPECT_EQ(
      one_request("GET / HTTP/1.1\r\nHost: a\r\nB: 4567890\r\n\r\n", {.request_line_bytes_max = 16,
                                                                      .head_bytes_max = 40,
                                                                      .headers_max = 2,
                                                                      .body_bytes_max = 0})
          .headers.size(),
      2U);
  EXPECT_EQ(one_request("POST / HTTP/1.0\r\nContent-Length: 8\r\n\r\n12345678", limits).body,
            "12345678");
  const std::string chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const RequestLimits roomy{
      .request_line_bytes_max = 20, .head_bytes_max = 60, .headers_max = 2, .body_bytes_max = 8};
  EXPECT_EQ(one_request(chunked + "4\r\n1234\r\n4\r\n5678\r\n0\r\n\r\n", roomy).body, "12345678");
}

// Where the answer may have a body depends on it, also that to a request which is refused or does
// not come to its end.
TEST(RequestParser, KnowsHeadAsSoonAsItIsSaidAtEveryCut) {
  struct Case {
    std::string input;
    bool is_head;
  };
  for (const Case& c : std::vector<Case>{
           {"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", true},
           {"\r\nHEAD / HTTP/1.1\r\nHost: a\r\n\r\n", true},
           {"HEAD / HTTP/1.1\r\nHost : a\r\n", true},
           {"HEAD / HTTP/1.1\n", true},
           {"HEAD nowhere HTTP/9.9\r\n", true},
           {"HEAD ", true},
           {"HEAD", false},
           {"HEADS / HTTP/1.1\r\nHost: a\r\n\r\n", false},
           {"head / HTTP/1.1\r\nHost: a\r\n\r\n", false},
           {"GET / HTTP/1.1\r\nHEAD : a\r\n", false},
           {"HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n", false},
       }) {
    for (std::size_t cut = 0; cut <= c.input.size(); ++cut) {
      RequestParser parser(kLimits);
      Request request;
      for (std::string_view piece :
           {std::string_view(c.input).substr(0, cut), std::string_view(c.input).substr(cut)}) {
        while (!piece.empty()) {
          const auto step = parser.step(as_bytes(piece), request);
          if (step.status == RequestParser::Status::kError) break;
          piece.remove_prefix(step.consumed);
        }
      }
      EXPECT_EQ(parser.is_head(), c.is_head) << c.input << " cut at " << cut;
    }
  }
}

TEST(RequestParser, AsksOnceForTheBodyThatWaitsForContinue) {
  const std::string head =
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n";
  RequestParser parser(kLimits);
  Request request;
  EXPECT_EQ(parser.step(as_bytes(head.substr(0, 20)), request).status,
            RequestParser::Status::kNeedMore);
  EXPECT_FALSE(parser.take_continue());
  EXPECT_EQ(parser.step(as_bytes(head.substr(20)), request).status,
            RequestParser::Status::kNeedMore);
  EXPECT_TRUE(parser.take_continue());
  EXPECT_FALSE(parser.take_continue());
  EXPECT_EQ(parser.step(as_bytes("abc"), request).status, RequestParser::Status::kRequest);
  EXPECT_TRUE(request.expects_continue);
  EXPECT_FALSE(parser.take_continue());

  parser.release();
  EXPECT_EQ(parser.step(as_bytes(head + "a"), request).status, RequestParser::Status::kNeedMore);
  EXPECT_FALSE(parser.take_continue()) << "the body is on its way";
}

TEST(RequestParser, IgnoresExpectOnVersion10) {
  EXPECT_FALSE(one_request("POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\na")
                   .expects_continue);
}

TEST(RequestParser, CopiesNothingWhenARequestLiesWholeInTheInput) {
  const std::string text = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET";
  RequestParser parser(kLimits);
  Request request;
  ASSERT_EQ(parser.step(as_bytes(text), request).status, RequestParser::Status::kRequest);
  EXPECT_EQ(parser.buffer_bytes(), 0U);
  EXPECT_EQ(request.method.data(), text.data());
  EXPECT_EQ(as_text(request.body).data(), text.data() + text.size() - 6);
}

TEST(RequestParser, HoldsABufferOnlyWhileARequestIsCut) {
  RequestParser parser(kLimits);
  Request request;
  EXPECT_TRUE(parser.idle());
  ASSERT_EQ(parser.step(as_bytes("GET / HTTP/1.1\r\nHos"), request).status,
            RequestParser::Status::kNeedMore);
  EXPECT_FALSE(parser.idle());
  EXPECT_GE(parser.buffer_bytes(), 19U);
  EXPECT_LE(parser.buffer_bytes(), kAssemblyBytesMin);
  ASSERT_EQ(parser.step(as_bytes("t: a\r\n\r\n"), request).status, RequestParser::Status::kRequest);
  EXPECT_EQ(request.authority, "a");
  parser.release();
  EXPECT_TRUE(parser.idle());
  EXPECT_EQ(parser.buffer_bytes(), 0U);
  ASSERT_EQ(parser.step(as_bytes("\r"), request).status, RequestParser::Status::kNeedMore);
  ASSERT_EQ(parser.step(as_bytes("\n"), request).status, RequestParser::Status::kNeedMore);
  EXPECT_EQ(parser.buffer_bytes(), 0U) << "an empty line between requests";
}

TEST(RequestParser, TheBufferGrowsWithWhatArrivedNotWithWhatWasAnnounced) {
  RequestParser parser(kLimits);
  Request request;
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n";
  ASSERT_EQ(parser.step(as_bytes(head), request).status, RequestParser::Status::kNeedMore);
  EXPECT_LE(parser.buffer_bytes(), kAssemblyBytesMin);
  const std::string body(std::size_t{1024} * 1024, 'x');
  ASSERT_EQ(parser.step(as_bytes(body.substr(1)), request).status,
            RequestParser::Status::kNeedMore);
  ASSERT_EQ(parser.step(as_bytes("x"), request).status, RequestParser::Status::kRequest);
  EXPECT_EQ(as_text(request.body), body);
  EXPECT_LE(parser.buffer_bytes(), kLimits.body_bytes_max + 2 * kLimits.head_bytes_max);
}

TEST(RequestParser, StepsOverAFinishedRequestWithoutRelease) {
  RequestParser parser(kLimits);
  Request request;
  const std::string text = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
  ASSERT_EQ(parser.step(as_bytes(text), request).status, RequestParser::Status::kRequest);
  ASSERT_EQ(parser.step(as_bytes(text), request).status, RequestParser::Status::kRequest);
  EXPECT_EQ(request.headers.count("host"), 1U);
}

}  // namespace
}  // namespace uproar::http
