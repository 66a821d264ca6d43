#include "core/chat/command_cost.h"

#include <set>
#include <string_view>

#include <gtest/gtest.h>

#include "core/chat/limits.h"

namespace uproar::chat {
namespace {

TEST(CommandCosts, name_each_command_once) {
  std::set<std::string_view> types;
  for (const CommandCost& cost : command_costs())
    EXPECT_TRUE(types.insert(cost.type).second) << cost.type;
  EXPECT_EQ(types.size(), std::variant_size_v<ClientEvent>);
  // The order is that of ClientEvent: a line that is shifted would charge the wrong command.
  EXPECT_EQ(command_costs()[ClientEvent(Sync()).index()].type, "sync");
  EXPECT_EQ(command_costs()[ClientEvent(ConversationCreate()).index()].type, "conversation.create");
  EXPECT_EQ(command_costs()[ClientEvent(UnreadFetch()).index()].type, "unread.fetch");
}

TEST(CommandCosts, grow_with_what_the_command_carries) {
  MessageSend send;
  EXPECT_EQ(cost_of(send), 1U);
  send.content.assign(kContentBytesMax, 'x');
  EXPECT_EQ(cost_of(send), 1U + kContentBytesMax / (8 * 1024));
  Sync sync;
  const std::uint32_t least = cost_of(sync);
  sync.cursors.resize(kSyncConversationsMax);
  EXPECT_EQ(cost_of(sync), command_costs()[ClientEvent(Sync()).index()].worst());
  EXPECT_GT(cost_of(sync), least + 100);
  ConversationCreate create;
  create.members.resize(kMemberListMax);
  EXPECT_GT(cost_of(create), 160U);
  History history;
  history.limit = 4'000'000'000;
  EXPECT_EQ(cost_of(history), command_costs()[ClientEvent(History()).index()].worst())
      << "more rows than a page has are not read, and not charged";
}

TEST(CommandCosts, make_all_connections_of_a_user_pay_for_what_others_wait_for) {
  EXPECT_GE(cost_of(ConversationJoin()), kSharedCostMin);
  EXPECT_GE(cost_of(ConversationLeave()), kSharedCostMin);
}

TEST(CommandCosts, count_what_is_stored) {
  MessageSend send;
  EXPECT_EQ(stored_pages_of(send), 1U) << "its row";
  send.content.assign(16 * 1024, 'x');
  EXPECT_EQ(stored_pages_of(send), 65U);
  MemberAdd add;
  add.users.resize(1'000);
  EXPECT_EQ(stored_pages_of(add), 2'000U) << "a membership and an event each";
  EXPECT_EQ(stored_pages_of(EventPublish{.conversation = {}, .name = "x", .data = "1"}), 0U);
  EXPECT_EQ(stored_pages_of(Sync()), 0U);
}

}  // namespace
}  // namespace uproar::chat
