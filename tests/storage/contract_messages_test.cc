// What may be said, once, by whom, and in which order. Every test runs against every backend.

#include <random>

#include "tests/storage/contract.h"

namespace uproar::storage {
namespace {

using testing::ElementsAre;
using enum chat::ConversationKind;
using enum OutcomeStatus;

class Messages : public ContractTest {
 protected:
  Messages() { UPROAR_CHECK(creates(alice, room, kGroup, {bob, carol}).status == kCommitted); }
  static constexpr UserId alice = user(1), bob = user(2), carol = user(3), dave = user(4);
  static constexpr ConversationId room = conversation(1);
};
UPROAR_CONTRACT(Messages);

TEST_P(Messages, AreNumberedFromOneWithoutHoles) {
  for (Seq seq = 1; seq <= 5; ++seq) {
    const Outcome sent = sends(alice, room, "hello");
    EXPECT_EQ(sent.status, kCommitted);
    EXPECT_EQ(sent.seq, seq);
    EXPECT_EQ(sent.no, seq);
    EXPECT_EQ(sent.at_us, now_us);
  }
}

TEST_P(Messages, KeepWhatTheyWereSentWith) {
  sends(bob, room, "first");
  AppendMessage full = message("hi \xF0\x9F\x98\x80", "key");
  full.type = chat::MessageType::kImage;
  full.attachments = R"([{"url":"x"}])";
  full.reply_to = 1;
  full.mentions = {bob, carol};
  const Outcome sent = act(room, alice, full);
  const chat::Message stored = row(room, 2);
  EXPECT_EQ(stored.id, full.id);
  EXPECT_EQ(sent.message, full.id);
  EXPECT_EQ(stored.sender, alice);
  EXPECT_EQ(stored.content, full.content);
  EXPECT_EQ(stored.attachments, full.attachments);
  EXPECT_EQ(stored.type, full.type);
  EXPECT_EQ(stored.reply_to, 1U);
  EXPECT_EQ(stored.mentions, full.mentions);
  EXPECT_EQ(stored.client_id, "key");
  EXPECT_EQ(stored.version, stored.seq);
}

TEST_P(Messages, AreRefusedWithoutATrace) {
  EXPECT_EQ(sends(dave, room, "let me in").status, kForbidden);
  EXPECT_EQ(sends(alice, conversation(9), "nowhere").status, kNotFound);
  AppendMessage answer = message("to nothing");
  answer.reply_to = 7;
  EXPECT_EQ(act(room, alice, answer).status, kNotFound);
  EXPECT_EQ(sends(alice, room, "x").seq, 1U);
}

TEST_P(Messages, OfOneBatchAreJudgedOneByOne) {
  std::vector<Operation> batch;
  batch.push_back(operation(room, alice, message("one", "k1")));
  batch.push_back(operation(room, dave, message("not a member")));
  batch.push_back(operation(room, alice, message("one", "k1")));
  batch.back().body = std::get<AppendMessage>(batch.front().body);
  std::get<AppendMessage>(batch.back().body).id = make_id<MessageId>(77);
  batch.push_back(operation(room, bob, message("two")));
  const std::vector<Outcome> outcomes = call->commit(batch);
  std::vector<std::pair<OutcomeStatus, Seq>> ends;
  for (const Outcome& outcome : outcomes) ends.emplace_back(outcome.status, outcome.seq);
  EXPECT_THAT(ends, ElementsAre(std::pair(kCommitted, 1), std::pair(kForbidden, 0),
                                std::pair(kDuplicate, 1), std::pair(kCommitted, 2)));
}

TEST_P(Messages, AreStoredOncePerClientId) {
  const Outcome first = sends(alice, room, "hi", "k");
  sends(bob, room, "hi", "k");  // another sender's key is another key
  for (int i = 0; i < 2; ++i) {
    const Outcome again = sends(alice, room, "hi", "k");
    EXPECT_EQ(again.status, kDuplicate);
    EXPECT_EQ(again.seq, first.seq);
    EXPECT_EQ(again.no, first.no);
    EXPECT_EQ(again.message, first.message);
    EXPECT_EQ(again.at_us, first.at_us);
    reopen();
  }
  EXPECT_EQ(rows(room).size(), 2U);
}

TEST_P(Messages, AnswerARetryAlsoAfterItsSenderHasLeft) {
  const Outcome first = sends(bob, room, "bye", "k");
  act(room, alice, RemoveMember{.user = bob});
  EXPECT_EQ(sends(bob, room, "bye", "k").seq, first.seq);
  EXPECT_EQ(sends(bob, room, "one more", "k2").status, kForbidden);
}

TEST_P(Messages, OfSomebodyWhoMayOnlyRetryAreAnsweredAndNeverStored) {
  const auto retry = [this](std::string content, std::string key) {
    AppendMessage append = message(std::move(content), std::move(key));
    append.retry_only = true;
    return append;
  };
  const Outcome first = sends(bob, room, "hi", "k");
  const Outcome again = act(room, bob, retry("hi", "k"));
  EXPECT_EQ(again.status, kDuplicate);
  EXPECT_EQ(again.seq, first.seq);
  EXPECT_EQ(again.message, first.message);
  EXPECT_EQ(act(room, bob, retry("ho", "k")).status, kKeyReused);
  EXPECT_EQ(act(room, bob, retry("one more", "k2")).status, kForbidden);
  EXPECT_EQ(act(room, bob, retry("one more", "")).status, kForbidden);
  EXPECT_EQ(sends(carol, room, "next").seq, first.seq + 1) << "nothing was stored between";
}

TEST_P(Messages, KnowAKeyThatIsReusedForAnotherBody) {
  AppendMessage original = message("hi", "k");
  original.mentions = {bob};
  const Outcome sent = act(room, alice, original);
  struct Case {
    const char* what;
    void (*change)(AppendMessage&);
  };
  const Case cases[] = {{"content", [](AppendMessage& m) { m.content = "ho"; }},
                        {"type", [](AppendMessage& m) { m.type = chat::MessageType::kFile; }},
                        {"attachments", [](AppendMessage& m) { m.attachments = "[1]"; }},
                        {"mentions", [](AppendMessage& m) { m.mentions = {carol}; }},
                        {"reply", [](AppendMessage& m) { m.reply_to = 1; }}};
  for (const Case& one : cases) {
    AppendMessage other = original;
    other.id = make_id<MessageId>(5000);
    one.change(other);
    EXPECT_EQ(act(room, alice, other).status, kKeyReused) << one.what;
  }
  EXPECT_EQ(
      act(room, alice, EditMessage{.message = {.seq = sent.seq, .id = {}}, .content = "edited"})
          .status,
      kCommitted);
  EXPECT_EQ(act(room, alice, original).status, kDuplicate)
      << "the body as it was sent, not as it stands";
  AppendMessage as_edited = original;
  as_edited.content = "edited";
  EXPECT_EQ(act(room, alice, as_edited).status, kKeyReused);
  act(room, alice, DeleteMessage{.message = {.seq = sent.seq, .id = {}}});
  EXPECT_EQ(act(room, alice, original).status, kDuplicate);
}

TEST_P(Messages, AreEditedByTheirSenderAlone) {
  const Outcome sent = sends(alice, room, "hi");
  sends(bob, room, "between");
  EXPECT_EQ(act(room, bob, EditMessage{.message = {.seq = 1, .id = {}}, .content = "no"}).status,
            kForbidden);
  const Outcome edited =
      act(room, alice, EditMessage{.message = {.seq = 0, .id = sent.message}, .content = "hi!"});
  EXPECT_EQ(edited.status, kCommitted);
  EXPECT_EQ(edited.seq, 3U);
  EXPECT_EQ(edited.message_seq, 1U);
  EXPECT_EQ(edited.message, sent.message);
  const chat::Message stored = row(room, 1);
  EXPECT_EQ(stored.content, "hi!");
  EXPECT_EQ(stored.version, 3U);
  EXPECT_EQ(stored.edited_at_us, edited.at_us);
  EXPECT_EQ(stored.no, 1U);
  EXPECT_EQ(act(room, alice, EditMessage{.message = {.seq = 3, .id = {}}, .content = "?"}).status,
            kNotFound)
      << "the seq of an edit names no message";
}

TEST_P(Messages, AreDeletedByTheirSenderOrAModeratorOnce) {
  sends(alice, room, "hi");
  EXPECT_EQ(act(room, bob, DeleteMessage{.message = {.seq = 1, .id = {}}}).status, kForbidden);
  act(room, bob, ChangeReaction{.message = {.seq = 1, .id = {}}, .emoji = "+1"});
  const Outcome deleted =
      act(room, bob, DeleteMessage{.message = {.seq = 1, .id = {}}, .as_moderator = true});
  EXPECT_EQ(deleted.status, kCommitted);
  EXPECT_EQ(deleted.seq, 3U);
  const Outcome again = act(room, alice, DeleteMessage{.message = {.seq = 1, .id = {}}});
  EXPECT_EQ(again.status, kDuplicate);
  EXPECT_EQ(again.seq, deleted.seq);
  EXPECT_EQ(again.at_us, deleted.at_us);
  const chat::Message stored = row(room, 1);
  EXPECT_EQ(stored.content, "");
  EXPECT_TRUE(stored.reactions.empty());
  EXPECT_EQ(stored.deleted_at_us, deleted.at_us);
  EXPECT_EQ(act(room, alice, EditMessage{.message = {.seq = 1, .id = {}}, .content = "x"}).status,
            kConflict);
  EXPECT_EQ(act(room, alice, ChangeReaction{.message = {.seq = 1, .id = {}}, .emoji = "+1"}).status,
            kConflict);
}

TEST_P(Messages, CollectReactionsOncePerUserAndEmoji) {
  sends(alice, room, "hi");
  const auto react = [&](UserId who, const char* emoji, bool add) {
    return act(room, who,
               ChangeReaction{.message = {.seq = 1, .id = {}}, .emoji = emoji, .add = add});
  };
  EXPECT_EQ(react(bob, "b", true).seq, 2U);
  EXPECT_EQ(react(bob, "b", true).status, kDuplicate);
  EXPECT_EQ(react(bob, "a", true).seq, 3U);
  EXPECT_EQ(react(alice, "b", true).seq, 4U);
  EXPECT_EQ(react(alice, "c", false).status, kDuplicate);
  EXPECT_EQ(react(bob, "b", false).seq, 5U);
  EXPECT_EQ(react(dave, "b", true).status, kForbidden);
  EXPECT_THAT(row(room, 1).reactions, ElementsAre(chat::Reaction{.emoji = "a", .user = bob},
                                                  chat::Reaction{.emoji = "b", .user = alice}));
  EXPECT_EQ(row(room, 1).version, 5U);
}

// Whoever joins is shown nothing from before, and learns nothing of it by what they do to it.
TEST_P(Messages, FromBeforeSomebodyJoinedAreNotThereForThem) {
  const Outcome old = sends(alice, room, "before");
  const Outcome mine = sends(bob, room, "bob's");
  act(room, alice, RemoveMember{.user = bob});
  act(room, alice, AddMember{.user = bob, .role = chat::Role::kAdmin});
  const Outcome fresh = sends(alice, room, "after");
  const chat::MessageRef by_seq{.seq = old.seq, .id = {}}, by_id{.seq = 0, .id = old.message};
  for (const chat::MessageRef& ref : {by_seq, by_id}) {
    for (const Outcome& out : {act(room, bob, ChangeReaction{.message = ref, .emoji = "+"}),
                               act(room, bob, DeleteMessage{.message = ref, .as_moderator = true}),
                               act(room, bob, EditMessage{.message = ref, .content = "x"})}) {
      EXPECT_EQ(out.status, kNotFound);
      EXPECT_EQ(out.message, MessageId()) << "an id is news of it";
      EXPECT_EQ(out.message_seq, 0U);
      EXPECT_EQ(out.seq, 0U);
    }
  }
  const chat::MessageRef own{.seq = mine.seq, .id = {}};
  EXPECT_EQ(act(room, bob, EditMessage{.message = own, .content = "x"}).status, kNotFound);
  AppendMessage answer = message("re");
  answer.reply_to = old.seq;
  EXPECT_EQ(act(room, bob, answer).status, kNotFound);
  answer.reply_to = fresh.seq;
  EXPECT_EQ(act(room, bob, answer).status, kCommitted);
  const chat::MessageRef seen{.seq = fresh.seq, .id = {}};
  EXPECT_EQ(act(room, bob, ChangeReaction{.message = seen, .emoji = "+"}).status, kCommitted);
  // Who was there is not hindered.
  EXPECT_EQ(act(room, alice, ChangeReaction{.message = by_seq, .emoji = "+"}).status, kCommitted);
  EXPECT_EQ(marks(bob, room, chat::MarkKind::kSeen, old.seq).status, kDuplicate)
      << "a mark stands above what is hidden from the first";
}

TEST_P(Messages, KeepSeqsWithoutHolesWhateverIsInterleaved) {
  std::mt19937 random(7);
  std::map<ConversationId, Seq> expected;
  for (std::uint64_t c = 2; c <= 9; ++c) creates(alice, conversation(c), kGroup, {bob});
  for (int round = 0; round < 40; ++round) {
    std::vector<Operation> batch;
    for (int i = 0; i < 20; ++i) {
      const ConversationId where = conversation(2 + random() % 8);
      const UserId who = random() % 4 == 0   ? dave
                         : random() % 2 == 0 ? alice
                                             : bob;  // dave is refused
      batch.push_back(operation(
          where, who, message("x", random() % 3 == 0 ? "k" + std::to_string(random() % 9) : "")));
    }
    for (const Outcome& outcome : call->commit(batch)) {
      if (outcome.status != kCommitted) continue;
      const ConversationId where = batch[outcome.ticket - batch.front().ticket].conversation;
      ASSERT_EQ(outcome.seq, ++expected[where]);
    }
  }
  for (const auto& [where, last_seq] : expected) {
    EXPECT_EQ(call->load(where).value().last_seq, last_seq);
    EXPECT_EQ(rows(where).size(), last_seq);
  }
}

TEST_P(Messages, SystemRowsAreNotMessages) {
  const Outcome renamed = act(room, alice, Rename{.name = "new"});
  const chat::MessageRef ref{.seq = renamed.seq, .id = {}};
  EXPECT_EQ(act(room, alice, EditMessage{.message = ref, .content = "x"}).status, kNotFound);
  EXPECT_EQ(act(room, alice, DeleteMessage{.message = ref}).status, kNotFound);
  EXPECT_EQ(act(room, alice, ChangeReaction{.message = ref, .emoji = "x"}).status, kNotFound);
  const chat::Message stored = row(room, renamed.seq);
  EXPECT_EQ(stored.system, chat::SystemEvent::kRenamed);
  EXPECT_EQ(stored.type, chat::MessageType::kSystem);
  EXPECT_EQ(stored.content, "new");
  EXPECT_EQ(stored.no, 0U);
  EXPECT_TRUE(stored.id.is_nil());
  EXPECT_EQ(sends(alice, room, "x").no, 1U);
}

}  // namespace
}  // namespace uproar::storage
