// The must-reject list of HTTP. Every entry is delivered whole, byte by byte and cut at every point, and must come to
// the same verdict; see feed.h for how overruns are caught.

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "tests/proto/http/feed.h"

namespace uproar::http {
namespace {

using namespace std::string_view_literals;
using testing::feed;
using testing::one_by_one;
using testing::Outcome;
using enum RequestError;

// Small, so that the limits are reached by short texts.
constexpr RequestLimits kLimits{
    .request_line_bytes_max = 64, .head_bytes_max = 200, .headers_max = 6, .body_bytes_max = 20};

struct Refused {
  std::string_view name;
  std::string_view text;
  RequestError error;
  int status;
};

#define GET_1_1 "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST_1_1 "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST_1_1 "Transfer-Encoding: chunked\r\n\r\n"
#define FORTY "0123456789012345678901234567890123456789"

constexpr Refused kRefused[] = {
    {"bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", kBareLf, 400},
    {"bare LF after a header", "GET / HTTP/1.1\r\nHost: a\n\r\n", kBareLf, 400},
    {"bare LF as the empty line", GET_1_1 "\n", kBareLf, 400},
    {"bare LF before the request", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", kBareLf, 400},
    {"bare CR in the request line", "GET /a\rb HTTP/1.1\r\nHost: a\r\n\r\n", kBareCr, 400},
    {"bare CR as a line end", "GET / HTTP/1.1\rHost: a\r\n\r\n", kBareCr, 400},
    {"bare CR in a header name", GET_1_1 "X\rY: 1\r\n\r\n", kBareCr, 400},
    {"bare CR in a header value", GET_1_1 "X: 1\r2\r\n\r\n", kBareCr, 400},
    {"CR CR LF", GET_1_1 "X: 1\r\r\n\r\n", kBareCr, 400},
    {"CR before the empty line", GET_1_1 "\r\r\n", kBareCr, 400},

    {"two empty lines before the request", "\r\n\r\nGET / HTTP/1.1\r\n", kBadRequestLine, 400},
    {"one word", "GET\r\n", kBadRequestLine, 400},
    {"HTTP/0.9", "GET /\r\n", kBadRequestLine, 400},
    {"space before the method", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", kBadMethod, 400},
    {"TLS client hello", "\x16\x03\x01\x02\x00\x01\x00"sv, kBadMethod, 400},
    {"NUL at the start", "\0GET / HTTP/1.1\r\nHost: a\r\n\r\n"sv, kBadMethod, 400},
    {"method with a slash", "G/T / HTTP/1.1\r\nHost: a\r\n\r\n", kBadMethod, 400},
    {"method with NUL", "G\0T / HTTP/1.1\r\nHost: a\r\n\r\n"sv, kBadMethod, 400},
    {"method with a tab", "GET\t/ HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n", kBadMethod, 400},
    {"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", kMethodUnsupported, 501},

    {"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", kBadTarget, 400},
    {"space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", kBadTarget, 400},
    {"tab in the target", "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", kBadTarget, 400},
    {"NUL in the target", "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n"sv, kBadTarget, 400},
    {"DEL in the target", "GET /a\x7f HTTP/1.1\r\nHost: a\r\n\r\n", kBadTarget, 400},
    {"byte above 127 in the target", "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", kBadTarget, 400},
    {"fragment in the target", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", kBadTarget, 400},
    {"quote in the target", "GET /\"a HTTP/1.1\r\nHost: a\r\n\r\n", kBadTarget, 400},
    {"relative target", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", kBadTarget, 400},
    {"query alone", "GET ?a HTTP/1.1\r\nHost: a\r\n\r\n", kBadTarget, 400},
    {"asterisk for GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", kBadTarget, 400},
    {"authority form for GET", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", kBadTarget, 400},
    {"foreign scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", kBadTarget, 400},
    {"absolute form without host", "GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n", kBadTarget, 400},
    {"absolute form with a user", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", kBadTarget, 400},
    {"absolute form with a bad port", "GET http://a:8x/ HTTP/1.1\r\nHost: a\r\n\r\n", kBadTarget,
     400},

    {"no version", "GET / \r\nHost: a\r\n\r\n", kBadVersion, 400},
    {"version in lower case", "GET / http/1.1\r\nHost: a\r\n\r\n", kBadVersion, 400},
    {"version without minor", "GET / HTTP/1\r\nHost: a\r\n\r\n", kBadVersion, 400},
    {"version with more digits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", kBadVersion, 400},
    {"version with a comma", "GET / HTTP/1,1\r\nHost: a\r\n\r\n", kBadVersion, 400},
    {"space after the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", kBadVersion, 400},
    {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", kVersionUnsupported, 505},
    {"HTTP/0.9 in words", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", kVersionUnsupported, 505},
    {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", kVersionUnsupported, 505},

    {"request line too long", "GET /" FORTY FORTY " HTTP/1.1\r\nHost: a\r\n\r\n",
     kRequestLineTooLong, 414},
    {"request line too long, not ended", "GET /" FORTY FORTY, kRequestLineTooLong, 414},
    {"request line too long and wrong", "GET " FORTY FORTY "\x01\n", kRequestLineTooLong, 414},
    {"head too large", GET_1_1 "X: " FORTY "\r\nY: " FORTY "\r\nZ: " FORTY FORTY "\r\n\r\n",
     kHeadTooLarge, 431},
    {"head too large, not ended", GET_1_1 "X: " FORTY FORTY FORTY FORTY FORTY, kHeadTooLarge, 431},
    {"too many headers", GET_1_1 "B:\r\nC:\r\nD:\r\nE:\r\nF:\r\nG:\r\n\r\n", kTooManyHeaders, 431},

    {"no colon", GET_1_1 "Nothing\r\n\r\n", kBadHeaderName, 400},
    {"empty name", GET_1_1 ": 1\r\n\r\n", kBadHeaderName, 400},
    {"space in a name", GET_1_1 "X Y: 1\r\n\r\n", kBadHeaderName, 400},
    {"NUL in a name", GET_1_1 "X\0Y: 1\r\n\r\n"sv, kBadHeaderName, 400},
    {"byte above 127 in a name", GET_1_1 "X\xe4: 1\r\n\r\n", kBadHeaderName, 400},
    {"quote in a name", GET_1_1 "\"X\": 1\r\n\r\n", kBadHeaderName, 400},
    {"space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", kSpaceBeforeColon, 400},
    {"tab before the colon", POST_1_1 "Content-Length\t: 1\r\n\r\nx", kSpaceBeforeColon, 400},
    {"folded value", GET_1_1 "X: 1\r\n 2\r\n\r\n", kObsFold, 400},
    {"folded value with a tab", GET_1_1 "X: 1\r\n\t2: 3\r\n\r\n", kObsFold, 400},
    {"white space before the first header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", kObsFold, 400},
    {"line of white space", GET_1_1 " \r\n\r\n", kObsFold, 400},
    {"NUL in a value", GET_1_1 "X: a\0b\r\n\r\n"sv, kBadHeaderValue, 400},
    {"escape in a value", GET_1_1 "X: \x1b[0m\r\n\r\n", kBadHeaderValue, 400},
    {"vertical tab in a value", GET_1_1 "X: \x0b\r\n\r\n", kBadHeaderValue, 400},
    {"DEL in a value", GET_1_1 "X: \x7f\r\n\r\n", kBadHeaderValue, 400},

    {"no Host", "GET / HTTP/1.1\r\n\r\n", kMissingHost, 400},
    {"no Host, absolute form", "GET http://a/ HTTP/1.1\r\n\r\n", kMissingHost, 400},
    {"Host twice", GET_1_1 "Host: b\r\n\r\n", kRepeatedHost, 400},
    {"Host twice alike", GET_1_1 "HOST: a\r\n\r\n", kRepeatedHost, 400},
    {"Host twice on 1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", kRepeatedHost, 400},
    {"Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", kBadHost, 400},
    {"Host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", kBadHost, 400},
    {"two hosts in one", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", kBadHost, 400},
    {"two hosts in one, no space", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", kBadHost, 400},
    {"Host with a bad port", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", kBadHost, 400},
    {"Host with empty brackets", "GET / HTTP/1.1\r\nHost: []\r\n\r\n", kBadHost, 400},
    {"Host with a name in brackets", "GET / HTTP/1.1\r\nHost: [host]\r\n\r\n", kBadHost, 400},
    {"Host with brackets in brackets", "GET / HTTP/1.1\r\nHost: [[::1]]\r\n\r\n", kBadHost, 400},
    {"Host with a bracket inside", "GET / HTTP/1.1\r\nHost: a[b]\r\n\r\n", kBadHost, 400},
    {"Host with a port of six digits", "GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n", kBadHost, 400},
    {"Host with text after the bracket", "GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", kBadHost, 400},
    {"Host with an open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", kBadHost, 400},
    {"unknown expectation", POST_1_1 "Expect: a-miracle\r\n\r\n", kBadExpect, 417},

    {"empty length", POST_1_1 "Content-Length:\r\n\r\n", kBadContentLength, 400},
    {"signed length", POST_1_1 "Content-Length: +5\r\n\r\nhello", kBadContentLength, 400},
    {"negative length", POST_1_1 "Content-Length: -5\r\n\r\nhello", kBadContentLength, 400},
    {"hex length", POST_1_1 "Content-Length: 0x5\r\n\r\nhello", kBadContentLength, 400},
    {"length with a letter", POST_1_1 "Content-Length: 5a\r\n\r\nhello", kBadContentLength, 400},
    {"length with a space", POST_1_1 "Content-Length: 1 0\r\n\r\nhello", kBadContentLength, 400},
    {"length with a point", POST_1_1 "Content-Length: 5.0\r\n\r\nhello", kBadContentLength, 400},
    {"list length, alike", POST_1_1 "Content-Length: 5, 5\r\n\r\nhello", kBadContentLength, 400},
    {"list length, different", POST_1_1 "Content-Length: 5,6\r\n\r\nhello", kBadContentLength, 400},
    {"length of 2^64", POST_1_1 "Content-Length: 18446744073709551616\r\n\r\n", kBadContentLength,
     400},
    {"length of 2^64 + 5", POST_1_1 "Content-Length: 18446744073709551621\r\n\r\nhello",
     kBadContentLength, 400},
    {"lengths that differ", POST_1_1 "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
     kRepeatedContentLength, 400},
    {"lengths alike", POST_1_1 "Content-Length: 5\r\ncontent-length: 5\r\n\r\nhello",
     kRepeatedContentLength, 400},
    {"length above the limit", POST_1_1 "Content-Length: 21\r\n\r\n", kBodyTooLarge, 413},
    {"length of 2^32 + 1", POST_1_1 "Content-Length: 4294967297\r\n\r\nx", kBodyTooLarge, 413},

    {"length and chunked",
     POST_1_1 "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     kLengthAndTransferEncoding, 400},
    {"chunked and length",
     POST_1_1 "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
     kLengthAndTransferEncoding, 400},
    {"chunked and length 0",
     POST_1_1 "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
     kLengthAndTransferEncoding, 400},
    {"chunked on 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     kTransferEncodingOnHttp10, 400},
    {"empty coding", POST_1_1 "Transfer-Encoding:\r\n\r\n", kBadTransferEncoding, 400},
    {"coding and nothing", POST_1_1 "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n",
     kBadTransferEncoding, 400},
    {"nothing and coding", POST_1_1 "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n",
     kBadTransferEncoding, 400},
    {"chunked twice", POST_1_1 "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
     kBadTransferEncoding, 400},
    {"chunked in two lines",
     POST_1_1 "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     kBadTransferEncoding, 400},
    {"chunked not last", POST_1_1 "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
     kBadTransferEncoding, 400},
    {"identity in a second line",
     POST_1_1 "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
     kBadTransferEncoding, 400},
    {"chunked with a parameter", POST_1_1 "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
     kBadTransferEncoding, 400},
    {"two words", POST_1_1 "Transfer-Encoding: chunked foo\r\n\r\n0\r\n\r\n", kBadTransferEncoding,
     400},
    {"quoted coding", POST_1_1 "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
     kBadTransferEncoding, 400},
    {"unknown coding", POST_1_1 "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
     kUnknownTransferEncoding, 501},
    {"gzip", POST_1_1 "Transfer-Encoding: gzip\r\n\r\n", kUnknownTransferEncoding, 501},
    {"gzip, chunked", POST_1_1 "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
     kUnknownTransferEncoding, 501},
    {"identity", POST_1_1 "Transfer-Encoding: identity\r\n\r\n", kUnknownTransferEncoding, 501},

    {"empty chunk size", CHUNKED "\r\n\r\n", kBadChunkSize, 400},
    {"signed chunk size", CHUNKED "+5\r\nhello\r\n0\r\n\r\n", kBadChunkSize, 400},
    {"negative chunk size", CHUNKED "-1\r\n\r\n", kBadChunkSize, 400},
    {"chunk size with 0x", CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", kBadChunkSize, 400},
    {"chunk size with a space before", CHUNKED " 5\r\nhello\r\n0\r\n\r\n", kBadChunkSize, 400},
    {"chunk size with a space after", CHUNKED "5 \r\nhello\r\n0\r\n\r\n", kBadChunkSize, 400},
    {"chunk size with a letter", CHUNKED "5g\r\nhello\r\n0\r\n\r\n", kBadChunkSize, 400},
    {"chunk size of 17 digits", CHUNKED "10000000000000005\r\nhello\r\n0\r\n\r\n", kBadChunkSize,
     400},
    {"extension alone", CHUNKED ";a\r\nhello\r\n0\r\n\r\n", kBadChunkSize, 400},
    {"chunk line with bare LF", CHUNKED "5\nhello\r\n0\r\n\r\n", kBareLf, 400},
    {"chunk line with bare CR", CHUNKED "5\rhello\r\n0\r\n\r\n", kBareCr, 400},
    {"chunk extension with bare LF inside", CHUNKED "5;a\nhello\r\n0\r\n\r\n", kBareLf, 400},
    {"chunk extension with bare CR inside", CHUNKED "5;a\rb\r\nhello\r\n0\r\n\r\n", kBareCr, 400},
    {"chunk extension without name", CHUNKED "5;\r\nhello\r\n0\r\n\r\n", kBadChunkExtension, 400},
    {"chunk extension with white space", CHUNKED "5; a\r\nhello\r\n0\r\n\r\n", kBadChunkExtension,
     400},
    {"chunk extension without value", CHUNKED "5;a=\r\nhello\r\n0\r\n\r\n", kBadChunkExtension,
     400},
    {"chunk extension with an open quote", CHUNKED "5;a=\"b\r\nhello\r\n0\r\n\r\n",
     kBadChunkExtension, 400},
    {"chunk extension with an escaped end", CHUNKED "5;a=\"b\\\"\r\nhello\r\n0\r\n\r\n",
     kBadChunkExtension, 400},
    {"chunk extension with NUL", CHUNKED "5;a=\"\0\"\r\nhello\r\n0\r\n\r\n"sv, kBadChunkExtension,
     400},
    {"chunk line too long",
     CHUNKED "5;a=" FORTY FORTY FORTY FORTY FORTY FORTY FORTY "\r\nhello\r\n0\r\n\r\n",
     kChunkLineTooLong, 400},
    {"chunk line too long, not ended", CHUNKED FORTY FORTY FORTY FORTY FORTY FORTY FORTY,
     kChunkLineTooLong, 400},
    {"chunk extensions above their budget",
     CHUNKED "1;a=" FORTY FORTY FORTY "\r\nx\r\n1;a=" FORTY FORTY FORTY "\r\nx\r\n0\r\n\r\n",
     kHeadTooLarge, 431},
    {"chunk above the limit", CHUNKED "15\r\n", kBodyTooLarge, 413},
    {"chunk of 2^64 - 1", CHUNKED "FFFFFFFFFFFFFFFF\r\n", kBodyTooLarge, 413},
    {"chunks above the limit", CHUNKED "5\r\nhello\r\n10\r\n", kBodyTooLarge, 413},
    {"chunk longer than it says", CHUNKED "4\r\nhello\r\n0\r\n\r\n", kBadChunkEnd, 400},
    {"chunk shorter than it says", CHUNKED "6\r\nhello\r\n0\r\n\r\n", kBadChunkEnd, 400},
    {"chunk end with LF alone", CHUNKED "5\r\nhello\n0\r\n\r\n", kBadChunkEnd, 400},
    {"chunk end with CR alone", CHUNKED "5\r\nhello\r0\r\n\r\n", kBadChunkEnd, 400},
    {"bad trailer name", CHUNKED "0\r\nX Y: 1\r\n\r\n", kBadHeaderName, 400},
    {"bad trailer value", CHUNKED "0\r\nX: \x01\r\n\r\n", kBadHeaderValue, 400},
    {"folded trailer", CHUNKED "0\r\nX: 1\r\n 2\r\n\r\n", kObsFold, 400},
    {"space before the colon of a trailer", CHUNKED "0\r\nX : 1\r\n\r\n", kSpaceBeforeColon, 400},
    {"trailer with bare LF", CHUNKED "0\r\nX: 1\n\r\n", kBareLf, 400},
    {"end of trailers with bare LF", CHUNKED "0\r\n\n", kBareLf, 400},
    {"trailers above their budget", CHUNKED "0\r\nX: " FORTY FORTY FORTY FORTY FORTY "\r\n\r\n",
     kHeadTooLarge, 431},
    {"trailers above their budget, not ended", CHUNKED "0\r\nX: " FORTY FORTY FORTY FORTY FORTY,
     kHeadTooLarge, 431},
    {"too many trailers", CHUNKED "0\r\nA:\r\nB:\r\nC:\r\nD:\r\nE:\r\n\r\n", kTooManyHeaders, 431},

    {"wrong second request", GET_1_1 "\r\nGET\r\n", kBadRequestLine, 400},
    {"body that was not announced", POST_1_1 "\r\n{\"a\":1}\r\n", kBadMethod, 400},
};

TEST(RequestReject, EveryEntryIsRefusedForItsReason) {
  for (const Refused& entry : kRefused) {
    EXPECT_EQ(feed({entry.text}, kLimits).error, entry.error) << entry.name;
    EXPECT_EQ(request_error_info(entry.error).status, entry.status) << entry.name;
  }
}

TEST(RequestReject, ByteByByteGivesTheSameVerdict) {
  for (const Refused& entry : kRefused) {
    EXPECT_EQ(feed(one_by_one(entry.text), kLimits), feed({entry.text}, kLimits)) << entry.name;
  }
}

TEST(RequestReject, EveryCutGivesTheSameVerdict) {
  for (const Refused& entry : kRefused) {
    const Outcome whole = feed({entry.text}, kLimits);
    for (std::size_t cut = 0; cut <= entry.text.size(); ++cut) {
      EXPECT_EQ(feed({entry.text.substr(0, cut), entry.text.substr(cut)}, kLimits), whole)
          << entry.name << " cut at " << cut;
    }
  }
}

TEST(RequestReject, EveryErrorOfTheTableIsReached) {
  for (int i = 1; i < kRequestErrorCount; ++i) {
    const auto error = static_cast<RequestError>(i);
    const bool reached =
        std::any_of(std::begin(kRefused), std::end(kRefused),
                    [error](const Refused& entry) { return entry.error == error; });
    EXPECT_TRUE(reached) << request_error_info(error).text;
  }
}

TEST(RequestReject, AFailedParserStaysFailedAndHoldsNoBuffer) {
  const RequestLimits limits;
  RequestParser parser(limits);
  Request request;
  ASSERT_EQ(parser.step(as_bytes("GET / HT"), request).status, RequestParser::Status::kNeedMore);
  EXPECT_GT(parser.buffer_bytes(), 0U);
  ASSERT_EQ(parser.step(as_bytes("XP/1.1\r\n"), request).status, RequestParser::Status::kError);
  EXPECT_EQ(parser.buffer_bytes(), 0U);
  parser.release();
  const auto later = parser.step(as_bytes(GET_1_1 "\r\n"), request);
  EXPECT_EQ(later.status, RequestParser::Status::kError);
  EXPECT_EQ(later.consumed, 0U);
  EXPECT_EQ(parser.error(), kBadVersion);
}

}  // namespace
}  // namespace uproar::http
