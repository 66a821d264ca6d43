// What one node says, another understands: each event that travels between nodes comes back as the struct it was, and
// nothing but those events is taken.
#include "proto/chat/server_event_decoder.h"

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "proto/chat/server_event_encoder.h"
#include "proto/chat/wire_names.h"
#include "tests/proto/chat/json_text.h"

namespace uproar::chat {
namespace {

using testing::ada;
using testing::bob;
using testing::conversation;
using testing::kAt;
using testing::plain_message;
using testing::with_ids;

std::string encoded(const ServerEvent& event) {
  JsonWriter out;
  encode(event, {}, out);
  return std::string(out.text());
}

Result<ServerEvent, EventDecodeError> decode(std::string_view text) {
  static ServerEventDecoder decoder;  // one for all: nothing may leak from text to text
  return decoder.decode(as_bytes(text));
}

// Equal structs encode alike, and every field that is decoded is encoded: equal text is equal structs, but for times,
// which the test picks in whole milliseconds.
void expect_round_trip(const ServerEvent& event) {
  const std::string text = encoded(event);
  const auto back = decode(text);
  ASSERT_TRUE(back.ok()) << text;
  EXPECT_EQ(back->index(), event.index()) << text;
  EXPECT_EQ(encoded(*back), text);
}

std::vector<ServerEvent> one_of_each() {
  return {MessageNew{plain_message()},
          MessageUpdated{.conversation = conversation(),
                         .seq = 9,
                         .message_seq = 7,
                         .message = testing::message(),
                         .sender = ada(),
                         .content = "Ho",
                         .edited_at_us = kAt},
          MessageDeleted{.conversation = conversation(),
                         .seq = 10,
                         .message_seq = 7,
                         .message = testing::message(),
                         .by = bob(),
                         .deleted_at_us = kAt},
          ReactionUpdated{.conversation = conversation(),
                          .seq = 11,
                          .message_seq = 7,
                          .message = testing::message(),
                          .user = bob(),
                          .emoji = "\xF0\x9F\x91\x8D",
                          .added = false},
          ConversationUpdated{.conversation = conversation(),
                              .seq = 12,
                              .by = ada(),
                              .name = "a \"new\" name",
                              .user = {},
                              .role = {},
                              .at_us = kAt},
          ConversationUpdated{.conversation = conversation(),
                              .seq = 13,
                              .by = ada(),
                              .name = {},
                              .user = bob(),
                              .role = Role::kOwner,
                              .at_us = kAt},
          MemberAdded{.conversation = conversation(),
                      .seq = 14,
                      .user = bob(),
                      .role = Role::kAdmin,
                      .by = ada(),
                      .at_us = kAt},
          MemberRemoved{
              .conversation = conversation(), .seq = 15, .user = bob(), .by = ada(), .at_us = kAt},
          ReceiptUpdate{.conversation = conversation(),
                        .user = bob(),
                        .delivered_seq = 7,
                        .read_seq = 5,
                        .at_us = kAt},
          TypingUpdate{.conversation = conversation(), .user = bob(), .typing = true},
          TypingUpdate{.conversation = conversation(), .user = bob(), .typing = false},
          Event{.conversation = conversation(),
                .sender = ada(),
                .name = "cursor",
                .data = R"({"x":[1,2.5,null,"\u00e9"]})"},
          PresenceUpdate{{.user = bob(), .online = true, .last_online_us = 0}},
          PresenceUpdate{{.user = bob(), .online = false, .last_online_us = kAt}}};
}

TEST(ServerEventDecoder, GivesBackEveryEventThatTravels) {
  for (const ServerEvent& event : one_of_each()) expect_round_trip(event);
}

TEST(ServerEventDecoder, GivesBackAMessageFieldByField) {
  Message full = plain_message();
  full.type = MessageType::kImage;
  full.content = "tab\t quote\" backslash\\ \xE2\x82\xAC \x01";
  full.attachments = R"([{"url":"a","n":1e3},{}])";
  full.reply_to = 3;
  full.mentions = {ada(), bob()};
  const auto back = decode(encoded(MessageNew{full}));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(std::get<MessageNew>(*back).message, full);
  Message bare = plain_message();
  bare.content.clear();
  bare.client_id.clear();
  bare.no = 0;
  const auto small = decode(encoded(MessageNew{bare}));
  ASSERT_TRUE(small.ok());
  EXPECT_EQ(std::get<MessageNew>(*small).message, bare);
}

TEST(ServerEventDecoder, GivesBackRandomMessages) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 2000; ++i) {
    Message each = plain_message();
    each.seq = each.version = 1 + random() % ((1ULL << 53) - 1);
    each.no = random() % 3 == 0 ? 0 : each.seq;
    each.content.clear();
    for (std::uint64_t left = random() % 60; left > 0; --left) {
      constexpr std::string_view kPieces[] = {
          "a", "\"", "\\", "\n", "\x7F", "\xC3\xA9", "\xF0\x9F\x98\x80", "\x1F", "/", "{", "]"};
      each.content += kPieces[random() % std::size(kPieces)];
    }
    each.type = static_cast<MessageType>(random() % 6);
    each.mentions.assign(random() % (kMentionsMax + 1), bob());
    each.sent_at_us = static_cast<std::int64_t>(random() % 4'000'000'000'000) * 1000;
    const auto back = decode(encoded(MessageNew{each}));
    ASSERT_TRUE(back.ok()) << encoded(MessageNew{each});
    ASSERT_EQ(std::get<MessageNew>(*back).message, each);
  }
}

