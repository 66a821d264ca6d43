#include "proto/http/response_writer.h"

#include <array>
#include <string>

#include <gtest/gtest.h>

#include "proto/http/date.h"
#include "proto/http/request_error.h"
#include "proto/http/request_parser.h"

namespace uproar::http {
namespace {

std::string written(const Response& response, const ResponseContext& context = {}) {
  std::string out;
  const auto result = write_response(response, context, out);
  EXPECT_TRUE(result.ok());
  return out;
}

ResponseError refused(const Response& response) {
  std::string out = "before";
  const auto result = write_response(response, {}, out);
  EXPECT_EQ(out, "before") << "nothing is written on an error";
  return result.ok() ? ResponseError::kNone : result.error();
}

TEST(ResponseWriter, WritesStatusDateTypeHeadersLengthAndBody) {
  const std::array<Header, 1> headers{{{"Cache-Control", "no-store"}}};
  EXPECT_EQ(written({.content_type = "application/json", .headers = headers, .body = "{}"},
                    {.date = "Sun, 06 Nov 1994 08:49:37 GMT"}),
            "HTTP/1.1 200 OK\r\n"
            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Content-Type: application/json\r\n"
            "Cache-Control: no-store\r\n"
            "Content-Length: 2\r\n"
            "\r\n{}");
}

TEST(ResponseWriter, SaysWhatBecomesOfTheConnection) {
  EXPECT_EQ(written({}, {.keep_alive = false}),
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(written({}, {.keep_alive = true, .version_minor = 0}),
            "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(written({}, {.keep_alive = true, .version_minor = 1}),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

TEST(ResponseWriter, HeadGetsTheLengthWithoutTheBody) {
  EXPECT_EQ(written({.body = "hello"}, {.head_request = true}),
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
}

TEST(ResponseWriter, StatusesWithoutBodyHaveNoLength) {  // RFC 9110 §8.6, §15.3.5, §15.4.5
  EXPECT_EQ(written({.status = 204}), "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(written({.status = 304}), "HTTP/1.1 304 Not Modified\r\n\r\n");
  EXPECT_EQ(refused({.status = 204, .body = "x"}), ResponseError::kBodyNotAllowed);
  EXPECT_EQ(refused({.status = 304, .body = "x"}), ResponseError::kBodyNotAllowed);
}

TEST(ResponseWriter, LetsTheUpgradeNameItsConnectionHeader) {
  const std::array<Header, 2> headers{{{"Upgrade", "websocket"}, {"Connection", "Upgrade"}}};
  EXPECT_EQ(
      written({.status = 101, .headers = headers}),
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
  EXPECT_EQ(refused({.status = 200, .headers = headers}), ResponseError::kReservedHeader);
}

TEST(ResponseWriter, RefusesLineEndsAndControlCharactersInEveryValue) {
  for (const std::string_view value :
       {std::string_view("a\r\nSet-Cookie: b"), std::string_view("a\nb"), std::string_view("a\rb"),
        std::string_view("a\0b", 3), std::string_view("\x7f")}) {
    const std::array<Header, 1> headers{{{"Location", value}}};
    EXPECT_EQ(refused({.headers = headers}), ResponseError::kBadHeaderValue) << value;
    EXPECT_EQ(refused({.content_type = value}), ResponseError::kBadHeaderValue) << value;
  }
}

TEST(ResponseWriter, RefusesBadNamesReservedHeadersAndStatuses) {
  for (const std::string_view name : {"", "a b", "a:", "a\r\nb", "\xc3\xa4"}) {
    const std::array<Header, 1> headers{{{name, "x"}}};
    EXPECT_EQ(refused({.headers = headers}), ResponseError::kBadHeaderName) << name;
  }
  for (const std::string_view name :
       {"content-length", "Transfer-Encoding", "CONNECTION", "Date"}) {
    const std::array<Header, 1> headers{{{name, "x"}}};
    EXPECT_EQ(refused({.headers = headers}), ResponseError::kReservedHeader) << name;
  }
  EXPECT_EQ(refused({.status = 99}), ResponseError::kBadStatus);
  EXPECT_EQ(refused({.status = 600}), ResponseError::kBadStatus);
}

TEST(ResponseWriter, KnowsAReasonForEveryStatusOfTheErrorTable) {
  for (int i = 1; i < kRequestErrorCount; ++i) {
    const auto& info = request_error_info(static_cast<RequestError>(i));
    EXPECT_NE(reason_phrase(info.status), "") << info.status;
  }
  EXPECT_EQ(reason_phrase(299), "");
}

TEST(HttpDate, FormatsKnownMoments) {
  EXPECT_EQ(http_date(0).view(), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(http_date(784'111'777).view(),
            "Sun, 06 Nov 1994 08:49:37 GMT");  // the example of RFC 9110
  EXPECT_EQ(http_date(951'782'400).view(), "Tue, 29 Feb 2000 00:00:00 GMT");
  EXPECT_EQ(http_date(253'402'300'799).view(), "Fri, 31 Dec 9999 23:59:59 GMT");
}

}  // namespace
}  // namespace uproar::http
