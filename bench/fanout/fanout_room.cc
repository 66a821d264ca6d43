// One room, one shard: CPU per delivery of the server, and of a bare send() loop over as many sockets, in turns.
//
// Core 0 has the server and the floor, one of them busy at a time; core 1 has this program, a reader that never sleeps.
// Everything is over loopback, so the sender's core also runs the receivers' TCP: in both alike.

#include <sys/utsname.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bench/client/arguments.h"
#include "bench/client/process.h"
#include "bench/client/room.h"
#include "bench/fanout/delivery_check.h"
#include "bench/fanout/floor.h"
#include "bench/fanout/report.h"

namespace uproar::bench {
namespace {

enum class Source : std::uint8_t { kEvent, kMessage, kFloor };

struct Cell {
  const char* name;
  const char* what;
  Source source;
  std::uint32_t in_flight;  // publishes that not everybody has yet; the floor: frames of one pass
  const char* frame_of;     // floor: the cell whose frames it sends; nullptr: kBareBytes
  const char* floor;        // what the cell is compared with
};

constexpr std::size_t kBareBytes = 132;  // 128 bytes and a frame header

// Each cell stands beside the one it is compared with, so that the pair sees the same minute.
constexpr Cell kCells[] = {
    {"event", "event.publish, one in flight", Source::kEvent, 1, nullptr, "floor-event"},
    {"floor-event", "send() loop, frames as event's", Source::kFloor, 1, "event", nullptr},
    {"floor-132", "send() loop, 128 + 4 bytes", Source::kFloor, 1, nullptr, nullptr},
    {"floor-message", "send() loop, frames as message's", Source::kFloor, 1, "message", nullptr},
    {"message", "message.send (stored), one in flight", Source::kMessage, 1, nullptr,
     "floor-message"},
    {"event-16", "event.publish, sixteen in flight", Source::kEvent, 16, nullptr, "floor-16"},
    {"floor-16", "send() loop, sixteen frames as event's in one send", Source::kFloor, 16, "event",
     nullptr},
    {"message-16", "message.send (stored), sixteen in flight", Source::kMessage, 16, nullptr,
     "floor-16"},
};

struct Options {
  std::string server;
  std::uint32_t clients = 1000;
  std::uint32_t rounds = 20;
  std::uint32_t publishes = 100;  // of one cell in one round
  std::uint32_t payload_bytes = 128;
  std::string json;
  std::string work_folder = "/tmp";
  std::string only;  // names of cells, comma-separated
  bool show_log = false;
  std::uint32_t hold_s = 0;  // before the first round: time to attach a profiler
};

class Bench {
 public:
  explicit Bench(const Options& options)
      : options_(options),
        folder_(options.work_folder),
        floor_(0),
        server_({.binary = options.server,
                 .folder = folder_.path(),
                 .core = 0,
                 .flags = unlimited_flags()}),
        users_(make_users(options.clients, server_.key())),
        check_(options.clients),
        floor_check_(options.clients) {}

  void set_up() {
    Lobby lobby;
    sign_in(pool_, server_.port(), users_, lobby, 0, options_.clients);
    room_ = make_groups(pool_, users_, lobby, options_.clients).front();
    // Live traffic is held for a quarter of a second after session.ready; then all hear at once.
    pool_.drain(lobby, 1000);
    floor_.accept(options_.clients);
    floor_pool_.open(floor_.port(), std::vector<std::string>(options_.clients), floor_check_);
    std::printf("server pid %d, floor pid %d, %u members, conversation %s\n", server_.pid(),
                floor_.pid(), options_.clients, room_.c_str());
    std::fflush(stdout);
    for (const Cell& cell : kCells) {
      if (!wanted(cell)) continue;
      reports_.push_back(
          {.name = cell.name, .what = cell.what, .floor = cell.floor == nullptr ? "" : cell.floor});
      cells_.push_back(&cell);
    }
    // The frames that the floor copies; also warms everything up.
    event_frame_ = sample_of(Source::kEvent);
    message_frame_ = sample_of(Source::kMessage);
    bare_frame_ = std::string("\x81\x7e\x00\x80", 4) + numbered_text(0, kBareBytes - 4);
  }

