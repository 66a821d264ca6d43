#pragma once

// A run's result for people (a table on standard output) and for programs (JSON).

#include <string>

#include "bench/load/load_run.h"

namespace uproar::bench {

void print_result(const Scenario& scenario, const Target& target, const RunResult& result);

// Shape: {"scenario", "target", "clients", "seconds", "traffic": [{"name", "publishes", "deliveries", "deliveries_per_second",
// "delivery_us": {"p50", "p90", "p99", "p99.9", "max", "mean"}, "ack_us": {…}, "behind_max"}], "lost", "repeated", "missing",
// "ended", "first_end", "load_busy", "received_bytes", "heartbeats",
// "memory": [{"clients", "rss_bytes", "pss_bytes", "anonymous_bytes"}], "server": {"cpu_us_per_delivery", "cpu_cores",
// "shard_cpu_us_per_delivery", "rss_bytes_before", "rss_bytes"}, "reconnect_us": {…}, "reconnect_seconds"}. False: the file cannot be written.
[[nodiscard]] bool write_result(const std::string& path, const Scenario& scenario,
                                const Target& target, const RunResult& result);

}  // namespace uproar::bench
