#pragma once

// One seed, from nothing to its verdict: nodes and shards, people with devices, everything that goes wrong, and then
// peace, in which all must come right. What each fault does is said where it is done (faults.cc).

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/auth/token.h"
#include "tests/sim/client.h"
#include "tests/sim/habits.h"
#include "tests/sim/kernel.h"
#include "tests/sim/node.h"
#include "tests/sim/oracle.h"
#include "tests/sim/plants.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/sim_store.h"

namespace uproar::sim {

struct RunResult {
  std::vector<std::string> violations;
  std::uint64_t trace = 0;
  std::uint64_t checked = 0;  // events that the oracle judged
  std::uint64_t steps = 0;    // of the kernel
  std::int64_t virtual_us = 0;
  // What happened, so that a run which met nothing does not count for much.
  std::map<std::string, std::uint64_t> met;
};

class Run {
 public:
  explicit Run(std::uint64_t seed, Plant plant = Plant::kNone);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // When the faults end, everybody has so many messages of which no answer came: more than the peace has time for, say.
  void owe_answers(std::uint32_t messages) { owed_ = messages; }

  RunResult go();

 private:
  struct Topology {
    std::uint32_t nodes = 1;
    std::uint32_t shards = 1;  // of each
  };

  // What slow readers lost (docs/contract.md, D7), at nodes that live and those that lived.
  struct Dropped {
    std::uint64_t presence = 0;
    std::uint64_t receipts = 0;
    void add(Node& node);
  };

  // run.cc
  [[nodiscard]] static Topology topology_of(std::uint64_t seed, Plant plant);
  void make_world();
  void start_node(std::uint32_t number);
  void tune(net::NetOptions& net, chat::ChatLimits& chat) const;
  [[nodiscard]] std::string token(const Client& client, std::uint32_t node);
  void connect(Client& client);
  void act(Client& client);
  void live(std::int64_t until_us);
  void make_peace();
  void keep_peace(std::int64_t for_us);
  [[nodiscard]] std::size_t unanswered() const;
  void judge();
  void judge_a_departure();
  [[nodiscard]] std::vector<chat::testing::Oracle::Client*> all_clients() const;
  [[nodiscard]] Dropped dropped();
  [[nodiscard]] std::vector<Heard> ask(UserId user, const chat::ClientEvent& event);
  void check_bounds();
  void look_at(Node& node);  // before it goes: what it met
  void wrong(const std::string& what) { wrong_.push_back(what); }
  [[nodiscard]] bool has_failed() const { return !oracle_.violations().empty() || !wrong_.empty(); }

  void meets(const char* what);  // counted, and told

  // faults.cc
  void next_fault();
  void one_fault();
  void store_fault(StoreFaults& store);
  void network_fault(std::uint32_t node);
  void kill_node(std::uint32_t number);
  void leave_node(std::uint32_t number);
  void look_whether_it_left(std::uint32_t number, std::uint64_t life);
  void end_node(std::uint32_t number, bool resets);
  void plant();
  void falsify(std::vector<std::string>& frames);
  void mistell(std::vector<std::string>& frames);
  void hide_return(const chat::testing::Oracle::Client& client, std::vector<std::string>& frames);

  Kernel kernel_;
  const std::uint64_t seed_;
  const Plant plant_;
  const Topology topology_;
  SimStore store_;
  SimNetwork network_;
  chat::testing::Oracle oracle_;
  Listener listener_;
  auth::TokenSigner signer_;
  chat::testing::Cast cast_;
  bool has_short_tokens_ = false;
  std::vector<std::unique_ptr<Node>> nodes_;  // null: it is down
  std::vector<std::uint64_t> lives_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::string> wrong_;
  std::map<std::string, std::uint64_t> met_;
  std::uint32_t next_connection_ = 1;
  Dropped dropped_;    // by nodes that are gone
  UserId stays_away_;  // at the end
  bool is_peace_ = false;
  std::uint32_t owed_ = 0;
};

// The whole of a seed.
inline RunResult play(std::uint64_t seed, Plant plant = Plant::kNone) {
  return Run(seed, plant).go();
}

}  // namespace uproar::sim