  void run() {
    for (std::uint32_t round = 0; round < options_.rounds; ++round) {
      for (std::size_t i = 0; i < cells_.size(); ++i) {
        const std::size_t at = round % 2 == 0 ? i : cells_.size() - 1 - i;
        reports_[at].samples.push_back(run_cell(*cells_[at], reports_[at]));
      }
    }
    pool_.drain(check_, 300);  // what comes late would be a double
  }

  // True when every reader got everything once and in order.
  bool report() const {
    print_table(reports_);
    const bool whole = check_.faults() == 0 && floor_check_.faults() == 0 &&
                       check_.complete() == number_ &&
                       check_.deliveries() == number_ * options_.clients;
    std::printf(
        "\n%llu deliveries by the server, %llu by the floor; lost, doubled or out of order: %llu "
        "and %llu%s\n",
        static_cast<unsigned long long>(check_.deliveries()),
        static_cast<unsigned long long>(floor_check_.deliveries()),
        static_cast<unsigned long long>(check_.faults()),
        static_cast<unsigned long long>(floor_check_.faults()), whole ? "" : "  NOT WHOLE");
    if (!options_.json.empty()) write_json(options_.json, facts(), reports_);
    if (options_.show_log) std::printf("%s", server_.log_text().c_str());
    return whole;
  }

  void hold() const {
    if (options_.hold_s > 0) std::this_thread::sleep_for(std::chrono::seconds(options_.hold_s));
  }

 private:
  bool wanted(const Cell& cell) const {
    if (options_.only.empty()) return true;
    return ("," + options_.only + ",").find("," + std::string(cell.name) + ",") !=
           std::string::npos;
  }

  [[nodiscard]] std::string command(Source source, std::uint64_t number) const {
    const std::string id = R"(","conversation_id":")" + room_ + '"';
    if (source == Source::kEvent) {
      // The value is a string: its quotes count.
      return R"({"type":"event.publish)" + id + R"(,"name":"tick","data":")" +
             numbered_text(number, options_.payload_bytes - 2) + "\"}";
    }
    return R"({"type":"message.send)" + id + R"(,"client_id":"c)" + std::to_string(number) +
           R"(","content":")" + numbered_text(number, options_.payload_bytes) + "\"}";
  }

  // Until everything up to `until` has reached everybody.
  void await(ClientPool& pool, DeliveryCheck& check, std::uint64_t until) const {
    std::int64_t progress = monotonic_ns();
    while (check.complete() < until) {
      if (pool.poll(check)) {
        progress = monotonic_ns();
      } else if (monotonic_ns() - progress > 20'000'000'000) {
        die("lost: number " + std::to_string(check.complete()) +
            " has not reached everybody in 20 s\n" + server_.log_text());
      }
    }
  }

  std::string sample_of(Source source) {
    for (int i = 0; i < 20; ++i) {
      check_.take_sample();
      pool_.send_text(0, command(source, number_++));
      await(pool_, check_, number_);
    }
    return check_.sample();
  }

  Sample run_cell(const Cell& cell, CellReport& report) {
    const bool is_floor = cell.source == Source::kFloor;
    ClientPool& pool = is_floor ? floor_pool_ : pool_;
    DeliveryCheck& check = is_floor ? floor_check_ : check_;
    if (is_floor) {
      const std::string& frame = cell.frame_of == nullptr                     ? bare_frame_
                                 : std::string_view(cell.frame_of) == "event" ? event_frame_
                                                                              : message_frame_;
      floor_.set_frame(frame);
      report.frame_bytes = frame.size();
    } else {
      report.frame_bytes =
          cell.source == Source::kEvent ? event_frame_.size() : message_frame_.size();
    }
    const pid_t pid = is_floor ? floor_.pid() : server_.pid();
    // Each cell and round has another publisher, so that nobody's rate is the limit.
    publisher_ = (publisher_ + 1) % options_.clients;
    const std::uint32_t publishes =
        (options_.publishes * std::min(cell.in_flight, 4U) + cell.in_flight - 1) / cell.in_flight *
        cell.in_flight;

    const CpuTime cpu_before = settled_cpu_time(pid);
    const std::int64_t busy_before = pool.busy_ns();
    const std::uint64_t deliveries_before = check.deliveries();
    const std::int64_t begin = monotonic_ns();
    std::vector<double> latencies;
    if (is_floor) {
      for (std::uint32_t i = 0; i < publishes; i += cell.in_flight) {
        const std::int64_t sent = monotonic_ns();
        floor_.pass(floor_number_, cell.in_flight);
        floor_number_ += cell.in_flight;
        await(pool, check, floor_number_);
        latencies.push_back(static_cast<double>(monotonic_ns() - sent) / 1000);
      }
    } else {
      const std::uint64_t first = number_;
      std::vector<std::int64_t> sent(publishes);
      for (std::uint32_t i = 0; i < publishes; ++i) {
        if (i >= cell.in_flight) {
          await(pool, check, first + i - cell.in_flight + 1);
          latencies.push_back(static_cast<double>(monotonic_ns() - sent[i - cell.in_flight]) /
                              1000);
        }
        sent[i] = monotonic_ns();
        pool.send_text(publisher_, command(cell.source, number_++));
      }
      await(pool, check, number_);
    }
    const std::int64_t wall = monotonic_ns() - begin;
    const CpuTime cpu = settled_cpu_time(pid) - cpu_before;
    const auto deliveries = static_cast<double>(check.deliveries() - deliveries_before);
    return {.total_us = static_cast<double>(cpu.total_ns) / 1000 / deliveries,
            .shard_us = static_cast<double>(cpu.shard_ns) / 1000 / deliveries,
            .per_second = deliveries * 1e9 / static_cast<double>(wall),
            .reader_busy =
                static_cast<double>(pool.busy_ns() - busy_before) / static_cast<double>(wall),
            .latency_us = latencies.empty() ? 0 : median_of(latencies)};
  }

