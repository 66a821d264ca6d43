#include "core/gateway/nodes.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace uproar::gateway {
namespace {

using storage::NodeRecord;
using storage::NodeState;
using ::testing::ElementsAre;

NodeRecord node(std::uint64_t number, NodeState state = NodeState::kLive) {
  NodeRecord record;
  record.id = storage::NodeId(Uuid{.high = number, .low = number});
  record.name = "n" + std::to_string(number);
  record.url = "ws://" + record.name;
  record.state = state;
  return record;
}

std::vector<std::string> next(Nodes& nodes, int count) {
  std::vector<std::string> urls;
  for (int i = 0; i < count; ++i) urls.push_back(nodes.next_url());
  return urls;
}

TEST(Nodes, AreTakenInTurn) {
  Nodes nodes(node(1), 0);
  nodes.see({node(1), node(2), node(3)});
  EXPECT_THAT(next(nodes, 4), ElementsAre("ws://n1", "ws://n2", "ws://n3", "ws://n1"));
  Nodes of_another_shard(node(1), 1);
  of_another_shard.see({node(1), node(2), node(3)});
  EXPECT_EQ(of_another_shard.next_url(), "ws://n2");
}

TEST(Nodes, ThatDrainOrSayNoAddressTakeNobody) {
  Nodes nodes(node(1), 0);
  NodeRecord silent = node(3);
  silent.url.clear();
  nodes.see({node(1), node(2, NodeState::kDraining), silent, node(4)});
  EXPECT_THAT(next(nodes, 4), ElementsAre("ws://n1", "ws://n4", "ws://n1", "ws://n4"));
  nodes.see({node(1, NodeState::kDraining)});
  EXPECT_EQ(nodes.next_url(), "") << "nobody is left";
}

TEST(Nodes, AloneIsThisOneWithoutAnAddressForOthers) {
  Nodes nodes(node(7), 0);
  EXPECT_EQ(nodes.next_url(), "") << "where the request came to is good enough";
  EXPECT_THAT(nodes.all(), ElementsAre(node(7)));
  EXPECT_TRUE(nodes.is_self(node(7)));
  EXPECT_FALSE(nodes.is_self(node(8)));
}

TEST(Nodes, AreThoseThatWereSeenLast) {
  Nodes nodes(node(1), 0);
  nodes.see({node(1), node(2)});
  nodes.see({node(2)});
  EXPECT_THAT(nodes.all(), ElementsAre(node(2)));
  EXPECT_THAT(next(nodes, 2), ElementsAre("ws://n2", "ws://n2"));
}

}  // namespace
}  // namespace uproar::gateway
