// The REST door as a stranger and as a person finds it: who is let in, what is refused, and in which words.

#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "core/gateway/rest_routes.h"
#include "proto/chat/limits.h"
#include "tests/core/server/json_check.h"
#include "tests/core/server/local_server.h"

namespace uproar::server {
namespace {

class HttpDoors : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new LocalServer; }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  static LocalServer* server_;
  Client client_{server_->port()};
};
LocalServer* HttpDoors::server_ = nullptr;

// A refusal has one shape, whatever was asked.
void expect_refusal(const HttpAnswer& answer, int status, std::string_view code) {
  EXPECT_EQ(answer.status, status) << answer.body;
  EXPECT_EQ(json_text(answer.body, "code"), code) << answer.body;
  EXPECT_EQ(json_text(answer.body, "type"), "error") << answer.body;
  EXPECT_NE(json_text(answer.body, "message"), "") << answer.body;
  EXPECT_TRUE(JsonCheck::well_formed(answer.body)) << answer.body;
  EXPECT_EQ(answer.header("content-type"), "application/json");
  EXPECT_EQ(answer.header("cache-control"), "no-store");
  EXPECT_EQ(answer.header("www-authenticate").starts_with("Bearer"), status == 401);
}

std::string path_of(std::string_view pattern) {
  std::string path(pattern);
  const auto fill = [&path](std::string_view place, std::string_view value) {
    if (const auto found = path.find(place); found != std::string::npos)
      path.replace(found, place.size(), value);
  };
  fill("{id}", "018c0000-0000-7000-8000-000000000001");
  fill("{ref}", "1");
  fill("{user}", "018c0000-0000-7000-8000-000000000002");
  fill("{emoji}", "x");
  return path;
}

bool is_for_strangers(const gateway::RestRoute& route) {
  using enum gateway::RestAction;
  return route.action == kLogin || route.action == kRegister || route.action == kRefresh;
}

TEST_F(HttpDoors, EveryRouteWantsATokenExceptThoseThatGiveOne) {
  for (const gateway::RestRoute& route : gateway::rest_routes()) {
    const HttpAnswer answer =
        client_.request(route.method, path_of(route.pattern), {}, "this is no JSON");
    SCOPED_TRACE(std::string(route.method) + " " + std::string(route.pattern));
    if (is_for_strangers(route)) {
      expect_refusal(answer, 400, "bad_json");
    } else {
      expect_refusal(answer, 401, "unauthorized");  // and nothing about the body
    }
  }
}

TEST_F(HttpDoors, StrangersLearnNothingFromErrorsInAPath) {
  for (const std::string_view path :
       {"/api/v1/users/no-uuid", "/api/v1/conversations/no-uuid",
        "/api/v1/conversations/no-uuid/messages?limit=-1", "/api/v1/users?name=%21"}) {
    expect_refusal(client_.request("GET", path), 401, "unauthorized");
    EXPECT_EQ(client_.request("GET", path, bearer(server_->token())).status, 400) << path;
  }
}

