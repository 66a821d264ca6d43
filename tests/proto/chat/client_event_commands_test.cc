// Each command with an example: what a client may say, and the struct that it becomes.

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "proto/chat/client_event_decoder.h"
#include "proto/chat/rfc3339.h"
#include "tests/proto/chat/decoding.h"

namespace uproar::chat {
namespace {

using testing::ada;
using testing::bob;
using testing::conversation;
using testing::decoded;
using testing::kNow;

TEST(Decoder, SessionRefresh) {
  EXPECT_EQ(decoded<SessionRefresh>(R"({"type":"session.refresh","token":"abc"})").token, "abc");
}

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

}  // namespace
}  // namespace uproar::chat
