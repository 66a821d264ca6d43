#include "core/net/client_table.h"

#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "core/net/limits.h"

namespace uproar::net {
namespace {

constexpr Uuid key(std::uint64_t n) {
  return {.high = 7, .low = n};
}

// Connections come and go; a list for each address says who is to go first.
TEST(ClientTable, NamesTheOldestOfWhoHasMostLikeTheNaiveModel) {
  constexpr std::uint32_t kSlots = 64;
  constexpr std::uint64_t kAddresses = 6;
  std::mt19937 dice(7);
  ClientTable table;
  std::vector<ClientTable::Links> links(kSlots);
  const auto links_of = [&](std::uint32_t slot) -> ClientTable::Links& { return links[slot]; };
  std::map<std::uint64_t, std::vector<std::uint32_t>> model;  // by address, oldest first
  std::map<std::uint32_t, std::pair<std::uint64_t, ClientTable::Index>> connected;
  for (int step = 0; step < 20'000; ++step) {
    const std::uint32_t slot = dice() % kSlots;
    if (const auto found = connected.find(slot); found != connected.end()) {
      const auto [address, index] = found->second;
      table.remove_sessionless(index, slot, links_of);
      table.leave(index, 0);
      std::erase(model[address], slot);
      connected.erase(found);
    } else {
      const std::uint64_t address = dice() % kAddresses;
      const ClientTable::Index index = table.join(key(address));
      table.add_sessionless(index, slot, links_of);
      model[address].push_back(slot);
      connected[slot] = {address, index};
    }
    std::size_t most = 0;
    for (const auto& [address, slots] : model) most = std::max(most, slots.size());
    std::set<std::uint32_t> candidates;
    for (const auto& [address, slots] : model) {
      if (!slots.empty() && slots.size() == most) candidates.insert(slots.front());
    }
    if (candidates.empty()) {
      ASSERT_EQ(table.first_to_go(), ClientTable::kNone);
    } else {
      ASSERT_TRUE(candidates.contains(table.first_to_go())) << step;
    }
    ASSERT_EQ(table.sessionless(), connected.size());
    for (const auto& [address, slots] : model)
      ASSERT_EQ(table.connections(key(address)), slots.size());
  }
}

TEST(ClientTable, RemembersWhoOwesUntilItIsPaid) {
  constexpr WorkShare kShare = WorkShare::of(1'000'000, 1'000);
  ClientTable table;
  const ClientTable::Index first = table.join(key(1));
  table.charge(first, 5'000, kShare, 0, 1);
  EXPECT_EQ(table.wait_us(first, kShare, 0), 4'000);
  EXPECT_EQ(table.turn_units(first, 1), 5'000U);
  EXPECT_EQ(table.turn_units(first, 2), 0U);
  table.leave(first, 0);
  const ClientTable::Index again = table.join(key(1));
  EXPECT_EQ(table.wait_us(again, kShare, 1'000), 3'000);
  table.leave(again, 1'000);
  table.trim(4'999);
  EXPECT_EQ(table.size(), 1U);
  table.trim(5'000);
  EXPECT_EQ(table.size(), 0U);
  const ClientTable::Index later = table.join(key(1));
  EXPECT_EQ(table.wait_us(later, kShare, 5'000), 0);
  table.leave(later, 5'000);
}

TEST(ClientTable, BoundsThoseWhoOweAndHaveGone) {
  constexpr WorkShare kShare = WorkShare::of(1'000'000, 1'000);
  ClientTable table;
  for (std::uint64_t n = 0; n < kIndebtedClientsMax + 100; ++n) {
    const ClientTable::Index client = table.join(key(n));
    table.charge(client, 5'000, kShare, 0, 1);
    table.leave(client, 0);
  }
  EXPECT_EQ(table.size(), kIndebtedClientsMax);
}

TEST(WorkShare, CountsFractionsOfAMicrosecond) {
  constexpr WorkShare kShare = WorkShare::of(100'000'000, 0);
  ClientTable table;
  const ClientTable::Index client = table.join(key(1));
  for (int i = 0; i < 1'000; ++i) table.charge(client, 24, kShare, 0, 1);
  EXPECT_EQ(table.wait_us(client, kShare, 0), 240);
  EXPECT_EQ(table.wait_us(client, WorkShare{}, 0), 240) << "owed by what was charged before";
}

}  // namespace
}  // namespace uproar::net
