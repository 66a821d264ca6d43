// Each event as the exact text that docs/protocol.md shows, and the property that whatever is encoded parses again.
#include "proto/chat/server_event_encoder.h"

#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <simdjson.h>

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

std::string encoded(const ServerEvent& event, std::string_view id = {}) {
  JsonWriter out;
  encode(event, id, out);
  simdjson::dom::parser parser;
  std::string text(out.text());
  EXPECT_EQ(parser.parse(text).error(), simdjson::SUCCESS) << text;
  // The overload for the alternative says the same.
  JsonWriter direct;
  std::visit([&](const auto& each) { encode(each, id, direct); }, event);
  EXPECT_EQ(direct.text(), text);
  return text;
}

void expect_encoded(const ServerEvent& event, std::string_view wanted, std::string_view id = {}) {
  EXPECT_EQ(encoded(event, id), with_ids(wanted));
}

Message system_row(SystemEvent event) {
  Message message;
  message.id = testing::message();
  message.conversation = conversation();
  message.seq = 8;
  message.version = 8;
  message.sender = ada();
  message.type = MessageType::kSystem;
  message.system = event;
  message.subject = bob();
  message.role = Role::kAdmin;
  message.sent_at_us = kAt;
  return message;
}

TEST(Encoder, SessionReady) {
  SessionReady ready;
  ready.session = SessionId(testing::message().uuid());
  ready.user = ada();
  ready.server_time_us = kAt;
  ready.heartbeat_interval_ms = 30000;
  ready.resume_window_s = 86400;
  ready.limits = {.content_bytes_max = 1,
                  .event_bytes_max = 2,
                  .message_bytes_max = 3,
                  .members_max = 4,
                  .history_limit_max = 5,
                  .sync_conversations_max = 6,
                  .presence_watch_max = 7};
  ready.node = "n1";
  ready.expires_at_us = kAt + 900'000'000;
  expect_encoded(
      ready,
      R"({"type":"session.ready","session_id":"$M","user_id":"$A","server_time":"2026-01-02T03:04:05.678Z",)"
      R"("heartbeat_interval_ms":30000,"resume_window_s":86400,"limits":{"content_bytes_max":1,)"
      R"("event_bytes_max":2,"message_bytes_max":3,"members_max":4,"history_limit_max":5,)"
      R"("sync_conversations_max":6,"presence_watch_max":7},"node":"n1",)"
      R"("expires_at":"2026-01-02T03:19:05.678Z"})");
}

TEST(Encoder, WhenASessionEnds) {
  expect_encoded(SessionExpiring{.expires_at_us = kAt},
                 R"({"type":"session.expiring","expires_at":"2026-01-02T03:04:05.678Z"})");
  expect_encoded(SessionRefreshed{.expires_at_us = kAt},
                 R"({"type":"session.refreshed","id":"r","expires_at":"2026-01-02T03:04:05.678Z"})",
                 R"("r")");
}

TEST(Encoder, ShortReplies) {
  expect_encoded(Pong{}, R"({"type":"pong"})");
  expect_encoded(Pong{}, R"({"type":"pong","id":"r1"})", R"("r1")");
  expect_encoded(Ok{}, R"({"type":"ok","id":7})", "7");
}

TEST(Encoder, Errors) {
  expect_encoded(
      Error{.code = ErrorCode::kRateLimited, .detail = {}, .retry_after_ms = 250},
      R"({"type":"error","id":"r","code":"rate_limited","message":"Too many requests; wait and try again.","retry_after_ms":250})",
      R"("r")");
  expect_encoded(
      Error{.code = ErrorCode::kInvalidField, .detail = "seq \"x\"", .retry_after_ms = 0},
      R"({"type":"error","code":"invalid_field","message":"seq \"x\""})");
}

