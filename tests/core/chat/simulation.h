#pragma once

// A world with five clients in it, and whoever chooses what happens next: a seed, or the bytes of a fuzzer. Any
// interleaving of links, reads, commits, time and what clients do must leave the oracle content. With several nodes also:
// whatever the bus does, and whichever node dies.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/core/chat/world.h"
#include "tests/sim/habits.h"
#include "tests/sim/oracle.h"

namespace uproar::chat::testing {

struct SimulationResult {
  std::vector<std::string> violations;
  std::uint64_t hash = 0;
  std::uint64_t checked = 0;
  std::uint64_t repairs = 0;
  std::uint64_t evicted = 0;
  std::uint64_t pages = 0;
  std::uint64_t from_nodes = 0;  // events
  std::uint64_t held = 0;
  std::uint64_t looks = 0;
  std::uint64_t deaths = 0;
};

class Simulation {
 public:
  // `choices`: bytes that choose while there are any; the seed chooses afterwards.
  Simulation(std::uint32_t shards, std::uint64_t seed, Plant plant = Plant::kNone,
             std::string_view choices = {}, std::uint32_t nodes = 1)
      : world_({.shards = shards,
                .seed = seed,
                .limits = limits(seed, nodes),
                .is_manual = true,
                .plant = plant,
                .choices = choices,
                .nodes = nodes}),
        oracle_(world_.model(), nodes, true) {
    cast_.is_restless = seed % 5 == 0;
    if (!world_.options().limits.presence_is_public) oracle_.hides_presence();
    watch();
    for (int i = 0; i < 4; ++i) {
      const UserId user = world_.user("user" + std::to_string(i));
      cast_.users.push_back(user);
      for (int device = 0; device < (i == 0 ? 2 : 1); ++device) {
        clients_.push_back(std::make_unique<Client>());
        clients_.back()->user = user;
        clients_.back()->next_client_id = 1 + clients_.size() * 1'000'000;
      }
    }
    gaps_.assign(world_.shard_count(), false);
    late_.assign(world_.shard_count(), 0);
    for (std::uint64_t i = 0; i < 3; ++i) {  // two groups and a channel, there from the start
      const ConversationId id(Uuid{0xC0FFEE + i * 77, (1ULL << 63) | (seed * 31 + i)});
      cast_.conversations.push_back(id);
      storage::CreateConversation body{
          .kind = i == 2 ? ConversationKind::kChannel : ConversationKind::kGroup,
          .name = "room",
          .members = {}};
      for (std::size_t u = 0; u < cast_.users.size() - (i == 1 ? 1 : 0); ++u) {
        const bool is_owner = u == i % 2 || (cast_.is_restless && i < 2);
        body.members.push_back(
            {.user = cast_.users[u], .role = is_owner ? Role::kOwner : Role::kMember});
      }
      storage::Operation create{
          .ticket = 0, .conversation = id, .actor = cast_.users[0], .at_us = 1, .body = body};
      (void)world_.model().apply(create);
    }
    cast_.conversations.push_back(direct_conversation_id(cast_.users[0], cast_.users[1]));
    cast_.conversations.push_back(direct_conversation_id(cast_.users[2], cast_.users[3]));
  }

  SimulationResult run(int steps) {
    for (int i = 0; i < steps && oracle_.violations().empty(); ++i) {
      step();
      check_bounds();
    }
    return end();
  }
  // Until the bytes have chosen everything.
  SimulationResult run_choices() {
    while (world_.choices_left() && oracle_.violations().empty()) {
      step();
      check_bounds();
    }
    return end();
  }

 private:
  struct Client : Oracle::Client {
    Connection* at = nullptr;
  };

  // The oracle sees what is committed, published, said and heard.
  void watch() {
    world_.on_commit = [this](const storage::Operation& operation,
                              const storage::Outcome& outcome) {
      oracle_.committed(operation, outcome);
    };
    world_.on_publish = [this](const TopicId& topic, const ServerEvent& event) {
      oracle_.published(topic, event);
    };
    world_.on_tell = [this](Connection& connection, const ServerEvent& event) {
      Client* const client = client_of(connection);
      if (client != nullptr && std::holds_alternative<SessionReady>(event))
        oracle_.said_ready(*client);
    };
    world_.on_receive = [this](Connection& connection, const Heard& heard) {
      if (Client* const client = client_of(connection)) oracle_.receive(*client, heard);
    };
  }
  Client* client_of(const Connection& connection) {
    const auto it = client_of_.find(connection.endpoint.generation);
    return it == client_of_.end() ? nullptr : it->second;
  }

