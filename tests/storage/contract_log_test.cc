// The log of a conversation: every seq once, in order and without a hole, at every page size; texts
// only where they stand; nothing of what was refused. Against every backend.

#include <random>

#include "storage/page_bytes.h"
#include "tests/storage/contract.h"

namespace uproar::storage {
namespace {

using enum OutcomeStatus;

class Log : public ContractTest {
 protected:
  Log() { creates(user(1), room, chat::ConversationKind::kGroup, {user(2)}); }
  static constexpr ConversationId room = conversation(1);

  LogPage log(const LogQuery& query) { return call->log(query).value(); }
  std::vector<LogEntry> entries(Seq after = 0) {
    return log({.conversation = room, .after = after}).entries;
  }
  static chat::MessageRef at(Seq seq) { return {.seq = seq, .id = {}}; }
  static const LoggedEvent& event(const LogEntry& entry) {
    return std::get<LoggedEvent>(entry.what);
  }
  static const chat::Message& message_of(const LogEntry& entry) {
    return std::get<chat::Message>(entry.what);
  }
  // Also what is refused. The room's last seq is the answer.
  Seq random_history(std::uint32_t seed, int count) {
    std::mt19937 random(seed);
    std::vector<Operation> batch;
    for (int i = 0; i < count; ++i) {
      const UserId who = user(1 + random() % 3);
      const chat::MessageRef ref = at(1 + random() % static_cast<Seq>(count));
      switch (random() % 8) {
        case 0:
          batch.push_back(operation(room, who, EditMessage{.message = ref, .content = "edited"}));
          break;
        case 1:
          batch.push_back(operation(room, who, DeleteMessage{.message = ref}));
          break;
        case 2:
          batch.push_back(operation(
              room, who, ChangeReaction{.message = ref, .emoji = "x", .add = random() % 3 != 0}));
          break;
        case 3:
          batch.push_back(operation(room, who, AddMember{.user = user(3)}));
          break;
        case 4:
          batch.push_back(operation(room, who, RemoveMember{.user = user(3)}));
          break;
        default:
          batch.push_back(operation(room, who, message("text " + std::to_string(i))));
      }
    }
    Seq last_seq = 0;
    for (const Outcome& outcome : call->commit(batch))
      if (outcome.status == kCommitted) last_seq = std::max(last_seq, outcome.seq);
    return last_seq;
  }
};
UPROAR_CONTRACT(Log);

TEST_P(Log, EverySeqIsThereOnceAndInOrderAtEveryPageSize) {
  const Seq last_seq = random_history(5, 150);
  ASSERT_GT(last_seq, 40U);
  for (std::uint32_t limit = 1; limit <= last_seq + 1; limit += 1 + limit / 4) {
    Seq cursor = 0;
    for (bool has_more = true; has_more;) {
      const LogPage page = log({.conversation = room, .after = cursor, .limit = limit});
      ASSERT_EQ(page.last_seq, last_seq);
      ASSERT_EQ(page.floor, 0U);
      ASSERT_TRUE(page.entries.size() == limit || !page.has_more);
      for (const LogEntry& entry : page.entries) ASSERT_EQ(entry.seq, ++cursor);
      has_more = page.has_more;
    }
    ASSERT_EQ(cursor, last_seq) << "limit " << limit;
  }
  EXPECT_TRUE(entries(last_seq).empty());
  EXPECT_TRUE(entries(last_seq + 1'000'000).empty());
  EXPECT_TRUE(entries(~Seq{0}).empty());
}

TEST_P(Log, APageEndsBeforeTheEntryThatWouldMakeItTooLarge) {
  sends(user(1), room, std::string(2'000, 'a'));
  sends(user(1), room, std::string(2'000, 'b'));
  act(room, user(1), EditMessage{.message = at(2), .content = std::string(2'000, 'c')});
  const auto count = [&](std::size_t bytes_max) {
    const LogPage page = log({.conversation = room, .bytes_max = bytes_max});
    EXPECT_EQ(page.has_more, page.entries.size() < 3);
    return page.entries.size();
  };
  EXPECT_EQ(count(1), 1U) << "at least one";
  EXPECT_EQ(count(2'000 + 2 * sizeof(chat::Message)), 2U) << "the second has lost its text";
  EXPECT_EQ(count(4'000 + 2 * sizeof(chat::Message)), 2U);
  EXPECT_EQ(count(0), 3U);
}

TEST_P(Log, AMessageIsThereAsItWasSent) {
  Operation sent = operation(room, user(1), message("hello", "key"));
  auto& append = std::get<AppendMessage>(sent.body);
  append.attachments = R"([{"id":1}])";
  append.mentions = {user(2)};
  append.type = chat::MessageType::kImage;
  call->commit_one(sent);
  Operation answer = operation(room, user(2), message("and you"));
  std::get<AppendMessage>(answer.body).reply_to = 1;
  call->commit_one(answer);
  chat::Message expected = row(room, 1);
  act(room, user(2), ChangeReaction{.message = at(1), .emoji = "x"});
  marks(user(2), room, chat::MarkKind::kSeen, 2);
  expected.delivered_at_us = expected.seen_at_us = 0;
  const std::vector<LogEntry> all = entries();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_FALSE(all[0].is_superseded);
  EXPECT_EQ(message_of(all[0]), expected) << describe(message_of(all[0]));
  EXPECT_EQ(message_of(all[1]).reply_to, 1U);
}

TEST_P(Log, EventsSayWhoDidWhatToWhich) {
  sends(user(1), room, "one");
  const Outcome added = act(room, user(2), ChangeReaction{.message = at(1), .emoji = "👍"});
  const Outcome removed =
      act(room, user(2), ChangeReaction{.message = at(1), .emoji = "👍", .add = false});
  const Outcome edited = act(room, user(1), EditMessage{.message = at(1), .content = "two"});
  const std::vector<LogEntry> all = entries();
  ASSERT_EQ(all.size(), 4U);
  const auto expect = [&](const LogEntry& entry, const Outcome& of, EventKind kind, UserId actor,
                          const std::string& emoji, const std::string& content) {
    EXPECT_EQ(entry.seq, of.seq);
    EXPECT_FALSE(entry.is_superseded);
    EXPECT_EQ(event(entry).kind, kind);
    EXPECT_EQ(event(entry).actor, actor);
    EXPECT_EQ(event(entry).message_seq, 1U);
    EXPECT_EQ(event(entry).emoji, emoji);
    EXPECT_EQ(event(entry).content, content);
    EXPECT_EQ(event(entry).at_us, of.at_us);
  };
  expect(all[1], added, EventKind::kReactionAdded, user(2), "👍", "");
  expect(all[2], removed, EventKind::kReactionRemoved, user(2), "👍", "");
  expect(all[3], edited, EventKind::kEdit, user(1), "", "two");
}

// Who reads up to a seq is not brought a text that was written later: they may have left by then.
TEST_P(Log, ATextIsBroughtByTheEntryThatLastSetItAlone) {
  sends(user(1), room, "first");                                           // 1
  act(room, user(1), EditMessage{.message = at(1), .content = "second"});  // 2
  act(room, user(2), ChangeReaction{.message = at(1), .emoji = "x"});      // 3
  std::vector<LogEntry> all = entries();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_TRUE(all[0].is_superseded);
  EXPECT_EQ(message_of(all[0]).content, "");
  EXPECT_FALSE(all[1].is_superseded);
  EXPECT_EQ(event(all[1]).content, "second");
  EXPECT_FALSE(all[2].is_superseded) << "a reaction changes no text";

  act(room, user(1), EditMessage{.message = at(1), .content = "third"});  // 4
  all = entries();
  ASSERT_EQ(all.size(), 4U);
  EXPECT_TRUE(all[1].is_superseded);
  EXPECT_EQ(event(all[1]).content, "");
  EXPECT_EQ(event(all[3]).content, "third");

  act(room, user(1), DeleteMessage{.message = at(1)});  // 5
  all = entries();
  ASSERT_EQ(all.size(), 5U);
  for (const std::size_t i : {0, 1, 3}) EXPECT_TRUE(all[i].is_superseded) << i;
  EXPECT_EQ(event(all[3]).content, "");
  EXPECT_FALSE(all[4].is_superseded) << "a deletion brings what it says: nothing";
  EXPECT_EQ(event(all[4]).kind, EventKind::kDeletion);
}

TEST_P(Log, OfTwoEditsInOneCommitTheLaterBringsTheText) {
  call->commit({operation(room, user(1), message("first")),
                operation(room, user(1), EditMessage{.message = at(1), .content = "second"}),
                operation(room, user(1), EditMessage{.message = at(1), .content = "third"})});
  const std::vector<LogEntry> all = entries();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_TRUE(all[0].is_superseded);
  EXPECT_TRUE(all[1].is_superseded);
  EXPECT_EQ(event(all[2]).content, "third");
}

TEST_P(Log, AnEmptyTextThatStandsIsNotSuperseded) {
  sends(user(1), room, "");
  act(room, user(1), EditMessage{.message = at(1), .content = ""});
  const std::vector<LogEntry> all = entries();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_TRUE(all[0].is_superseded);
  EXPECT_FALSE(all[1].is_superseded);
}

TEST_P(Log, WhatTheSystemSaysIsInItAndWhatWasRefusedIsNot) {
  sends(user(1), room, "one");
  EXPECT_EQ(act(room, user(2), EditMessage{.message = at(1), .content = "no"}).status, kForbidden);
  EXPECT_EQ(act(room, user(1), ChangeReaction{.message = at(9), .emoji = "x"}).status, kNotFound);
  EXPECT_EQ(act(room, user(1), ChangeReaction{.message = at(1), .emoji = "x", .add = false}).status,
            kDuplicate);
  act(room, user(1), Rename{.name = "other"});
  act(room, user(1), DeleteMessage{.message = at(1)});
  EXPECT_EQ(act(room, user(1), DeleteMessage{.message = at(1)}).status, kDuplicate);
  const std::vector<LogEntry> all = entries();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(message_of(all[1]).system, chat::SystemEvent::kRenamed);
  EXPECT_EQ(message_of(all[1]).content, "other");
  EXPECT_EQ(event(all[2]).kind, EventKind::kDeletion);
}

TEST_P(Log, OfAConversationThatIsNotThereThereIsNone) {
  EXPECT_EQ(call->log({.conversation = conversation(99)}).error(), StoreError::kNotFound);
  const LogPage empty = log({.conversation = room});
  EXPECT_TRUE(empty.entries.empty());
  EXPECT_FALSE(empty.has_more);
  EXPECT_EQ(empty.last_seq, 0U);
}

}  // namespace
}  // namespace uproar::storage
