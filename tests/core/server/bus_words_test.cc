// The words of the bus: what is written is read again, and what is none is refused whole.

#include "core/server/bus_words.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "storage/bus.h"
#include "storage/presence_store.h"

namespace uproar::server {
namespace {

using chat::NodeHint;

const Uuid kId{.high = 0x0102030405067788, .low = 0x890A0B0C0D0E0F10};

std::string bytes_of(const NodeHint& hint) {
  return std::string(as_text(encode_node_hint(hint).view()));
}

TEST(BusChannels, BelongToOneTopicEach) {
  const chat::TopicId conversation = chat::topic_of(ConversationId(kId));
  const chat::TopicId user = chat::topic_of(UserId(kId));
  EXPECT_EQ(channel_of(conversation), storage::conversation_channel(ConversationId(kId)));
  EXPECT_EQ(channel_of(user), "u:" + user.text());
  EXPECT_EQ(topic_of_channel(channel_of(conversation)), conversation);
  EXPECT_EQ(topic_of_channel(channel_of(user)), user);
}

TEST(BusChannels, OfAConversationAreThoseOfItsTopicWhateverBitsItsIdHas) {
  const ConversationId odd(Uuid{.high = 1, .low = 2});  // no variant bits
  const auto topic = topic_of_channel(channel_of(chat::topic_of(odd)));
  EXPECT_EQ(topic, chat::topic_of(odd));
}

TEST(BusChannels, WithOtherNamesAreNobodys) {
  const std::string conversation = chat::topic_of(ConversationId(kId)).text();
  const std::string user = chat::topic_of(UserId(kId)).text();
  for (const std::string& name :
       {std::string(), std::string("gaps"), std::string("nodes"), "c:" + user, "u:" + conversation,
        "x:" + conversation, "c:" + conversation + "0", "c:" + conversation.substr(1),
        "c;" + conversation, conversation, "c:" + std::string(Uuid::kTextBytes, '0')}) {
    EXPECT_EQ(topic_of_channel(name), std::nullopt) << name;
  }
}

TEST(BusChannels, OfPresenceNameTheUserWithAllBits) {
  const UserId user(kId);
  const UserId odd(Uuid{.high = 1, .low = 2});
  EXPECT_EQ(user_of_presence_channel(storage::presence_channel(user)), user);
  EXPECT_EQ(user_of_presence_channel(storage::presence_channel(odd)), odd);
  EXPECT_EQ(topic_of_channel(storage::presence_channel(user)), std::nullopt);
  for (const std::string& name : {std::string("p:"), "u:" + user.text(), user.text(),
                                  "p:" + user.text() + "0", "p:" + user.text().substr(1)})
    EXPECT_EQ(user_of_presence_channel(name), std::nullopt) << name;
}

TEST(BusHints, OfEveryKindAreReadAsTheyWereWritten) {
  const std::vector<NodeHint> hints = {
      {.kind = NodeHint::Kind::kCommitted, .seq = 7, .conversation = {}, .session = {}},
      {.kind = NodeHint::Kind::kCommitted, .seq = 0, .conversation = {}, .session = {}},
      {.kind = NodeHint::Kind::kJoined,
       .seq = 3,
       .conversation = ConversationId(kId),
       .session = {}},
      {.kind = NodeHint::Kind::kAudience, .seq = 0, .conversation = {}, .session = {}},
      {.kind = NodeHint::Kind::kRevoked, .seq = 0, .conversation = {}, .session = SessionId(kId)}};
  for (const NodeHint& hint : hints) {
    const auto read = decode_node_hint(hint.seq, encode_node_hint(hint).view());
    ASSERT_TRUE(read.has_value()) << static_cast<int>(hint.kind);
    EXPECT_EQ(read->kind, hint.kind);
    EXPECT_EQ(read->seq, hint.seq);
    EXPECT_EQ(read->conversation, hint.conversation);
    EXPECT_EQ(read->session, hint.session);
  }
}

// Nodes of two versions meet on one bus: the bytes must not move.
TEST(BusHints, KeepTheirBytes) {
  const std::string id = "\x01\x02\x03\x04\x05\x06\x77\x88\x89\x0A\x0B\x0C\x0D\x0E\x0F\x10";
  EXPECT_EQ(
      bytes_of({.kind = NodeHint::Kind::kCommitted, .seq = 7, .conversation = {}, .session = {}}),
      "\x01");
  EXPECT_EQ(bytes_of({.kind = NodeHint::Kind::kJoined,
                      .seq = 3,
                      .conversation = ConversationId(kId),
                      .session = {}}),
            "\x02" + id);
  EXPECT_EQ(
      bytes_of({.kind = NodeHint::Kind::kAudience, .seq = 0, .conversation = {}, .session = {}}),
      "\x03");
  EXPECT_EQ(bytes_of({.kind = NodeHint::Kind::kRevoked,
                      .seq = 0,
                      .conversation = {},
                      .session = SessionId(kId)}),
            "\x04" + id);
}

TEST(BusHints, ThatAreNoneAreRefused) {
  const std::string id(16, '\x11');
  std::vector<std::string> wrong = {"",
                                    std::string(1, '\0'),
                                    "\x05",
                                    "\xFF",
                                    "\x01" + id,  // nothing follows these two
                                    "\x03" + id,
                                    std::string("\x01\x00", 2),
                                    "\x02" + std::string(16, '\0'),  // no id
                                    "\x04" + std::string(16, '\0')};
  for (const std::string kind : {"\x02", "\x04"}) {
    for (std::size_t size = 0; size <= 32; ++size)
      if (size != 16) wrong.push_back(kind + std::string(size, '\x11'));
  }
  for (const std::string& bytes : wrong)
    EXPECT_EQ(decode_node_hint(1, as_bytes(bytes)).has_value(), false)
        << testing::PrintToString(bytes);
}

TEST(BusRevocations, AreReadAsTheyWereWrittenAndNothingElseIsOne) {
  const gateway::SessionRevoked revoked{
      .session = SessionId(kId), .user = UserId(Uuid{.high = 1, .low = 2}), .at_us = 0x0102030405};
  const auto bytes = encode_revocation(revoked);
  const auto read = decode_revocation(bytes);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->session, revoked.session);
  EXPECT_EQ(read->user, revoked.user);
  EXPECT_EQ(read->at_us, revoked.at_us);
  EXPECT_EQ(as_text(ByteView(bytes).last(8)), std::string_view("\0\0\0\x01\x02\x03\x04\x05", 8));

  const std::string good(as_text(bytes));
  for (std::size_t size = 0; size < kRevocationBytes; ++size)
    EXPECT_FALSE(decode_revocation(as_bytes(good.substr(0, size))).has_value()) << size;
  EXPECT_FALSE(decode_revocation(as_bytes(good + "x")).has_value());
  const std::string nil(16, '\0');
  EXPECT_FALSE(decode_revocation(as_bytes(nil + good.substr(16))).has_value()) << "no session";
  EXPECT_FALSE(decode_revocation(as_bytes(good.substr(0, 16) + nil + good.substr(32))).has_value())
      << "no user";
  EXPECT_FALSE(decode_revocation(as_bytes(good.substr(0, 32) + std::string(8, '\xFF'))).has_value())
      << "before 1970";
}

}  // namespace
}  // namespace uproar::server
