// Each command with an example, each field with what it refuses, and JSON that is none. $C, $A, $B, $M stand for ids
// (json_text.h).
#include "proto/chat/client_event_decoder.h"

#include <string>
#include <string_view>
#include <variant>

#include <gtest/gtest.h>

#include "proto/chat/rfc3339.h"
#include "tests/proto/chat/json_text.h"

namespace uproar::chat {
namespace {

using testing::ada;
using testing::bob;
using testing::conversation;
using testing::JsonText;
using testing::kNow;
using testing::with_ids;

template <class Command>
Command decoded(std::string_view text) {
  const auto result = testing::decode(with_ids(text));
  EXPECT_TRUE(result.ok()) << text << ": " << (result.ok() ? "" : result.error().error.detail);
  if (!result.ok()) return {};
  const auto* command = std::get_if<Command>(&result.value().event);
  EXPECT_NE(command, nullptr) << text;
  return command != nullptr ? *command : Command{};
}

void expect_error(std::string_view text, ErrorCode code, std::string_view names = {}) {
  const auto result = testing::decode(with_ids(text));
  ASSERT_FALSE(result.ok()) << text.substr(0, 200);
  EXPECT_EQ(error_info(result.error().error.code).name, error_info(code).name)
      << text.substr(0, 200);
  EXPECT_NE(result.error().error.detail.find(names), std::string_view::npos)
      << text.substr(0, 200) << ": " << result.error().error.detail << " should name " << names;
}

std::string repeated(std::string_view text, std::size_t count, std::string_view separator = ",") {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) out.append(separator);
    out.append(text);
  }
  return out;
}

// --- each command ------------------------------------------------------------------------------------------------------

TEST(Decoder, SessionOpen) {
  EXPECT_EQ(decoded<SessionOpen>(R"({"type":"session.open","token":"abc"})").token, "abc");
  EXPECT_FALSE(decoded<SessionOpen>(R"({"type":"session.open","token":"abc"})").resume);
  EXPECT_TRUE(
      decoded<SessionOpen>(R"({"type":"session.open","token":"abc","resume":true})").resume);
}

TEST(Decoder, Ping) {
  decoded<Ping>(R"({"type":"ping"})");
}

TEST(Decoder, MessageSendWithEverything) {
  const auto send = decoded<MessageSend>(
      R"({"type":"message.send","id":1,"conversation_id":"$C","client_id":"k-1","content":"Hi \"Bob\" \ud83e\udd81\n",)"
      R"("kind":"image","attachments":[{"url":"a.png"}, {"w":1.5}],"reply_to":7,"mentions":["$A","$B"]})");
  EXPECT_EQ(send.conversation, conversation());
  EXPECT_TRUE(send.to.is_nil());
  EXPECT_EQ(send.client_id, "k-1");
  EXPECT_EQ(send.content, "Hi \"Bob\" 🦁\n");
  EXPECT_EQ(send.type, MessageType::kImage);
  EXPECT_EQ(send.attachments, R"([{"url":"a.png"}, {"w":1.5}])") << "verbatim";
  EXPECT_EQ(send.reply_to, 7U);
  EXPECT_EQ(send.mentions, (std::vector<UserId>{ada(), bob()}));
}

TEST(Decoder, MessageSendToAPerson) {
  const auto send =
      decoded<MessageSend>(R"({"type":"message.send","to":"$B","client_id":"k","content":"x"})");
  EXPECT_EQ(send.to, bob());
  EXPECT_TRUE(send.conversation.is_nil());
  EXPECT_EQ(send.type, MessageType::kText);
  EXPECT_TRUE(send.attachments.empty());
}

TEST(Decoder, MessageSendWithAttachmentsMayHaveNoContent) {
  for (const char* content : {"", R"(,"content":"")", R"(,"content":null)"}) {
    const auto send = decoded<MessageSend>(
        R"({"type":"message.send","to":"$B","client_id":"k","attachments":[{}])" +
        std::string(content) + "}");
    EXPECT_EQ(send.attachments, "[{}]");
    EXPECT_TRUE(send.content.empty());
  }
}

TEST(Decoder, MessageEditAndDelete) {
  const auto edit = decoded<MessageEdit>(
      R"({"type":"message.edit","conversation_id":"$C","seq":3,"content":"x"})");
  EXPECT_EQ(edit.conversation, conversation());
  EXPECT_EQ(edit.message.seq, 3U);
  EXPECT_EQ(edit.content, "x");
  const auto by_id = decoded<MessageDelete>(
      R"({"type":"message.delete","conversation_id":"$C","message_id":"$M"})");
  EXPECT_EQ(by_id.message.seq, 0U);
  EXPECT_EQ(by_id.message.id, testing::message());
  EXPECT_EQ(
      decoded<MessageDelete>(R"({"type":"message.delete","conversation_id":"$C","message_seq":4})")
          .message.seq,
      4U);
}

