#pragma once

// One run of a scenario against a server that is already there: connect, join, warm up, measure, wait for what is owed, report.
// Hot path: on_payload() per delivery. Allocations: 0 in the steady state.
//
// Closed loop: a publish takes the place of one that everybody has got. Open loop: publish k is due at start + k / rate whatever
// the server does, and its latency counts from then, so that a stall is not left out of the figures.

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/load/client_rings.h"
#include "bench/load/client_tokens.h"
#include "bench/load/delivery_ledger.h"
#include "bench/load/heartbeat_schedule.h"
#include "bench/load/latency_histogram.h"
#include "bench/load/open_loop.h"
#include "bench/load/process_cost.h"
#include "bench/load/scenario.h"
#include "bench/load/target.h"
#include "bench/load/world.h"

namespace uproar::bench {

struct TrafficResult {
  std::string name;
  std::uint64_t publishes = 0;     // sent while measuring
  std::uint64_t deliveries = 0;    // while measuring
  LatencyHistogram delivery = {};  // of each of them, from when its publish was sent or due
  LatencyHistogram ack = {};       // stored: publish to acknowledgement
  std::uint64_t behind_max = 0;    // open loop: the most publishes that were not complete at once
  std::uint64_t late = 0;          // publishes that not everybody had within 50 ms
};

struct MemoryReading {
  std::uint32_t clients = 0;
  Memory memory;
};

struct RunResult {
  std::int64_t begin_ns = 0;  // of the measured time, by the monotonic clock
  double seconds = 0;         // measured
  std::vector<TrafficResult> traffic;
  LatencyHistogram reconnect;    // storm: from the cut to being in the room again
  double reconnect_seconds = 0;  // until the last one was
  std::uint64_t lost = 0;
  std::uint64_t repeated = 0;
  std::uint64_t missing = 0;  // owed when the run ended
  std::uint64_t ended = 0;    // clients whose connection the server ended
  std::string first_end;      // why, of the first of them
  double load_busy = 0;       // share of the measured time in which this tool had work
  std::uint64_t received_bytes = 0;
  std::uint64_t heartbeats = 0;       // said while measuring
  CpuTime server_cpu;                 // while measuring; 0 without a pid
  Memory server_memory_before;        // before the first client
  std::vector<MemoryReading> memory;  // on the way, the first at no clients
  Memory server_memory;               // with all of them, at the end of the measured time

  [[nodiscard]] std::uint64_t deliveries() const;
};

class LoadRun final : private ClientSink {
 public:
  struct Options {
    std::uint16_t port = 0;
    pid_t server_pid = 0;  // 0: unknown
    std::string auth_key;  // for $token
    bool progress = false;
  };
  // `scenario` and `target` outlive it.
  LoadRun(const Scenario& scenario, const Target& target, Options options);

  // Both end the program when the server refuses clients or there is no headway for half a minute.
  // REQUIRES: make_world() or use_world() came before where the target has groups.
  [[nodiscard]] RunResult run();
  // Introduces a user for each client and makes their conversations; nobody is connected afterwards.
  const World& make_world();
  // One that an earlier life of the server has. REQUIRES: it has the scenario's shape.
  void use_world(World world);

 private:
  // Handshakes under way: below any listener's backlog.
  static constexpr std::uint32_t kOpeningMax = 128;

  enum class Seat : std::uint8_t { kOut, kConnecting, kReady, kIn };
  struct Room {
    std::uint32_t traffic = 0;
    std::uint32_t first_client = 0;
    std::uint32_t members = 0;
    std::string name;          // or the conversation's id
    std::uint32_t seated = 0;  // of its members, while conversations are made
  };
  struct Refused {  // a room whose command is to be said again
    std::uint32_t room = 0;
    std::int64_t due_ns = 0;
  };
  struct Lane {  // what drives one traffic
    std::uint32_t first_room = 0;
    std::uint32_t next_room = 0;  // publishes go round the rooms, then round their publishers
    std::uint32_t next_publisher = 0;
    std::size_t marker_offset = 0;
    OpenLoop open_loop = {};
    std::uint64_t sent = 0;  // of the open loop
  };
  struct Waiting {  // stored publishes without an acknowledgement, by $n
    std::int64_t sent_ns = 0;
    std::uint32_t traffic = 0;
  };

  void on_open(std::uint32_t client) override;
  void on_payload(std::uint32_t client, std::string_view payload, std::int64_t now_ns) override;
  void on_end(std::uint32_t client, ClientEnd end, std::string_view reason) override;

  [[nodiscard]] static std::vector<DeliveryLedger::Room> seats_of(const Scenario& scenario);
  [[nodiscard]] static std::vector<std::uint32_t> clients_of(const Scenario& scenario);
  void seat_clients();
  void come_all();
  void come_in_steps();
  // Once it stands still, after a quarter of a minute in any case.
  [[nodiscard]] Memory settled_memory();
  // Every client that is out and that `wanted` names comes in; `opening_max` handshakes under way.
  void bring_in(const char* what, std::uint32_t opening_max,
                const std::function<bool(std::uint32_t client)>& wanted);
  void connect(std::uint32_t client);
  void send_away();
  void on_seat_payload(std::uint32_t client, std::string_view payload, std::int64_t now_ns);
  void come_in(std::uint32_t client, std::int64_t now_ns);
  [[nodiscard]] PlaceholderValues values_of(std::uint32_t client);
  void grow_group(Room& room);
  void ask_again();
  void on_group_payload(std::uint32_t client, std::string_view payload);
  void on_delivery(std::uint32_t client, PublishName name, std::int64_t now_ns);
  void on_ack(std::string_view rest, std::int64_t now_ns);
  void publish(std::uint32_t room, std::uint32_t publisher, std::int64_t due_ns);
  void publish_next(std::uint32_t traffic, std::int64_t due_ns);
  void begin_publishing();
  void publish_due(std::int64_t now_ns);
  void say_heartbeats(std::int64_t now_ns);
  void storm();
  // Turns until `done`; ends the program when there is no headway for half a minute.
  void turn_until(const char* what, const std::function<bool()>& done);
  void turn_for(double seconds, const char* what);
  void turn();
  // Whether anybody speaks at all.
  [[nodiscard]] bool is_idle() const;

  const Scenario& scenario_;
  const Target& target_;
  Options options_;
  ClientRings rings_;
  DeliveryLedger ledger_;
  HeartbeatSchedule heartbeats_;
  std::vector<Seat> seats_;
  std::vector<std::uint32_t> room_of_;
  std::vector<std::int64_t> cut_ns_;
  std::optional<ClientTokens> tokens_;
  World world_;
  std::vector<Room> rooms_;
  std::vector<Lane> lanes_;
  std::vector<Waiting> waiting_;  // by $n % its size
  std::uint64_t next_n_ = 0;
  std::uint32_t opening_ = 0;
  std::uint32_t in_ = 0;
  std::uint32_t rooms_made_ = 0;
  std::deque<Refused> refused_;
  bool making_world_ = false;
  bool publishing_ = false;
  bool measuring_ = false;
  std::int64_t busy_ns_ = 0;
  std::int64_t moved_ns_ = 0;  // last time that a client came or went, or a room was made
  std::string text_;
  std::string data_;
  std::string number_;
  std::string client_number_;
  RunResult result_;
};

}  // namespace uproar::bench
