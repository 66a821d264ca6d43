// A database that comes back without what it had acknowledged: a replica that lagged behind was promoted, or an old backup
// was restored, under nodes that go on. What that costs, and for how long, is said in docs/cluster.md; this holds it to
// that.
#include <string>
#include <vector>

#include "tests/core/chat/scene.h"

namespace uproar::chat::testing {
namespace {

class LostCommits : public ChatTest {
 protected:
  LostCommits() : ChatTest({.limits = {}, .nodes = 2}) {}

  void says_and_rests(const Person& who, ConversationId room, const std::string& text) {
    who.sends(room, text);
    world.commit();
    world.advance_ms(kRepairGraceMs + 1);
  }
  std::vector<std::string> stored(ConversationId room) {
    std::vector<std::string> texts;
    const auto page = world.model().read_page({.conversation = room,
                                               .order = storage::PageQuery::Order::kChangedAfter,
                                               .bound = 0,
                                               .seq_floor = 0,
                                               .limit = 100});
    for (const Message& row : page->messages) texts.push_back(row.content);
    return texts;
  }
};

TEST_F(LostCommits, are_counted_and_as_many_messages_are_not_heard_where_the_lost_ones_were) {
  const ConversationId room = group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 1);
  says_and_rests(ann, room, "one");
  const storage::MemoryModel replica = world.model();
  says_and_rests(ann, room, "two");
  says_and_rests(ann, room, "three");
  ASSERT_EQ(ben.seqs(), (std::vector<Seq>{1, 2, 3}));
  EXPECT_EQ(counters().seqs_given_again.value(), 0U);

  world.model() = replica;
  for (const char* text : {"four", "five", "six"}) says_and_rests(ann, room, text);
  EXPECT_EQ(counters().seqs_given_again.value(), 2U);
  EXPECT_EQ(ben.seqs(), (std::vector<Seq>{1, 2, 3, 4})) << "six is the first beyond what was lost";
  EXPECT_EQ(ben.overheard<MessageNew>().back().message.content, "six");
  EXPECT_EQ(stored(room), (std::vector<std::string>{"one", "four", "five", "six"}));
}

TEST_F(LostCommits, are_forgotten_with_the_nodes_that_knew_of_them) {
  const ConversationId room = group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  says_and_rests(ann, room, "one");
  const storage::MemoryModel replica = world.model();
  says_and_rests(ann, room, "two");
  says_and_rests(ann, room, "three");
  world.model() = replica;
  // Node 1 has not met the conversation: as one that was started since.
  const Person ben = connects("ben", 1, true);
  ben.says(Sync{{{room, 3}}});
  for (int i = 0; i < 20; ++i) world.advance_ms(500);  // so much may be on its way, it thinks
  says_and_rests(ben, room, "four");
  EXPECT_EQ(world.shard(1).counters().seqs_given_again.value(), 0U);
  EXPECT_EQ(ben.seqs(), (std::vector<Seq>{2})) << "heard live by who is level with the store";
}

}  // namespace
}  // namespace uproar::chat::testing