TEST(ServerEventDecoder, TakesFieldsInAnyOrderAndIgnoresUnknownOnes) {
  const auto back = decode(with_ids(
      R"( {"new_field":{"a":[1,{}]},"typing":true , "user_id":"$B","typing":false,"conversation_id":"$C","type":"typing.update"} )"));
  ASSERT_TRUE(back.ok());
  const auto& typing = std::get<TypingUpdate>(*back);
  EXPECT_EQ(typing.user, bob());
  EXPECT_FALSE(typing.typing);  // of a repeated field the last one counts
}

struct Rejected {
  std::string_view text;
  EventDecodeError error;
};
class ServerEventMustReject : public ::testing::TestWithParam<Rejected> {};
TEST_P(ServerEventMustReject, with_the_reason) {
  const std::string text = with_ids(GetParam().text);
  const auto back = decode(text);
  ASSERT_FALSE(back.ok()) << text;
  EXPECT_EQ(back.error(), GetParam().error) << text;
}
using enum EventDecodeError;
INSTANTIATE_TEST_SUITE_P(
    Texts, ServerEventMustReject,
    ::testing::Values(
        Rejected{"", kBadJson}, Rejected{"[]", kBadJson}, Rejected{"null", kBadJson},
        Rejected{"{", kBadJson}, Rejected{"\xEF\xBB\xBF{}", kBadJson},
        Rejected{
            R"({"type":"typing.update","conversation_id":"$C","user_id":"$B","typing":true} x)",
            kBadJson},
        Rejected{
            R"({"type":"event","conversation_id":"$C","name":"n","data":{"a":tru},"sender_id":"$A"})",
            kBadJson},
        Rejected{"{\"type\":\"event\",\"conversation_id\":\"$C\",\"name\":\"\xFF\",\"sender_id\":"
                 "\"$A\"}",
                 kBadJson},
        Rejected{R"({"type":"event","conversation_id":"$C","name":"\ud800","sender_id":"$A"})",
                 kBadJson},
        Rejected{R"({"type":"event","conversation_id":"$C","name":"n","sender_id":"$A","x":01})",
                 kBadJson},
        Rejected{
            R"({"type":"typing.update","conversation_id":"$C","user_id":"$B","typing":true,"a":"x":1,"y":[]},"b":1})",
            kBadJson},
        Rejected{"{}", kUnknownType}, Rejected{R"({"type":1})", kUnknownType},
        Rejected{R"({"type":"ok"})", kUnknownType},
        Rejected{R"({"type":"history.page","conversation_id":"$C","messages":[],"has_more":false})",
                 kUnknownType},
        Rejected{R"({"type":"conversation.joined","conversation":{"id":"$C"}})", kUnknownType},
        Rejected{R"({"type":"typing.update","conversation_id":"$C","user_id":"$B"})", kBadField},
        Rejected{R"({"type":"typing.update","conversation_id":"$C","user_id":"$B","typing":1})",
                 kBadField},
        Rejected{R"({"type":"typing.update","conversation_id":"$C","user_id":"$B","typing":null})",
                 kBadField},
        Rejected{R"({"type":"typing.update","conversation_id":"x","user_id":"$B","typing":true})",
                 kBadField},
        Rejected{
            R"({"type":"typing.update","conversation_id":"00000000-0000-0000-0000-000000000000","user_id":"$B","typing":true})",
            kBadField},
        Rejected{
            R"({"type":"typing.update","conversation_id":["$C"],"user_id":"$B","typing":true})",
            kBadField},
        Rejected{R"({"type":"presence.update","user_id":"$B","status":"away"})", kBadField},
        Rejected{
            R"({"type":"presence.update","user_id":"$B","status":"online","last_online":"yesterday"})",
            kBadField},
        Rejected{R"({"type":"receipt.update","conversation_id":"$C","user_id":"$B","read_seq":0})",
                 kBadField},
        Rejected{R"({"type":"receipt.update","conversation_id":"$C","user_id":"$B","read_seq":-1})",
                 kBadField},
        Rejected{
            R"({"type":"receipt.update","conversation_id":"$C","user_id":"$B","read_seq":1.0})",
            kBadField},
        Rejected{
            R"({"type":"receipt.update","conversation_id":"$C","user_id":"$B","read_seq":9007199254740992})",
            kBadField},
        Rejected{
            R"({"type":"receipt.update","conversation_id":"$C","user_id":"$B","read_seq":"7"})",
            kBadField},
        Rejected{R"({"type":"member.added","conversation_id":"$C","seq":1,"user_id":"$B"})",
                 kBadField},
        Rejected{
            R"({"type":"member.added","conversation_id":"$C","seq":1,"user_id":"$B","role":"king"})",
            kBadField},
        Rejected{R"({"type":"conversation.updated","conversation_id":"$C","seq":1,"user_id":"$B"})",
                 kBadField},
        Rejected{R"({"type":"message.deleted","conversation_id":"$C","seq":2})", kBadField},
        Rejected{R"({"type":"message.updated","conversation_id":"$C","seq":2,"message_seq":1})",
                 kBadField},
        Rejected{
            R"({"type":"message.new","conversation_id":"$C","seq":7,"message_id":"$M","sender_id":"$A","content":"Hi"})",
            kBadField},
        Rejected{
            R"({"type":"message.new","conversation_id":"$C","message_id":"$M","sender_id":"$A","sent_at":"2026-01-02T03:04:05.678Z"})",
            kBadField},
        Rejected{
            R"({"type":"message.new","conversation_id":"$C","seq":7,"message_id":"$M","sender_id":"$A","sent_at":"2026-01-02T03:04:05.678Z","kind":"system"})",
            kBadField},
        Rejected{
            R"({"type":"message.new","conversation_id":"$C","seq":7,"message_id":"$M","sender_id":"$A","sent_at":"2026-01-02T03:04:05.678Z","kind":"hologram"})",
            kBadField},
        Rejected{
            R"({"type":"message.new","conversation_id":"$C","seq":7,"message_id":"$M","sender_id":"$A","sent_at":"2026-01-02T03:04:05.678Z","attachments":[1]})",
            kBadField},
        Rejected{
            R"({"type":"message.new","conversation_id":"$C","seq":7,"message_id":"$M","sender_id":"$A","sent_at":"2026-01-02T03:04:05.678Z","mentions":["$A",2]})",
            kBadField},
        Rejected{
            R"({"type":"message.new","conversation_id":"$C","seq":7,"message_id":"$M","sender_id":"$A","sent_at":"2026-01-02T03:04:05.678Z","content":"\u0000"})",
            kBadField}));

TEST(ServerEventDecoder, RefusesWhatIsBeyondABound) {
  Message large = plain_message();
  large.content.assign(kContentBytesMax, 'x');
  EXPECT_TRUE(decode(encoded(MessageNew{large})).ok());
  large.content += 'x';
  EXPECT_FALSE(decode(encoded(MessageNew{large})).ok());
  Message many = plain_message();
  many.mentions.assign(kMentionsMax + 1, ada());
  EXPECT_FALSE(decode(encoded(MessageNew{many})).ok());
  const std::string huge(ServerEventDecoder::kBytesMax + 1, ' ');
  const auto back = decode(huge);
  ASSERT_FALSE(back.ok());
  EXPECT_EQ(back.error(), kTooLarge);
}

TEST(ServerEventDecoder, JudgesEveryCutOfEveryEventAndReadsNothingBehindIt) {
  for (const ServerEvent& event : one_of_each()) {
    const std::string whole = encoded(event);
    for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
      const std::vector<char> cut(whole.begin(),
                                  whole.begin() + static_cast<std::ptrdiff_t>(bytes));
      EXPECT_FALSE(decode({cut.data(), cut.size()}).ok()) << whole.substr(0, bytes);
    }
  }
}

}  // namespace
}  // namespace uproar::chat