  SimulationResult end() {
    if (oracle_.violations().empty()) finish();
    SimulationResult result{.violations = oracle_.violations(),
                            .hash = world_.trace_hash(),
                            .checked = oracle_.events_checked()};
    for (std::uint32_t s = 0; s < world_.shard_count(); ++s) {
      result.repairs += world_.shard(s).counters().repairs.value();
      result.evicted += world_.shard(s).counters().conversations_evicted.value();
      const ChatCounters& counters = world_.shard(s).counters();
      result.pages += counters.sync_pages.value();
      result.from_nodes += counters.node_events.value();
      result.held += counters.node_events_held.value();
      result.looks += counters.looks.value();
    }
    result.deaths = deaths_;
    result.violations.insert(result.violations.end(), extra_.begin(), extra_.end());
    return result;
  }
  static ChatLimits limits(std::uint64_t seed, std::uint32_t nodes) {
    ChatLimits limits;  // small, so that every bound is met
    // Every fourth world cuts its pages by bytes alone, the others by rows. A page that was cut is where exactness is
    // lost: the row that changed meanwhile stands behind the cut.
    limits.page_rows_max = seed % 4 == 0 ? 100 : static_cast<std::uint32_t>(seed % 4);
    if (seed % 4 == 0) limits.page_bytes_max = 1'000;
    limits.recent_rows_max = 4;
    limits.joined_live_max = seed % 7 == 0 ? 1 : 3;
    limits.early_checks_max = 1;
    limits.presence_is_public = seed % 2 == 0;
    // With several nodes what is heard is not forgotten: there is room for all of it.
    limits.conversations_max = nodes > 1 ? 9 : 2;
    limits.commands_per_s = 1000;
    limits.commands_burst = 100'000;
    // So large that nobody is refused, and so small that they are asked for.
    limits.conversations_per_day = 1'000'000;
    limits.first_contacts_per_day = 1'000'000;
    limits.stored_pages_per_day = stored_pages_of_mb(1'024);
    return limits;
  }
  std::uint64_t random(std::uint64_t below) { return world_.random(below); }
  template <class T>
  T& pick(std::vector<T>& from) {
    return from[random(from.size())];
  }

  void step() {
    if (world_.options().nodes > 1 && random(4) == 0) return step_nodes();
    const std::uint64_t dice = random(100);
    const auto shard = static_cast<std::uint32_t>(random(world_.shard_count()));
    if (dice < 25) {
      const std::uint32_t shards = world_.options().shards;
      const std::uint32_t first = shard / shards * shards;
      (void)world_.step_link(shard, first + static_cast<std::uint32_t>(random(shards)));
    } else if (dice < 37) {
      if (const std::size_t n = world_.reads_waiting(shard); n > 0)
        (void)world_.step_read_execute(shard, random(n));
    } else if (dice < 49) {
      if (const std::size_t n = world_.reads_waiting(shard); n > 0)
        (void)world_.step_read_answer(shard, random(n));
    } else if (dice < 57) {
      const bool refused = is_failing_ && random(4) == 0;
      const bool lost = is_failing_ && !refused && random(4) == 0;
      (void)world_.step_apply(shard, 1 + random(6), refused, lost,
                              static_cast<World::Lane>(applies_++ % 3));
    } else if (dice < 65) {
      // Late ones find that other nodes have changed the same since.
      if (cast_.is_restless && late_[shard] == 0 && random(20) == 0) late_[shard] = random(30);
      if (late_[shard] > 0) {
        --late_[shard];
      } else {
        (void)world_.step_outcomes(shard);
      }
    } else if (dice < 76) {
      for (auto& connection : world_.connections) {
        if (connection->is_open && random(3) == 0) (void)world_.step_receive(*connection);
        if (random(3) == 0) (void)world_.step_say(*connection);
      }
      (void)world_.step_closings();
    } else if (dice < 79) {
      world_.advance_ms(static_cast<std::int64_t>(random(10) == 0 ? random(12'000) : random(120)));
      for (auto& client : clients_) {
        if (client->at != nullptr)
          world_.shard_of(*client->at).on_heartbeat(client->at->endpoint, world_.now);
      }
    } else if (dice < 80) {
      is_failing_ = random(3) == 0;
      world_.reads_fail = random(8) == 0;
      world_.log_rows_max = random(6) == 0 ? 1 + random(3) : SIZE_MAX;
      world_.log_is_down = random(12) == 0;
    } else {
      act(*clients_[random(clients_.size())]);
    }
  }

  // What the bus does, and dying nodes.
  void step_nodes() {
    const auto shard = static_cast<std::uint32_t>(random(world_.shard_count()));
    const std::uint64_t dice = random(1000);
    FakeBus& bus = world_.bus();
    if (dice < 600) {
      (void)world_.step_bus(shard);
    } else if (dice < 699) {
      (void)world_.step_presence(shard);
    } else if (dice < 700) {
      if (random(10) == 0) world_.flush_presence();
    } else if (dice < 850) {
      // Losing is rare otherwise, and most of what is lost is missed when the next event comes.
      const bool loses = world_.options().plant == Plant::kLoseSilently && random(10) == 0;
      (void)(loses ? bus.lose(shard, random(1000), false) : bus.take_effect(shard, random(1000)));
    } else if (dice < 900) {
      (void)bus.swap(shard, random(1000));
    } else if (dice < 930) {
      (void)bus.repeat(shard, random(1000));
    } else if (dice < 960) {
      (void)bus.lose(shard, random(1000), world_.options().plant != Plant::kLoseSilently);
    } else if (dice < 985) {
      if (bus.is_connected(shard)) {
        if (dice < 965) world_.disconnect_bus(shard);
      } else {
        world_.reconnect_bus(shard);
      }
    } else if (dice < 996) {
      if (gaps_[shard]) {
        gaps_[shard] = false;
        world_.say_gap(shard);
      }
    } else {
      kill(static_cast<std::uint32_t>(random(world_.options().nodes)));
    }
  }

  void kill(std::uint32_t node) {
    ++deaths_;
    for (auto& client : clients_) {
      if (client->at != nullptr && world_.node_of(client->at->shard) == node) leave(*client);
    }
    world_.kill_node(node);
    for (std::uint32_t s = 0; s < world_.shard_count(); ++s) {
      if (world_.node_of(s) == node) {
        gaps_[s] = false;
      } else {
        gaps_[s] = true;
      }
    }
  }

  void check_bounds() {
    for (std::uint32_t s = 0; s < world_.shard_count(); ++s) {
      const ChatSizes sizes = world_.shard(s).sizes();
      if (sizes.parked > kParkedMax || sizes.attaches > kAttachesMax ||
          sizes.pullers > kPullersMax ||
          sizes.conversations > world_.options().limits.conversations_max + kConversationSlack ||
          sizes.timers > 1000 || sizes.users_online > 100 || sizes.interests > 1000) {
        extra_.push_back("D7 a table is above its bound");
      }
    }
  }

  void connect(Client& client) {
    const auto shard = static_cast<std::uint32_t>(random(world_.shard_count()));
    const bool resume = random(2) == 0 && !client.known.empty();
    oracle_.connects(client, resume, cast_.conversations);
    Connection& connection = world_.connect(client.user, shard, resume);
    client.at = &connection;
    client.connection = connection.endpoint.generation;
    client_of_[client.connection] = &client;
    if (resume) world_.say(connection, sync_of(client, false), "sync");
  }

  void leave(Client& client) {
    client_of_.erase(client.connection);
    client.at = nullptr;
    client.connection = 0;
  }

  void act(Client& client) {
    if (client.at != nullptr && !client.at->is_open) leave(client);
    if (client.at == nullptr) {
      if (random(3) == 0) connect(client);
      return;
    }
    Connection& connection = *client.at;
    if (connection.is_closing) return;
    if (client.must_reconnect || random(25) == 0) {
      leave(client);
      world_.disconnect(connection, random(2) == 0);
      return;
    }
    if (!client.is_ready) return;
    say_something(
        client, cast_, [this](std::uint64_t below) { return random(below); },
        [&](ClientEvent event, RequestId id) {
          world_.say(connection, std::move(event), std::move(id));
        });
  }

  // One user is away at the end, in most worlds: whoever says that everybody is online is wrong then.
  [[nodiscard]] bool is_away(const Oracle::Client& client) const {
    const std::uint64_t who = world_.options().seed % (cast_.users.size() + 1);
    return who < cast_.users.size() && client.user == cast_.users[who];
  }

  void finish() {
    is_failing_ = false;
    for (auto& client : clients_) {
      if (!is_away(*client) || client->at == nullptr) continue;
      Connection& connection = *client->at;
      leave(*client);
      world_.disconnect(connection, random(2) == 0);
    }
    world_.reads_fail = world_.log_is_down = false;
    world_.log_rows_max = SIZE_MAX;
    for (std::uint32_t s = 0; s < world_.shard_count() && world_.options().nodes > 1; ++s) {
      if (!world_.bus().is_connected(s)) world_.reconnect_bus(s);
      if (gaps_[s]) world_.say_gap(s);
    }
    for (int round = 0; round < 400; ++round) {
      world_.settle();
      world_.commit();
      world_.advance_ms(100);
      for (auto& client : clients_) {
        if (client->at != nullptr)
          world_.shard_of(*client->at).on_heartbeat(client->at->endpoint, world_.now);
        if (client->at != nullptr && !client->at->is_open) leave(*client);
        if (client->at != nullptr && client->must_reconnect) {
          Connection& connection = *client->at;
          leave(*client);
          world_.disconnect(connection, true);
        }
        if (client->at == nullptr) {
          if (round < 100 && !is_away(*client)) connect(*client);
        } else if (client->is_ready && !client->unacked.empty() && round < 300) {
          world_.say(*client->at, client->unacked.begin()->second.second,
                     client->unacked.begin()->first);
        }
      }
    }
    world_.settle();
    if (!world_.is_quiet()) extra_.push_back("the world does not come to rest");
    std::vector<Oracle::Client*> clients;
    for (auto& client : clients_) {
      clients.push_back(client.get());
      if (is_away(*client)) continue;
      if (client->at == nullptr || !client->is_ready) extra_.push_back("a client cannot connect");
      if (client->is_syncing) extra_.push_back("a sync does not end");
      if (!client->unacked.empty()) {
        extra_.push_back("a message is never answered: " + client->unacked.begin()->first);
      }
    }
    for (std::uint32_t s = 0; s < world_.shard_count(); ++s) {
      const ChatSizes sizes = world_.shard(s).sizes();
      if (sizes.parked + sizes.pending + sizes.attaches + sizes.pullers + sizes.reads_in_flight >
          0) {
        extra_.push_back("something is left: parked " + std::to_string(sizes.parked) + " pending " +
                         std::to_string(sizes.pending) + " attaches " +
                         std::to_string(sizes.attaches) + " pullers " +
                         std::to_string(sizes.pullers));
      }
    }
    oracle_.final_check(clients, true);
    oracle_.check_marks(clients);
    const auto node = static_cast<std::uint32_t>(world_.options().seed % world_.options().nodes);
    oracle_.check_unread(cast_.users, [&](UserId user, ClientEvent event) {
      const std::uint32_t slot =
          world_.request(user, std::move(event), node * world_.options().shards);
      world_.settle();
      return world_.requests[slot];
    });
  }

  World world_;
  Oracle oracle_;
  Cast cast_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::map<std::uint32_t, Client*> client_of_;  // by generation of the endpoint: none is used twice
  std::vector<std::string> extra_;
  std::uint64_t applies_ = 0;  // each third of all conversations, else of one lane
  bool is_failing_ = false;
  std::vector<bool> gaps_;           // shards that are to be told that a node has died
  std::vector<std::uint64_t> late_;  // by shard: so many times it would have had outcomes
  std::uint64_t deaths_ = 0;
};

}  // namespace uproar::chat::testing