TEST(Decoder, Reactions) {
  const auto add = decoded<ReactionChange>(
      R"({"type":"reaction.add","conversation_id":"$C","seq":3,"emoji":"👍"})");
  EXPECT_TRUE(add.add);
  EXPECT_EQ(add.emoji, "👍");
  EXPECT_EQ(add.message.seq, 3U);
  EXPECT_FALSE(decoded<ReactionChange>(
                   R"({"type":"reaction.remove","conversation_id":"$C","seq":3,"emoji":"x"})")
                   .add);
}

TEST(Decoder, Marks) {
  const auto delivered =
      decoded<MarkAdvance>(R"({"type":"message.delivered","conversation_id":"$C","seq":9})");
  EXPECT_EQ(delivered.kind, MarkKind::kDelivered);
  EXPECT_EQ(delivered.seq, 9U);
  EXPECT_EQ(decoded<MarkAdvance>(R"({"type":"message.read","conversation_id":"$C","seq":9})").kind,
            MarkKind::kSeen);
}

TEST(Decoder, EventPublish) {
  const auto event = decoded<EventPublish>(
      R"({"type":"event.publish","conversation_id":"$C","name":"cursor","data": {"x":1, "y":[true,null]} })");
  EXPECT_EQ(event.conversation, conversation());
  EXPECT_EQ(event.name, "cursor");
  EXPECT_EQ(event.data, R"({"x":1, "y":[true,null]})") << "verbatim, without the space around it";
}

TEST(Decoder, EventDataMayBeAnyValueOrNone) {
  for (const char* data :
       {"1", "-2.5e3", "true", "null", R"("text")", "[]", "{}", R"(["\u0000"])"}) {
    EXPECT_EQ(decoded<EventPublish>(
                  R"({"type":"event.publish","conversation_id":"$C","name":"n","data":)" +
                  std::string(data) + "}")
                  .data,
              data);
  }
  EXPECT_EQ(
      decoded<EventPublish>(R"({"type":"event.publish","conversation_id":"$C","name":"n"})").data,
      "");
}

TEST(Decoder, Typing) {
  EXPECT_TRUE(decoded<TypingChange>(R"({"type":"typing.start","conversation_id":"$C"})").typing);
  EXPECT_FALSE(decoded<TypingChange>(R"({"type":"typing.stop","conversation_id":"$C"})").typing);
  EXPECT_TRUE(
      decoded<TypingChange>(R"({"type":"typing.start","conversation_id":"$C","typing":false})")
          .typing)
      << "the flag is for REST";
}

TEST(Decoder, Presence) {
  const std::vector<UserId> both = {ada(), bob()};
  EXPECT_EQ(
      decoded<PresenceSubscribe>(R"({"type":"presence.subscribe","user_ids":["$A","$B"]})").users,
      both);
  EXPECT_EQ(
      decoded<PresenceUnsubscribe>(R"({"type":"presence.unsubscribe","user_ids":["$A","$B"]})")
          .users,
      both);
  EXPECT_EQ(decoded<PresenceGet>(R"({"type":"presence.get","user_ids":[ "$A" , "$B" ]})").users,
            both);
  EXPECT_TRUE(decoded<PresenceGet>(R"({"type":"presence.get","user_ids":[]})").users.empty());
}

TEST(Decoder, ConversationCreate) {
  const auto create = decoded<ConversationCreate>(
      R"({"type":"conversation.create","kind":"channel","name":"news","members":["$B"],"client_id":"c1"})");
  EXPECT_EQ(create.kind, ConversationKind::kChannel);
  EXPECT_EQ(create.name, "news");
  EXPECT_EQ(create.client_id, "c1");
  EXPECT_EQ(create.members, std::vector<UserId>{bob()});
  const auto synonym = decoded<ConversationCreate>(
      R"({"type":"conversation.create","kind":"direct","user_ids":["$B"]})");
  EXPECT_EQ(synonym.kind, ConversationKind::kDirect);
  EXPECT_EQ(synonym.members, std::vector<UserId>{bob()});
  EXPECT_EQ(decoded<ConversationCreate>(R"({"type":"conversation.create"})").kind,
            ConversationKind::kGroup);
}

