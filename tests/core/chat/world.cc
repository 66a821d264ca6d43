#include "tests/core/chat/world.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "proto/base/check.h"
#include "tests/core/chat/world_shard.h"

namespace uproar::chat::testing {

using storage::Operation;
using storage::Outcome;
using storage::OutcomeStatus;

World::World(Options options)
    : options_(std::move(options)), random_state_(options_.seed * 2654435769ULL + 1) {
  links_.assign(shard_count(), std::vector<std::deque<Delivered>>(shard_count()));
  if (options_.nodes > 1) {
    std::vector<std::uint32_t> node_of_port;
    for (std::uint32_t i = 0; i < shard_count(); ++i) node_of_port.push_back(node_of(i));
    bus_ = std::make_unique<FakeBus>(std::move(node_of_port));
    presence_ = std::make_unique<FakePresence>(shard_count());
    for (std::uint32_t node = 0; node < options_.nodes; ++node)
      node_ids_.emplace_back(Uuid{9, node + 1});
    others_.resize(shard_count());
  }
  for (std::uint32_t i = 0; i < shard_count(); ++i)
    shards_.push_back(std::make_unique<Shard>(*this, i));
  for (std::uint32_t i = 0; bus_ && i < shard_count(); ++i) meet_others(i);
}
World::~World() = default;

ChatShard& World::shard(std::uint32_t index) {
  return *shards_[index]->chat;
}

std::uint64_t World::random(std::uint64_t below) {
  if (choices_left()) {
    std::uint64_t chosen = 0;
    for (std::uint64_t covered = 1; covered < below && choices_left(); covered *= 256) {
      chosen = chosen * 256 + static_cast<unsigned char>(options_.choices.front());
      options_.choices.remove_prefix(1);
    }
    return chosen % below;
  }
  random_state_ += 0x9E3779B97F4A7C15ULL;
  std::uint64_t x = random_state_;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return (x ^ (x >> 31)) % below;
}

void World::log(const char* what, std::uint32_t shard, const TopicId& topic, Seq seq,
                std::size_t kind) {
  if (!is_logging()) return;
  std::fprintf(stderr, "%-9s shard %u %s seq %llu kind %zu\n", what, shard,
               topic.text().c_str() + 9, static_cast<unsigned long long>(seq), kind);
}

void World::trace(std::uint64_t value) {
  trace_ = (trace_ ^ value) * 1099511628211ULL;
}
void World::trace_event(std::uint64_t kind, const Endpoint& to, const ServerEvent& event) {
  trace(kind << 32 | event.index());
  trace((std::uint64_t{to.shard} << 32) + to.slot);
  trace(seq_of(event));
}

UserId World::user(const std::string& name) {
  if (const auto it = users_.find(name); it != users_.end()) return it->second;
  const std::uint64_t n = users_.size() + 1;
  const UserId id(
      Uuid{0x0190'0000'0000'7000ULL + n, 0x8000'0000'0000'0000ULL | (n * 0x9E3779B97F4AULL)});
  storage::User record;
  record.id = id;
  record.name = name;
  UPROAR_CHECK(model_.create_user(record).ok());
  users_.emplace(name, id);
  return id;
}

Connection& World::connect(UserId user, std::uint32_t shard, bool resume) {
  std::uint32_t slot = next_slot_;
  if (free_slots_.empty()) {
    ++next_slot_;
  } else {
    slot = free_slots_.back();  // reused with a new generation, as connections are
    free_slots_.pop_back();
  }
  auto connection = std::make_unique<Connection>();
  connection->shard = shard;
  connection->endpoint = {.shard = static_cast<std::uint16_t>(shard % options_.shards),
                          .kind = Endpoint::Kind::kSession,
                          .slot = slot,
                          .generation = next_generation_++};
  connection->user = user;
  connection->session = SessionId(Uuid{7, next_generation_});
  connections.push_back(std::move(connection));
  Connection& made = *connections.back();
  live_[made.endpoint] = &made;
  log("connects", shard, topic_of(user), made.endpoint.generation, resume ? 1 : 0);
  shards_[shard]->chat->open_session(
      made.endpoint, {.user = user, .session = made.session, .expires_at_s = expires_at_s}, resume,
      now);
  if (!options_.is_manual) settle();
  return made;
}

void World::disconnect(Connection& connection, bool clean) {
  if (!connection.is_open) return;
  connection.is_open = false;
  Shard& shard = *shards_[connection.shard];
  for (auto& [topic, members] : shard.topics) members.erase(connection.endpoint);
  live_.erase(connection.endpoint);
  connection.wire.clear();
  connection.held.clear();
  free_slots_.push_back(connection.endpoint.slot);
  shard.chat->close_session(connection.endpoint, clean, now);
  if (!options_.is_manual) settle();
}

void World::say(Connection& connection, ClientEvent event, RequestId id) {
  connection.unsaid.emplace_back(std::move(event), std::move(id));
  while (step_say(connection)) {
  }
  if (!options_.is_manual) settle();
}

bool World::step_say(Connection& connection) {
  if (connection.unsaid.empty() || connection.is_paused || !connection.is_open ||
      connection.is_closing)
    return false;
  auto [event, id] = std::move(connection.unsaid.front());
  connection.unsaid.pop_front();
  Command command{
      .actor = {.user = connection.user, .from = connection.endpoint, .request = std::move(id)},
      .event = std::move(event)};
  shards_[connection.shard]->chat->apply(std::move(command), now, 100);
  return true;
}

std::uint32_t World::request(UserId user, ClientEvent event, std::uint32_t shard) {
  const std::uint32_t slot = 1'000'000 + static_cast<std::uint32_t>(requests.size());
  requests[slot];
  const Endpoint from{.shard = static_cast<std::uint16_t>(shard % options_.shards),
                      .kind = Endpoint::Kind::kRequest,
                      .slot = slot,
                      .generation = 1};
  shards_[shard]->chat->apply(
      {.actor = {.user = user, .from = from, .request = {}}, .event = std::move(event)}, now);
  if (!options_.is_manual) settle();
  return slot;
}

Connection* World::find(const Endpoint& endpoint) {
  const auto it = live_.find(endpoint);
  return it == live_.end() ? nullptr : it->second;
}

void World::send_to(Connection& connection, Heard heard) {
  if (connection.is_closing || !connection.is_open) return;
  connection.wire.push_back(std::move(heard));
  if (!options_.is_manual) {
    while (step_receive(connection)) {
    }
  }
}

void World::deliver_reply(const Endpoint& to, const RequestId& id, const ServerEvent& event) {
  if (to.kind == Endpoint::Kind::kRequest) {
    requests[to.slot].push_back({event, id});
    return;
  }
  if (Connection* connection = find(to)) send_to(*connection, {event, id});
}

void World::deliver_publish(std::uint32_t shard, const TopicId& topic, const ServerEvent& event,
                            Delivery delivery, const std::optional<Endpoint>& except) {
  const auto it = shards_[shard]->topics.find(topic);
  if (it == shards_[shard]->topics.end()) return;
  for (const Endpoint& session : it->second) {
    if (!except || *except != session) hear(session, topic, event, delivery);
  }
}

void World::hear(const Endpoint& session, const TopicId& topic, const ServerEvent& event,
                 Delivery delivery) {
  Connection* connection = find(session);
  UPROAR_CHECK(connection != nullptr);
  if (connection->is_held && delivery == Delivery::kMessage) {
    connection->held.emplace_back(topic, Heard{event, {}});
  } else {
    send_to(*connection, {event, {}});
  }
}

// --- movement ------------------------------------------------------------------------------------------------------

bool World::step_link(std::uint32_t from, std::uint32_t to) {
  auto& line = links_[from][to];
  if (line.empty()) return false;
  Delivered run = std::move(line.front());
  line.pop_front();
  run();
  return true;
}

std::size_t World::reads_waiting(std::uint32_t shard) const {
  return shards_[shard]->reads.size();
}

bool World::step_read_execute(std::uint32_t shard, std::size_t index) {
  auto& reads = shards_[shard]->reads;
  if (index >= reads.size() || reads[index].is_executed) return false;
  reads[index].execute();
  reads[index].is_executed = true;
  return true;
}

bool World::step_read_answer(std::uint32_t shard, std::size_t index) {
  auto& reads = shards_[shard]->reads;
  if (index >= reads.size() || !reads[index].is_executed) return false;
  const auto answer = std::move(reads[index].answer);
  reads.erase(reads.begin() + static_cast<std::ptrdiff_t>(index));
  answer();
  return true;
}

bool World::step_apply(std::uint32_t shard, std::size_t rows, bool refused, bool answer_lost,
                       Lane lane) {
  Shard& s = *shards_[shard];
  std::deque<Operation> waiting;
  for (Operation& operation : std::exchange(s.staged, {})) {
    const bool is_odd = operation.conversation.uuid().low % 2 == 1;
    const bool is_of_lane = lane == Lane::kAll || is_odd == (lane == Lane::kOdd);
    (is_of_lane ? waiting : s.staged).push_back(std::move(operation));
  }
  if (waiting.empty()) return false;
  const bool fails = refused || answer_lost;
  std::vector<Outcome> batch;
  for (std::size_t i = 0; i < rows && !waiting.empty(); ++i) {
    const Operation operation = std::move(waiting.front());
    waiting.pop_front();
    Outcome outcome{.ticket = operation.ticket, .status = OutcomeStatus::kUnavailable};
    if (!refused && options_.plant == Plant::kAckBeforeCommit && random(20) == 0 &&
        std::holds_alternative<storage::AppendMessage>(operation.body)) {
      const auto state = model_.load_conversation(operation.conversation);
      outcome.status = OutcomeStatus::kCommitted;
      outcome.seq = state.ok() ? state->last_seq + 1 : 1;
      outcome.no = 1;
    } else if (!refused) {
      outcome = model_.apply(operation);
      log("commit", shard, topic_of(operation.conversation), outcome.seq, operation.body.index());
      if (on_commit && outcome.status == OutcomeStatus::kCommitted) on_commit(operation, outcome);
      if (answer_lost)
        outcome = {.ticket = operation.ticket, .status = OutcomeStatus::kUnavailable};
    }
    batch.push_back(outcome);
  }
  if (fails) {  // what waits behind a failed batch fails with it, as in BatchWriter
    for (const Operation& operation : waiting) {
      batch.push_back({.ticket = operation.ticket, .status = OutcomeStatus::kUnavailable});
    }
    waiting.clear();
  }
  s.staged.insert(s.staged.end(), std::make_move_iterator(waiting.begin()),
                  std::make_move_iterator(waiting.end()));
  s.outcomes.push_back(std::move(batch));
  return true;
}

bool World::step_outcomes(std::uint32_t shard) {
  Shard& s = *shards_[shard];
  if (s.outcomes.empty()) return false;
  const std::vector<Outcome> batch = std::move(s.outcomes.front());
  s.outcomes.pop_front();
  s.chat->on_committed(batch);
  return true;
}

bool World::step_receive(Connection& connection) {
  if (connection.wire.empty()) return false;
  Heard heard = std::move(connection.wire.front());
  connection.wire.pop_front();
  connection.inbox.push_back(std::move(heard));
  if (on_receive) on_receive(connection, connection.inbox.back());
  return true;
}

bool World::step_closings() {
  for (auto& connection : connections) {
    if (!connection->is_closing || !connection->is_open) continue;
    disconnect(*connection, true);
    return true;
  }
  return false;
}

void World::settle() {
  for (bool moved = true; moved;) {
    moved = step_closings();
    for (std::uint32_t from = 0; from < shard_count(); ++from) {
      for (std::uint32_t to = 0; to < shard_count(); ++to) moved = step_link(from, to) || moved;
      while (!shards_[from]->reads.empty()) {
        if (!shards_[from]->reads[0].is_executed) step_read_execute(from, 0);
        moved = step_read_answer(from, 0) || moved;
      }
    }
    for (std::uint32_t i = 0; bus_ && i < shard_count(); ++i) {
      moved = bus_->take_effect(i, 0) || moved;
      moved = step_bus(i) || moved;
      moved = step_presence(i) || moved;
    }
    for (auto& connection : connections) {
      while (step_receive(*connection)) moved = true;
      while (step_say(*connection)) moved = true;
    }
  }
}

void World::commit(std::uint32_t which) {
  for (bool moved = true; moved;) {
    moved = false;
    for (std::uint32_t i = 0; i < shard_count(); ++i) {
      if (which != ~0U && which != i) continue;
      moved = step_apply(i, 1000, false, false) || moved;
      moved = step_outcomes(i) || moved;
    }
    settle();
  }
}

void World::fail_commits() {
  for (std::uint32_t i = 0; i < shard_count(); ++i) {
    step_apply(i, 1000, true, false);
    while (step_outcomes(i)) {
    }
  }
  settle();
}

void World::lose_answers() {
  for (std::uint32_t i = 0; i < shard_count(); ++i) {
    step_apply(i, 1000, false, true);
    while (step_outcomes(i)) {
    }
  }
  settle();
}

std::size_t World::staged() const {
  std::size_t n = 0;
  for (const auto& s : shards_) n += s->staged.size();
  return n;
}

void World::advance_ms(std::int64_t ms) {
  now.monotonic_us += ms * 1000;
  now.wall_us += ms * 1000;
  for (auto& s : shards_) s->chat->tick(now);
  if (!options_.is_manual) settle();
}

bool World::is_quiet() const {
  for (const auto& line : links_) {
    for (const auto& link : line) {
      if (!link.empty()) return false;
    }
  }
  if (bus_ && !bus_->is_quiet()) return false;
  for (std::uint32_t i = 0; bus_ && i < shard_count(); ++i) {
    if (presence_->is_waiting(i)) return false;
  }
  for (const auto& s : shards_) {
    if (!s->reads.empty() || !s->staged.empty() || !s->outcomes.empty()) return false;
  }
  for (const auto& connection : connections) {
    if (!connection->wire.empty() || (connection->is_closing && connection->is_open)) return false;
  }
  return true;
}

}  // namespace uproar::chat::testing
