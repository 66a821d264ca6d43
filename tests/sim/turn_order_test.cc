// Scenes of one turn: what a shard is told while it has no processor, it takes up in one go.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proto/auth/token.h"
#include "tests/sim/client.h"
#include "tests/sim/kernel.h"
#include "tests/sim/node.h"
#include "tests/sim/oracle.h"
#include "tests/sim/quiet_log.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/sim_store.h"

namespace uproar::sim {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000;

// Two nodes of one shard, a group of ann and cid, and ben who is not in it. Ann is at node 1, the others are at node 0.
class OneTurn : public ::testing::Test {
 protected:
  OneTurn() {
    quiet_log();
    store.when_committed = [this](const storage::Operation& operation,
                                  const storage::Outcome& outcome) {
      oracle.committed(operation, outcome);
    };
    for (std::uint32_t i = 0; i < 3; ++i) {
      storage::User user;
      user.id = UserId(Uuid{0x0190'0000'0000'7000ULL + i, 0x8000'0000'0000'0000ULL | i});
      user.name = "user" + std::to_string(i);
      EXPECT_TRUE(store.model.create_user(user).ok());
      people.push_back(std::make_unique<Client>(kernel, oracle, listener));
      people.back()->user = user.id;
    }
    (void)store.model.apply(
        {.ticket = 0,
         .conversation = room,
         .actor = ann().user,
         .at_us = 1,
         .body = storage::CreateConversation{
             .kind = chat::ConversationKind::kGroup,
             .name = "room",
             .members = {{.user = ann().user, .role = chat::Role::kOwner},
                         {.user = people[2]->user, .role = chat::Role::kMember}}}});
    for (std::uint32_t number = 0; number < 2; ++number) start_node(number);
    pass(5 * kSecondUs);
    const auto signer = auth::TokenSigner::make(kAuthKey);
    for (std::uint32_t i = 0; i < 3; ++i) {
      const std::string token = signer->sign({.user = people[i]->user,
                                              .sid = {},
                                              .name = {},
                                              .issued_at_s = 0,
                                              .expires_at_s = 4'000'000'000});
      people[i]->connect(i == 0 ? 1 : 0, i + 1, token, false, {room}, 100);
    }
    pass(5 * kSecondUs);
    for (const auto& person : people) EXPECT_TRUE(person->is_ready) << person->state();
  }

  void start_node(std::uint32_t number) {
    nodes.push_back(
        std::make_unique<Node>(kernel, store,
                               Node::Options{.network = &network,
                                             .number = number,
                                             .shards = 1,
                                             .life = 1,
                                             .tune = [](net::NetOptions&, chat::ChatLimits&) {}}));
  }
  void pass(std::int64_t us) {
    bool is_over = false;
    kernel.after(us, [&] { is_over = true; });
    while (!is_over && kernel.step()) {
    }
  }
  Client& ann() { return *people[0]; }
  Client& ben() { return *people[1]; }

  Kernel kernel{1};
  SimStore store{kernel};
  SimNetwork network{kernel};
  chat::testing::Oracle oracle{store.model, 2, false};
  Listener listener;
  const ConversationId room{Uuid{0xC0FFEE, 1ULL << 63}};
  std::vector<std::unique_ptr<Node>> nodes;
  std::vector<std::unique_ptr<Client>> people;
};

// The list of nodes waits for the shard itself, in its own queue, while the bus says that ben is added: he hears the
// conversation from his joining on, so the joining itself must not come to him as an event.
TEST_F(OneTurn, BringsANodeAndANewMemberWhoHearsNothingFromBeforeTheJoining) {
  std::vector<chat::ServerEvent> heard;
  ben().when_heard = [&](const Heard& event) { heard.push_back(event.event); };
  kernel.pause(0, kernel.now_us() + kSecondUs);
  start_node(2);
  pass(kSecondUs / 10);
  ann().say(chat::MemberAdd{room, {ben().user}, chat::Role::kMember}, "add");
  pass(5 * kSecondUs);
  std::size_t joined = 0;
  for (const chat::ServerEvent& event : heard) {
    joined += std::holds_alternative<chat::ConversationJoined>(event) ? 1 : 0;
    EXPECT_FALSE(std::holds_alternative<chat::MemberAdded>(event));
  }
  EXPECT_EQ(joined, 1U);
  EXPECT_TRUE(oracle.violations().empty()) << oracle.violations().front();
}

}  // namespace
}  // namespace uproar::sim
