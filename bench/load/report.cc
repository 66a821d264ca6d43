#include "bench/load/report.h"

#include <cstdio>

namespace uproar::bench {
namespace {

double us(std::uint64_t ns) {
  return static_cast<double>(ns) / 1000;
}

double per_delivery_us(std::uint64_t ns, const RunResult& result) {
  const std::uint64_t deliveries = result.deliveries();
  return deliveries == 0 ? 0 : us(ns) / static_cast<double>(deliveries);
}

double reconnect_cpu_us(const RunResult& result) {
  const std::uint64_t came_back = result.storm.reconnect.count();
  return came_back == 0 ? 0 : us(result.storm.server_cpu.total_ns) / static_cast<double>(came_back);
}

double cores(const RunResult& result) {
  return static_cast<double>(result.server_cpu.total_ns) / 1e9 / result.seconds;
}

void print_latency(const char* what, const LatencyHistogram& latency) {
  if (latency.count() == 0) return;
  std::printf("  %-22s p50 %9.1f   p90 %9.1f   p99 %9.1f   p99.9 %9.1f   max %9.1f us\n", what,
              us(latency.quantile_ns(0.5)), us(latency.quantile_ns(0.9)),
              us(latency.quantile_ns(0.99)), us(latency.quantile_ns(0.999)), us(latency.max_ns()));
}

void write_latency(std::FILE* out, const char* name, const LatencyHistogram& latency) {
  std::fprintf(
      out,
      "\"%s\":{\"count\":%llu,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p99.9\":%.1f,\"max\":%.1f,"
      "\"mean\":%.1f}",
      name, static_cast<unsigned long long>(latency.count()), us(latency.quantile_ns(0.5)),
      us(latency.quantile_ns(0.9)), us(latency.quantile_ns(0.99)), us(latency.quantile_ns(0.999)),
      us(latency.max_ns()), latency.mean_ns() / 1000);
}

double growth_per_client(const MemoryReading& reading, const MemoryReading& from) {
  return (static_cast<double>(reading.memory.rss_bytes) -
          static_cast<double>(from.memory.rss_bytes)) /
         static_cast<double>(reading.clients - from.clients);
}

void print_memory(const std::vector<MemoryReading>& readings) {
  if (readings.empty()) return;
  std::printf("%10s %10s %10s %14s %18s\n", "clients", "Rss KiB", "Pss KiB", "anonymous KiB",
              "bytes per client");
  for (const MemoryReading& one : readings) {
    std::printf("%10u %10llu %10llu %14llu", one.clients,
                static_cast<unsigned long long>(one.memory.rss_bytes / 1024),
                static_cast<unsigned long long>(one.memory.pss_bytes / 1024),
                static_cast<unsigned long long>(one.memory.anonymous_bytes / 1024));
    if (one.clients > 0) std::printf(" %18.0f", growth_per_client(one, readings.front()));
    std::printf("\n");
  }
}

void write_memory(std::FILE* out, const std::vector<MemoryReading>& readings) {
  std::fprintf(out, "\"memory\":[");
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const MemoryReading& one = readings[i];
    std::fprintf(
        out, "%s{\"clients\":%u,\"rss_bytes\":%llu,\"pss_bytes\":%llu,\"anonymous_bytes\":%llu}",
        i > 0 ? "," : "", one.clients, static_cast<unsigned long long>(one.memory.rss_bytes),
        static_cast<unsigned long long>(one.memory.pss_bytes),
        static_cast<unsigned long long>(one.memory.anonymous_bytes));
  }
  std::fprintf(out, "],");
}

void print_occurrences(const char* what, const Occurrences& occurrences) {
  if (occurrences.count == 0) return;
  std::printf("%s: %llu, first %s\n", what, static_cast<unsigned long long>(occurrences.count),
              occurrences.first.c_str());
}

// Reasons come from a peer.
std::string json_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x7F) out += c;
  }
  return out;
}

void write_occurrences(std::FILE* out, const char* count, const char* first,
                       const Occurrences& occurrences) {
  std::fprintf(out, "\"%s\":%llu,\"%s\":\"%s\",", count,
               static_cast<unsigned long long>(occurrences.count), first,
               json_text(occurrences.first).c_str());
}

}  // namespace

