#pragma once

// What a run of the load tool found out. Times are nanoseconds where nothing else is said.

#include <cstdint>
#include <string>
#include <vector>

#include "bench/load/latency_histogram.h"
#include "bench/load/measurement.h"
#include "bench/load/process_cost.h"

namespace uproar::bench {

struct MemoryReading {
  std::uint32_t clients = 0;
  Memory memory;
};

// How often something happened, and what the first of them said.
struct Occurrences {
  std::uint64_t count = 0;
  std::string first;
};

struct StormResult {
  Occurrences turned_away;     // were told an error before they were in again, and tried again
  LatencyHistogram reconnect;  // from the cut to being in the room again
  double seconds = 0;          // until the last one was
  double load_busy = 0;        // share of that time in which this tool had work
  CpuTime server_cpu;          // in that time; 0 without a pid
};

struct RunResult {
  std::int64_t begin_ns = 0;  // of the measured time, by the monotonic clock
  double seconds = 0;         // measured
  std::vector<TrafficResult> traffic;
  StormResult storm;
  std::uint64_t lost = 0;
  std::uint64_t repeated = 0;
  std::uint64_t unknown = 0;       // were never published, or not in that room
  std::uint64_t missing = 0;       // owed when the run ended
  std::uint64_t missing_acks = 0;  // the same of acknowledgements
  std::uint64_t strange_acks = 0;  // of nothing that waited for one
  Occurrences refused;             // the server said that it does not do what it was told
  Occurrences ended;               // clients whose connection the server ended
  Occurrences retried;   // handshakes that were refused, reset or not answered, and made again
  double load_busy = 0;  // share of the measured time in which this tool had work
  std::uint64_t received_bytes = 0;
  std::uint64_t heartbeats = 0;       // said while measuring
  CpuTime server_cpu;                 // while measuring; 0 without a pid
  Memory server_memory_before;        // before the first client
  std::vector<MemoryReading> memory;  // on the way, the first at no clients
  Memory server_memory;               // with all of them, at the end of the measured time
  std::string server_fault;           // the process could not be read: its figures are none

  [[nodiscard]] std::uint64_t deliveries() const {
    std::uint64_t sum = 0;
    for (const TrafficResult& one : traffic) sum += one.deliveries;
    return sum;
  }
  // Something was not delivered or answered as it must be.
  [[nodiscard]] bool has_faults() const {
    return lost + repeated + unknown + missing + missing_acks + strange_acks + refused.count > 0 ||
           !server_fault.empty();
  }
};

}  // namespace uproar::bench
