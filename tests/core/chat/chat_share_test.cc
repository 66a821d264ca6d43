// What all connections of a user share: large commands, and the quotas of a day.

#include <gmock/gmock.h>

#include "core/chat/command_cost.h"
#include "core/chat/day_bucket.h"
#include "proto/chat/ids.h"
#include "tests/core/chat/scene.h"

namespace uproar::chat::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

ChatLimits with_quotas(std::uint32_t conversations, std::uint32_t contacts, std::uint32_t pages) {
  ChatLimits limits;
  limits.conversations_per_day = conversations;
  limits.first_contacts_per_day = contacts;
  limits.stored_pages_per_day = pages;
  return limits;
}

ConversationCreate group_of(std::vector<UserId> members) {
  return {.kind = ConversationKind::kGroup,
          .name = "g",
          .client_id = {},
          .members = std::move(members)};
}

Sync large_sync() {
  Sync sync;
  for (std::uint64_t n = 0; n < 1'000; ++n)
    sync.cursors.emplace_back(ConversationId(Uuid{0xDEAD, n + 1}), 0);
  return sync;
}

class Shares : public ChatTest {
 protected:
  explicit Shares(ChatLimits limits = {}, std::uint32_t shards = 1)
      : ChatTest({.shards = shards, .seed = 1, .limits = limits}) {}

  std::vector<UserId> strangers(std::size_t count) {
    std::vector<UserId> out;
    for (std::size_t i = 0; i < count; ++i)
      out.push_back(world.user("stranger" + std::to_string(++strangers_)));
    return out;
  }
  void use_up_alices_share() {
    std::vector<Person> devices;
    for (int i = 0; i < 6; ++i) devices.push_back(arrives("alice"));
    for (const Person& device : devices) device.says(large_sync(), "s");
  }
  // Alice, who waits for her share.
  Person waits_with_a_large_group() {
    const Person late = arrives("alice");
    use_up_alices_share();
    late.says(group_of(strangers(400)), "c");
    EXPECT_TRUE(late.connection().is_paused);
    return late;
  }
  // The detail, or nothing when it was made.
  std::string makes(const Person& person, std::vector<UserId> members) {
    person.forgets();
    person.says(group_of(std::move(members)), "c");
    world.commit();
    if (!person.answered<ConversationCreated>().empty()) return {};
    const auto errors = person.answered<Error>();
    return errors.empty() ? "no answer" : std::string(errors[0].detail.text().view());
  }

 private:
  std::size_t strangers_ = 0;
};

TEST_F(Shares, one_connection_pays_for_a_command_by_its_size) {
  const Person alice = arrives("alice");
  const std::uint32_t at_once = ChatLimits().commands_burst / cost_of(large_sync());
  for (std::uint32_t i = 0; i < at_once; ++i) alice.says(large_sync(), "a");
  EXPECT_THAT(alice.answered<SyncDone>(), SizeIs(at_once));
  alice.says(large_sync(), "b");
  ASSERT_THAT(alice.answered<Error>(), SizeIs(1));
  const Error error = alice.answered<Error>()[0];
  EXPECT_EQ(error.code, ErrorCode::kRateLimited);
  EXPECT_GT(error.retry_after_ms, 900U) << "a few of the units are there: about a second";
  world.advance_ms(error.retry_after_ms);
  alice.says(large_sync(), "c");
  EXPECT_THAT(alice.answered<SyncDone>(), SizeIs(at_once + 1));
}

ChatLimits with_few_units() {
  ChatLimits limits;
  limits.commands_per_s = 1;
  limits.commands_burst = 6;
  return limits;
}
class FewUnits : public Shares {
 protected:
  FewUnits() : Shares(with_few_units()) {}
};

TEST_F(FewUnits, a_message_costs_by_how_many_hear_it) {
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < 2 * kDeliveriesPerUnit; ++i)
    names.push_back("hearer" + std::to_string(i));
  const ConversationId crowd = group(names);
  const ConversationId pair = group({names[0], names[1]});
  std::vector<Person> hearers;
  for (const std::string& name : names) hearers.push_back(connects(name));
  world.advance_ms(kHoldMs);
  const auto refused_of = [&](const Person& sender, ConversationId conversation) {
    for (int i = 0; i < 6; ++i) {
      MessageSend send;
      send.conversation = conversation;
      send.client_id = "m" + std::to_string(i);
      send.content = "x";
      sender.says(std::move(send), std::to_string(i));
    }
    world.commit();
    return sender.answered<Error>().size();
  };
  EXPECT_EQ(refused_of(hearers[0], pair), 0U) << "six of one unit";
  EXPECT_EQ(refused_of(hearers[1], crowd), 4U) << "two of three units";
}

