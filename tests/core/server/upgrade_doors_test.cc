// The ways into a WebSocket session: header, query, ticket, first message; and what is said to those who have none.

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "core/server/log.h"
#include "tests/core/server/json_check.h"
#include "tests/core/server/local_server.h"

namespace uproar::server {
namespace {

class UpgradeDoors : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    start_log("trace");
    ::testing::internal::CaptureStderr();  // every line of the log, judged when the suite ends
    server_ = new LocalServer;
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
    const std::string log = ::testing::internal::GetCapturedStderr();
    for (const std::string& secret : secrets())
      EXPECT_EQ(log.find(secret), std::string::npos) << "a secret is in the log";
  }
  static std::vector<std::string>& secrets() {
    static std::vector<std::string> all;
    return all;
  }
  // Remembered: whatever way it is used, it must not stand in the log.
  static std::string secret(std::string text) {
    secrets().push_back(text);
    return text;
  }
  static LocalServer* server_;
  Client client_{server_->port()};
};
LocalServer* UpgradeDoors::server_ = nullptr;

void expect_ready(Client& client, const UserId& user) {
  const WsMessage ready = client.hear();
  EXPECT_EQ(ready.opcode, 1);
  EXPECT_EQ(json_text(ready.payload, "type"), "session.ready") << ready.payload;
  EXPECT_EQ(json_text(ready.payload, "user_id"), user.text()) << ready.payload;
  EXPECT_TRUE(JsonCheck::well_formed(ready.payload)) << ready.payload;
}

// An error, then the close that says the same.
void expect_turned_away(Client& client, std::string_view code, int close_code) {
  const WsMessage error = client.hear();
  EXPECT_EQ(json_text(error.payload, "type"), "error") << error.payload;
  EXPECT_EQ(json_text(error.payload, "code"), code) << error.payload;
  EXPECT_EQ(client.hear().close_code(), close_code);
}

TEST_F(UpgradeDoors, ATokenInTheHeaderOpensASession) {
  const UserId user = LocalServer::fresh_user();
  const HttpAnswer answer = client_.upgrade("/ws", bearer(secret(server_->token({.user = user}))));
  ASSERT_EQ(answer.status, 101) << answer.body;
  EXPECT_EQ(answer.header("sec-websocket-protocol"), "uproar.v1");
  expect_ready(client_, user);
}

TEST_F(UpgradeDoors, ATokenInTheQueryOpensASession) {
  const UserId user = LocalServer::fresh_user();
  ASSERT_EQ(client_.upgrade("/ws?x=1&token=" + secret(server_->token({.user = user}))).status, 101);
  expect_ready(client_, user);
}

TEST_F(UpgradeDoors, ATokenInTheFirstMessageOpensASession) {
  const UserId user = LocalServer::fresh_user();
  ASSERT_EQ(client_.upgrade("/ws").status, 101);
  client_.say(R"({"type":"session.open","id":"1","token":")" +
              secret(server_->token({.user = user})) + "\"}");
  expect_ready(client_, user);
}

TEST_F(UpgradeDoors, TheHeaderIsLookedAtFirst) {
  const UserId user = LocalServer::fresh_user();
  ASSERT_EQ(client_.upgrade("/ws?token=nonsense", bearer(server_->token({.user = user}))).status,
            101);
  expect_ready(client_, user);
}

TEST_F(UpgradeDoors, ATicketOpensASessionOnceOnWhateverShard) {
  for (int i = 0; i < 6; ++i) {  // the kernel chooses the shards of both connections
    const std::string person = server_->person();
    ASSERT_NE(json_text(person, "ticket"), "") << person;
    const std::string ticket = secret(json_text(person, "ticket"));
    Client first(server_->port());
    ASSERT_EQ(first.upgrade("/ws?ticket=" + ticket).status, 101);
    expect_ready(first, *UserId::parse(json_text(person, "user_id")));
    Client second(server_->port());
    ASSERT_EQ(second.upgrade("/ws?ticket=" + ticket).status, 101)
        << "only its shard knows, and answers by message";
    expect_turned_away(second, "unauthorized", 4401);
  }
}

TEST_F(UpgradeDoors, ATicketNobodyIssuedIsRefused) {
  const std::string guess(43, 'A');
  for (const std::string shard :
       {"0000", "0001", "0002", "ffff"}) {  // two shards: the last two name none
    Client client(server_->port());
    ASSERT_EQ(client.upgrade("/ws?ticket=" + shard + guess).status, 101) << shard;
    expect_turned_away(client, "unauthorized", 4401);
  }
  const HttpAnswer answer = client_.upgrade("/ws?ticket=hello");
  EXPECT_EQ(answer.status, 401) << "what is no ticket is refused at once";
  EXPECT_EQ(json_text(answer.body, "code"), "unauthorized");
  EXPECT_EQ(answer.header("www-authenticate"), "Bearer") << "no token was given";
}