TEST(Encoder, MessageSent) {
  MessageSent sent{.message = testing::message(),
                   .conversation = conversation(),
                   .seq = 7,
                   .sent_at_us = kAt,
                   .duplicate = false};
  expect_encoded(
      sent,
      R"({"type":"message.sent","id":"r","message_id":"$M","conversation_id":"$C","seq":7,"sent_at":"2026-01-02T03:04:05.678Z"})",
      R"("r")");
  sent.duplicate = true;
  EXPECT_TRUE(encoded(sent).ends_with(R"(,"duplicate":true})"));
}

TEST(Encoder, MessageNewSaysWhatIsThereInOrder) {
  expect_encoded(
      MessageNew{plain_message()},
      R"({"type":"message.new","conversation_id":"$C","seq":7,"message_id":"$M","sender_id":"$A","content":"Hi",)"
      R"("sent_at":"2026-01-02T03:04:05.678Z","no":5,"client_id":"k-1"})");
  Message full = plain_message();
  full.type = MessageType::kImage;
  full.attachments = R"([{"url":"a"}])";
  full.reply_to = 3;
  full.mentions = {ada(), bob()};
  expect_encoded(
      MessageNew{full},
      R"({"type":"message.new","conversation_id":"$C","seq":7,"message_id":"$M","sender_id":"$A","content":"Hi",)"
      R"("sent_at":"2026-01-02T03:04:05.678Z","no":5,"client_id":"k-1","kind":"image","attachments":[{"url":"a"}],)"
      R"("reply_to":3,"mentions":["$A","$B"]})");
}

TEST(Encoder, ChangesOfMessages) {
  expect_encoded(
      MessageUpdated{.conversation = conversation(),
                     .seq = 9,
                     .message_seq = 7,
                     .message = testing::message(),
                     .sender = ada(),
                     .content = "new",
                     .edited_at_us = kAt},
      R"({"type":"message.updated","conversation_id":"$C","seq":9,"message_seq":7,"message_id":"$M","sender_id":"$A",)"
      R"("content":"new","edited_at":"2026-01-02T03:04:05.678Z"})");
  expect_encoded(
      MessageDeleted{.conversation = conversation(),
                     .seq = 9,
                     .message_seq = 7,
                     .message = testing::message(),
                     .by = bob(),
                     .deleted_at_us = kAt},
      R"({"type":"message.deleted","conversation_id":"$C","seq":9,"message_seq":7,"message_id":"$M","by":"$B",)"
      R"("deleted_at":"2026-01-02T03:04:05.678Z"})");
  ReactionUpdated reaction{.conversation = conversation(),
                           .seq = 9,
                           .message_seq = 7,
                           .message = testing::message(),
                           .user = bob(),
                           .emoji = "👍",
                           .added = true};
  expect_encoded(
      reaction,
      R"({"type":"reaction.updated","conversation_id":"$C","seq":9,"message_seq":7,"message_id":"$M","user_id":"$B",)"
      R"("emoji":"👍","added":true})");
  reaction.seq = 0;
  reaction.added = false;
  EXPECT_EQ(encoded(reaction).find(R"("seq":)"), std::string::npos) << "nothing changed: no seq";
}

TEST(Encoder, EphemeralEvents) {
  expect_encoded(
      ReceiptUpdate{.conversation = conversation(),
                    .user = bob(),
                    .delivered_seq = 0,
                    .read_seq = 7,
                    .at_us = kAt},
      R"({"type":"receipt.update","conversation_id":"$C","user_id":"$B","read_seq":7,"at":"2026-01-02T03:04:05.678Z"})");
  expect_encoded(
      Event{
          .conversation = conversation(), .sender = ada(), .name = "cursor", .data = R"({"x":1})"},
      R"({"type":"event","conversation_id":"$C","name":"cursor","data":{"x":1},"sender_id":"$A"})");
  expect_encoded(Event{.conversation = conversation(), .sender = ada(), .name = "a\"b", .data = {}},
                 R"({"type":"event","conversation_id":"$C","name":"a\"b","sender_id":"$A"})");
  expect_encoded(
      TypingUpdate{.conversation = conversation(), .user = ada(), .typing = false},
      R"({"type":"typing.update","conversation_id":"$C","user_id":"$A","typing":false})");
}

