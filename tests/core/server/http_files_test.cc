// The page and the documents: whole, by headers alone, and only if they have changed.

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "core/gateway/assets.h"
#include "tests/core/server/json_check.h"
#include "tests/core/server/local_server.h"

namespace uproar::server {
namespace {

class HttpFiles : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new LocalServer; }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  static LocalServer* server_;
  Client client_{server_->port()};
};
LocalServer* HttpFiles::server_ = nullptr;

constexpr std::string_view kPaths[] = {"/", "/openapi.json", "/asyncapi.json", "/favicon.svg",
                                       "/page/app.js"};

TEST_F(HttpFiles, AreServedAsTheyAreWithTheirTypeAndSafeHeaders) {
  for (const std::string_view path : kPaths) {
    const gateway::Asset* asset = gateway::find_asset(path);
    ASSERT_NE(asset, nullptr) << path;
    const HttpAnswer answer = client_.request("GET", path);
    EXPECT_EQ(answer.status, 200) << path;
    EXPECT_EQ(answer.body, asset->bytes) << path;
    EXPECT_EQ(answer.header("content-type"), asset->content_type) << path;
    EXPECT_EQ(answer.header("etag"), asset->etag) << path;
    EXPECT_EQ(answer.header("x-content-type-options"), "nosniff") << path;
    EXPECT_NE(answer.header("content-security-policy").find("default-src 'self'"),
              std::string::npos)
        << path;
    EXPECT_EQ(answer.header("cache-control"), "no-cache") << path;
  }
}

TEST_F(HttpFiles, AQueryDoesNotChangeThem) {
  EXPECT_EQ(client_.request("GET", "/?from=elsewhere").body, gateway::find_asset("/")->bytes);
}

TEST_F(HttpFiles, AHeadRequestGetsTheHeadersOfTheGetAlone) {
  for (const std::string_view path : kPaths) {
    HttpAnswer get = client_.request("GET", path);
    HttpAnswer head = client_.request("HEAD", path);
    EXPECT_EQ(head.status, 200) << path;
    EXPECT_EQ(head.header("content-length"), std::to_string(get.body.size())) << path;
    get.headers.erase("date");
    head.headers.erase("date");
    EXPECT_EQ(head.headers, get.headers) << path;
  }
}

TEST_F(HttpFiles, AClientThatHasItAlreadyGetsNoBody) {
  for (const std::string_view path : kPaths) {
    const std::string etag(gateway::find_asset(path)->etag);
    for (const std::string& known : {etag, "W/" + etag, "\"other\", " + etag, std::string("*")}) {
      for (const std::string_view method : {"GET", "HEAD"}) {
        const HttpAnswer answer = client_.request(method, path, {{"If-None-Match", known}});
        EXPECT_EQ(answer.status, 304) << path << ' ' << known;
        EXPECT_EQ(answer.headers.count("content-length"), 0U)
            << "RFC 9110 §8.6: it would be the length of the 200";
        EXPECT_EQ(answer.header("etag"), etag);
      }
    }
    EXPECT_EQ(client_.request("GET", path, {{"If-None-Match", "\"other\""}}).status, 200) << path;
  }
}

TEST_F(HttpFiles, TheApiDocumentsAreJson) {
  for (const std::string_view path : {"/openapi.json", "/asyncapi.json"}) {
    EXPECT_TRUE(JsonCheck::well_formed(client_.request("GET", path).body)) << path;
  }
}

}  // namespace
}  // namespace uproar::server
