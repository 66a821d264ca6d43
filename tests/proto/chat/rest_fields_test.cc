// REST bodies: the type comes from the route, some fields from path and query.
#include <string>
#include <string_view>
#include <variant>

#include <gtest/gtest.h>

#include "proto/chat/client_event_decoder.h"
#include "tests/proto/chat/json_text.h"

namespace uproar::chat {
namespace {

using testing::bob;
using testing::conversation;
using testing::JsonText;
using testing::kBob;
using testing::kConversation;
using testing::kMessage;
using testing::kNow;
using testing::with_ids;

Result<Decoded, DecodeError> decode(CommandType type, const RouteFields& route,
                                    std::string_view body) {
  static ClientEventDecoder decoder;
  JsonText text(with_ids(body));
  return decoder.decode_fields(type, route, text.bytes(), kNow);
}

template <class Command>
Command decoded(CommandType type, const RouteFields& route, std::string_view body = {}) {
  const auto result = decode(type, route, body);
  EXPECT_TRUE(result.ok()) << body << ": "
                           << (result.ok() ? "" : result.error().error.detail.text().view());
  if (!result.ok()) return {};
  EXPECT_EQ(result->type, type);
  const auto* command = std::get_if<Command>(&result->event);
  EXPECT_NE(command, nullptr);
  return command != nullptr ? *command : Command{};
}

void expect_error(CommandType type, const RouteFields& route, std::string_view body, ErrorCode code,
                  std::string_view names) {
  const auto result = decode(type, route, body);
  ASSERT_FALSE(result.ok()) << body;
  EXPECT_EQ(error_info(result.error().error.code).name, error_info(code).name) << body;
  EXPECT_NE(result.error().error.detail.text().view().find(names), std::string_view::npos)
      << result.error().error.detail.text().view();
}

TEST(RestFields, NeedNoBody) {
  EXPECT_EQ(
      decoded<ConversationGet>(CommandType::kConversationGet, {.conversation_id = kConversation})
          .conversation,
      conversation());
  const auto list = decoded<ConversationList>(CommandType::kConversationList,
                                              {.limit = "5", .after = kConversation});
  EXPECT_EQ(list.limit, 5U);
  EXPECT_EQ(list.after, conversation());
  EXPECT_EQ(decoded<UnreadFetch>(CommandType::kUnreadFetch, {}).limit, 50U);
  EXPECT_EQ(
      decoded<ConversationMute>(CommandType::kConversationMute, {.conversation_id = kConversation})
          .until_us,
      0);
}

TEST(RestFields, CompleteABody) {
  const auto send =
      decoded<MessageSend>(CommandType::kMessageSend, {.conversation_id = kConversation},
                           R"({"client_id":"k","content":"x"})");
  EXPECT_EQ(send.conversation, conversation());
  const auto role = decoded<MemberRole>(CommandType::kConversationRole,
                                        {.conversation_id = kConversation, .user_id = kBob},
                                        R"({"role":"admin"})");
  EXPECT_EQ(role.user, bob());
  EXPECT_EQ(role.role, Role::kAdmin);
}

TEST(RestFields, WinOverTheBody) {
  const auto rename = decoded<ConversationRename>(
      CommandType::kConversationRename, {.conversation_id = kConversation},
      R"({"type":"ping","conversation_id":"$A","name":"n"})");
  EXPECT_EQ(rename.conversation, conversation());
  const auto edit = decoded<MessageEdit>(CommandType::kMessageEdit,
                                         {.conversation_id = kConversation, .message = kMessage},
                                         R"({"seq":9,"message_seq":"x","content":"c"})");
  EXPECT_EQ(edit.message.seq, 0U);
  EXPECT_EQ(edit.message.id, testing::message());
  const auto remove = decoded<MemberAdd>(CommandType::kConversationAdd,
                                         {.conversation_id = kConversation, .user_id = kBob},
                                         R"({"user_ids":["$A"]})");
  EXPECT_EQ(remove.users, std::vector<UserId>{bob()});
}

TEST(RestFields, NameMessagesBySeqOrId) {
  const auto by_seq = decoded<ReactionChange>(
      CommandType::kReactionAdd, {.conversation_id = kConversation, .message = "42", .emoji = "👍"});
  EXPECT_EQ(by_seq.message.seq, 42U);
  EXPECT_EQ(by_seq.emoji, "👍");
  EXPECT_EQ(decoded<MessageDelete>(CommandType::kMessageDelete,
                                   {.conversation_id = kConversation, .message = kMessage})
                .message.id,
            testing::message());
  for (const char* reference :
       {"0", "-1", "1.5", "x", "99999999999999999999", "9007199254740992", "+1", " 1"}) {
    expect_error(CommandType::kMessageDelete,
                 {.conversation_id = kConversation, .message = reference}, {},
                 ErrorCode::kInvalidField, "seq");
  }
}

TEST(RestFields, ReadQueries) {
  const auto page = decoded<History>(
      CommandType::kHistory, {.conversation_id = kConversation, .limit = "200", .before_seq = "9"});
  EXPECT_EQ(page.before_seq, 9U);
  EXPECT_EQ(page.limit, 200U);
  EXPECT_EQ(
      decoded<History>(CommandType::kHistory, {.conversation_id = kConversation, .after_seq = "0"})
          .after_seq,
      0U);
  expect_error(CommandType::kHistory, {.conversation_id = kConversation, .limit = "many"}, {},
               ErrorCode::kInvalidField, "limit");
  expect_error(CommandType::kHistory, {.conversation_id = "x"}, {}, ErrorCode::kInvalidField,
               "conversation_id");
  expect_error(CommandType::kHistory, {}, "{}", ErrorCode::kMissingField, "conversation_id");
}

TEST(RestFields, TypingIsOneRoute) {
  const RouteFields route = {.conversation_id = kConversation};
  EXPECT_TRUE(decoded<TypingChange>(CommandType::kTypingStart, route, R"({"typing":true})").typing);
  EXPECT_FALSE(
      decoded<TypingChange>(CommandType::kTypingStart, route, R"({"typing":false})").typing);
  EXPECT_TRUE(decoded<TypingChange>(CommandType::kTypingStart, route).typing);
  expect_error(CommandType::kTypingStart, route, R"({"typing":"yes"})", ErrorCode::kInvalidField,
               "typing");
}

TEST(RestFields, LeaveNothingBehindForTheNextRequest) {
  decoded<History>(CommandType::kHistory, {.conversation_id = kConversation, .limit = "3"});
  expect_error(CommandType::kHistory, {}, "{}", ErrorCode::kMissingField, "conversation_id");
  EXPECT_EQ(decoded<UnreadFetch>(CommandType::kUnreadFetch, {}).limit, 50U);
}

TEST(RestFields, RefuseBadBodies) {
  expect_error(CommandType::kMessageSend, {.conversation_id = kConversation}, "[]",
               ErrorCode::kBadJson, "object");
  expect_error(CommandType::kMessageSend, {.conversation_id = kConversation}, "{",
               ErrorCode::kBadJson, "");
  expect_error(CommandType::kMessageSend, {.conversation_id = kConversation}, " ",
               ErrorCode::kBadJson, "");
}

TEST(AccountBodies, AreReadOrNameTheirFault) {
  ClientEventDecoder decoder;
  JsonText good(R"({"name":"Ada","password":"p\u00e4ss"})");
  const auto login = decoder.decode_login(good.bytes());
  ASSERT_TRUE(login.ok());
  EXPECT_EQ(login->name, "Ada");
  EXPECT_EQ(login->password, "päss");
  const auto registered = decoder.decode_register(good.bytes());
  ASSERT_TRUE(registered.ok());
  EXPECT_EQ(registered->name, "Ada");
  JsonText refresh(R"({"refresh_token":"abc"})");
  EXPECT_EQ(decoder.decode_refresh(refresh.bytes())->refresh_token, "abc");

  const struct {
    std::string text;
    ErrorCode code;
    std::string_view names;
  } cases[] = {
      {R"({"password":"x"})", ErrorCode::kMissingField, "name"},
      {R"({"name":"x"})", ErrorCode::kMissingField, "password"},
      {R"({"name":7,"password":"x"})", ErrorCode::kInvalidField, "name"},
      {R"({"name":"x","password":["x"]})", ErrorCode::kInvalidField, "password"},
      {R"({"name":"x","password":""})", ErrorCode::kInvalidField, "password"},
      {R"({"name":"x","password":"a\u0000b"})", ErrorCode::kInvalidField, "password"},
      {R"({"name":"x","password":")" + std::string(1025, 'x') + "\"}", ErrorCode::kInvalidField,
       "password"},
      {"", ErrorCode::kBadJson, ""},
      {"name=x", ErrorCode::kBadJson, ""},
  };
  for (const auto& each : cases) {
    JsonText text(each.text);
    const auto result = decoder.decode_login(text.bytes());
    ASSERT_FALSE(result.ok()) << each.text;
    EXPECT_EQ(result.error().code, each.code) << each.text;
    EXPECT_NE(result.error().detail.text().view().find(each.names), std::string_view::npos)
        << each.text;
    EXPECT_FALSE(decoder.decode_register(text.bytes()).ok()) << each.text;
    EXPECT_FALSE(decoder.decode_refresh(text.bytes()).ok()) << each.text;
  }
}

}  // namespace
}  // namespace uproar::chat