TEST(Decoder, ConversationQueriesAndMembership) {
  EXPECT_EQ(decoded<ConversationList>(R"({"type":"conversation.list"})").limit, 100U);
  const auto list =
      decoded<ConversationList>(R"({"type":"conversation.list","limit":7,"after":"$C"})");
  EXPECT_EQ(list.limit, 7U);
  EXPECT_EQ(list.after, conversation());
  EXPECT_EQ(decoded<ConversationGet>(R"({"type":"conversation.get","conversation_id":"$C"})")
                .conversation,
            conversation());
  EXPECT_EQ(decoded<ConversationJoin>(R"({"type":"conversation.join","conversation_id":"$C"})")
                .conversation,
            conversation());
  EXPECT_EQ(decoded<ConversationLeave>(R"({"type":"conversation.leave","conversation_id":"$C"})")
                .conversation,
            conversation());
  const auto add = decoded<MemberAdd>(
      R"({"type":"conversation.add","conversation_id":"$C","user_ids":["$A","$B"],"role":"admin"})");
  EXPECT_EQ(add.users, (std::vector<UserId>{ada(), bob()}));
  EXPECT_EQ(add.role, Role::kAdmin);
  const auto one =
      decoded<MemberAdd>(R"({"type":"conversation.add","conversation_id":"$C","user_id":"$B"})");
  EXPECT_EQ(one.users, std::vector<UserId>{bob()});
  EXPECT_EQ(one.role, Role::kMember);
  EXPECT_EQ(decoded<MemberRemove>(
                R"({"type":"conversation.remove","conversation_id":"$C","user_id":"$B"})")
                .user,
            bob());
  EXPECT_EQ(decoded<ConversationRename>(
                R"({"type":"conversation.rename","conversation_id":"$C","name":"n"})")
                .name,
            "n");
  const auto role = decoded<MemberRole>(
      R"({"type":"conversation.role","conversation_id":"$C","user_id":"$B","role":"owner"})");
  EXPECT_EQ(role.user, bob());
  EXPECT_EQ(role.role, Role::kOwner);
}

TEST(Decoder, ConversationMute) {
  const auto until = decoded<ConversationMute>(
      R"({"type":"conversation.mute","conversation_id":"$C","until":"2026-02-03T04:05:06+01:00"})");
  EXPECT_EQ(until.until_us, parse_rfc3339("2026-02-03T03:05:06Z"));
  const auto for_ms = decoded<ConversationMute>(
      R"({"type":"conversation.mute","conversation_id":"$C","for_ms":60000})");
  EXPECT_EQ(for_ms.until_us, kNow.wall_us + 60'000'000);
  EXPECT_EQ(
      decoded<ConversationMute>(R"({"type":"conversation.mute","conversation_id":"$C"})").until_us,
      0)
      << "unmutes";
  const auto for_ever = decoded<ConversationMute>(
      R"({"type":"conversation.mute","conversation_id":"$C","until":"9999-12-31T23:59:59Z"})");
  EXPECT_EQ(for_ever.until_us, kNow.wall_us + kMuteMsMax * 1000) << "ten years are enough";
}

TEST(Decoder, HistorySyncAndUnread) {
  const auto newest = decoded<History>(R"({"type":"history","conversation_id":"$C"})");
  EXPECT_EQ(newest.limit, 50U);
  EXPECT_FALSE(newest.before_seq || newest.after_seq);
  EXPECT_EQ(
      decoded<History>(R"({"type":"history","conversation_id":"$C","before_seq":9,"limit":200})")
          .before_seq,
      9U);
  EXPECT_EQ(decoded<History>(R"({"type":"history","conversation_id":"$C","after_seq":0,"limit":1})")
                .after_seq,
            0U);
  const auto sync = decoded<Sync>(R"({"type":"sync","cursors":{"$C": 41 ,"$A":0}})");
  ASSERT_EQ(sync.cursors.size(), 2U);
  EXPECT_EQ(sync.cursors[0], (std::pair<ConversationId, Seq>{conversation(), 41}));
  EXPECT_EQ(sync.cursors[1].second, 0U);
  EXPECT_TRUE(decoded<Sync>(R"({"type":"sync","cursors":{}})").cursors.empty());
  EXPECT_EQ(decoded<UnreadFetch>(R"({"type":"unread.fetch"})").limit, 50U);
  EXPECT_EQ(decoded<UnreadFetch>(R"({"type":"unread.fetch","limit":3})").limit, 3U);
}

// --- what holds for all --------------------------------------------------------------------------------------------------

TEST(Decoder, TakesFieldsInAnyOrderAndIgnoresUnknownOnes) {
  const auto send = decoded<MessageSend>(
      R"( { "x" : {"type":"ping","deep":[[[{}]]]} , "content":"c","y":null,"client_id":"k" ,"to":"$B","z":1e5, "type" : "message.send" } )");
  EXPECT_EQ(send.content, "c");
  EXPECT_EQ(send.to, bob());
}

