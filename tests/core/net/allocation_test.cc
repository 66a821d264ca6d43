// What a delivery may not cost: an allocation. In a program of its own, since it counts every operator new.

#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "bench/core/net/allocation_counter.h"
#include "bench/core/net/null_room.h"
#include "proto/ws/frame_writer.h"

namespace uproar::net {
namespace {

// Allocations of 20 turns once tables and free-lists have grown to what these turns need.
std::uint64_t allocations(NullRoom& room, int frames, DeliveryClass cls, ConnectionId except = {}) {
  const EncodedMessage message{.plain = ws::text_frame(std::string(128, 'x')), .deflated = {}};
  for (int i = 0; i < 20; ++i) room.turn(frames, message, cls, except);
  const std::uint64_t before = allocations_so_far();
  for (int i = 0; i < 20; ++i) room.turn(frames, message, cls, except);
  return allocations_so_far() - before;
}

TEST(Allocations, ADeliveryMakesNone) {
  NullRoom room(300);
  const std::uint64_t sends_before = room.sends();
  EXPECT_EQ(allocations(room, 1, DeliveryClass::kEphemeral), 0U);
  EXPECT_EQ(allocations(room, 1, DeliveryClass::kMessage), 0U);
  EXPECT_EQ(room.sends() - sends_before, 2U * 40U * 300U) << "everybody was sent everything";
}

TEST(Allocations, ManyFramesOfOneTurnMakeNone) {
  NullRoom room(300);
  EXPECT_EQ(allocations(room, 16, DeliveryClass::kEphemeral), 0U);
  EXPECT_EQ(allocations(room, 16, DeliveryClass::kMessage), 0U);
}

TEST(Allocations, TheSendersOwnEchoIsLeftOutWithoutOne) {
  NullRoom room(300);
  EXPECT_EQ(allocations(room, 2, DeliveryClass::kEphemeral, room.first()), 0U);
}

TEST(Allocations, AreCountedAtAll) {  // else the others prove nothing
  const std::uint64_t before = allocations_so_far();
  const std::vector<int> made(1000);
  EXPECT_GT(allocations_so_far(), before);
  EXPECT_EQ(made.size(), 1000U);
}

}  // namespace
}  // namespace uproar::net
