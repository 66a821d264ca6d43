// Presence over two nodes of one shard each: whoever has a device at either is online, and is shown so at both, whatever
// the bus and the presence store between them do. Shard 0 is node 0, shard 1 is node 1.
#include <string>
#include <utility>
#include <vector>

#include "tests/core/chat/scene.h"

namespace uproar::chat::testing {
namespace {

class PresenceOverNodes : public ChatTest {
 protected:
  explicit PresenceOverNodes(World::Options options = {.limits = {.presence_is_public = true},
                                                       .nodes = 2})
      : ChatTest(std::move(options)) {}

  // What was said is written and told, heard, and told to those who watch.
  void rest() {
    world.advance_ms(kPresenceTickMs);
    world.advance_ms(kPresenceTickMs);
  }
  // Where nothing is lost on the way to node 1, `steps` words of presence are written and wait there.
  void write(std::uint32_t shard) {
    for (std::uint32_t i = 0; i < world.shard_count(); ++i) world.shard(i).tick(world.now);
    while (world.step_presence(shard)) {
    }
  }
  static std::vector<bool> seen(const Person& watcher, const Person& whom) {
    std::vector<bool> out;
    for (const auto& update : watcher.overheard<PresenceUpdate>()) {
      if (update.state.user == whom.id()) out.push_back(update.state.online);
    }
    return out;
  }
  static PresenceState last_of(const Person& watcher, UserId whom) {
    PresenceState last;
    for (const auto& update : watcher.overheard<PresenceUpdate>()) {
      if (update.state.user == whom) last = update.state;
    }
    return last;
  }
  PresenceState asked(const Person& who, UserId whom) {
    who.forgets();
    who.says(PresenceGet{{whom}});
    const auto lists = who.answered<PresenceList>();
    EXPECT_EQ(lists.size(), 1U);
    return lists.empty() ? PresenceState() : lists[0].users.at(0);
  }
  const ChatCounters& at(std::uint32_t node) { return world.shard(node).counters(); }
};

TEST_F(PresenceOverNodes, peers_see_each_other_come_and_go) {
  group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  rest();
  const Person ben = arrives("ben", 1);
  EXPECT_TRUE(last_of(ben, ann.id()).online) << "as he comes";
  rest();
  EXPECT_EQ(seen(ann, ben), (std::vector<bool>{true}));
  world.disconnect(ben.connection());
  const std::int64_t left_us = world.now.wall_us;
  rest();
  EXPECT_EQ(seen(ann, ben), (std::vector<bool>{true, false}));
  EXPECT_NEAR(last_of(ann, ben.id()).last_online_us, left_us, kPresenceTickMs * 1000);
}

TEST_F(PresenceOverNodes, whoever_has_a_device_at_another_node_stays_online) {
  group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  const Person here = arrives("ben", 0);
  const Person there = arrives("ben", 1);
  rest();
  EXPECT_EQ(seen(ann, here), (std::vector<bool>{true}));
  world.disconnect(here.connection());
  rest();
  const Person phone = arrives("ben", 0);
  world.disconnect(there.connection());
  rest();
  EXPECT_EQ(seen(ann, here), (std::vector<bool>{true})) << "nothing has changed for ann";
  world.disconnect(phone.connection());
  rest();
  EXPECT_EQ(seen(ann, here), (std::vector<bool>{true, false}));
}

TEST_F(PresenceOverNodes, an_unclean_end_waits_for_a_reconnect_at_the_other_node) {
  group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  const Person there = arrives("ben", 1);
  rest();
  world.disconnect(there.connection(), false);
  world.advance_ms(kOfflineGraceMs / 2);
  (void)arrives("ben", 0);
  world.advance_ms(kOfflineGraceMs);
  rest();
  EXPECT_EQ(seen(ann, there), (std::vector<bool>{true}));
}

TEST_F(PresenceOverNodes, users_of_a_dead_node_go_offline_when_its_death_is_known) {
  group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 1);
  rest();
  world.kill_node(1);
  rest();
  EXPECT_EQ(seen(ann, ben), (std::vector<bool>{true})) << "nobody knows it before the lease ends";
  world.say_gap(0);
  world.advance_ms(kPresenceTickMs);
  EXPECT_EQ(seen(ann, ben), (std::vector<bool>{true, false}));
  EXPECT_FALSE(asked(ann, ben.id()).online);
}

TEST_F(PresenceOverNodes, the_last_words_of_a_dead_node_count_for_nothing) {
  group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  const Person ben = connects("ben", 1);
  world.now.monotonic_us += kPresenceTickMs * 1000;
  write(1);  // on its way to node 0
  world.kill_node(1);
  world.say_gap(0);
  world.settle();
  rest();
  EXPECT_FALSE(last_of(ann, ben.id()).online);
}

TEST_F(PresenceOverNodes, a_node_that_came_and_died_unnoticed_has_nobody) {
  group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  world.kill_node(1);  // and starts again, of which node 0 is not told
  const Person ben = connects("ben", 1);
  world.now.monotonic_us += kPresenceTickMs * 1000;
  write(1);
  world.kill_node(1);
  world.say_gap(0);  // of its second life it hears neither the beginning nor the end
  world.settle();
  rest();
  EXPECT_FALSE(last_of(ann, ben.id()).online);
  EXPECT_FALSE(asked(ann, ben.id()).online);
}

TEST_F(PresenceOverNodes, a_node_counts_from_when_it_is_known) {
  group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  world.kill_node(1);
  const Person ben = arrives("ben", 1);
  rest();
  EXPECT_EQ(seen(ann, ben), (std::vector<bool>{}));
  world.say_gap(0);
  rest();
  EXPECT_EQ(seen(ann, ben), (std::vector<bool>{true}));
}

class PresenceBeforeTheList : public PresenceOverNodes {
 protected:
  PresenceBeforeTheList()
      : PresenceOverNodes(
            {.limits = {.presence_is_public = true}, .nodes = 2, .is_list_late = true}) {}
};

TEST_F(PresenceBeforeTheList, every_node_counts_until_the_first_list) {
  group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 1);
  rest();
  EXPECT_EQ(seen(ann, ben), (std::vector<bool>{true}));
  world.kill_node(1);
  rest();
  world.set_manual(true);
  world.say_gap(0);  // the first list, without the node that spoke: no read has to say so
  world.advance_ms(kPresenceTickMs);
  while (world.step_receive(ann.connection())) {
  }
  EXPECT_EQ(seen(ann, ben), (std::vector<bool>{true, false}));
}