TEST(Encoder, Presence) {
  const PresenceState online{
      .user = ada(), .online = true, .last_online_us = 0, .uncertain = false};
  const PresenceState offline{
      .user = bob(), .online = false, .last_online_us = kAt, .uncertain = false};
  expect_encoded(PresenceUpdate{online},
                 R"({"type":"presence.update","user_id":"$A","status":"online"})");
  expect_encoded(
      PresenceList{{online, offline}},
      R"({"type":"presence.state","users":[{"user_id":"$A","status":"online"},)"
      R"({"user_id":"$B","status":"offline","last_online":"2026-01-02T03:04:05.678Z"}]})");
  expect_encoded(PresenceList{}, R"({"type":"presence.state","users":[]})");
  const PresenceState unknown{
      .user = bob(), .online = false, .last_online_us = 0, .uncertain = true};
  expect_encoded(
      PresenceUpdate{unknown},
      R"({"type":"presence.update","user_id":"$B","status":"offline","uncertain":true})");
}

TEST(Encoder, Conversations) {
  ConversationView view;
  view.id = conversation();
  constexpr std::string_view kSmall =
      R"({"id":"$C","kind":"group","role":"member","last_seq":0,"unread":0})";
  expect_encoded(ConversationInfo{view},
                 R"({"type":"conversation.info","conversation":)" + std::string(kSmall) + "}");
  expect_encoded(ConversationJoined{view},
                 R"({"type":"conversation.joined","conversation":)" + std::string(kSmall) + "}");
  expect_encoded(
      ConversationNotLive{.conversations = {conversation(), conversation()}, .more = true},
      R"({"type":"conversation.not_live","conversation_ids":["$C","$C"],"more":true})");
  expect_encoded(ConversationNotLive{.conversations = {}, .more = true},
                 R"({"type":"conversation.not_live","more":true})");
  ConversationView silent = view;
  silent.is_live = false;
  expect_encoded(
      ConversationInfo{silent},
      R"({"type":"conversation.info","conversation":{"id":"$C","kind":"group","role":"member","last_seq":0,"unread":0,"live":false}})");
  expect_encoded(ConversationCreated{.conversation = view, .duplicate = true},
                 R"({"type":"conversation.created","conversation":)" + std::string(kSmall) +
                     R"(,"duplicate":true})");
  expect_encoded(ConversationPage{.conversations = {view, view}, .has_more = true, .stale = true},
                 R"({"type":"conversation.list","conversations":[)" + std::string(kSmall) + ',' +
                     std::string(kSmall) + R"(],"has_more":true,"stale":true})");
  expect_encoded(ConversationPage{},
                 R"({"type":"conversation.list","conversations":[],"has_more":false})");

  view.kind = ConversationKind::kDirect;
  view.name = "x";
  view.role = Role::kOwner;
  view.last_seq = 9;
  view.unread = 2;
  view.read_seq = 4;
  view.delivered_seq = 5;
  view.member_count = 2;
  view.muted_until_us = kAt;
  view.created_at_us = kAt;
  view.last_message = plain_message();
  view.members = {
      {.user = ada(), .name = "ada", .role = Role::kOwner, .delivered_seq = 5, .read_seq = 4},
      {.user = bob(), .name = {}, .role = Role::kMember}};
  expect_encoded(
      ConversationInfo{view},
      R"({"type":"conversation.info","conversation":{"id":"$C","kind":"direct","name":"x","role":"owner","last_seq":9,)"
      R"("unread":2,"read_seq":4,"delivered_seq":5,"member_count":2,"muted_until":"2026-01-02T03:04:05.678Z",)"
      R"("created_at":"2026-01-02T03:04:05.678Z","last_message":{"seq":7,"message_id":"$M","sender_id":"$A",)"
      R"("content":"Hi","sent_at":"2026-01-02T03:04:05.678Z","no":5,"client_id":"k-1"},"members":[{"user_id":"$A",)"
      R"("name":"ada","role":"owner","delivered_seq":5,"read_seq":4},{"user_id":"$B","role":"member"}]}})");
}