TEST(Decoder, ReadsEscapedFieldNames) {
  decoded<Ping>(R"({"t\u0079pe":"pi\u006eg"})");
}

TEST(Decoder, LetsTheLastOfRepeatedFieldsCount) {
  EXPECT_EQ(
      decoded<ConversationList>(R"({"type":"ping","limit":1,"type":"conversation.list","limit":2})")
          .limit,
      2U);
  EXPECT_EQ(
      decoded<ConversationList>(R"({"type":"conversation.list","limit":"x","limit":2})").limit, 2U);
  expect_error(R"({"type":"conversation.list","limit":2,"limit":"x"})", ErrorCode::kInvalidField,
               "limit");
}

TEST(Decoder, TakesNullAsAbsent) {
  EXPECT_EQ(
      decoded<MessageSend>(
          R"({"type":"message.send","to":"$B","conversation_id":null,"client_id":"k","content":"x",)"
          R"("reply_to":null,"mentions":null,"attachments":null,"kind":null})")
          .reply_to,
      0U);
  expect_error(R"({"type":"message.send","to":"$B","client_id":null,"content":"x"})",
               ErrorCode::kMissingField, "client_id");
  expect_error(R"({"type":null})", ErrorCode::kMissingField, "type");
}

TEST(Decoder, IgnoresFieldsOfOtherCommandsWhateverTheyHold) {
  decoded<Ping>(
      R"({"type":"ping","seq":"x","cursors":7,"members":[1],"content":{},"limit":-1,"attachments":"a"})");
}

TEST(Decoder, EchoesTheIdVerbatim) {
  for (const char* id :
       {R"("r1")", "7", "-7", "0", "18446744073709551615", R"("\u0041\n\"")", R"("")",
        R"("12345678901234567890123456789012345678901234567890123456789012")"}) {
    const auto result = testing::decode(R"({"id": )" + std::string(id) + R"( ,"type":"ping"})");
    ASSERT_TRUE(result.ok()) << id;
    EXPECT_EQ(result->id, id);
  }
  EXPECT_EQ(testing::decode(R"({"type":"ping"})")->id, "");
}

TEST(Decoder, RefusesOtherIds) {
  for (const char* id : {"null", "true", "1.5", "1e3", "[]", "{}", "[1]",
                         R"("123456789012345678901234567890123456789012345678901234567890123")"}) {
    expect_error(R"({"type":"ping","id":)" + std::string(id) + "}", ErrorCode::kInvalidField, "id");
  }
  for (const char* id : {"18446744073709551616", R"("\ud800")", R"("\x")"}) {
    expect_error(R"({"type":"ping","id":)" + std::string(id) + "}", ErrorCode::kBadJson);
  }
}

TEST(Decoder, TellsTheIdWithTheError) {
  for (const char* text :
       {R"({"id":"r1","type":"no.such"})", R"({"type":"history","id":"r1"})", R"({"id":"r1"})",
        R"({"id":"r1","type":"ping","x":tru})", R"({"id":"r1","type":5})"}) {
    const auto result = testing::decode(text);
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_EQ(result.error().id, R"("r1")") << text;
  }
}

TEST(Decoder, TellsTheIdAlsoWhenAnotherStringIsNoText) {
  for (const char* text : {R"({"type":"message.send","content":"\ud800","id":7})",
                           R"({"id":7,"type":"message.send","content":"\udc00x"})",
                           R"({"type":"event.publish","data":["\ud800"],"id":7})",
                           R"({"\ud800":1,"type":"ping","id":7})", R"({"x":01,"id":7})"}) {
    const auto result = testing::decode(text);
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_EQ(result.error().error.code, ErrorCode::kBadJson) << text;
    EXPECT_EQ(result.error().id, "7") << text;
  }
}

TEST(Decoder, RefusesUnknownTypes) {
  for (const char* type : {"", "message", "message.sent", "PING", "ping ", "call.start"}) {
    expect_error(R"({"type":")" + std::string(type) + R"("})", ErrorCode::kUnknownType);
  }
  expect_error("{}", ErrorCode::kMissingField, "type");
  expect_error(R"({"type":7})", ErrorCode::kInvalidField, "type");
}

