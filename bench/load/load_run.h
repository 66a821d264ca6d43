#pragma once

// One run of a scenario against a server that is already there: connect, join, warm up, measure, wait for what is owed, report.
// Hot path: on_payload() per delivery. Allocations: 0 in the steady state.
//
// Closed loop: a publish takes the place of one that everybody has got. Open loop: publish k is due at start + k / rate whatever
// the server does, and its latency counts from then, so that a stall is not left out of the figures.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/load/ack_ledger.h"
#include "bench/load/arrivals.h"
#include "bench/load/client_rings.h"
#include "bench/load/client_tokens.h"
#include "bench/load/delivery_ledger.h"
#include "bench/load/heartbeat_schedule.h"
#include "bench/load/measurement.h"
#include "bench/load/publish_plan.h"
#include "bench/load/resume_book.h"
#include "bench/load/run_result.h"
#include "bench/load/scenario.h"
#include "bench/load/server_watch.h"
#include "bench/load/target.h"
#include "bench/load/world.h"
#include "bench/load/world_maker.h"

namespace uproar::bench {

class LoadRun final : private ClientSink {
 public:
  struct Options {
    std::vector<std::uint16_t> ports;  // clients take them in turn
    std::vector<pid_t> server_pids;    // none: unknown
    std::string auth_key;              // for $token
    bool progress = false;
    bool gives_way = false;  // sleeps when there is nothing to do: others run on its processor
  };
  // `scenario` and `target` outlive it.
  LoadRun(const Scenario& scenario, const Target& target, Options options);

  // Both end the program when the server refuses clients for good or there is no headway for half a minute.
  // REQUIRES: make_world() or use_world() came before where the target has groups.
  [[nodiscard]] RunResult run();
  // Introduces a user for each client and makes their conversations; nobody is connected afterwards.
  const World& make_world();
  // One that an earlier life of the server has. REQUIRES: it has the scenario's shape.
  void use_world(World world);

 private:
  // Handshakes under way: below any listener's backlog.
  static constexpr std::uint32_t kOpeningMax = 128;

  // kResuming: its cursor was said; what comes counts as heard.
  enum class Seat : std::uint8_t { kOut, kConnecting, kReady, kResuming, kIn };
  struct Room {
    std::uint32_t traffic = 0;
    std::uint32_t first_client = 0;
    std::uint32_t members = 0;
    std::string name;  // or the conversation's id
  };

  void on_open(std::uint32_t client) override;
  void on_payload(std::uint32_t client, std::string_view payload, std::int64_t now_ns) override;
  void on_end(std::uint32_t client, ClientEnd end, std::string_view reason) override;

  // --- load_run_seats.cc: who is in
  void seat_clients();
  void come_all();
  void come_in_steps();
  [[nodiscard]] Memory settled_memory();
  // Every client that is out and that `wanted` names comes in; `opening_max` handshakes under way.
  void bring_in(const char* what, std::uint32_t opening_max,
                const std::function<bool(std::uint32_t client)>& wanted);
  // True: one or more were begun or given up.
  bool let_in(std::int64_t now_ns);
  [[nodiscard]] std::string handshake_of(std::uint32_t client, bool comes_back = false);
  void connect(std::uint32_t client);
  void on_seat_payload(std::uint32_t client, std::string_view payload, std::int64_t now_ns);
  void come_in(std::uint32_t client, std::int64_t now_ns);
  void on_end_of_handshake(std::uint32_t client, ClientEnd end, std::string_view reason);
  void resume(std::uint32_t client);
  void say_again(std::uint32_t client);
  void cut_all();
  void prepare_storm();
  void storm();
  [[nodiscard]] PlaceholderValues values_of(std::uint32_t client);

  // --- load_run.cc: what is said and heard
  void on_event(std::uint32_t client, std::string_view payload, std::int64_t now_ns);
  void on_delivery(std::uint32_t client, PublishName name, std::int64_t now_ns);
  void on_ack(std::uint32_t client, std::string_view number, std::int64_t now_ns);
  void publish(std::uint32_t traffic, const PublishPlan::Turn& turn);
  void begin_publishing();
  void publish_due(std::int64_t now_ns, std::uint32_t publishes_max);
  void say_heartbeats(std::int64_t now_ns);
  void measure();
  // Until nothing is owed, or for ten seconds; then what is still missing is.
  void wait_for_the_owed();
  void turn();
  // Turns until `done`; ends the program when there is no headway for half a minute.
  void turn_until(const char* what, const std::function<bool()>& done);
  void turn_for(double seconds, const char* what);
  // Whether anybody speaks at all.
  [[nodiscard]] bool is_idle() const;

  const Scenario& scenario_;
  const Target& target_;
  Options options_;
  ClientRings rings_;
  DeliveryLedger ledger_;
  AckLedger acks_;
  ResumeBook book_;  // kept where cut clients resume
  Measurement measurement_;
  PublishPlan plan_;
  HeartbeatSchedule heartbeats_;
  ServerWatch server_;
  std::optional<ClientTokens> tokens_;
  World world_;
  std::optional<WorldMaker> maker_;   // while the world is made
  std::optional<Arrivals> arrivals_;  // while clients come in
  std::vector<Room> rooms_;
  std::vector<std::uint32_t> room_of_;  // by client, as the next two
  std::vector<Seat> seats_;
  std::vector<std::int64_t> cut_ns_;           // by the storm, 0: was not
  std::vector<std::string> storm_handshakes_;  // made before the clock runs
  std::vector<std::size_t> marker_offset_;  // by traffic: where a publish's name was the last time
  std::uint64_t next_n_ = 0;
  std::uint32_t in_ = 0;
  bool publishing_ = false;
  std::int64_t busy_ns_ = 0;   // in turns in which something was sent, came or was connected
  std::int64_t moved_ns_ = 0;  // last time that a client came or went, or a room was made
  std::string text_;
  std::string data_;
  std::string number_;
  std::string client_number_;
  RunResult result_;
};

}  // namespace uproar::bench