TEST_F(HttpDoors, EveryTokenThatIsNotGoodIsRefused) {
  struct Row {
    std::string_view what;
    std::string authorization;
    std::string_view code;
    bool gave_token = true;
  };
  const std::string good = server_->token();
  for (const Row& row : std::vector<Row>{
           {"nothing", "", "unauthorized", false},
           {"scheme alone", "Bearer", "unauthorized", false},
           {"empty token", "Bearer ", "unauthorized", false},
           {"another scheme", "Basic " + good, "unauthorized", false},
           {"no scheme", good, "unauthorized", false},
           {"no token at all", "Bearer abc", "unauthorized"},
           {"cut short", "Bearer " + good.substr(0, good.size() - 3), "unauthorized"},
           {"another key", "Bearer " + server_->token({.key = std::string(43, 'x')}),
            "unauthorized"},
           {"expired", "Bearer " + server_->token({.lives = std::chrono::seconds(-1)}),
            "token_expired"},
           {"too large", "Bearer " + std::string(9'000, 'a'), "unauthorized"},
       }) {
    SCOPED_TRACE(row.what);
    const HttpAnswer answer =
        client_.request("GET", "/api/v1/me", {{"Authorization", row.authorization}});
    expect_refusal(answer, 401, row.code);
    // RFC 6750 §3.1: without a token there is nothing wrong with it.
    EXPECT_EQ(answer.header("www-authenticate"),
              row.gave_token ? R"(Bearer error="invalid_token")" : "Bearer");
  }
}

TEST_F(HttpDoors, AGoodTokenIsTakenHoweverTheSchemeIsWritten) {
  const UserId user = LocalServer::fresh_user();
  const std::string token = server_->token({.user = user});
  for (const std::string scheme : {"Bearer ", "bearer ", "BEARER ", "Bearer   "}) {
    const HttpAnswer answer =
        client_.request("GET", "/api/v1/me", {{"Authorization", scheme + token}});
    EXPECT_EQ(answer.status, 200) << scheme << answer.body;
    EXPECT_EQ(json_text(answer.body, "user_id"), user.text());
  }
}

TEST_F(HttpDoors, ATokenInTheQueryOpensNoRestDoor) {
  expect_refusal(client_.request("GET", "/api/v1/me?token=" + server_->token()), 401,
                 "unauthorized");
}

TEST_F(HttpDoors, UnknownPathsAreNotFound) {
  for (const std::string_view path :
       {"/nowhere", "/api/v1/nowhere", "/api/", "/api/v1/me/", "/page/..%2Fapp.js", "/index.html",
        "/healthz/", "/auth.key", "/ws", "/metrics", "/api/v1/admin/nodes"}) {
    SCOPED_TRACE(path);
    expect_refusal(client_.request("GET", path), 404, "not_found");
    expect_refusal(client_.request("POST", path, {}, "{}"), 404, "not_found");
  }
}

TEST_F(HttpDoors, AnotherMethodIsRefusedAndTheRightOnesAreNamed) {
  for (const gateway::RestRoute& route : gateway::rest_routes()) {
    SCOPED_TRACE(route.pattern);
    const HttpAnswer answer = client_.request("OPTIONS", path_of(route.pattern));
    expect_refusal(answer, 405, "method_not_allowed");
    EXPECT_NE(answer.header("allow").find(route.method), std::string::npos)
        << answer.header("allow");
  }
  for (const std::string_view path : {"/", "/openapi.json", "/healthz", "/readyz"}) {
    SCOPED_TRACE(path);
    for (const std::string_view method : {"POST", "DELETE", "OPTIONS"}) {
      const HttpAnswer answer = client_.request(method, path);
      expect_refusal(answer, 405, "method_not_allowed");
      EXPECT_EQ(answer.header("allow"), "GET, HEAD");
    }
  }
}

TEST_F(HttpDoors, APersonRegistersLogsInIsKnownAndLogsOut) {
  const HttpAnswer registered = client_.request("POST", "/api/v1/register", {},
                                                R"({"name":"Grace","password":"correct horse"})");
  ASSERT_EQ(registered.status, 201) << registered.body;
  EXPECT_EQ(registered.header("cache-control"), "no-store") << "tokens are for nobody's cache";
  expect_refusal(client_.request("POST", "/api/v1/register", {},
                                 R"({"name":"grace","password":"correct horse"})"),
                 409, "name_taken");
  for (const std::string_view path : {"/login", "/api/v1/login"}) {
    const HttpAnswer login =
        client_.request("POST", path, {}, R"({"name":"grace","password":"correct horse"})");
    ASSERT_EQ(login.status, 200) << login.body;
    EXPECT_EQ(json_text(login.body, "user_id"), json_text(registered.body, "user_id"));
    EXPECT_EQ(json_text(login.body, "ws_url"), "ws://localhost/ws") << "where it asked";
  }
  const std::string token = json_text(registered.body, "access_token");
  EXPECT_EQ(client_.request("GET", "/api/v1/me", bearer(token)).status, 200);
  const HttpAnswer gone = client_.request("POST", "/api/v1/logout", bearer(token));
  EXPECT_EQ(gone.status, 204);
  EXPECT_EQ(gone.headers.count("content-length"), 0U);
  expect_refusal(client_.request("GET", "/api/v1/me", bearer(token)), 401, "token_revoked");
  expect_refusal(client_.request(
                     "POST", "/api/v1/refresh", {},
                     R"({"refresh_token":")" + json_text(registered.body, "refresh_token") + "\"}"),
                 401, "unauthorized");
}

// Whoever can have a Host of their choice sent with somebody's login must not choose where that
// somebody goes next. On a server of its own, as logins from one address are limited.
TEST(HttpHost, ThatIsNotOursIsNotToldToALogin) {
  const LocalServer server;
  Client client(server.port());
  const std::string body = R"({"name":"hosted","password":"correct horse"})";
  ASSERT_EQ(client.request("POST", "/api/v1/register", {}, body).status, 201);
  const std::string port = std::to_string(server.port());
  const std::string usual = "ws://127.0.0.1:" + port + "/ws";
  struct Row {
    std::string target;
    std::string host;
    std::string told;
  };
  for (const Row& row : {
           Row{"/api/v1/login", "127.0.0.1:" + port, usual},
           Row{"/api/v1/login", "LOCALHOST:9000", "ws://LOCALHOST:9000/ws"},
           Row{"/api/v1/login", "evil.example", usual},
           Row{"/api/v1/login", "evil.example:" + port, usual},
           Row{"/api/v1/login", "localhost.evil.example", usual},
           Row{"http://evil.example/api/v1/login", "localhost", usual},  // stands in for Host
           Row{"http://localhost/api/v1/login", "evil.example", "ws://localhost/ws"},
       }) {
    SCOPED_TRACE(row.target + " " + row.host);
    client.write("POST " + row.target + " HTTP/1.1\r\nHost: " + row.host +
                 "\r\nX-Forwarded-Host: evil.example\r\nContent-Length: " +
                 std::to_string(body.size()) + "\r\n\r\n" + body);
    const HttpAnswer login = client.read_answer();
    ASSERT_EQ(login.status, 200) << login.body;
    EXPECT_EQ(json_text(login.body, "ws_url"), row.told);
  }
}

TEST_F(HttpDoors, ARefreshTokenIsGoodOnce) {
  const std::string first = json_text(server_->person(), "refresh_token");
  const auto body_of = [](const std::string& token) {
    return R"({"refresh_token":")" + token + "\"}";
  };
  const std::string body = body_of(first);
  const HttpAnswer refreshed = client_.request("POST", "/api/v1/refresh", {}, body);
  ASSERT_EQ(refreshed.status, 200) << refreshed.body;
  const std::string second = json_text(refreshed.body, "refresh_token");
  EXPECT_NE(second, first);
  EXPECT_EQ(client_.request("GET", "/api/v1/me", bearer(json_text(refreshed.body, "access_token")))
                .status,
            200);
  EXPECT_EQ(client_.request("POST", "/api/v1/refresh", {}, body_of(second)).status, 200);
  EXPECT_EQ(client_.request("POST", "/api/v1/refresh", {}, body).status, 401);
}

