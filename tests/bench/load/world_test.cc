#include "bench/load/world.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <unordered_set>

#include <gtest/gtest.h>

namespace uproar::bench {
namespace {

class WorldFile : public ::testing::Test {
 protected:
  ~WorldFile() override { std::filesystem::remove(path_); }

  std::string fault(const std::vector<std::uint32_t>& members) const {
    const auto world = read_world(path_, members);
    return world ? "" : world.error();
  }
  void write(const World& world, const std::vector<std::uint32_t>& members) const {
    ASSERT_TRUE(write_world(path_, world, members));
  }

  const std::string path_ =
      ::testing::TempDir() + "uproar-world-" + std::to_string(::getpid()) + ".txt";
  const World world_ = {.users = new_users(5), .conversations = new_users(2)};
};

TEST_F(WorldFile, IsReadAsItWasWritten) {
  write(world_, {2, 3});
  const auto world = read_world(path_, {2, 3});
  ASSERT_TRUE(world) << world.error();
  EXPECT_EQ(*world, world_);
}

TEST_F(WorldFile, OfAnotherShapeIsRefused) {
  write(world_, {2, 3});
  EXPECT_EQ(fault({2, 3, 4}),
            path_ + ": was made for 5 clients in 2 rooms, this scenario has 9 clients in 3 rooms");
  EXPECT_EQ(fault({3, 2}), path_ + ": room 0 was made for 2 members, this scenario's has 3");
}

TEST_F(WorldFile, ThatIsNoneOrCutIsRefused) {
  EXPECT_EQ(fault({2, 3}), path_ + ": is no world that --world wrote");
  std::ofstream(path_) << "name = \"idle\"\n";
  EXPECT_EQ(fault({2, 3}), path_ + ": is no world that --world wrote");
  write(world_, {2, 3});
  const auto bytes = std::filesystem::file_size(path_);
  std::filesystem::resize_file(path_, bytes - 2);
  EXPECT_EQ(fault({2, 3}), path_ + ": a member of room 1 cannot be read");
  std::filesystem::resize_file(path_, bytes / 2);
  EXPECT_EQ(fault({2, 3}), path_ + ": room 1 cannot be read");
}

TEST_F(WorldFile, CannotBeWrittenIntoNoFolder) {
  EXPECT_FALSE(write_world(path_ + "/there/is/none", world_, {2, 3}));
}

TEST(NewUsers, AreAllDifferent) {
  const auto users = new_users(1000);
  EXPECT_EQ(std::unordered_set<Uuid>(users.begin(), users.end()).size(), 1000U);
}

}  // namespace
}  // namespace uproar::bench