TEST_F(UpgradeDoors, AQueryThatCannotBeReadIsRefusedRatherThanGuessedAt) {
  for (const std::string name : {"token", "ticket", "resume"}) {
    for (const std::string& query : {name + "=%zz", name + "=%00", name + "=1&" + name + "=1"}) {
      Client client(server_->port());
      const HttpAnswer answer = client.upgrade("/ws?" + query);
      EXPECT_EQ(answer.status, 400) << query;
      EXPECT_EQ(json_text(answer.body, "code"), "invalid_field") << answer.body;
      EXPECT_TRUE(json_text(answer.body, "message").starts_with(name)) << answer.body;
    }
  }
}

TEST_F(UpgradeDoors, ABadTokenIsAnsweredWith401AndAnErrorBody) {
  struct Row {
    std::string_view what;
    std::string token;
    std::string_view code;
  };
  for (const Row& row :
       {Row{"nonsense", "abc", "unauthorized"},
        Row{"another key", secret(server_->token({.key = std::string(43, 'x')})), "unauthorized"},
        Row{"expired", secret(server_->token({.lives = std::chrono::seconds(-1)})),
            "token_expired"}}) {
    Client by_header(server_->port());
    Client by_query(server_->port());
    for (const HttpAnswer& answer : {by_header.upgrade("/ws", bearer(row.token)),
                                     by_query.upgrade("/ws?token=" + row.token)}) {
      EXPECT_EQ(answer.status, 401) << row.what;
      EXPECT_EQ(json_text(answer.body, "code"), row.code) << row.what << answer.body;
      EXPECT_TRUE(JsonCheck::well_formed(answer.body)) << answer.body;
      EXPECT_EQ(answer.header("content-type"), "application/json");
      EXPECT_EQ(answer.header("www-authenticate"), R"(Bearer error="invalid_token")");
      EXPECT_EQ(answer.body.find(row.token), std::string::npos) << "nor is it repeated";
    }
  }
}

TEST_F(UpgradeDoors, ABadTokenInTheFirstMessageIsAnErrorAndAClose) {
  ASSERT_EQ(client_.upgrade("/ws").status, 101);
  client_.say(R"({"type":"session.open","id":"7","token":"abc"})");
  const WsMessage error = client_.hear();
  EXPECT_EQ(json_text(error.payload, "code"), "unauthorized") << error.payload;
  EXPECT_EQ(json_text(error.payload, "id"), "7") << error.payload;
  EXPECT_EQ(client_.hear().close_code(), 4401);
}

TEST_F(UpgradeDoors, AnExpiredTokenIsToldApart) {
  ASSERT_EQ(client_.upgrade("/ws").status, 101);
  client_.say(R"({"type":"session.open","token":")" +
              server_->token({.lives = std::chrono::seconds(-1)}) + "\"}");
  expect_turned_away(client_, "token_expired", 4101);
}

TEST_F(UpgradeDoors, WhoSaysSomethingElseFirstIsAskedForATokenAndMayStillGiveIt) {
  const UserId user = LocalServer::fresh_user();
  ASSERT_EQ(client_.upgrade("/ws").status, 101);
  client_.say(R"({"type":"message.send","id":"1","content":"hi"})");
  EXPECT_EQ(json_text(client_.hear().payload, "type"), "error");
  client_.say("no json");
  EXPECT_EQ(json_text(client_.hear().payload, "code"), "bad_json");
  client_.say(R"({"type":"conversation.list","id":"2"})");
  EXPECT_EQ(json_text(client_.hear().payload, "code"), "unauthorized");
  client_.say(R"({"type":"session.open","token":")" + server_->token({.user = user}) + "\"}");
  expect_ready(client_, user);
}

TEST_F(UpgradeDoors, WhoKeepsSayingSomethingElseFirstIsPutOut) {
  for (const std::string_view wrong : {"no json", R"({"type":"ping","id":"1"})"}) {
    Client client(server_->port());
    ASSERT_EQ(client.upgrade("/ws").status, 101);
    for (int i = 0; i < 4; ++i) {
      client.say(wrong);
      EXPECT_EQ(json_text(client.hear().payload, "type"), "error");
    }
    client.say(wrong);
    expect_turned_away(client, "unauthorized", 4401);
  }
}

TEST_F(UpgradeDoors, WhatIsSaidRightAfterTheTokenIsAnsweredAfterReady) {
  const UserId user = LocalServer::fresh_user();
  ASSERT_EQ(client_.upgrade("/ws?token=" + server_->token({.user = user})).status, 101);
  for (int i = 0; i < 8; ++i) client_.say(R"({"type":"ping","id":")" + std::to_string(i) + "\"}");
  expect_ready(client_, user);
  for (int i = 0; i < 8; ++i) {
    const WsMessage pong = client_.hear();
    EXPECT_EQ(json_text(pong.payload, "type"), "pong") << pong.payload;
    EXPECT_EQ(json_text(pong.payload, "id"), std::to_string(i)) << pong.payload;
  }
}