TEST_F(PresenceOverNodes, what_the_bus_lost_is_read_from_the_store) {
  group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 1);
  rest();
  world.disconnect(ben.connection());
  world.now.monotonic_us += kPresenceTickMs * 1000;
  write(1);
  ASSERT_TRUE(world.bus().lose(0, 0, true));
  world.settle();
  rest();
  EXPECT_EQ(seen(ann, ben), (std::vector<bool>{true, false}));
}

TEST_F(PresenceOverNodes, a_read_that_began_before_a_word_does_not_undo_it) {
  group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 1);
  rest();
  ann.says(PresenceUnsubscribe{{ben.id()}});
  world.disconnect(ben.connection());
  rest();
  ann.forgets();
  world.set_manual(true);
  ann.says(PresenceSubscribe{{ben.id()}});
  (void)world.bus().take_effect(0, 0);
  (void)world.step_bus(0);  // listening: a read begins
  while (world.step_read_execute(0, world.reads_waiting(0) - 1)) {
  }
  const Person again{world, world.connect(ben.id(), 1)};
  world.now.monotonic_us += kPresenceTickMs * 1000;
  write(1);
  (void)world.step_bus(0);  // online, says the bus
  world.set_manual(false);
  world.settle();  // and the read, that nobody is there
  rest();
  EXPECT_TRUE(asked(ann, ben.id()).online);
}

TEST_F(PresenceOverNodes, what_was_read_for_an_answer_does_not_undo_what_was_read_since) {
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 1);
  rest();
  world.set_manual(true);
  ann.says(PresenceSubscribe{{ben.id()}});
  ASSERT_TRUE(world.step_read_execute(0, 0));  // when he was last here
  ASSERT_TRUE(world.step_read_answer(0, 0));
  ASSERT_TRUE(world.step_read_execute(0, 0));  // and whether he is: so he is, it will say
  world.disconnect(ben.connection());
  world.now.monotonic_us += kPresenceTickMs * 1000;
  write(1);
  ASSERT_TRUE(world.bus().take_effect(0, 0));
  ASSERT_TRUE(world.step_bus(0));
  ASSERT_TRUE(world.step_read_execute(0, 1));
  ASSERT_TRUE(world.step_read_answer(0, 1));  // with listening it is known that he is not
  ASSERT_TRUE(world.step_read_answer(0, 0));
  world.set_manual(false);
  world.settle();
  rest();
  const auto lists = ann.answered<PresenceList>();
  ASSERT_EQ(lists.size(), 1U);
  EXPECT_FALSE(lists[0].users.at(0).online);
  EXPECT_EQ(seen(ann, ben), (std::vector<bool>{}));
  EXPECT_FALSE(asked(ann, ben.id()).online);
}

TEST_F(PresenceOverNodes, is_called_uncertain_while_there_is_no_bus) {
  group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 1);
  rest();
  world.disconnect_bus(0);
  rest();
  EXPECT_TRUE(last_of(ann, ben.id()).online);
  EXPECT_TRUE(last_of(ann, ben.id()).uncertain);
  EXPECT_TRUE(asked(ann, ben.id()).uncertain);
  EXPECT_FALSE(asked(ann, ann.id()).uncertain) << "she is here";
  world.disconnect(ben.connection());
  rest();
  world.reconnect_bus(0);
  world.settle();
  rest();
  EXPECT_FALSE(last_of(ann, ben.id()).online);
  EXPECT_FALSE(last_of(ann, ben.id()).uncertain);
}