TEST_F(Shares, many_connections_of_a_user_have_the_share_of_four_and_wait_for_more) {
  std::vector<Person> devices;
  for (int i = 0; i < 20; ++i) devices.push_back(arrives("alice"));
  for (const Person& device : devices) device.says(large_sync(), "s");
  const auto served = [&] {
    std::size_t count = 0;
    for (const Person& device : devices) count += device.answered<SyncDone>().size();
    return count;
  };
  const std::uint32_t cost = cost_of(large_sync());
  EXPECT_EQ(served(), ChatLimits().commands_burst / cost);
  std::size_t waiting = 0, refused = 0;
  for (const Person& device : devices) {
    waiting += device.connection().is_paused ? 1 : 0;
    refused += device.answered<Error>().size();
  }
  EXPECT_GT(waiting, 3U);
  EXPECT_EQ(served() + waiting + refused, 20U);
  world.advance_ms(1'000);
  EXPECT_EQ(served(), (ChatLimits().commands_burst + 4U * ChatLimits().commands_per_s) / cost);
  world.advance_ms(5'000);
  EXPECT_EQ(served() + refused, 20U) << "who waits is served within the wait";
  for (const Person& device : devices) EXPECT_FALSE(device.connection().is_paused);
  const Person bob = arrives("bob");
  bob.says(large_sync(), "s");
  EXPECT_THAT(bob.answered<SyncDone>(), SizeIs(1)) << "somebody else does not wait";
}

TEST_F(Shares, what_is_said_behind_a_command_that_waits_keeps_its_order) {
  const auto room = group({"alice", "bob"});
  const Person bob = arrives("bob");
  const Person late = arrives("alice");
  use_up_alices_share();
  late.says(large_sync(), "s");
  ASSERT_TRUE(late.connection().is_paused);
  late.sends(room, "behind");
  world.commit();
  EXPECT_THAT(bob.seqs(), IsEmpty());
  world.advance_ms(5'000);
  world.commit();
  EXPECT_THAT(late.answered<SyncDone>(), SizeIs(1));
  EXPECT_THAT(bob.seqs(), SizeIs(1));
}

TEST_F(Shares, a_command_of_a_session_that_ends_meanwhile_is_carried_out_if_it_stores_something) {
  const Person late = waits_with_a_large_group();
  world.disconnect(late.connection());
  world.advance_ms(5'000);
  EXPECT_EQ(world.staged(), 1U);
}

class Crowds : public Shares {
 protected:
  ConversationId crowd() {
    std::vector<std::string> names{"alice"};
    for (int i = 0; i < 9'999; ++i) names.push_back("m" + std::to_string(i));
    return group(names);
  }
};

TEST_F(Crowds, are_paid_for_when_they_were_shown) {
  const auto large = crowd(), small = group({"alice", "bob"});
  const Person alice = arrives("alice");
  alice.says(ConversationGet{small});
  alice.says(ConversationGet{large});
  EXPECT_THAT(alice.answered<ConversationInfo>(), SizeIs(2));
  alice.says(ConversationGet{large});
  alice.says(ConversationGet{large});
  EXPECT_THAT(alice.answered<ConversationInfo>(), SizeIs(4));
  alice.says(ConversationGet{small});
  EXPECT_EQ(alice.refused(), ErrorCode::kRateLimited);
}

TEST_F(Crowds, are_shown_one_at_a_time) {
  const auto large = crowd();
  const Person alice = arrives("alice");
  world.set_manual(true);
  const std::uint64_t before = world.store_reads;
  for (int i = 0; i < 20; ++i) alice.says(ConversationGet{large}, std::to_string(i));
  EXPECT_EQ(world.store_reads - before, 1U);
  EXPECT_TRUE(alice.connection().is_paused);
  world.set_manual(false);
  world.settle();
  EXPECT_FALSE(alice.connection().is_paused);
  EXPECT_THAT(alice.answered<ConversationInfo>(), SizeIs(3)) << "what its bucket pays for";
  EXPECT_EQ(alice.answered<Error>().size(), 17U);
}

TEST_F(Crowds, are_shown_as_the_users_share_allows_to_who_asks_before_it_is_ready) {
  const auto large = crowd();
  world.set_manual(true);
  const Person alice = connects("alice");
  for (int i = 0; i < 20; ++i) alice.says(ConversationGet{large}, std::to_string(i));
  world.set_manual(false);
  world.settle();
  EXPECT_THAT(alice.answered<ConversationInfo>(), SizeIs(3));
  EXPECT_TRUE(alice.connection().is_paused);
  for (int i = 0; i < 20; ++i) world.advance_ms(500);
  EXPECT_THAT(alice.answered<ConversationInfo>(), SizeIs(20)) << "each was let in when it was said";
  EXPECT_FALSE(alice.connection().is_paused);
}

TEST_F(Crowds, that_were_shown_are_owed_for_by_the_user_on_the_next_connection) {
  const auto large = crowd();
  for (int i = 0; i < 3; ++i) {
    const Person alice = connects("alice");
    alice.says(ConversationGet{large});
    EXPECT_THAT(alice.answered<ConversationInfo>(), SizeIs(1));
    world.disconnect(alice.connection());
  }
  const Person alice = connects("alice");
  alice.says(ConversationGet{large});
  EXPECT_TRUE(alice.connection().is_paused);
  EXPECT_THAT(alice.answered<ConversationInfo>(), IsEmpty());
  world.advance_ms(1'000);
  EXPECT_THAT(alice.answered<ConversationInfo>(), SizeIs(1));
}

TEST_F(Crowds, that_are_not_shown_cost_nothing_more) {
  const Person alice = arrives("alice");
  for (std::uint64_t i = 0; i < 200; ++i) {
    alice.says(ConversationGet{ConversationId(Uuid{0xDEAD, i + 1})});
    EXPECT_EQ(alice.refused(), ErrorCode::kNotFound);
  }
}

class LongHistories : public Shares {
 protected:
  static constexpr std::uint32_t kRows = 400;

  // Of 16 KiB each: more than a sync reads at once.
  ConversationId long_history() {
    const auto room = group({"alice", "bob"});
    for (std::uint64_t n = 0; n < kRows; ++n) {
      storage::AppendMessage body{.id = MessageId(Uuid{0xBEEF, n + 1}),
                                  .client_id = "m" + std::to_string(n),
                                  .content = std::string(16 * 1024, 'x')};
      (void)world.model().apply({.ticket = 0,
                                 .conversation = room,
                                 .actor = world.user("bob"),
                                 .at_us = 1,
                                 .body = std::move(body)});
    }
    return room;
  }
  static Sync sync_of(ConversationId room) { return Sync{{{room, 0}}}; }
};

TEST_F(LongHistories, are_read_at_a_pace) {
  const auto room = long_history();
  const Person alice = arrives("alice");
  alice.says(sync_of(room), "s");
  const std::size_t at_once = alice.rows().size();
  EXPECT_GT(at_once, kRows / 2);
  EXPECT_LT(at_once, kRows);
  EXPECT_THAT(alice.answered<SyncDone>(), IsEmpty());
  for (int i = 0; i < 20; ++i) world.advance_ms(kSyncRetryMs);
  EXPECT_THAT(alice.answered<SyncDone>(), SizeIs(1));
  EXPECT_THAT(alice.rows(), SizeIs(kRows));
}

TEST_F(LongHistories, are_owed_for_by_the_user_on_this_connection_and_the_next) {
  const auto room = long_history();
  const Person alice = arrives("alice"), earlier = arrives("alice");
  alice.says(sync_of(room), "s");
  world.disconnect(alice.connection());
  const Person later = connects("alice");
  later.says(sync_of(room), "s");
  EXPECT_TRUE(later.connection().is_paused);
  earlier.says(sync_of(room), "s");
  EXPECT_FALSE(earlier.connection().is_paused) << "nothing was read for it so far";
  earlier.says(UnreadFetch{.limit = 1}, "u");
  EXPECT_TRUE(earlier.connection().is_paused);
  for (int i = 0; i < 10; ++i) world.advance_ms(500);
  EXPECT_FALSE(later.connection().is_paused);
  EXPECT_GT(later.rows().size(), kRows / 2);
}

class ManyUsers : public Shares {};

TEST_F(ManyUsers, make_nobody_forget_what_one_of_them_owes) {
  const Person late = arrives("alice");
  use_up_alices_share();
  const auto others = strangers(kSharesSweptAbove + 100);
  for (const UserId other : others) world.request(other, large_sync());
  late.says(large_sync(), "s");
  EXPECT_TRUE(late.connection().is_paused);
  EXPECT_EQ(counters().shares_forgotten.value(), 0U);
}

TEST_F(Shares, a_command_of_a_session_that_was_logged_out_meanwhile_is_not_carried_out) {
  const Person late = waits_with_a_large_group();
  world.shard(0).revoke_session(late.id(), late.connection().session);
  world.settle();
  ASSERT_TRUE(late.connection().closed_with.has_value());
  world.advance_ms(5'000);
  EXPECT_EQ(world.staged(), 0U);
}

class FewConversations : public Shares {
 protected:
  FewConversations() : Shares(with_quotas(3, 0, 0)) {}
};

TEST_F(FewConversations, are_counted_over_all_connections_and_come_back_over_the_day) {
  const Person alice = arrives("alice"), again = arrives("alice"), bob = arrives("bob");
  EXPECT_EQ(makes(alice, {bob.id()}), "");
  EXPECT_EQ(makes(again, {bob.id()}), "");
  EXPECT_EQ(makes(alice, {}), "");
  EXPECT_THAT(makes(again, {}), ::testing::HasSubstr("--conversations-per-day"));
  const Error error = again.answered<Error>()[0];
  EXPECT_EQ(error.code, ErrorCode::kRateLimited);
  EXPECT_GT(error.retry_after_ms, 7U * 3600 * 1000) << "a third of a day";
  EXPECT_EQ(makes(bob, {alice.id()}), "") << "another's are theirs";
  EXPECT_EQ(counters().quotas_refused.value(), 1U);
  const Person later = arrives("alice");
  world.now.monotonic_us += DayBucket::kDayUs / 3;
  EXPECT_EQ(makes(later, {}), "");
}

TEST_F(FewConversations, said_again_are_counted_once) {
  const Person alice = arrives("alice");
  ConversationCreate create = group_of(strangers(1));
  create.client_id = "once";
  for (int i = 0; i < 10; ++i) alice.says(create, "c");
  world.commit();
  EXPECT_THAT(alice.answered<ConversationCreated>(), SizeIs(10));
  EXPECT_EQ(makes(alice, {}), "");
  EXPECT_EQ(makes(alice, {}), "");
  EXPECT_THAT(makes(alice, {}), ::testing::HasSubstr("--conversations-per-day"));
}

TEST_F(FewConversations, that_are_refused_cost_no_work) {
  std::vector<Person> devices;
  for (int i = 0; i < 20; ++i) devices.push_back(arrives("alice"));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(makes(devices[0], {}), "");
  const auto people = strangers(48);
  for (const Person& device : devices) {
    for (int i = 0; i < 5; ++i)
      EXPECT_THAT(makes(device, people), ::testing::HasSubstr("--conversations-per-day"));
  }
  EXPECT_EQ(counters().shares_waited.value(), 0U);
}

TEST_F(FewConversations, a_request_is_counted_too) {
  const UserId alice = world.user("alice");
  for (int i = 0; i < 3; ++i) world.request(alice, group_of({}));
  const std::uint32_t slot = world.request(alice, group_of({}));
  ASSERT_THAT(world.requests[slot], SizeIs(1));
  EXPECT_EQ(std::get<Error>(world.requests[slot][0].event).code, ErrorCode::kRateLimited);
}

class FewContacts : public Shares {
 protected:
  explicit FewContacts(std::uint32_t shards = 1) : Shares(with_quotas(0, 3, 0), shards) {}

  void writes(const Person& person, UserId to, const std::string& text) {
    person.forgets();
    MessageSend send;
    send.to = to;
    send.client_id = text;
    send.content = text;
    person.says(std::move(send), "m");
    world.commit();
    world.commit();
  }
};

TEST_F(FewContacts, who_never_wrote_to_them_counts_when_added) {
  const Person alice = arrives("alice");
  EXPECT_EQ(makes(alice, strangers(2)), "");
  EXPECT_THAT(makes(alice, strangers(2)), ::testing::HasSubstr("--first-contacts-per-day"));
  EXPECT_EQ(makes(alice, strangers(1)), "");
  EXPECT_THAT(makes(alice, strangers(1)), ::testing::HasSubstr("--first-contacts-per-day"));
  EXPECT_EQ(makes(alice, {}), "");
}

TEST_F(FewContacts, who_wrote_to_them_does_not) {
  const Person alice = arrives("alice");
  std::vector<UserId> friends;
  for (int i = 0; i < 5; ++i) {
    const Person other = arrives("friend" + std::to_string(i));
    writes(other, alice.id(), "hello");
    friends.push_back(other.id());
  }
  EXPECT_EQ(makes(alice, friends), "");
  EXPECT_EQ(makes(alice, strangers(3)), "") << "nothing was taken for friends";
}

TEST_F(FewContacts, more_at_once_than_a_day_allows_is_said_so) {
  const Person alice = arrives("alice");
  makes(alice, strangers(4));
  ASSERT_THAT(alice.answered<Error>(), SizeIs(1));
  EXPECT_EQ(alice.answered<Error>()[0].code, ErrorCode::kTooLarge) << "waiting would not help";
}

TEST_F(FewContacts, are_counted_when_the_same_creation_brings_more_of_them) {
  const Person alice = arrives("alice");
  ConversationCreate create = group_of({});
  create.client_id = "first empty";
  alice.says(create, "c");
  create.members = strangers(4);
  alice.forgets();
  alice.says(create, "c");
  world.commit();
  ASSERT_THAT(alice.answered<Error>(), SizeIs(1));
  EXPECT_EQ(alice.answered<Error>()[0].code, ErrorCode::kTooLarge);
}

TEST_F(FewContacts, are_counted_when_the_same_creation_brings_others) {
  const Person alice = arrives("alice");
  for (const bool is_first : {true, false}) {
    ConversationCreate create = group_of(strangers(2));
    create.client_id = "the same";
    alice.forgets();
    alice.says(create, "c");
    world.commit();
    EXPECT_EQ(alice.refused(), is_first ? ErrorCode::kCount : ErrorCode::kRateLimited);
  }
}

TEST_F(FewContacts, a_first_message_counts_once_and_an_answer_never) {
  const Person alice = arrives("alice");
  const auto others = strangers(4);
  for (int i = 0; i < 3; ++i) {
    writes(alice, others[i], "a");
    EXPECT_THAT(alice.answered<MessageSent>(), SizeIs(1));
    writes(alice, others[i], "b");
    EXPECT_THAT(alice.answered<MessageSent>(), SizeIs(1)) << "the second is none";
  }
  writes(alice, others[3], "a");
  ASSERT_THAT(alice.answered<Error>(), SizeIs(1));
  EXPECT_EQ(alice.answered<Error>()[0].code, ErrorCode::kRateLimited);
  const Person bob = arrives("bob");
  writes(bob, alice.id(), "hello");
  writes(alice, bob.id(), "hello yourself");
  EXPECT_THAT(alice.answered<MessageSent>(), SizeIs(1));
}

TEST_F(FewContacts, a_request_that_writes_again_to_who_never_answered_is_no_first_contact) {
  const UserId alice = world.user("alice");
  const auto others = strangers(1);
  for (int i = 0; i < 5; ++i) {
    MessageSend send;
    send.to = others[0];
    send.client_id = "r" + std::to_string(i);
    send.content = "news";
    const std::uint32_t slot = world.request(alice, send);
    world.commit();
    world.commit();
    ASSERT_THAT(world.requests[slot], SizeIs(1));
    EXPECT_TRUE(std::holds_alternative<MessageSent>(world.requests[slot][0].event)) << i;
  }
}

class FewContactsOfThreeShards : public FewContacts {
 protected:
  FewContactsOfThreeShards() : FewContacts(3) {}
};

TEST_F(FewContactsOfThreeShards, are_counted_at_one_place) {
  std::vector<Person> devices;
  for (std::uint32_t shard = 0; shard < 3; ++shard) devices.push_back(arrives("alice", shard));
  for (const Person& device : devices) EXPECT_EQ(makes(device, strangers(1)), "");
  for (const Person& device : devices)
    EXPECT_THAT(makes(device, strangers(1)), ::testing::HasSubstr("--first-contacts-per-day"));
}

// Two lots of a session, and a little.
class FewBytes : public Shares {
 protected:
  explicit FewBytes(ChatLimits limits = with_quotas(0, 0, 2 * kStoredLotPages + 10))
      : Shares(limits) {}

  // So many are stored until one is refused.
  std::size_t messages_left(const Person& alice, ConversationId room) {
    std::size_t sent = 0;
    for (; sent < 5'000; ++sent) {
      alice.sends(room, "m", "left" + std::to_string(sent));
      world.commit();
      world.advance_ms(10);
      if (alice.refused() != ErrorCode::kCount) break;
    }
    return sent;
  }
};

TEST_F(FewBytes, what_is_stored_is_bounded_and_asked_for_in_lots) {
  const auto room = group({"alice", "bob"});
  const Person alice = arrives("alice");
  EXPECT_EQ(messages_left(alice, room), 2U * kStoredLotPages + 10);
  EXPECT_EQ(alice.refused(), ErrorCode::kRateLimited);
  EXPECT_LE(counters().shares_asked.value(), 13U) << "one for a lot, and one for each at the end";
}

TEST_F(FewBytes, what_a_session_did_not_use_is_there_again_when_it_ends) {
  const auto room = group({"alice", "bob"});
  for (int i = 0; i < 10; ++i) {
    const Person alice = arrives("alice");
    alice.sends(room, "m" + std::to_string(i), "k" + std::to_string(i));
    world.commit();
    EXPECT_THAT(alice.answered<MessageSent>(), SizeIs(1)) << i;
    world.disconnect(alice.connection());
  }
}

class FewBytesAndContacts : public FewBytes {
 protected:
  FewBytesAndContacts() : FewBytes(with_quotas(0, 3, kStoredLotPages + 500)) {}
};

TEST_F(FewBytesAndContacts, a_refused_command_stores_nothing_and_is_charged_nothing) {
  const auto room = group({"alice", "bob"});
  const Person alice = arrives("alice");
  alice.sends(room, "takes a lot");
  world.commit();
  for (int i = 0; i < 200; ++i) {
    EXPECT_NE(makes(alice, strangers(4)), "");
    world.advance_ms(100);
  }
  alice.forgets();
  EXPECT_EQ(messages_left(alice, room), kStoredLotPages + 500U - 1);
}

class FewBytesLater : public FewBytes {
 protected:
  FewBytesLater() : FewBytes(with_quotas(0, 0, kStoredLotPages + 500)) {}
};

TEST_F(FewBytesLater, the_lot_of_a_session_that_ended_while_it_waited_is_there_again) {
  const auto room = group({"alice", "bob"});
  const Person late = waits_with_a_large_group();
  world.disconnect(late.connection());
  world.advance_ms(5'000);
  EXPECT_EQ(world.staged(), 1U);
  world.commit();
  EXPECT_EQ(messages_left(arrives("alice"), room), kStoredLotPages + 500U - 402);
}

TEST(DayBuckets, are_full_at_once_and_come_back_evenly) {
  DayBucket bucket;
  EXPECT_EQ(bucket.wait_us(10, 10, 1), 0);
  bucket.take(10, 10, 1);
  EXPECT_EQ(bucket.wait_us(1, 10, 1), DayBucket::kDayUs / 10);
  EXPECT_EQ(bucket.wait_us(1, 10, 1 + DayBucket::kDayUs / 10), 0);
  bucket.give_back(5, 10);
  EXPECT_EQ(bucket.wait_us(5, 10, 1), 0);
  EXPECT_GT(bucket.wait_us(6, 10, 1), 0);
}

}  // namespace
}  // namespace uproar::chat::testing
