#pragma once

// A run's result for people (a table on standard output) and for programs (JSON).

#include <string>

#include "bench/load/run_result.h"
#include "bench/load/scenario.h"
#include "bench/load/target.h"

namespace uproar::bench {

void print_result(const Scenario& scenario, const Target& target, const RunResult& result);

// Shape; times are microseconds where the name says so, LATENCIES is {"count", "p50", "p90", "p99", "p99.9", "max", "mean"}:
//   {"scenario", "target", "clients", "begin_ns", "seconds",
//    "traffic": [{"name", "publishes", "deliveries", "deliveries_per_second", "acked", "late",
//                 "delivery_us": LATENCIES, "ack_us": LATENCIES}],
//    "lost", "repeated", "unknown", "missing", "missing_acks", "strange_acks", "refused", "first_refused",
//    "ended", "first_end", "retried", "first_retried", "load_busy", "received_bytes", "heartbeats",
//    "memory": [{"clients", "rss_bytes", "pss_bytes", "anonymous_bytes"}],
//    "reconnect_us": LATENCIES, "reconnect_seconds", "storm_busy", "server_error",
//    "server": {"cpu_us_per_delivery", "shard_cpu_us_per_delivery", "cpu_cores", "reconnect_cpu_us", "rss_bytes_before",
//               "rss_bytes"}}
// What each is stands in run_result.h and measurement.h. False: the file cannot be written.
[[nodiscard]] bool write_result(const std::string& path, const Scenario& scenario,
                                const Target& target, const RunResult& result);

}  // namespace uproar::bench