TEST(Encoder, MembershipAndNames) {
  expect_encoded(
      ConversationUpdated{.conversation = conversation(),
                          .seq = 3,
                          .by = ada(),
                          .name = "new",
                          .user = {},
                          .at_us = kAt},
      R"({"type":"conversation.updated","conversation_id":"$C","seq":3,"by":"$A","name":"new","at":"2026-01-02T03:04:05.678Z"})");
  expect_encoded(
      ConversationUpdated{.conversation = conversation(),
                          .seq = 3,
                          .by = ada(),
                          .name = {},
                          .user = bob(),
                          .role = Role::kAdmin,
                          .at_us = kAt},
      R"({"type":"conversation.updated","conversation_id":"$C","seq":3,"by":"$A","user_id":"$B","role":"admin",)"
      R"("at":"2026-01-02T03:04:05.678Z"})");
  expect_encoded(
      MemberAdded{.conversation = conversation(),
                  .seq = 3,
                  .user = bob(),
                  .role = Role::kMember,
                  .by = ada(),
                  .at_us = kAt},
      R"({"type":"member.added","conversation_id":"$C","seq":3,"user_id":"$B","role":"member","by":"$A",)"
      R"("at":"2026-01-02T03:04:05.678Z"})");
  expect_encoded(
      MemberRemoved{
          .conversation = conversation(), .seq = 3, .user = bob(), .by = bob(), .at_us = kAt},
      R"({"type":"member.removed","conversation_id":"$C","seq":3,"user_id":"$B","by":"$B","at":"2026-01-02T03:04:05.678Z"})");
  expect_encoded(
      ConversationMuted{.conversation = conversation(), .muted_until_us = kAt},
      R"({"type":"conversation.muted","conversation_id":"$C","muted_until":"2026-01-02T03:04:05.678Z"})");
  expect_encoded(ConversationMuted{.conversation = conversation(), .muted_until_us = 0},
                 R"({"type":"conversation.muted","conversation_id":"$C"})");
}

TEST(Encoder, HistoryPageShowsMessagesAsTheyStand) {
  Message changed = plain_message();
  changed.version = 12;
  changed.edited_at_us = kAt;
  changed.delivered_at_us = kAt;
  changed.seen_at_us = kAt;
  changed.reactions = {{"👍", bob()}, {"❤", ada()}, {"👍", ada()}};
  Message deleted = plain_message();
  deleted.content.clear();
  deleted.version = 13;
  deleted.deleted_at_us = kAt;
  HistoryPage page;
  page.conversation = conversation();
  page.messages = {plain_message(), changed, deleted};
  expect_encoded(
      page,
      R"({"type":"history.page","id":"h","conversation_id":"$C","messages":[)"
      R"({"seq":7,"message_id":"$M","sender_id":"$A","content":"Hi","sent_at":"2026-01-02T03:04:05.678Z","no":5,"client_id":"k-1"},)"
      R"({"seq":7,"message_id":"$M","sender_id":"$A","content":"Hi","sent_at":"2026-01-02T03:04:05.678Z","no":5,"client_id":"k-1",)"
      R"("version":12,"edited_at":"2026-01-02T03:04:05.678Z","delivered_at":"2026-01-02T03:04:05.678Z",)"
      R"("seen_at":"2026-01-02T03:04:05.678Z","reactions":{"❤":["$A"],"👍":["$B","$A"]}},)"
      R"({"seq":7,"message_id":"$M","sender_id":"$A","sent_at":"2026-01-02T03:04:05.678Z","no":5,"client_id":"k-1",)"
      R"("version":13,"deleted_at":"2026-01-02T03:04:05.678Z"}],"has_more":false})",
      R"("h")");
}

