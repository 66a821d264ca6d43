#pragma once

// The figures of the measured time [begin, end). Rates count what happens in it. Latencies count what was DUE in it, however late
// it comes: a stall across the end, or a traffic that is starved, would otherwise leave only its fast ones.
// Hot path: delivered() per delivery. Allocations: 0.

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "bench/load/delivery_ledger.h"
#include "bench/load/latency_histogram.h"

namespace uproar::bench {

struct TrafficResult {
  std::string name;
  std::uint64_t publishes = 0;   // sent while measuring
  std::uint64_t deliveries = 0;  // while measuring
  std::uint64_t acked = 0;       // stored: acknowledgements while measuring
  LatencyHistogram delivery =
      {};  // of publishes due in the measured time, from when they were sent or due
  LatencyHistogram ack = {};  // stored: the same, until the acknowledgement
  std::uint64_t late = 0;     // publishes due in it that not everybody had within 50 ms
};

class Measurement {
 public:
  // `names`: of the traffics, which are numbered in their order.
  explicit Measurement(const std::vector<std::string>& names);

  // Both once, in this order. Times are nanoseconds of the monotonic clock.
  void begin(std::int64_t now_ns) { begin_ns_ = now_ns; }
  void end(std::int64_t now_ns) { end_ns_ = now_ns; }
  [[nodiscard]] bool is_under_way() const { return begin_ns_ != kNever && end_ns_ == kNever; }

  void published(std::uint32_t traffic);
  void delivered(std::uint32_t traffic, const DeliveryLedger::Outcome& outcome,
                 std::int64_t now_ns);
  void acknowledged(std::uint32_t traffic, std::int64_t due_ns, std::int64_t now_ns);

  [[nodiscard]] const std::vector<TrafficResult>& traffic() const { return traffic_; }
  [[nodiscard]] std::uint64_t deliveries() const;

 private:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  [[nodiscard]] bool holds(std::int64_t ns) const { return ns >= begin_ns_ && ns < end_ns_; }

  std::vector<TrafficResult> traffic_;
  std::int64_t begin_ns_ = kNever;
  std::int64_t end_ns_ = kNever;
};

}  // namespace uproar::bench