TEST(Decoder, RefusesWhatIsNoJsonObject) {
  const std::string texts[] = {"",
                               " ",
                               "null",
                               "7",
                               "\"ping\"",
                               "[]",
                               "[{\"type\":\"ping\"}]",
                               "{",
                               "}",
                               "{\"type\":\"ping\"",
                               "{\"type\":\"ping\"}}",
                               "{\"type\":\"ping\"}{}",
                               "{\"type\":\"ping\"} x",
                               "{\"type\":\"ping\"},",
                               "{\"type\":\"ping\",}",
                               "{type:\"ping\"}",
                               "{'type':'ping'}",
                               "{\"type\" \"ping\"}",
                               "{\"type\":\"ping\" \"a\":1}",
                               "{\"type\":\"pi\nng\"}",
                               "{\"type\":\"ping\\\"}",
                               "{\"type\":\"\\x\"}",
                               "{\"type\":\"\\ud800\"}",
                               "{\"type\":\"\\udc00\"}",
                               "{\"type\":\"\\ud800\\u0041\"}",
                               "{\"type\":\"ping\xff\"}",
                               "{\"type\":\"ping\xed\xa0\x80\"}",
                               "{\"type\":\"ping\xc0\xaf\"}",
                               "\xef\xbb\xbf{\"type\":\"ping\"}",
                               "{\"\\ud800\":1,\"type\":\"ping\"}",
                               "// x\n{\"type\":\"ping\"}",
                               std::string("{\"type\":\"ping\"}\0", 16),
                               std::string("\0", 1),
                               "{\"type\":\"ping\",\"\xff\":1}"};
  for (const std::string& text : texts) expect_error(text, ErrorCode::kBadJson);
}

TEST(Decoder, LooksInsideFieldsThatItIgnores) {  // a message is taken exactly when it is JSON
  for (const char* value : {"tru", "01", "[1,]", "{\"a\"}", "[1 2]", "\"\\x\"", "[\"\\ud800\"]",
                            "{\"a\":}", "1.", "nul", "[}", "1e999", "-", "{\"a\":1,}"}) {
    expect_error(R"({"type":"ping","x":)" + std::string(value) + "}", ErrorCode::kBadJson);
    expect_error(R"({"type":"ping","seq":)" + std::string(value) + "}", ErrorCode::kBadJson);
    expect_error(R"({"type":"event.publish","conversation_id":"$C","name":"n","data":)" +
                     std::string(value) + "}",
                 ErrorCode::kBadJson);
  }
}

