#pragma once

// A world with five clients in it, and whoever chooses what happens next: a seed, or the bytes of a fuzzer. Any
// interleaving of links, reads, commits, time and what clients do must leave the oracle content. With several nodes also:
// whatever the bus does, and whichever node dies.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/core/chat/oracle.h"

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
        oracle_(world_) {
    for (int i = 0; i < 4; ++i) {
      const UserId user = world_.user("user" + std::to_string(i));
      users_.push_back(user);
      for (int device = 0; device < (i == 0 ? 2 : 1); ++device) {
        clients_.push_back(std::make_unique<Oracle::Client>());
        clients_.back()->user = user;
        clients_.back()->next_client_id = 1 + clients_.size() * 1'000'000;
      }
    }
    gaps_.assign(world_.shard_count(), false);
    for (std::uint64_t i = 0; i < 3; ++i) {  // two groups and a channel, there from the start
      const ConversationId id(Uuid{0xC0FFEE + i * 77, (1ULL << 63) | (seed * 31 + i)});
      conversations_.push_back(id);
      storage::CreateConversation body{
          .kind = i == 2 ? ConversationKind::kChannel : ConversationKind::kGroup,
          .name = "room",
          .members = {}};
      for (std::size_t u = 0; u < users_.size() - (i == 1 ? 1 : 0); ++u) {
        body.members.push_back(
            {.user = users_[u], .role = u == i % 2 ? Role::kOwner : Role::kMember});
      }
      storage::Operation create{
          .ticket = 0, .conversation = id, .actor = users_[0], .at_us = 1, .body = body};
      (void)world_.model().apply(create);
    }
    conversations_.push_back(direct_conversation_id(users_[0], users_[1]));
    conversations_.push_back(direct_conversation_id(users_[2], users_[3]));
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
    // With several nodes what is heard is not forgotten: there is room for all of it.
    limits.conversations_max = nodes > 1 ? 9 : 2;
    limits.commands_per_s = 1000;
    limits.commands_burst = 100'000;
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
      (void)world_.step_apply(shard, 1 + random(6), refused, lost);
    } else if (dice < 65) {
      (void)world_.step_outcomes(shard);
    } else if (dice < 76) {
      for (auto& connection : world_.connections) {
        if (connection->is_open && random(3) == 0) (void)world_.step_receive(*connection);
      }
      (void)world_.step_closings();
    } else if (dice < 79) {
      world_.advance_ms(static_cast<std::int64_t>(random(10) == 0 ? random(12'000) : random(120)));
      for (auto& client : clients_) {
        if (client->connection != nullptr)
          world_.shard_of(*client->connection)
              .on_heartbeat(client->connection->endpoint, world_.now);
      }
    } else if (dice < 80) {
      is_failing_ = random(3) == 0;
      world_.reads_fail = random(8) == 0;
      world_.log_is_full = random(12) == 0;
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
    if (dice < 700) {
      (void)world_.step_bus(shard);
    } else if (dice < 850) {
      (void)bus.take_effect(shard, random(1000));
    } else if (dice < 900) {
      (void)bus.swap(shard, random(1000));
    } else if (dice < 930) {
      (void)bus.repeat(shard, random(1000));
    } else if (dice < 960) {
      (void)bus.lose(shard, random(1000), world_.options().plant != Plant::kLoseSilently);
    } else if (dice < 985) {
      if (bus.is_connected(shard)) {
        if (dice < 965) bus.disconnect(shard);
      } else {
        world_.reconnect_bus(shard);
      }
    } else if (dice < 998) {
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
      if (client->connection == nullptr || world_.node_of(client->connection->shard) != node)
        continue;
      oracle_.client_of_endpoint.erase(Oracle::key(client->connection->endpoint));
      client->connection = nullptr;
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

  void connect(Oracle::Client& client) {
    const auto shard = static_cast<std::uint32_t>(random(world_.shard_count()));
    const bool resume = random(2) == 0 && !client.known.empty();
    if (!resume) client.known.clear();  // starts anew: it knows nothing
    client.is_ready = false;
    client.is_syncing = false;
    client.left_while_syncing.clear();
    client.refused.clear();
    client.resyncs = false;
    client.must_reconnect = false;
    client.presence.clear();
    client.published_at_ready.clear();
    client.was_member_at_ready.clear();
    for (const ConversationId conversation : conversations_) {
      const auto state = world_.model().load_conversation(conversation);
      if (!state.ok()) continue;
      for (const Member& member : state->members) {
        if (member.user == client.user) client.was_member_at_ready.insert(conversation);
      }
    }
    Connection& connection = world_.connect(client.user, shard, resume);
    client.connection = &connection;
    oracle_.client_of_endpoint[Oracle::key(connection.endpoint)] = &client;
    if (resume) sync(client, false);
  }

  void sync(Oracle::Client& client, bool is_mid_life) {
    Sync command;
    for (const auto& [conversation, known] : client.known)
      command.cursors.emplace_back(conversation, known.cursor);
    client.is_syncing = true;
    if (is_mid_life) client.resyncs = true;
    world_.say(*client.connection, std::move(command), "sync");
  }

  void send(Oracle::Client& client, ConversationId conversation) {
    const std::string id = std::to_string(client.next_client_id++);
    MessageSend send;
    send.conversation = conversation;
    send.client_id = id;
    send.content = "text " + id;
    client.unacked[id] = {conversation, send};
    world_.say(*client.connection, send, id);
  }

  void act(Oracle::Client& client) {
    Connection* connection = client.connection;
    if (connection != nullptr && !connection->is_open) {
      client.connection = connection = nullptr;
    }
    if (connection == nullptr) {
      if (random(3) == 0) connect(client);
      return;
    }
    if (connection->is_closing) return;
    if (client.must_reconnect || random(25) == 0) {
      oracle_.client_of_endpoint.erase(Oracle::key(connection->endpoint));
      client.connection = nullptr;
      world_.disconnect(*connection, random(2) == 0);
      return;
    }
    if (!client.is_ready) return;
    const ConversationId conversation = pick(conversations_);
    const RequestId other = "x";
    const Seq last = client.known.contains(conversation) ? client.known[conversation].cursor : 5;
    // Any, or the newest: also those that are committed and not heard so far.
    const MessageRef ref{.seq = random(2) == 0 ? 1 + random(last + 1) : last + 1 + random(4),
                         .id = {}};
    switch (random(20)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
      case 5:
        // Sometimes more than a page at once, so that a lost batch leaves a hole that is wider than a page.
        for (std::uint64_t left = random(4) == 0 ? 5 : 1; left > 0; --left)
          send(client, conversation);
        break;
      case 6: {  // one to one, which may make the conversation
        const std::string id = std::to_string(client.next_client_id++);
        MessageSend send;
        send.to = pick(users_);
        if (send.to == client.user) return;
        send.client_id = id;
        send.content = "direct " + id;
        client.unacked[id] = {conversation, send};
        world_.say(*connection, send, id);
        break;
      }
      case 7:  // a retry
        if (client.unacked.empty()) return;
        world_.say(*connection, client.unacked.begin()->second.second,
                   client.unacked.begin()->first);
        break;
      case 8:
        world_.say(*connection,
                   MessageEdit{conversation, ref, "edited " + std::to_string(random(1000))}, other);
        break;
      case 10:
        world_.say(*connection, MessageDelete{conversation, ref}, other);
        break;
      case 9:
      case 11:
        world_.say(*connection,
                   ReactionChange{conversation, ref, random(2) == 0 ? "+" : "-", random(3) != 0},
                   other);
        break;
      case 12:
        world_.say(*connection,
                   MarkAdvance{conversation, last,
                               random(2) == 0 ? MarkKind::kSeen : MarkKind::kDelivered},
                   other);
        break;
      case 13:
        world_.say(*connection, MemberAdd{conversation, {pick(users_)}, Role::kMember}, other);
        break;
      case 14:
        world_.say(*connection, MemberRemove{conversation, pick(users_)}, other);
        break;
      case 15:
        world_.say(*connection, TypingChange{conversation, random(2) == 0}, "");
        break;
      case 16:
        world_.say(*connection, EventPublish{conversation, "x", "1"}, "");
        break;
      case 17:
        if (random(4) == 0 && !client.is_syncing) sync(client, true);
        break;
      case 18:
        world_.say(*connection, PresenceSubscribe{{pick(users_)}}, other);
        break;
      default:
        if (random(3) == 0) {
          world_.say(*connection,
                     ConversationRename{conversation, "n" + std::to_string(random(100))}, other);
        } else if (random(2) == 0) {
          world_.say(*connection, ConversationJoin{conversation}, other);
        } else {
          world_.say(*connection, UnreadFetch{5}, other);
        }
    }
  }

  void finish() {
    is_failing_ = false;
    world_.reads_fail = world_.log_is_full = world_.log_is_down = false;
    for (std::uint32_t s = 0; s < world_.shard_count() && world_.options().nodes > 1; ++s) {
      if (!world_.bus().is_connected(s)) world_.reconnect_bus(s);
      if (gaps_[s]) world_.say_gap(s);
    }
    for (int round = 0; round < 400; ++round) {
      world_.settle();
      world_.commit();
      world_.advance_ms(100);
      for (auto& client : clients_) {
        if (client->connection != nullptr)
          world_.shard_of(*client->connection)
              .on_heartbeat(client->connection->endpoint, world_.now);
        if (client->connection != nullptr && !client->connection->is_open)
          client->connection = nullptr;
        if (client->connection != nullptr && client->must_reconnect) {
          world_.disconnect(*client->connection, true);
          client->connection = nullptr;
        }
        if (client->connection == nullptr) {
          if (round < 100) connect(*client);
        } else if (client->is_ready && !client->unacked.empty() && round < 300) {
          world_.say(*client->connection, client->unacked.begin()->second.second,
                     client->unacked.begin()->first);
        }
      }
    }
    world_.settle();
    if (!world_.is_quiet()) extra_.push_back("the world does not come to rest");
    std::vector<Oracle::Client*> clients;
    for (auto& client : clients_) {
      clients.push_back(client.get());
      if (client->connection == nullptr || !client->is_ready)
        extra_.push_back("a client cannot connect");
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
    oracle_.final_check(clients);
    oracle_.check_unread(users_);
  }

  World world_;
  Oracle oracle_;
  std::vector<UserId> users_;
  std::vector<ConversationId> conversations_;
  std::vector<std::unique_ptr<Oracle::Client>> clients_;
  std::vector<std::string> extra_;
  bool is_failing_ = false;
  std::vector<bool> gaps_;  // shards that are to be told that a node has died
  std::uint64_t deaths_ = 0;
};

}  // namespace uproar::chat::testing
