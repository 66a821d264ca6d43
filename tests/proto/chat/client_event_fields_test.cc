// Each field of each command with what it refuses, and the limits that it just takes.

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "proto/chat/client_event_decoder.h"
#include "tests/proto/chat/decoding.h"

namespace uproar::chat {
namespace {

using testing::decoded;
using testing::expect_error;
using testing::repeated;

struct FieldCase {
  std::string_view field;
  ErrorCode code;
  std::string text;
};

TEST(Decoder, NamesTheFieldThatIsMissing) {
  const FieldCase cases[] = {
      {"token", ErrorCode::kMissingField, R"({"type":"session.open"})"},
      {"token", ErrorCode::kMissingField, R"({"type":"session.refresh","id":7})"},
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
      {"token", ErrorCode::kInvalidField, R"({"type":"session.refresh","token":""})"},
      {"token", ErrorCode::kInvalidField,
       R"({"type":"session.open","token":)" + std::string(1, '"') + std::string(8193, 'x') + "\"}"},
      {"resume", ErrorCode::kInvalidField, R"({"type":"session.open","token":"t","resume":1})"},
      {"got both", ErrorCode::kInvalidField,
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
      {"got both", ErrorCode::kInvalidField,
       R"({"type":"conversation.mute","conversation_id":"$C","for_ms":1,"until":"2027-01-01T00:00:00Z"})"},
      {"before_seq", ErrorCode::kInvalidField,
       R"({"type":"history","conversation_id":"$C","before_seq":0})"},
      {"after_seq", ErrorCode::kInvalidField,
       R"({"type":"history","conversation_id":"$C","after_seq":-1})"},
      {"got both", ErrorCode::kInvalidField,
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