TEST(Decoder, BoundsDepth) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  decoded<Ping>(R"({"type":"ping","x":)" + nested(kJsonDepthMax) + "}");
  expect_error(R"({"type":"ping","x":)" + nested(kJsonDepthMax + 1) + "}", ErrorCode::kBadJson);
  expect_error(R"({"type":"ping","x":)" + nested(50'000) + "}", ErrorCode::kBadJson);
  expect_error(std::string(100'000, '['), ErrorCode::kBadJson);
  expect_error(repeated(R"({"a":)", 20'000, ""), ErrorCode::kBadJson);
}

TEST(Decoder, GivesTheSameVerdictOnEveryCut) {  // no prefix of a command is a command
  const std::string text = with_ids(
      R"({"type":"message.send","id":"r","to":"$B","client_id":"k","content":"a\"b","attachments":[{"a":[1,true]}],"mentions":["$A"]})");
  ASSERT_TRUE(testing::decode(text).ok());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto result = testing::decode(text.substr(0, i));
    ASSERT_FALSE(result.ok()) << i;
    EXPECT_EQ(result.error().error.code, ErrorCode::kBadJson) << i;
  }
}

TEST(Decoder, RefusesMessagesAboveTheLimit) {
  ClientEventDecoder small({.payload_bytes_max = 20});
  JsonText fits(R"({"type":"ping"}     )");
  JsonText more(R"({"type":"ping"}      )");
  EXPECT_TRUE(small.decode(fits.bytes(), kNow).ok());
  const auto result = small.decode(more.bytes(), kNow);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().error.code, ErrorCode::kTooLarge);
}

// --- each field's errors -------------------------------------------------------------------------------------------------

struct FieldCase {
  std::string_view field;
  ErrorCode code;
  std::string text;
};

TEST(Decoder, NamesTheFieldThatIsMissing) {
  const FieldCase cases[] = {
      {"token", ErrorCode::kMissingField, R"({"type":"session.open"})"},
      {"conversation_id or to", ErrorCode::kMissingField,
       R"({"type":"message.send","client_id":"k","content":"x"})"},
      {"client_id", ErrorCode::kMissingField, R"({"type":"message.send","to":"$B","content":"x"})"},
      {"content", ErrorCode::kMissingField, R"({"type":"message.send","to":"$B","client_id":"k"})"},
      {"content", ErrorCode::kMissingField,
       R"({"type":"message.send","to":"$B","client_id":"k","attachments":[]})"},
      {"conversation_id", ErrorCode::kMissingField,
       R"({"type":"message.edit","seq":1,"content":"x"})"},
      {"seq or message_id", ErrorCode::kMissingField,
       R"({"type":"message.edit","conversation_id":"$C","content":"x"})"},
      {"content", ErrorCode::kMissingField,
       R"({"type":"message.edit","conversation_id":"$C","seq":1})"},
      {"seq or message_id", ErrorCode::kMissingField,
       R"({"type":"message.delete","conversation_id":"$C"})"},
      {"emoji", ErrorCode::kMissingField,
       R"({"type":"reaction.add","conversation_id":"$C","seq":1})"},
      {"seq", ErrorCode::kMissingField, R"({"type":"message.read","conversation_id":"$C"})"},
      {"name", ErrorCode::kMissingField,
       R"({"type":"event.publish","conversation_id":"$C","data":1})"},
      {"conversation_id", ErrorCode::kMissingField, R"({"type":"typing.start"})"},
      {"user_ids", ErrorCode::kMissingField, R"({"type":"presence.get"})"},
      {"conversation_id", ErrorCode::kMissingField, R"({"type":"conversation.get"})"},
      {"user_ids", ErrorCode::kMissingField,
       R"({"type":"conversation.add","conversation_id":"$C"})"},
      {"user_id", ErrorCode::kMissingField,
       R"({"type":"conversation.remove","conversation_id":"$C"})"},
      {"name", ErrorCode::kMissingField,
       R"({"type":"conversation.rename","conversation_id":"$C"})"},
      {"role", ErrorCode::kMissingField,
       R"({"type":"conversation.role","conversation_id":"$C","user_id":"$B"})"},
      {"conversation_id", ErrorCode::kMissingField, R"({"type":"history"})"},
      {"cursors", ErrorCode::kMissingField, R"({"type":"sync"})"},
  };
  for (const auto& each : cases) expect_error(each.text, each.code, each.field);
}

TEST(Decoder, NamesTheFieldThatIsWrong) {
  const std::string send = R"({"type":"message.send","to":"$B","client_id":"k","content":"x",)";
  const FieldCase cases[] = {
      {"token", ErrorCode::kInvalidField, R"({"type":"session.open","token":""})"},
      {"token", ErrorCode::kInvalidField,
       R"({"type":"session.open","token":)" + std::string(1, '"') + std::string(8193, 'x') + "\"}"},
      {"resume", ErrorCode::kInvalidField, R"({"type":"session.open","token":"t","resume":1})"},
      {"exclude", ErrorCode::kInvalidField,
       R"({"type":"message.send","conversation_id":"$C","to":"$B","client_id":"k","content":"x"})"},
      {"to", ErrorCode::kInvalidField,
       R"({"type":"message.send","to":"bob","client_id":"k","content":"x"})"},
      {"to", ErrorCode::kInvalidField,
       R"({"type":"message.send","to":"00000000-0000-0000-0000-000000000000","client_id":"k","content":"x"})"},
      {"client_id", ErrorCode::kInvalidField,
       R"({"type":"message.send","to":"$B","client_id":"","content":"x"})"},
      {"client_id", ErrorCode::kInvalidField,
       R"({"type":"message.send","to":"$B","client_id":7,"content":"x"})"},
      {"client_id", ErrorCode::kInvalidField,
       R"({"type":"message.send","to":"$B","client_id":"a\u0000b","content":"x"})"},
      {"client_id", ErrorCode::kInvalidField,
       R"({"type":"message.send","to":"$B","client_id":")" + std::string(65, 'k') +
           R"(","content":"x"})"},
      {"content", ErrorCode::kInvalidField,
       R"({"type":"message.send","to":"$B","client_id":"k","content":""})"},
      {"content", ErrorCode::kInvalidField,
       R"({"type":"message.send","to":"$B","client_id":"k","content":["x"]})"},
      {"content", ErrorCode::kInvalidField,
       R"({"type":"message.send","to":"$B","client_id":"k","content":"\u0000"})"},
      {"content", ErrorCode::kTooLarge,
       R"({"type":"message.send","to":"$B","client_id":"k","content":")" + std::string(16385, 'x') +
           R"("})"},
      {"kind", ErrorCode::kInvalidField, send + R"("kind":"system"})"},
      {"kind", ErrorCode::kInvalidField, send + R"("kind":"sticker"})"},
      {"attachments", ErrorCode::kInvalidField, send + R"("attachments":{}})"},
      {"attachments", ErrorCode::kInvalidField, send + R"("attachments":["a"]})"},
      {"attachments", ErrorCode::kInvalidField, send + R"("attachments":[{"a":["\u0000"]}]})"},
      {"attachments", ErrorCode::kInvalidField, send + R"("attachments":[{"\u0000":1}]})"},
      {"attachments", ErrorCode::kInvalidField, send + R"("attachments":[{},1]})"},
      {"attachments", ErrorCode::kTooLarge,
       send + R"("attachments":[)" + repeated("{}", 11) + "]}"},
      {"attachments", ErrorCode::kTooLarge,
       send + R"("attachments":[{"a":")" + std::string(4090, 'x') + R"("}]})"},
      {"reply_to", ErrorCode::kInvalidField, send + R"("reply_to":0})"},
      {"reply_to", ErrorCode::kInvalidField, send + R"("reply_to":"1"})"},
      {"mentions", ErrorCode::kInvalidField, send + R"("mentions":"$A"})"},
      {"mentions", ErrorCode::kInvalidField, send + R"("mentions":["ada"]})"},
      {"mentions", ErrorCode::kInvalidField, send + R"("mentions":["$A",7]})"},
      {"mentions", ErrorCode::kTooLarge, send + R"("mentions":[)" + repeated("\"$A\"", 51) + "]}"},
      {"seq", ErrorCode::kInvalidField,
       R"({"type":"message.delete","conversation_id":"$C","seq":0})"},
      {"seq", ErrorCode::kInvalidField,
       R"({"type":"message.delete","conversation_id":"$C","seq":-1})"},
      {"seq", ErrorCode::kInvalidField,
       R"({"type":"message.delete","conversation_id":"$C","seq":1.5})"},
      {"seq", ErrorCode::kInvalidField,
       R"({"type":"message.delete","conversation_id":"$C","seq":"1"})"},
      {"seq", ErrorCode::kInvalidField,
       R"({"type":"message.delete","conversation_id":"$C","seq":9007199254740992})"},
      {"seq", ErrorCode::kInvalidField,
       R"({"type":"message.read","conversation_id":"$C","seq":0})"},
      {"message_id", ErrorCode::kInvalidField,
       R"({"type":"message.delete","conversation_id":"$C","message_id":"7"})"},
      {"conversation_id", ErrorCode::kInvalidField,
       R"({"type":"message.delete","conversation_id":"C","seq":1})"},
      {"emoji", ErrorCode::kInvalidField,
       R"({"type":"reaction.add","conversation_id":"$C","seq":1,"emoji":""})"},
      {"emoji", ErrorCode::kInvalidField,
       R"({"type":"reaction.add","conversation_id":"$C","seq":1,"emoji":")" + std::string(33, 'x') +
           "\"}"},
      {"name", ErrorCode::kInvalidField,
       R"({"type":"event.publish","conversation_id":"$C","name":"","data":1})"},
      {"name", ErrorCode::kInvalidField,
       R"({"type":"event.publish","conversation_id":"$C","name":")" + std::string(65, 'n') +
           R"(","data":1})"},
      {"data", ErrorCode::kTooLarge,
       R"({"type":"event.publish","conversation_id":"$C","name":"n","data":")" +
           std::string(8191, 'x') + "\"}"},
      {"user_ids", ErrorCode::kInvalidField, R"({"type":"presence.get","user_ids":"$A"})"},
      {"user_ids", ErrorCode::kInvalidField, R"({"type":"presence.get","user_ids":[null]})"},
      {"user_ids", ErrorCode::kTooLarge,
       R"({"type":"presence.get","user_ids":[)" + repeated("\"$A\"", 257) + "]}"},
      {"kind", ErrorCode::kInvalidField, R"({"type":"conversation.create","kind":"room"})"},
      {"name", ErrorCode::kInvalidField,
       R"({"type":"conversation.create","name":")" + std::string(129, 'n') + "\"}"},
      {"members", ErrorCode::kInvalidField, R"({"type":"conversation.create","members":[1]})"},
      {"members", ErrorCode::kTooLarge,
       R"({"type":"conversation.create","members":[)" + repeated("\"$A\"", 1001) + "]}"},
      {"client_id", ErrorCode::kInvalidField, R"({"type":"conversation.create","client_id":""})"},
      {"limit", ErrorCode::kInvalidField, R"({"type":"conversation.list","limit":0})"},
      {"limit", ErrorCode::kInvalidField, R"({"type":"conversation.list","limit":201})"},
      {"after", ErrorCode::kInvalidField, R"({"type":"conversation.list","after":"x"})"},
      {"user_ids", ErrorCode::kInvalidField,
       R"({"type":"conversation.add","conversation_id":"$C","user_ids":[]})"},
      {"user_id", ErrorCode::kInvalidField,
       R"({"type":"conversation.add","conversation_id":"$C","user_id":"x"})"},
      {"role", ErrorCode::kInvalidField,
       R"({"type":"conversation.add","conversation_id":"$C","user_id":"$B","role":"king"})"},
      {"name", ErrorCode::kInvalidField,
       R"({"type":"conversation.rename","conversation_id":"$C","name":""})"},
      {"until", ErrorCode::kInvalidField,
       R"({"type":"conversation.mute","conversation_id":"$C","until":"tomorrow"})"},
      {"until", ErrorCode::kInvalidField,
       R"({"type":"conversation.mute","conversation_id":"$C","until":"1969-01-01T00:00:00Z"})"},
      {"for_ms", ErrorCode::kInvalidField,
       R"({"type":"conversation.mute","conversation_id":"$C","for_ms":0})"},
      {"for_ms", ErrorCode::kInvalidField,
       R"({"type":"conversation.mute","conversation_id":"$C","for_ms":315360000001})"},
      {"exclude", ErrorCode::kInvalidField,
       R"({"type":"conversation.mute","conversation_id":"$C","for_ms":1,"until":"2027-01-01T00:00:00Z"})"},
      {"before_seq", ErrorCode::kInvalidField,
       R"({"type":"history","conversation_id":"$C","before_seq":0})"},
      {"after_seq", ErrorCode::kInvalidField,
       R"({"type":"history","conversation_id":"$C","after_seq":-1})"},
      {"exclude", ErrorCode::kInvalidField,
       R"({"type":"history","conversation_id":"$C","before_seq":2,"after_seq":1})"},
      {"limit", ErrorCode::kInvalidField,
       R"({"type":"history","conversation_id":"$C","limit":201})"},
      {"cursors", ErrorCode::kInvalidField, R"({"type":"sync","cursors":[]})"},
      {"cursors", ErrorCode::kInvalidField, R"({"type":"sync","cursors":{"x":1}})"},
      {"cursors", ErrorCode::kInvalidField, R"({"type":"sync","cursors":{"$C":"1"}})"},
      {"cursors", ErrorCode::kInvalidField, R"({"type":"sync","cursors":{"$C":-1}})"},
      {"cursors", ErrorCode::kInvalidField, R"({"type":"sync","cursors":{"$C":{}}})"},
      {"cursors", ErrorCode::kInvalidField, R"({"type":"sync","cursors":{"$C":[1]}})"},
      {"cursors", ErrorCode::kTooLarge,
       R"({"type":"sync","cursors":{)" + repeated("\"$C\":1", 1001) + "}}"},
      {"limit", ErrorCode::kInvalidField, R"({"type":"unread.fetch","limit":0})"},
  };
  for (const auto& each : cases) expect_error(each.text, each.code, each.field);
}

