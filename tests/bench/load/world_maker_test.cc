#include "bench/load/world_maker.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace uproar::bench {
namespace {

constexpr std::string_view kId = "01890000-0000-7000-8000-000000000001";
constexpr std::string_view kRefused =
    R"({"type":"error","id":1,"code":"rate","retry_after_ms":50})";

std::string created(std::string_view id = kId) {
  return R"({"type":"conversation.created","id":1,"conversation":{"id":")" + std::string(id) +
         R"("}})";
}

std::size_t users_in(const std::string& command) {
  const std::size_t begin = command.rfind('[');
  return static_cast<std::size_t>(
             std::count(command.begin() + static_cast<std::ptrdiff_t>(begin), command.end(), '"')) /
         2;
}

struct Making {
  explicit Making(std::vector<std::uint32_t> members) {
    std::uint32_t users = 0;
    std::vector<std::string> names;
    for (const std::uint32_t one : members) {
      users += one;
      names.push_back("room-" + std::to_string(names.size()));
    }
    world.users = new_users(users);
    maker.emplace(members, names, world);
  }
  World world;
  std::optional<WorldMaker> maker;
};

TEST(WorldMaker, ARoomOfMoreThanACommandHoldsIsMadeAndThenGrown) {
  Making m({2102});
  ASSERT_EQ(m.maker->next(0), 0U);
  EXPECT_TRUE(m.maker->command(0).starts_with(
      R"({"type":"conversation.create","id":1,"kind":"group","name":"room-0","members":[")" +
      m.world.users[1].text()))
      << "its publisher is its first member";
  EXPECT_EQ(users_in(m.maker->command(0)), 1000U);
  EXPECT_FALSE(m.maker->next(0)) << "nothing is asked twice";
  EXPECT_TRUE(*m.maker->heard(0, created(), 0));
  EXPECT_EQ(m.world.conversations[0].text(), kId);

  ASSERT_EQ(m.maker->next(0), 0U);
  EXPECT_TRUE(m.maker->command(0).starts_with(
      R"({"type":"conversation.add","id":1,"conversation_id":")" + std::string(kId) +
      R"(","user_ids":[")" + m.world.users[1001].text()));
  EXPECT_TRUE(*m.maker->heard(0, R"({"type":"member.added","id":1})", 0));
  ASSERT_EQ(m.maker->next(0), 0U);
  EXPECT_EQ(users_in(m.maker->command(0)), 101U);
  EXPECT_FALSE(m.maker->is_done());
  EXPECT_TRUE(*m.maker->heard(0, R"({"type":"member.added","id":1})", 0));
  EXPECT_TRUE(m.maker->is_done());
  EXPECT_FALSE(m.maker->next(0));
}

TEST(WorldMaker, ARefusalThatSaysWhenIsAskedAgainAndAnyOtherIsAnError) {
  Making m({2, 2});
  ASSERT_EQ(m.maker->next(0), 0U);
  ASSERT_EQ(m.maker->next(0), 1U);
  EXPECT_FALSE(*m.maker->heard(0, kRefused, 10));
  EXPECT_FALSE(m.maker->next(10 + WorldMaker::kAskAgainNs - 1));
  EXPECT_EQ(m.maker->next(10 + WorldMaker::kAskAgainNs), 0U);
  EXPECT_FALSE(m.maker->heard(1, R"({"type":"error","code":"forbidden"})", 10).ok());
  EXPECT_FALSE(m.maker->heard(1, created("no id"), 10).ok());
}

TEST(WorldMaker, WhatElseAPublisherHearsIsNoAnswer) {
  Making m({2});
  ASSERT_EQ(m.maker->next(0), 0U);
  EXPECT_FALSE(*m.maker->heard(0, R"({"type":"presence.update"})", 0));
  EXPECT_FALSE(m.maker->is_done());
}

TEST(WorldMaker, NoMoreThanSixtyFourRoomsAreAskedForAtOnce) {
  Making m(std::vector<std::uint32_t>(100, 2));
  std::uint32_t asked = 0;
  while (m.maker->next(0)) ++asked;
  EXPECT_EQ(asked, WorldMaker::kRoomsAtOnce);
  EXPECT_TRUE(*m.maker->heard(5, created(), 0));
  EXPECT_EQ(m.maker->next(0), WorldMaker::kRoomsAtOnce);
  EXPECT_FALSE(m.maker->next(0));
}

}  // namespace
}  // namespace uproar::bench
