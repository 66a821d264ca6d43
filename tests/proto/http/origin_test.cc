#include "proto/http/origin.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proto/http/limits.h"
#include "proto/http/request_parser.h"

namespace uproar::http {
namespace {

OriginPolicy policy(std::vector<std::string> allowed) {
  auto result = OriginPolicy::from(allowed);
  EXPECT_TRUE(result.ok());
  return std::move(result).value();
}

TEST(OriginPolicy, ByDefaultAllowsNoOriginAndTheSameHostAndPort) {
  struct Case {
    std::string_view origin, authority;
    bool allowed;
  };
  const OriginPolicy same;
  EXPECT_TRUE(same.allows(std::nullopt, "a"));
  for (const Case& c : {
           Case{"http://a", "a", true},
           Case{"https://a", "a", true},
           Case{"http://A.Example", "a.example", true},
           Case{"http://a:8080", "a:8080", true},
           Case{"http://a", "a:80", true},
           Case{"http://a:80", "a", true},
           Case{"https://a", "a:443", true},
           Case{"http://[::1]:8080", "[::1]:8080", true},
           Case{"https://a", "a:80", false},
           Case{"http://a:8080", "a", false},
           Case{"http://a:8080", "a:8081", false},
           Case{"http://b", "a", false},
           Case{"http://a.evil", "a", false},
           Case{"http://evil.a", "a", false},
           Case{"http://a@evil", "a", false},
           Case{"http://a/", "a", false},
           Case{"http://a http://b", "a", false},
           Case{"ftp://a", "a", false},
           Case{"a", "a", false},
           Case{"null", "a", false},
           Case{"", "a", false},
           Case{"", "", false},
           Case{"http://", "", false},
       }) {
    EXPECT_EQ(same.allows(c.origin, c.authority), c.allowed) << c.origin << " to " << c.authority;
  }
}

std::optional<std::string> listed_origin(const OriginPolicy& policy, std::string_view lines) {
  const RequestLimits limits;
  RequestParser parser(limits);
  Request request;
  std::string head = "GET / HTTP/1.1\r\nHost: api\r\n";
  head.append(lines).append("\r\n");
  EXPECT_EQ(parser.step(as_bytes(head), request).status, RequestParser::Status::kRequest);
  const auto origin = policy.listed_origin(request);
  if (!origin) return std::nullopt;
  return std::string(*origin);
}

TEST(OriginPolicy, LetsPagesOfListedOriginsReadAndNoOthers) {
  const OriginPolicy listed = policy({"https://chat.example"});
  EXPECT_TRUE(listed.lists_any());
  EXPECT_EQ(listed_origin(listed, "Origin: https://chat.example\r\n"), "https://chat.example");
  EXPECT_EQ(listed_origin(listed, "Origin: https://CHAT.example:443\r\n"),
            "https://CHAT.example:443")
      << "as the browser wrote it: it compares bytes";
  EXPECT_EQ(listed_origin(listed, ""), std::nullopt) << "no page";
  EXPECT_EQ(listed_origin(listed, "Origin: http://api\r\n"), std::nullopt) << "our own";
  EXPECT_EQ(listed_origin(listed, "Origin: https://evil.example\r\n"), std::nullopt);
  EXPECT_EQ(
      listed_origin(listed, "Origin: https://chat.example\r\nOrigin: https://chat.example\r\n"),
      std::nullopt);
  EXPECT_EQ(listed_origin(policy({"*"}), "Origin: null\r\n"), "null");
  EXPECT_FALSE(OriginPolicy().lists_any());
  EXPECT_EQ(listed_origin(OriginPolicy(), "Origin: https://chat.example\r\n"), std::nullopt);
}

TEST(OriginPolicy, AllowsListedOriginsExactly) {
  const OriginPolicy listed = policy({"https://chat.example", "http://localhost:3000"});
  EXPECT_TRUE(listed.allows("https://chat.example", "api"));
  EXPECT_TRUE(listed.allows("https://CHAT.example:443", "api"));
  EXPECT_TRUE(listed.allows("http://localhost:3000", "api"));
  EXPECT_TRUE(listed.allows("http://api", "api")) << "same origin stays allowed";
  EXPECT_FALSE(listed.allows("http://chat.example", "api")) << "another scheme";
  EXPECT_FALSE(listed.allows("https://chat.example:8443", "api"));
  EXPECT_FALSE(listed.allows("https://chat.example.evil", "api"));
  EXPECT_FALSE(listed.allows("http://localhost", "api"));
}

TEST(OriginPolicy, StarAllowsEverything) {
  const OriginPolicy all = policy({"*"});
  EXPECT_TRUE(all.allows("http://anywhere", "api"));
  EXPECT_TRUE(all.allows("null", "api"));
}

TEST(OriginPolicy, RefusesSettingsThatAreNoOrigins) {
  for (const std::string text : {"", "chat.example", "https://chat.example/", "https://*.example",
                                 "null", "https://", "https://a b"}) {
    const auto result = OriginPolicy::from(std::vector<std::string>{text});
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_EQ(result.error(), OriginPolicy::ConfigError::kNotAnOrigin) << text;
  }
  const auto many =
      OriginPolicy::from(std::vector<std::string>(kAllowedOriginsMax + 1, "http://a"));
  EXPECT_EQ(many.error(), OriginPolicy::ConfigError::kTooMany);
}

TEST(OriginPolicy, RefusesARepeatedOriginHeader) {
  const RequestLimits limits;
  RequestParser parser(limits);
  Request request;
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\n";
  const std::string once = head + "\r\n";
  ASSERT_EQ(parser.step(as_bytes(once), request).status, RequestParser::Status::kRequest);
  EXPECT_TRUE(OriginPolicy().allows(request));
  const std::string twice = head + "Origin: http://a\r\n\r\n";
  ASSERT_EQ(parser.step(as_bytes(twice), request).status, RequestParser::Status::kRequest);
  EXPECT_FALSE(OriginPolicy().allows(request));
}

}  // namespace
}  // namespace uproar::http
