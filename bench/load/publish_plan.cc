#include "bench/load/publish_plan.h"

namespace uproar::bench {

PublishPlan::PublishPlan(const Scenario& scenario) {
  std::uint32_t room = 0;
  for (const Traffic& one : scenario.traffic) {
    lanes_.push_back({.first_room = room,
                      .rooms = one.rooms,
                      .publishers = one.publishers,
                      .open_loop = {.per_second = one.publishes_per_second}});
    room += one.rooms;
  }
}

void PublishPlan::begin(std::int64_t now_ns) {
  for (Lane& lane : lanes_) {
    lane.open_loop.begun_ns = now_ns;
    lane.begun = lane.open_loop.per_second > 0;
  }
}

PublishPlan::Turn PublishPlan::next(std::uint32_t traffic, std::int64_t now_ns) {
  Lane& lane = lanes_[traffic];
  const Turn turn = {
      .room = lane.first_room + lane.next_room, .publisher = lane.next_publisher, .due_ns = now_ns};
  if (++lane.next_room == lane.rooms) {
    lane.next_room = 0;
    lane.next_publisher = (lane.next_publisher + 1) % lane.publishers;
  }
  return turn;
}

std::optional<PublishPlan::Turn> PublishPlan::due(std::uint32_t traffic, std::int64_t now_ns) {
  Lane& lane = lanes_[traffic];
  if (!lane.begun || lane.sent >= lane.open_loop.due_by(now_ns)) return std::nullopt;
  return next(traffic, lane.open_loop.due_ns(lane.sent++));
}

}  // namespace uproar::bench