TEST_F(PresenceOverNodes, is_certain_again_for_who_came_here_meanwhile) {
  group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  (void)arrives("ben", 1);
  rest();
  world.disconnect_bus(0);
  rest();
  world.set_manual(true);
  world.reconnect_bus(0);  // to be read again
  const Person ben{world, world.connect(world.user("ben"), 0)};
  world.set_manual(false);
  world.settle();
  rest();
  EXPECT_TRUE(last_of(ann, ben.id()).online);
  EXPECT_FALSE(last_of(ann, ben.id()).uncertain);
}

TEST_F(PresenceOverNodes, comes_back_when_the_store_has_lost_all) {
  group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 1);
  rest();
  world.flush_presence();
  world.say_gap(0);  // reads an empty store
  rest();
  EXPECT_TRUE(asked(ann, ben.id()).online);
}

TEST_F(PresenceOverNodes, is_read_once_for_all_who_watch_and_let_go_with_the_last) {
  const Person ben = arrives("ben", 1);
  rest();
  std::vector<Person> watchers;
  for (int i = 0; i < 20; ++i) {
    watchers.push_back(arrives("watcher" + std::to_string(i), 0));
    watchers.back().says(PresenceSubscribe{{ben.id()}});
    EXPECT_TRUE(watchers.back().answered<PresenceList>().at(0).users.at(0).online);
  }
  EXPECT_LE(at(0).presence_reads.value(), 2U) << "for the first answer, and when listening began";
  EXPECT_EQ(world.shard(0).sizes().users_watched, 1U);
  for (const Person& watcher : watchers) world.disconnect(watcher.connection());
  EXPECT_EQ(world.shard(0).sizes().users_watched, 0U);
  EXPECT_TRUE(asked(arrives("cay", 0), ben.id()).online) << "whom nobody watches";
  EXPECT_EQ(world.shard(0).sizes().users_watched, 0U);
}

TEST_F(PresenceOverNodes, one_who_cannot_be_read_is_uncertain_and_the_others_are_not) {
  const Person ben = arrives("ben", 1);
  const Person cay = arrives("cay", 1);
  const Person ann = arrives("ann", 0);
  rest();
  world.set_presence_readable(ben.id(), false);
  EXPECT_TRUE(asked(ann, ben.id()).uncertain);
  EXPECT_TRUE(asked(ann, cay.id()).online);
  EXPECT_FALSE(asked(ann, cay.id()).uncertain);

  ann.says(PresenceSubscribe{{ben.id(), cay.id()}});
  rest();
  EXPECT_TRUE(asked(ann, ben.id()).uncertain);
  EXPECT_TRUE(asked(ann, cay.id()).online);
  world.set_presence_readable(ben.id(), true);
  world.advance_ms(kPresenceReadRetryMs);
  rest();
  EXPECT_TRUE(last_of(ann, ben.id()).online);
  EXPECT_FALSE(last_of(ann, ben.id()).uncertain);
}

TEST_F(PresenceOverNodes, one_who_cannot_be_read_delays_the_reading_of_nobody_else) {
  group({"ann", "ben", "cay"});
  const Person ben = arrives("ben", 1);
  const Person cay = arrives("cay", 1);
  const Person ann = arrives("ann", 0);
  rest();
  world.set_presence_readable(ben.id(), false);
  world.say_gap(0);
  world.settle();  // ben is to be read again later
  world.disconnect(cay.connection());
  world.now.monotonic_us += kPresenceTickMs * 1000;
  write(1);
  ASSERT_TRUE(world.bus().lose(0, 0, true));
  world.settle();
  world.advance_ms(kPresenceTickMs);
  ASSERT_LT(2 * kPresenceTickMs, kPresenceReadRetryMs);
  EXPECT_FALSE(last_of(ann, cay.id()).online);
}

TEST_F(PresenceOverNodes, words_of_one_tick_are_one_and_heartbeats_are_none) {
  group({"ann", "ben"});
  (void)arrives("ann", 0);
  const Person ben = arrives("ben", 1);
  rest();
  const std::uint64_t before = at(0).presence_heard.value();
  for (int i = 0; i < 5; ++i) {
    world.disconnect(ben.connection());
    (void)connects("ben", 1);
    world.disconnect(connects("ben", 1).connection());
  }
  for (int s = 0; s < 60; ++s) {
    world.shard(1).on_heartbeat(ben.connection().endpoint, world.now);
    world.advance_ms(1000);
  }
  EXPECT_LE(at(0).presence_heard.value() - before, 1U);
}

}  // namespace
}  // namespace uproar::chat::testing