void print_result(const Scenario& scenario, const Target& target, const RunResult& result) {
  std::printf("%s against %s: %u clients, %.1f s\n", scenario.name.c_str(), target.name.c_str(),
              scenario.clients(), result.seconds);
  for (const TrafficResult& one : result.traffic) {
    std::printf("%s: %llu publishes, %llu deliveries, %.0f a second\n", one.name.c_str(),
                static_cast<unsigned long long>(one.publishes),
                static_cast<unsigned long long>(one.deliveries),
                static_cast<double>(one.deliveries) / result.seconds);
    print_latency("publish to delivery", one.delivery);
    print_latency("publish to ack", one.ack);
  }
  if (result.storm.reconnect.count() > 0) {
    std::printf("all back after %.2f s, in which this tool had work for %.0f %%\n",
                result.storm.seconds, result.storm.load_busy * 100);
    print_latency("cut to back", result.storm.reconnect);
    if (reconnect_cpu_us(result) > 0)
      std::printf("server: %.1f us of CPU per reconnect\n", reconnect_cpu_us(result));
    print_occurrences("turned away on their way back", result.storm.turned_away);
  }
  if (result.heartbeats > 0)
    std::printf("%llu heartbeats\n", static_cast<unsigned long long>(result.heartbeats));
  if (result.server_memory.rss_bytes > 0) {
    std::printf("server: %.3f us of CPU per delivery, %.3f cores, %.1f MiB (%.1f before)\n",
                per_delivery_us(result.server_cpu.total_ns, result), cores(result),
                static_cast<double>(result.server_memory.rss_bytes) / 1048576,
                static_cast<double>(result.server_memory_before.rss_bytes) / 1048576);
  }
  print_memory(result.memory);
  std::printf("lost %llu, repeated %llu, unknown %llu, missing %llu",
              static_cast<unsigned long long>(result.lost),
              static_cast<unsigned long long>(result.repeated),
              static_cast<unsigned long long>(result.unknown),
              static_cast<unsigned long long>(result.missing));
  std::printf("; acknowledgements missing %llu, strange %llu\n",
              static_cast<unsigned long long>(result.missing_acks),
              static_cast<unsigned long long>(result.strange_acks));
  print_occurrences("commands that the server refused", result.refused);
  print_occurrences("connections ended by the server", result.ended);
  print_occurrences("handshakes made again", result.retried);
  if (!result.server_fault.empty())
    std::printf("no figures of the server: %s\n", result.server_fault.c_str());
  std::printf("this tool had work for %.0f %% of the time\n", result.load_busy * 100);
}

bool write_result(const std::string& path, const Scenario& scenario, const Target& target,
                  const RunResult& result) {
  std::FILE* out = std::fopen(path.c_str(), "w");
  if (out == nullptr) return false;
  std::fprintf(
      out,
      "{\"scenario\":\"%s\",\"target\":\"%s\",\"clients\":%u,\"begin_ns\":%lld,\"seconds\":%.3f,"
      "\"traffic\":[",
      json_text(scenario.name).c_str(), json_text(target.name).c_str(), scenario.clients(),
      static_cast<long long>(result.begin_ns), result.seconds);
  for (std::size_t i = 0; i < result.traffic.size(); ++i) {
    const TrafficResult& one = result.traffic[i];
    std::fprintf(
        out,
        "%s{\"name\":\"%s\",\"publishes\":%llu,\"deliveries\":%llu,\"deliveries_per_second\":%.1f,"
        "\"acked\":%llu,\"late\":%llu,",
        i > 0 ? "," : "", json_text(one.name).c_str(),
        static_cast<unsigned long long>(one.publishes),
        static_cast<unsigned long long>(one.deliveries),
        static_cast<double>(one.deliveries) / result.seconds,
        static_cast<unsigned long long>(one.acked), static_cast<unsigned long long>(one.late));
    write_latency(out, "delivery_us", one.delivery);
    std::fprintf(out, ",");
    write_latency(out, "ack_us", one.ack);
    std::fprintf(out, "}");
  }
  std::fprintf(out,
               "],\"lost\":%llu,\"repeated\":%llu,\"unknown\":%llu,\"missing\":%llu,"
               "\"missing_acks\":%llu,\"strange_acks\":%llu,",
               static_cast<unsigned long long>(result.lost),
               static_cast<unsigned long long>(result.repeated),
               static_cast<unsigned long long>(result.unknown),
               static_cast<unsigned long long>(result.missing),
               static_cast<unsigned long long>(result.missing_acks),
               static_cast<unsigned long long>(result.strange_acks));
  write_occurrences(out, "refused", "first_refused", result.refused);
  write_occurrences(out, "ended", "first_end", result.ended);
  write_occurrences(out, "retried", "first_retried", result.retried);
  write_occurrences(out, "turned_away", "first_turned_away", result.storm.turned_away);
  std::fprintf(out, "\"load_busy\":%.4f,\"received_bytes\":%llu,\"heartbeats\":%llu,",
               result.load_busy, static_cast<unsigned long long>(result.received_bytes),
               static_cast<unsigned long long>(result.heartbeats));
  write_memory(out, result.memory);
  write_latency(out, "reconnect_us", result.storm.reconnect);
  std::fprintf(out,
               ",\"reconnect_seconds\":%.3f,\"storm_busy\":%.4f,\"server_error\":\"%s\","
               "\"server\":{\"cpu_us_per_delivery\":%.4f,\"shard_cpu_us_per_delivery\":%.4f,"
               "\"cpu_cores\":%.4f,\"reconnect_cpu_us\":%.3f,\"rss_bytes_before\":%llu,"
               "\"rss_bytes\":%llu}}\n",
               result.storm.seconds, result.storm.load_busy, json_text(result.server_fault).c_str(),
               per_delivery_us(result.server_cpu.total_ns, result),
               per_delivery_us(result.server_cpu.shard_ns, result), cores(result),
               reconnect_cpu_us(result),
               static_cast<unsigned long long>(result.server_memory_before.rss_bytes),
               static_cast<unsigned long long>(result.server_memory.rss_bytes));
  return std::fclose(out) == 0;
}

}  // namespace uproar::bench