TEST(Encoder, HistoryPageOfASync) {
  HistoryPage page;
  page.conversation = conversation();
  page.upto_seq = 41;
  page.has_more = true;
  page.stale = true;
  expect_encoded(
      page,
      R"({"type":"history.page","conversation_id":"$C","messages":[],"upto_seq":41,"has_more":true,"stale":true})");
}

TEST(Encoder, SystemRows) {
  HistoryPage page;
  page.conversation = conversation();
  page.messages = {system_row(SystemEvent::kMemberAdded)};
  expect_encoded(
      page,
      R"({"type":"history.page","conversation_id":"$C","messages":[{"seq":8,"kind":"system","event":"member.added",)"
      R"("sender_id":"$A","user_id":"$B","role":"admin","sent_at":"2026-01-02T03:04:05.678Z"}],"has_more":false})");
  page.messages = {system_row(SystemEvent::kRenamed)};
  page.messages[0].subject = {};
  page.messages[0].content = "new name";
  expect_encoded(
      page,
      R"({"type":"history.page","conversation_id":"$C","messages":[{"seq":8,"kind":"system","event":"conversation.renamed",)"
      R"("sender_id":"$A","content":"new name","sent_at":"2026-01-02T03:04:05.678Z"}],"has_more":false})");
  page.messages = {system_row(SystemEvent::kMemberRemoved)};
  EXPECT_EQ(encoded(page).find("role"), std::string::npos);
}

TEST(Encoder, SyncDoneAndDraining) {
  expect_encoded(SyncDone{}, R"({"type":"sync.done","cursors":{}})");
  expect_encoded(
      SyncDone{.cursors = {{conversation(), 41}},
               .refused = {{ConversationId(ada().uuid()), ErrorCode::kNotMember}}},
      R"({"type":"sync.done","id":"s","cursors":{"$C":41},"refused":{"$A":"not_member"}})",
      R"("s")");
  expect_encoded(ServerDraining{.reconnect_after_ms = 1500},
                 R"({"type":"server.draining","reconnect_after_ms":1500})");
}

