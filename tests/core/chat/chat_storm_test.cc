// Everybody is dropped at once and comes back with their cursors: what the store is asked then grows with the conversations
// and not with the clients.
#include <optional>
#include <string>
#include <vector>

#include "storage/limits.h"
#include "tests/core/chat/scene.h"

namespace uproar::chat::testing {
namespace {

constexpr std::uint32_t kRooms = 20;

struct Storm {
  std::uint64_t reads = 0;
  std::uint64_t page_reads = 0;
  std::uint64_t seq_reads = 0;
  std::uint64_t missed = 0;  // messages shown to those who came back
};

class ReconnectStorm : public ChatTest {
 protected:
  static World::Options world_of(std::uint32_t shards, std::uint32_t nodes) {
    World::Options options;
    options.shards = shards;
    options.nodes = nodes;
    return options;
  }
  explicit ReconnectStorm(std::uint32_t shards = 1, std::uint32_t nodes = 1)
      : ChatTest(world_of(shards, nodes)) {}

  // `clients` in kRooms groups, which nobody leaves but all lose; shard 0 has the host. Each room goes on for three messages
  // without them. They are on all shards and come back to another one each, or all on `from` and all to `to`.
  Storm storm(std::uint32_t clients, std::optional<std::uint32_t> from = {},
              std::optional<std::uint32_t> to = {}) {
    std::vector<std::vector<std::string>> names(kRooms, {"host"});
    for (std::uint32_t i = 0; i < clients; ++i)
      names[i % kRooms].push_back("client" + std::to_string(i));
    std::vector<ConversationId> rooms;
    for (const auto& members : names) rooms.push_back(group(members));
    const Person host = arrives("host");
    std::vector<Person> people;
    for (std::uint32_t i = 0; i < clients; ++i)
      people.push_back(
          connects("client" + std::to_string(i), from.value_or(i % world.shard_count())));
    world.advance_ms(kHoldMs);
    for (const ConversationId room : rooms) {
      for (int i = 0; i < 5; ++i) host.sends(room, "before");
    }
    world.commit();
    for (const Person& person : people) world.disconnect(person.connection(), false);
    for (const ConversationId room : rooms) {
      for (int i = 0; i < 3; ++i) host.sends(room, "meanwhile");
    }
    world.commit();

    Storm storm{
        .reads = world.store_reads, .page_reads = world.page_reads, .seq_reads = world.seq_reads};
    people.clear();
    world.set_manual(true);
    for (std::uint32_t i = 0; i < clients; ++i) {
      people.push_back(
          connects("client" + std::to_string(i), to.value_or((i + 1) % world.shard_count()), true));
      people.back().says(Sync{.cursors = {{rooms[i % kRooms], 5}}});
    }
    world.set_manual(false);
    world.settle();
    for (int i = 0; i < 50; ++i) world.advance_ms(10);  // what gathers is read
    storm.reads = world.store_reads - storm.reads;
    storm.page_reads = world.page_reads - storm.page_reads;
    storm.seq_reads = world.seq_reads - storm.seq_reads;
    for (const Person& person : people) {
      for (const HistoryPage& page : person.heard<HistoryPage>())
        storm.missed += page.messages.size();
    }
    return storm;
  }
  // Of each room its state, twice where a node listens anew. Of each client its audience, with several nodes once more when
  // its channel is listened to: up to 64 in one read, but for the first of each shard, who wait for nobody.
  [[nodiscard]] std::uint64_t reads_max(std::uint32_t clients) {
    const std::uint64_t nodes = world.options().nodes;
    return 4 * kRooms * nodes + (nodes > 1 ? 2 : 1) * clients / storage::kAudienceUsersMax +
           world.shard_count() * std::uint64_t{kAudienceLoadsBurst + 8};
  }
  void expect_few_reads(std::uint32_t clients) {
    const Storm seen = storm(clients);
    EXPECT_EQ(seen.missed, std::uint64_t{clients} * 3) << "everybody is shown what was missed";
    // What the other node published while nobody there listened is found once, and read once more to be kept.
    EXPECT_LE(seen.page_reads, world.options().nodes > 1 ? 2 * kRooms : 0) << "else from memory";
    EXPECT_LE(seen.reads - seen.seq_reads, reads_max(clients));
    // Answers are instant here, so hardly any meet; where they take time those of a room do (the test below).
    EXPECT_LE(seen.seq_reads, world.options().nodes > 1 ? clients : 0);
  }
};

TEST_F(ReconnectStorm, of_one_shard_asks_the_store_by_conversation) {
  expect_few_reads(2'000);
}

// The second node has never heard of these conversations: the newest rows of each are read once.
class ReconnectStormElsewhere : public ReconnectStorm {
 protected:
  ReconnectStormElsewhere() : ReconnectStorm(1, 2) {}
};
TEST_F(ReconnectStormElsewhere, of_a_node_that_knows_nothing_reads_each_conversation_once) {
  const Storm seen = storm(1'000, 0, 1);
  EXPECT_EQ(seen.missed, 3'000U);
  EXPECT_LE(seen.page_reads, kRooms);
  EXPECT_LE(seen.reads - seen.seq_reads, reads_max(1'000));
  EXPECT_LE(seen.seq_reads, 1'000U / 4) << "those who wait for a room to be read share one";
}

class ReconnectStormOverNodes : public ReconnectStorm {
 protected:
  ReconnectStormOverNodes() : ReconnectStorm(2, 2) {}
};
TEST_F(ReconnectStormOverNodes, of_two_nodes_asks_the_store_by_conversation) {
  expect_few_reads(2'000);
}

}  // namespace
}  // namespace uproar::chat::testing
