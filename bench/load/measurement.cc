#include "bench/load/measurement.h"

#include <algorithm>

namespace uproar::bench {
namespace {

constexpr std::int64_t kLateNs = 50'000'000;

// Clocks are read before bytes are looked at, so a publish of this turn may seem to be heard before it was said.
std::uint64_t from_to(std::int64_t due_ns, std::int64_t now_ns) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(now_ns - due_ns, 0));
}

}  // namespace

Measurement::Measurement(const std::vector<std::string>& names) {
  for (const std::string& name : names) traffic_.push_back({.name = name});
}

void Measurement::published(std::uint32_t traffic) {
  if (is_under_way()) ++traffic_[traffic].publishes;
}

void Measurement::delivered(std::uint32_t traffic, const DeliveryLedger::Outcome& outcome,
                            std::int64_t now_ns) {
  if (outcome.verdict != DeliveryLedger::Verdict::kDelivered) return;
  TrafficResult& result = traffic_[traffic];
  if (holds(now_ns)) ++result.deliveries;
  if (!holds(outcome.due_ns)) return;
  result.delivery.record(from_to(outcome.due_ns, now_ns));
  if (outcome.complete && now_ns - outcome.due_ns > kLateNs) ++result.late;
}

void Measurement::acknowledged(std::uint32_t traffic, std::int64_t due_ns, std::int64_t now_ns) {
  TrafficResult& result = traffic_[traffic];
  if (holds(now_ns)) ++result.acked;
  if (holds(due_ns)) result.ack.record(from_to(due_ns, now_ns));
}

std::uint64_t Measurement::deliveries() const {
  std::uint64_t sum = 0;
  for (const TrafficResult& one : traffic_) sum += one.deliveries;
  return sum;
}

}  // namespace uproar::bench