TEST_F(UpgradeDoors, WebSocketsLiveAtOnePath) {
  for (const std::string_view path : {"/", "/ws/", "/api/v1/me", "/socket", "/WS"}) {
    Client client(server_->port());
    const HttpAnswer answer = client.upgrade(path, bearer(server_->token()));
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(json_text(answer.body, "code"), "not_found") << answer.body;
  }
}

// Stock clients end a WebSocket that selected none of what they offered, and hear nothing that is
// said over it.
TEST_F(UpgradeDoors, WhoOffersOtherSubprotocolsAloneIsToldOursBeforeThereIsAWebSocket) {
  const std::string token = server_->token();
  const auto offer = [&](std::string_view subprotocols) {
    return Client::Headers{{"Connection", "Upgrade"},
                           {"Upgrade", "websocket"},
                           {"Sec-WebSocket-Version", "13"},
                           {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                           {"Authorization", "Bearer " + token},
                           {"Sec-WebSocket-Protocol", std::string(subprotocols)}};
  };
  for (const std::string_view others : {"uproar.v2", "mqtt, graphql-ws", "uproar.v1.cbor", ","}) {
    Client client(server_->port());
    const HttpAnswer answer = client.request("GET", "/ws", offer(others));
    EXPECT_EQ(answer.status, 400) << others;
    EXPECT_EQ(json_text(answer.body, "type"), "error") << answer.body;
    EXPECT_EQ(json_text(answer.body, "code"), "unknown_subprotocol") << answer.body;
    EXPECT_NE(json_text(answer.body, "message").find("uproar.v1"), std::string::npos);
    EXPECT_EQ(answer.header("sec-websocket-protocol"), "");
  }
  // They compare as it is written: another spelling would not be theirs.
  Client loud(server_->port());
  EXPECT_EQ(loud.request("GET", "/ws", offer("UPROAR.V1")).status, 400);
  for (const std::string_view ours :
       {"uproar.v1", "uproar.v2, uproar.v1", "mqtt,\tuproar.v1 , x"}) {
    Client client(server_->port());
    const HttpAnswer answer = client.request("GET", "/ws", offer(ours));
    EXPECT_EQ(answer.status, 101) << ours;
    EXPECT_EQ(answer.header("sec-websocket-protocol"), "uproar.v1") << ours;
    EXPECT_EQ(json_text(client.hear().payload, "type"), "session.ready");
  }
}

TEST_F(UpgradeDoors, WhoOffersNoSubprotocolIsLetIn) {
  const HttpAnswer answer = client_.request("GET", "/ws",
                                            {{"Connection", "Upgrade"},
                                             {"Upgrade", "websocket"},
                                             {"Sec-WebSocket-Version", "13"},
                                             {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                                             {"Authorization", "Bearer " + server_->token()}});
  EXPECT_EQ(answer.status, 101);
  EXPECT_EQ(answer.header("sec-websocket-protocol"), "");
  EXPECT_EQ(json_text(client_.hear().payload, "type"), "session.ready");
}

TEST_F(UpgradeDoors, APageFromElsewhereIsKeptOut) {
  const HttpAnswer answer = client_.upgrade(
      "/ws", {{"Origin", "https://evil.example"}, {"Authorization", "Bearer " + server_->token()}});
  EXPECT_EQ(answer.status, 403);
  Client own(server_->port());
  EXPECT_EQ(own.upgrade("/ws", {{"Origin", "http://localhost"},
                                {"Authorization", "Bearer " + server_->token()}})
                .status,
            101);
}

TEST_F(UpgradeDoors, BinaryMessagesAreNoneOfOurs) {
  ASSERT_EQ(client_.upgrade("/ws", bearer(server_->token())).status, 101);
  EXPECT_EQ(json_text(client_.hear().payload, "type"), "session.ready");
  client_.write(std::string_view("\x82\x81\x00\x00\x00\x00x", 7));
  EXPECT_EQ(client_.hear().close_code(), 1003);
}

TEST_F(UpgradeDoors, LoggingOutEndsTheSession) {
  const std::string person = server_->person();
  const std::string token = json_text(person, "access_token");
  ASSERT_EQ(client_.upgrade("/ws", bearer(token)).status, 101);
  expect_ready(client_, *UserId::parse(json_text(person, "user_id")));
  Client other(server_->port());
  EXPECT_EQ(other.request("POST", "/api/v1/logout", bearer(token)).status, 204);
  expect_turned_away(client_, "token_revoked", 4102);
}

}  // namespace
}  // namespace uproar::server