TEST(Encoder, AccountAnswers) {
  JsonWriter out;
  encode(SignedIn{.user = ada(),
                  .name = "ada",
                  .access_token = "a.b.c",
                  .expires_in_s = 900,
                  .refresh_token = "r",
                  .ticket = "t",
                  .ws_url = "ws://h/ws"},
         out);
  EXPECT_EQ(
      out.text(),
      with_ids(
          R"({"user_id":"$A","name":"ada","access_token":"a.b.c","token_type":"Bearer","expires_in":900,)"
          R"("refresh_token":"r","ticket":"t","ws_url":"ws://h/ws"})"));
  out.clear();
  encode(UserList{{{.user = ada(),
                    .name = "ada",
                    .created_at_us = kAt,
                    .last_online_us = kAt,
                    .online = false,
                    .shows_status = true},
                   {.user = bob()}}},
         out);
  EXPECT_EQ(
      out.text(),
      with_ids(
          R"({"users":[{"user_id":"$A","name":"ada","created_at":"2026-01-02T03:04:05.678Z","status":"offline",)"
          R"("last_online":"2026-01-02T03:04:05.678Z"},{"user_id":"$B"}]})"));
  out.clear();
  SyncAnswer answer;
  answer.pages.resize(2);
  answer.pages[0].conversation = conversation();
  answer.pages[1].conversation = conversation();
  answer.cursors = {{conversation(), 4}};
  answer.has_more = true;
  encode(answer, out);
  EXPECT_EQ(
      out.text(),
      with_ids(
          R"({"pages":[{"type":"history.page","conversation_id":"$C","messages":[],"has_more":false},)"
          R"({"type":"history.page","conversation_id":"$C","messages":[],"has_more":false}],)"
          R"("cursors":{"$C":4},"has_more":true})"));
}

TEST(Encoder, AppendsWithoutClearing) {
  JsonWriter out;
  out.raw("[");
  encode(Pong{}, {}, out);
  out.raw(",");
  encode(Pong{}, {}, out);
  out.raw("]");
  EXPECT_EQ(out.text(), R"([{"type":"pong"},{"type":"pong"}])");
}

TEST(Encoder, NamesEveryEventAsTheTableDoes) {
  const ServerEvent all[] = {SessionReady{},
                             SessionExpiring{},
                             SessionRefreshed{},
                             Pong{},
                             Ok{},
                             Error{},
                             MessageSent{},
                             MessageNew{},
                             MessageUpdated{},
                             MessageDeleted{},
                             ReactionUpdated{},
                             ReceiptUpdate{},
                             Event{},
                             TypingUpdate{},
                             PresenceUpdate{},
                             PresenceList{},
                             ConversationCreated{},
                             ConversationPage{},
                             ConversationInfo{},
                             ConversationJoined{},
                             ConversationNotLive{},
                             ConversationUpdated{},
                             MemberAdded{},
                             MemberRemoved{},
                             ConversationMuted{},
                             HistoryPage{},
                             SyncDone{},
                             ServerDraining{}};
  EXPECT_EQ(std::size(all), event_names().size());
  for (const ServerEvent& event : all) {
    const std::string head = R"({"type":")" + std::string(event_name(event)) + '"';
    EXPECT_TRUE(encoded(event).starts_with(head)) << encoded(event);
    EXPECT_TRUE(encoded(event, "7").starts_with(head + R"(,"id":7)")) << encoded(event, "7");
  }
}

// Random UTF-8 with more than its share of what needs care: quotes, backslashes, controls, and long characters at the
// edges of the writer's blocks.
std::string random_text(std::mt19937& random, std::size_t characters) {
  std::string out;
  for (std::size_t i = 0; i < characters; ++i) {
    switch (random() % 8) {
      case 0:
        out.push_back('"');
        break;
      case 1:
        out.push_back('\\');
        break;
      case 2:
        out.push_back(static_cast<char>(random() % 32));
        break;
      case 3:
        out += "ö";
        break;
      case 4:
        out += "\u2028";
        break;
      case 5:
        out += "🦁";
        break;
      default:
        out.push_back(static_cast<char>(' ' + random() % 95));
        break;
    }
  }
  return out;
}

TEST(Encoder, AnyTextParsesBackToItself) {
  std::mt19937 random(20260102);  // the same texts every time
  simdjson::dom::parser parser;
  JsonWriter out;
  for (int round = 0; round < 2000; ++round) {
    Message message = plain_message();
    message.content = random_text(random, random() % 200);
    message.client_id = random_text(random, random() % 40);
    message.seq = round % 3 == 0 ? std::numeric_limits<Seq>::max() : random();
    out.clear();
    encode(MessageNew{message}, {}, out);
    simdjson::dom::element parsed;
    ASSERT_EQ(parser.parse(out.text().data(), out.text().size()).get(parsed), simdjson::SUCCESS)
        << out.text();
    std::string_view back;
    if (!message.content.empty()) {
      ASSERT_EQ(parsed["content"].get(back), simdjson::SUCCESS);
      ASSERT_EQ(back, message.content);
    }
    std::uint64_t seq = 0;
    ASSERT_EQ(parsed["seq"].get(seq), simdjson::SUCCESS);
    ASSERT_EQ(seq, message.seq);
  }
}

TEST(Codec, WhatIsSaidIsHeard) {  // content through decoder and encoder and back
  const std::string content = R"(q\" b\\ s\/ \b\f\n\r\t \u00e9 \ud83e\udd81 ö 🦁)";
  const auto sent = testing::decode(with_ids(
      R"({"type":"message.send","to":"$B","client_id":"k","content":")" + content + "\"}"));
  ASSERT_TRUE(sent.ok());
  Message message = plain_message();
  message.content = std::get<MessageSend>(sent->event).content;
  EXPECT_NE(
      encoded(MessageNew{message}).find(R"("content":"q\" b\\ s/ \b\f\n\r\t é 🦁 ö 🦁")"),
      std::string::npos)
      << encoded(MessageNew{message});
}

}  // namespace
}  // namespace uproar::chat
