#include "proto/chat/wire_names.h"

#include <set>
#include <string_view>

#include <gtest/gtest.h>

#include "proto/chat/command_type.h"

namespace uproar::chat {
namespace {

TEST(WireNames, GoBothWays) {
  for (const auto kind :
       {ConversationKind::kDirect, ConversationKind::kGroup, ConversationKind::kChannel}) {
    EXPECT_EQ(conversation_kind_of(wire_name(kind)), kind);
  }
  for (const auto role : {Role::kMember, Role::kAdmin, Role::kOwner})
    EXPECT_EQ(role_of(wire_name(role)), role);
  for (int i = 0; i <= static_cast<int>(MessageType::kSystem); ++i) {
    const auto type = static_cast<MessageType>(i);
    EXPECT_EQ(message_type_of(wire_name(type)), type);
  }
  EXPECT_EQ(role_of("Owner"), std::nullopt);
  EXPECT_EQ(role_of(""), std::nullopt);
  EXPECT_EQ(conversation_kind_of("room"), std::nullopt);
  EXPECT_EQ(message_type_of("sticker"), std::nullopt);
}

TEST(WireNames, MatchTheStructs) {
  EXPECT_EQ(event_name(MessageNew{}), "message.new");
  EXPECT_EQ(event_name(Error{}), "error");
  EXPECT_EQ(event_name(HistoryPage{}), "history.page");
  EXPECT_EQ(event_name(ServerDraining{}), "server.draining");
  EXPECT_EQ(wire_name(SystemEvent::kRoleChanged), "role.changed");
  EXPECT_EQ(wire_name(SystemEvent::kNone), "");
}

TEST(CommandNames, AreAllThereOnceAndGoBothWays) {
  std::set<std::string_view> names;
  for (int i = 0; i < static_cast<int>(CommandType::kCount); ++i) {
    const auto type = static_cast<CommandType>(i);
    EXPECT_TRUE(names.insert(command_name(type)).second) << command_name(type);
    EXPECT_EQ(command_type_of(command_name(type)), type) << command_name(type);
  }
  EXPECT_EQ(command_names().size(), names.size());
  EXPECT_EQ(command_type_of("message.sent"), std::nullopt);
  EXPECT_EQ(command_type_of("Ping"), std::nullopt);
  EXPECT_EQ(command_type_of(""), std::nullopt);
}

}  // namespace
}  // namespace uproar::chat