  [[nodiscard]] std::vector<std::pair<std::string, std::string>> facts() const {
    utsname name{};
    ::uname(&name);
    return {{"clients", std::to_string(options_.clients)},
            {"rounds", std::to_string(options_.rounds)},
            {"publishes", std::to_string(options_.publishes)},
            {"payload_bytes", std::to_string(options_.payload_bytes)},
            {"kernel", '"' + std::string(name.release) + '"'},
            {"compiler", '"' + std::string(__VERSION__) + '"'},
            {"deliveries", std::to_string(check_.deliveries())},
            {"faults", std::to_string(check_.faults() + floor_check_.faults())}};
  }

  Options options_;
  ScratchFolder folder_;
  Floor floor_;
  ServerProcess server_;
  Users users_;
  DeliveryCheck check_;
  DeliveryCheck floor_check_;
  ClientPool pool_;
  ClientPool floor_pool_;
  std::string room_;
  std::vector<const Cell*> cells_;
  std::vector<CellReport> reports_;
  std::string event_frame_;
  std::string message_frame_;
  std::string bare_frame_;
  std::uint64_t number_ = 0;
  std::uint64_t floor_number_ = 0;
  std::uint32_t publisher_ = 0;
};

constexpr const char* kUsage =
    "bench_fanout_room --server PATH [--clients 1000] [--rounds 20] [--publishes 100] "
    "[--payload-bytes 128]\n"
    "                  [--only CELL,CELL] [--json FILE] [--work-folder /tmp] [--hold SECONDS] "
    "[--log] [--quick]\n"
    "--quick: 100 clients, one round; only whether everybody was served counts.\n";

Options read_options(int argc, char** argv) {
  Options options;
  Arguments arguments(argc, argv, kUsage);
  if (arguments.flag("--quick")) {
    options.clients = 100;
    options.rounds = 1;
    options.publishes = 20;
  }
  options.show_log = arguments.flag("--log");
  arguments.read("--server", options.server);
  arguments.read("--clients", options.clients);
  arguments.read("--rounds", options.rounds);
  arguments.read("--publishes", options.publishes);
  arguments.read("--payload-bytes", options.payload_bytes);
  arguments.read("--only", options.only);
  arguments.read("--json", options.json);
  arguments.read("--work-folder", options.work_folder);
  arguments.read("--hold", options.hold_s);
  arguments.finish(!options.server.empty() && options.clients >= 2 && options.clients <= 1000 &&
                   options.payload_bytes >= 32);
  return options;
}

int main_program(int argc, char** argv) {
  const Options options = read_options(argc, argv);
  raise_descriptor_limit();
  pin_to_core(1);
  auto bench = std::make_unique<Bench>(options);
  bench->set_up();
  bench->hold();
  bench->run();
  return bench->report() ? 0 : 1;
}

}  // namespace
}  // namespace uproar::bench

int main(int argc, char** argv) {
  return uproar::bench::main_program(argc, argv);
}