TEST(Decoder, AcceptsEachLimitExactly) {
  const std::string head =
      R"({"type":"message.send","to":"$B","client_id":")" + std::string(64, 'k') + "\",";
  EXPECT_EQ(decoded<MessageSend>(head + R"("content":")" + std::string(16384, 'x') + "\"}")
                .content.size(),
            16384U);
  EXPECT_EQ(decoded<MessageSend>(head + R"("content":")" + repeated("\\u0001", 16384, "") + "\"}")
                .content.size(),
            16384U);
  EXPECT_EQ(decoded<MessageSend>(head + R"("attachments":[)" + repeated("{}", 10) + "]}")
                .attachments.size(),
            31U);
  EXPECT_EQ(
      decoded<MessageSend>(head + R"("attachments":[{"a":")" + std::string(4086, 'x') + R"("}]})")
          .attachments.size(),
      4096U);
  EXPECT_EQ(
      decoded<MessageSend>(head + R"("content":"x","mentions":[)" + repeated("\"$A\"", 50) + "]}")
          .mentions.size(),
      50U);
  EXPECT_EQ(decoded<EventPublish>(
                R"({"type":"event.publish","conversation_id":"$C","name":"n","data":")" +
                std::string(8190, 'x') + "\"}")
                .data.size(),
            8192U);
  EXPECT_EQ(decoded<PresenceGet>(R"({"type":"presence.get","user_ids":[)" +
                                 repeated("\"$A\"", 256) + "]}")
                .users.size(),
            256U);
  EXPECT_EQ(decoded<MemberAdd>(R"({"type":"conversation.add","conversation_id":"$C","user_ids":[)" +
                               repeated("\"$A\"", 1000) + "]}")
                .users.size(),
            1000U);
  EXPECT_EQ(decoded<Sync>(R"({"type":"sync","cursors":{)" +
                          repeated("\"$C\":9007199254740991", 1000) + "}}")
                .cursors.size(),
            1000U);
  EXPECT_EQ(decoded<MessageDelete>(
                R"({"type":"message.delete","conversation_id":"$C","seq":9007199254740991})")
                .message.seq,
            9007199254740991U);
}

}  // namespace
}  // namespace uproar::chat
