#include "core/gateway/password_queue.h"

#include <algorithm>
#include <utility>

#include "core/gateway/limits.h"
#include "proto/base/check.h"
#include "proto/base/weakness.h"

namespace uproar::gateway {
namespace {

constexpr auto kK = PasswordClass::kKnown;
constexpr auto kS = PasswordClass::kStranger;
constexpr auto kR = PasswordClass::kRegistration;

// Who is asked first, turn by turn: nobody starves. Where nobody waits in that class, the others
// follow in their own order.
constexpr std::array kFirst = {kK, kK, kK, kS, kK, kK, kK, kR};

struct Bounds {
  std::size_t all = 0;
  std::size_t lane = 0;
};
constexpr Bounds bounds_of(PasswordClass cls) {
  if (cls == kR) return {.all = kRegistrationsWaitingMax, .lane = kRegistrationsWaitingMax / 2};
  return {.all = kLoginsWaitingMax, .lane = kLoginsWaitingMax / 2};
}

}  // namespace

PasswordQueue::Job PasswordQueue::take_newest_of_longest(Class& from) {
  const auto longest = std::max_element(
      from.lanes.begin(), from.lanes.end(),
      [](const auto& one, const auto& other) { return one.second.size() < other.second.size(); });
  Job job = std::move(longest->second.back());
  longest->second.pop_back();
  UPROAR_CHECK(!longest->second.empty());  // it was longer than another that has one
  --from.size;
  return job;
}

std::optional<PasswordQueue::Job> PasswordQueue::push(PasswordTurn turn, Job job) {
  Bounds bounds = bounds_of(turn.cls);
  if (weakened(Weakness::kRegistrationFlood)) {
    turn = {.cls = kK, .lane = 0};
    bounds = {.all = kLoginsWaitingMax, .lane = kLoginsWaitingMax};
  }
  Class& into = classes_[static_cast<std::size_t>(turn.cls)];
  const auto own = into.lanes.find(turn.lane);
  const std::size_t own_size = own == into.lanes.end() ? 0 : own->second.size();
  if (own_size >= bounds.lane) return job;
  std::optional<Job> without_room;
  if (into.size >= bounds.all) {
    std::size_t longest = 0;
    for (const auto& [lane, jobs] : into.lanes) longest = std::max(longest, jobs.size());
    if (longest < own_size + 2) return job;  // all have about as many: who comes last has none
    without_room = take_newest_of_longest(into);
  }
  std::deque<Job>& lane = into.lanes[turn.lane];
  if (lane.empty()) into.round.push_back(turn.lane);
  lane.push_back(std::move(job));
  ++into.size;
  return without_room;
}

std::optional<PasswordQueue::Job> PasswordQueue::pop() {
  constexpr std::array kOrder = {kFirst.front(), kK, kS, kR};
  auto order = kOrder;
  order.front() = kFirst[turn_];
  for (const PasswordClass cls : order) {
    Class& from = classes_[static_cast<std::size_t>(cls)];
    if (from.size == 0) continue;
    turn_ = (turn_ + 1) % kFirst.size();
    const std::uint64_t key = from.round.front();
    from.round.pop_front();
    const auto lane = from.lanes.find(key);
    Job job = std::move(lane->second.front());
    lane->second.pop_front();
    if (lane->second.empty())
      from.lanes.erase(lane);
    else
      from.round.push_back(key);
    --from.size;
    return job;
  }
  return std::nullopt;
}

std::size_t PasswordQueue::size() const {
  std::size_t size = 0;
  for (const Class& each : classes_) size += each.size;
  return size;
}

}  // namespace uproar::gateway