TEST_F(HttpDoors, ATokenWithoutALoginHasNothingToLogOutOf) {
  expect_refusal(client_.request("POST", "/api/v1/logout", bearer(server_->token())), 409,
                 "conflict");
}

TEST_F(HttpDoors, ATokenThatNamesALoginWeNeverHadHasNothingToLogOutOf) {
  const std::string token =
      server_->token({.sid = SessionId(Uuid{.high = 0x018c'0000'0000'7000, .low = 9}).text()});
  EXPECT_EQ(client_.request("GET", "/api/v1/me", bearer(token)).status, 200);
  expect_refusal(client_.request("POST", "/api/v1/logout", bearer(token)), 409, "conflict");
  EXPECT_EQ(client_.request("GET", "/api/v1/me", bearer(token)).status, 200)
      << "what cannot be revoked is not said to be";
}

TEST_F(HttpDoors, GuessingAPasswordIsSlowedDownAndTheWaitIsNamed) {
  const std::string name = json_text(server_->person(), "name");
  const std::string guess = R"({"name":")" + name + R"(","password":"not the horse"})";
  for (int i = 0; i < 10; ++i)
    expect_refusal(client_.request("POST", "/login", {}, guess), 401, "unauthorized");
  const HttpAnswer slowed = client_.request("POST", "/login", {}, guess);
  expect_refusal(slowed, 429, "rate_limited");
  const int seconds = std::atoi(slowed.header("retry-after").c_str());
  EXPECT_GE(seconds, 1);
  EXPECT_LE(seconds, 6) << "one attempt in six seconds";
}

TEST_F(HttpDoors, AWrongNameAndAWrongPasswordSoundTheSame) {
  const std::string name = json_text(server_->person(), "name");
  const HttpAnswer wrong_password = client_.request(
      "POST", "/login", {}, R"({"name":")" + name + R"(","password":"not the horse"})");
  const HttpAnswer wrong_name =
      client_.request("POST", "/login", {}, R"({"name":"nobody","password":"not the horse"})");
  EXPECT_EQ(wrong_password.body, wrong_name.body);
  EXPECT_EQ(wrong_password.status, wrong_name.status);
}

TEST_F(HttpDoors, ABodyAboveTheLimitIsRefusedBeforeItIsSentAndEndsTheConnection) {
  client_.write("POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n");
  const HttpAnswer answer = client_.read_answer();
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_TRUE(JsonCheck::well_formed(answer.body)) << answer.body;
  EXPECT_TRUE(client_.at_end());
}

TEST_F(HttpDoors, ABodyThatIsReadButTooLargeForACommandLeavesTheConnectionAlive) {
  expect_refusal(client_.request("POST", "/login", {}, std::string(1'048'576, ' ')), 413,
                 "too_large");
  expect_refusal(
      client_.request("POST", "/login", {}, std::string(chat::kMessageBytesMax + 1, ' ')), 413,
      "too_large");
  expect_refusal(client_.request("POST", "/login", {}, std::string(chat::kMessageBytesMax, ' ')),
                 400, "bad_json");
}

TEST_F(HttpDoors, ASyncOfTooManyConversationsIsTooLarge) {
  const auto sync_of = [](int cursors) {
    std::string body = R"({"cursors":{)";
    for (int i = 0; i < cursors; ++i) {
      const std::string number = std::to_string(1'000 + i);
      body +=
          (i == 0 ? "" : ",") + std::string("\"018c0000-0000-7000-8000-00000000") + number + "\":0";
    }
    return body + "}}";
  };
  const std::string token = server_->token();
  const HttpAnswer fifty = client_.request("POST", "/api/v1/sync", bearer(token), sync_of(50));
  EXPECT_EQ(fifty.status, 200) << fifty.body;
  EXPECT_NE(fifty.body.find("not_member"), std::string::npos)
      << "strangers see nothing, conversation by conversation";
  expect_refusal(client_.request("POST", "/api/v1/sync", bearer(token), sync_of(51)), 413,
                 "too_large");
}

TEST_F(HttpDoors, PipelinedRequestsAreAnsweredInTheirOrder) {
  const std::string token = server_->token();
  client_.write(
      "GET /api/v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token +
      "\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client_.read_answer().status, 200) << "it waits for the store, and the others for it";
  EXPECT_EQ(client_.read_answer().status, 404);
  const HttpAnswer alive = client_.read_answer();
  EXPECT_EQ(alive.status, 200);
  EXPECT_EQ(json_text(alive.body, "status"), "alive");
}

TEST_F(HttpDoors, ReadyTravelsThroughEveryShard) {
  const HttpAnswer answer = client_.request("GET", "/readyz");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(json_text(answer.body, "status"), "ready");
  EXPECT_NE(answer.body.find(R"("shards_expected":2)"), std::string::npos) << answer.body;
  EXPECT_TRUE(JsonCheck::well_formed(answer.body)) << answer.body;
  EXPECT_EQ(client_.request("HEAD", "/readyz").body, "");
  EXPECT_EQ(client_.request("HEAD", "/healthz").status, 200);
}

// RFC 9112 §3.2 asks 1.1 alone for it. Every door is tried: none may rest on its being there.
TEST_F(HttpDoors, Http10NeedsNoHost) {
  struct Row {
    std::string request;
    int status;
  };
  const std::string account = R"({"name":"hostless","password":"correct horse"})";
  const std::string body =
      "Content-Length: " + std::to_string(account.size()) + "\r\n\r\n" + account;
  for (const Row& row : std::vector<Row>{
           {"GET / HTTP/1.0\r\n\r\n", 200},
           {"GET /openapi.json HTTP/1.0\r\nOrigin: http://a.example\r\n\r\n", 200},
           {"GET /healthz HTTP/1.0\r\n\r\n", 200},
           {"GET /nowhere HTTP/1.0\r\n\r\n", 404},
           {"POST /api/v1/register HTTP/1.0\r\n" + body, 201},
           {"POST /login HTTP/1.0\r\n" + body, 200},
           {"GET /api/v1/me HTTP/1.0\r\nAuthorization: Bearer " + server_->token() + "\r\n\r\n",
            200},
           {"GET /api/v1/me HTTP/1.0\r\n\r\n", 401},
           {"GET /healthz HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400},
           {"GET /healthz HTTP/1.0\r\nHost: a b\r\n\r\n", 400},
           {"GET /healthz HTTP/1.1\r\n\r\n", 400},
       }) {
    Client client(server_->port());
    client.write(row.request);
    const HttpAnswer answer = client.read_answer();
    EXPECT_EQ(answer.status, row.status) << row.request << answer.body;
    EXPECT_EQ(answer.header("connection"), "close") << row.request;
    EXPECT_TRUE(client.at_end()) << row.request;
    const bool is_json = answer.header("content-type") == "application/json";
    EXPECT_TRUE(!is_json || JsonCheck::well_formed(answer.body)) << answer.body;
  }
}

}  // namespace
}  // namespace uproar::server
