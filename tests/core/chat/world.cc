#include "tests/core/chat/world.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "proto/base/check.h"

namespace uproar::chat::testing {

using storage::Done;
using storage::Operation;
using storage::Outcome;
using storage::OutcomeStatus;
using storage::StoreError;

// The channel of a user's presence: a third kind beside the topics of conversations and users.
TopicId presence_topic(UserId user) {
  return TopicId(Uuid{user.uuid().high, (user.uuid().low & ~(3ULL << 62)) | (1ULL << 62)});
}
bool is_presence_topic(const TopicId& topic) {
  return topic.uuid().low >> 62 == 1;
}
UserId user_of(const TopicId& topic) {  // as World::user() makes them
  return UserId(Uuid{topic.uuid().high, (topic.uuid().low & ~(3ULL << 62)) | (1ULL << 63)});
}

// One shard's ports.
struct World::Shard final : Outbox,
                            Router,
                            storage::MessageLog,
                            storage::HistoryReader,
                            storage::Directory,
                            IdSource,
                            NodeBus,
                            PresenceExchange {
  struct Read {
    std::function<void()> execute;
    std::function<void()> answer;
    bool is_executed = false;
  };

  Shard(World& w, std::uint32_t i)
      : world(w),
        number(i),
        first(i / w.options_.shards * w.options_.shards),
        index(i % w.options_.shards) {
    chat = std::make_unique<ChatShard>(ChatPorts{*this, *this, *this, *this, *this, *this,
                                                 w.bus_ ? this : nullptr, w.bus_ ? this : nullptr},
                                       w.options_.limits, "node-1");
  }

  // --- Outbox ---
  void reply(const Endpoint& to, const RequestId& id, const ServerEvent& event) override {
    world.trace_event(1, to, event);
    if (to.shard == index) {
      world.deliver_reply(to, id, event);
    } else {
      link(to.shard, [w = &world, to, id, event] { w->deliver_reply(to, id, event); });
    }
  }
  void tell(const Endpoint& to, const ServerEvent& event, Delivery) override {
    UPROAR_CHECK(to.shard == index);
    world.trace_event(2, to, event);
    Connection* connection = world.find(to);
    if (connection == nullptr) return;
    if (world.on_tell) world.on_tell(*connection, event);
    world.send_to(*connection, {event, {}});
  }
  void publish(const TopicId& topic, const Reach& reach, const ServerEvent& event,
               Delivery delivery, const Endpoint* except) override {
    if (world.bus_ && reach.nodes) say_to_nodes(topic, reach.seq, event);
    if (!reach.here) return;
    world.trace_event(3, {}, event);
    world.trace(reach.shards);
    if (world.on_publish) world.on_publish(topic, event);
    send(topic, reach.shards, event, delivery,
         except != nullptr ? std::optional<Endpoint>(*except) : std::nullopt);
  }
  void relay(const TopicId& topic, std::uint64_t shards, ByteView payload,
             Delivery delivery) override {
    const auto event = world.decoder_.decode(payload);
    UPROAR_CHECK(event.ok());
    world.trace_event(4, {}, *event);
    world.log("relay", number, topic, seq_of(*event), event->index());
    if (world.options_.plant == Plant::kRelayAsItComes && delivery == Delivery::kMessage) return;
    send(topic, shards, *event, delivery, std::nullopt);
    if (world.options_.plant == Plant::kRepeatRelay && world.random(20) == 0)
      send(topic, shards, *event, delivery, std::nullopt);
  }
  void send(const TopicId& topic, std::uint64_t remote_shards, const ServerEvent& event,
            Delivery delivery, const std::optional<Endpoint>& but) {
    UPROAR_CHECK((remote_shards >> index & 1) == 0);
    world.deliver_publish(number, topic, event, delivery, but);
    for (std::uint32_t to = 0; to < world.options_.shards; ++to) {
      if ((remote_shards >> to & 1) == 0) continue;
      const bool is_durable = delivery == Delivery::kMessage;
      if (is_durable && world.options_.plant == Plant::kLosePublish && world.random(20) == 0)
        continue;
      if (is_durable && world.options_.plant == Plant::kForgetInterest && world.random(20) == 0)
        break;
      const int times =
          is_durable && world.options_.plant == Plant::kRepeatPublish && world.random(20) == 0 ? 2
                                                                                               : 1;
      for (int i = 0; i < times; ++i) {
        link(to, [w = &world, to = first + to, topic, event, delivery, but] {
          w->deliver_publish(to, topic, event, delivery, but);
        });
      }
    }
  }

  // --- NodeBus ---
  void listen(const TopicId& topic) override { world.bus_->listen(number, topic); }
  void unlisten(const TopicId& topic) override { world.bus_->unlisten(number, topic); }
  void hint(const TopicId& topic, const NodeHint& hint) override {
    if (world.options_.plant == Plant::kForgetHints && hint.kind == NodeHint::Kind::kJoined) return;
    FakeBus::Item item;
    item.kind = FakeBus::Item::Kind::kHint;
    item.topic = topic;
    item.hint = hint;
    world.bus_->publish(number, std::move(item));
  }
  // --- PresenceExchange ---
  void put(UserId user, const storage::PresenceDelta& said) override {
    UPROAR_CHECK(said.heard_us > heard_us, said.heard_us);
    heard_us = said.heard_us;
    world.presence_->put(number, user, said);
  }
  void read(std::vector<UserId> users, storage::PresenceStore::Found found) override {
    auto rows = std::make_shared<std::optional<std::vector<storage::UserPresence>>>();
    reads.push_back({[this, users, rows] {
                       if (!world.bus_->is_connected(number)) return;
                       rows->emplace();
                       for (const UserId user : users)
                         (*rows)->push_back(world.presence_->read(user, world.others_[number]));
                     },
                     [this, rows, found = std::move(found)] {
                       if (!*rows) return found(Err{storage::PresenceError::kUnavailable});
                       if (world.options_.plant == Plant::kOldPresenceWins) {
                         for (auto& user : **rows) {
                           for (auto& row : user.nodes) row.presence.heard_us += 3'600'000'000;
                         }
                       }
                       found(std::move(**rows));
                     },
                     false});
  }
  void watch(UserId user) override { world.bus_->listen(number, presence_topic(user)); }
  void unwatch(UserId user) override { world.bus_->unlisten(number, presence_topic(user)); }

  void say_to_nodes(const TopicId& topic, Seq seq, const ServerEvent& event) {
    world.json_.clear();
    encode(event, {}, world.json_);
    FakeBus::Item item;
    item.topic = topic;
    item.seq = seq;
    item.payload = std::string(world.json_.text());
    world.bus_->publish(number, std::move(item));
  }
  void arrived(const FakeBus::Item& item) {
    world.trace(2000 + static_cast<std::uint64_t>(item.kind));
    world.log(item.kind == FakeBus::Item::Kind::kEvent  ? "bus"
              : item.kind == FakeBus::Item::Kind::kHint ? "hint"
                                                        : "listening",
              number, item.topic, item.seq, static_cast<std::size_t>(item.hint.kind));
    const Plant plant = world.options_.plant;
    switch (item.kind) {
      case FakeBus::Item::Kind::kEvent: {
        auto event = world.decoder_.decode(as_bytes(item.payload));
        if (!event.ok()) {  // as one of another version: the store has it
          chat->on_node_hint(item.topic,
                             {.kind = NodeHint::Kind::kCommitted,
                              .seq = item.seq,
                              .conversation = {},
                              .session = {}},
                             world.now);
          return;
        }
        if (plant == Plant::kRelayAsItComes && item.seq != 0)
          send(item.topic, all_others(), *event, Delivery::kMessage, std::nullopt);
        chat->on_node_event(item.topic, item.seq, std::move(*event), as_bytes(item.payload),
                            world.now);
        return;
      }
      case FakeBus::Item::Kind::kHint:
        chat->on_node_hint(item.topic, item.hint, world.now);
        return;
      case FakeBus::Item::Kind::kPresence:
        if (plant == Plant::kLosePresence && world.random(5) == 0) return;
        if (plant == Plant::kOneLeftAllLeft && item.presence.devices == 0) {
          for (const storage::NodeId& node : world.node_ids_)
            chat->on_presence(node, user_of(item.topic), item.presence, world.now);
        }
        chat->on_presence(item.node, user_of(item.topic), item.presence, world.now);
        return;
      case FakeBus::Item::Kind::kListening:
        if (is_presence_topic(item.topic)) {
          chat->on_presence_listening(user_of(item.topic), world.now);
          return;
        }
        if (plant == Plant::kIgnoreListening) return;
        if (plant == Plant::kForgetHints && is_user_topic(item.topic)) return;
        chat->on_listening(item.topic, world.now);
        return;
    }
  }
  [[nodiscard]] std::uint64_t all_others() const {
    return ((std::uint64_t{1} << world.options_.shards) - 1) & ~(std::uint64_t{1} << index);
  }

  bool subscribe(const Endpoint& session, const TopicId& topic) override {
    world.trace(topic.uuid().low ^ session.slot);
    auto& members = topics[topic];
    UPROAR_CHECK(members.insert(session).second, session.slot);  // once
    return members.size() == 1;
  }
  bool unsubscribe(const Endpoint& session, const TopicId& topic, PendingFrames pending) override {
    auto& members = topics[topic];
    UPROAR_CHECK(members.erase(session) == 1, session.slot);
    if (pending == PendingFrames::kDrop && world.options_.plant != Plant::kKeepDropped) {
      if (Connection* connection = world.find(session)) {
        std::erase_if(connection->held, [&](const auto& x) { return x.first == topic; });
      }
    }
    return members.empty();
  }
  [[nodiscard]] std::vector<Endpoint> subscribers(const TopicId& topic) const override {
    const auto it = topics.find(topic);
    if (it == topics.end()) return {};
    return {it->second.begin(), it->second.end()};
  }
  void hold(const Endpoint& session) override {
    Connection* connection = world.find(session);
    connection->is_held = true;
    if (world.options_.plant != Plant::kKeepDropped) connection->held.clear();
  }
  void release(const Endpoint& session) override {
    Connection* connection = world.find(session);
    UPROAR_CHECK(connection != nullptr && connection->is_held);
    connection->is_held = false;
    for (auto& [topic, heard] : connection->held) connection->wire.push_back(std::move(heard));
    connection->held.clear();
    if (!world.options_.is_manual) {
      while (world.step_receive(*connection)) {
      }
    }
  }
  [[nodiscard]] std::uint64_t egress_bytes(const Endpoint& session) const override {
    const Connection* connection = world.find(session);
    if (connection == nullptr) return 0;
    return connection->extra_egress_bytes + connection->wire.size() * 100;
  }
  void close(const Endpoint& session, const Error& error) override {
    world.trace(static_cast<std::uint64_t>(error.code));
    Connection* connection = world.find(session);
    UPROAR_CHECK(connection != nullptr && !connection->is_closing);
    connection->is_closing = true;
    connection->closed_with = error;
  }

  // --- Router ---
  [[nodiscard]] std::uint32_t self() const override { return index; }
  [[nodiscard]] std::uint32_t shard_count() const override { return world.options_.shards; }
  void post(std::uint32_t to_shard, Parcel parcel) override {
    UPROAR_CHECK(to_shard != index && to_shard < world.options_.shards);
    const std::uint32_t to = first + to_shard;
    world.trace(1000 + parcel.index());
    const Plant plant = world.options_.plant;
    if (auto* attach = std::get_if<Attach>(&parcel);
        attach != nullptr && plant == Plant::kShiftCursor)
      ++attach->cursor;
    if (std::holds_alternative<AttachPage>(parcel) && plant == Plant::kSkipPage &&
        world.random(5) == 0)
      return;
    if (std::holds_alternative<HearingEnd>(parcel) && plant == Plant::kLateLeaving) return;
    auto run = [w = &world, to, p = std::make_shared<Parcel>(std::move(parcel))] {
      w->shards_[to]->chat->on_parcel(std::move(*p), w->now);
    };
    auto& line = world.links_[number][to];
    if (plant == Plant::kOvertake && world.random(4) == 0) {
      line.push_front(std::move(run));
    } else {
      line.push_back(std::move(run));
    }
  }

  // --- MessageLog ---
  storage::StageResult stage(Operation operation) override {
    if (world.log_is_down) return storage::StageResult::kUnavailable;
    if (world.log_is_full) return storage::StageResult::kFull;
    const auto* append = std::get_if<storage::AppendMessage>(&operation.body);
    if (world.options_.plant == Plant::kEarlyPublish && append != nullptr) {
      const auto state = world.model_.load_conversation(operation.conversation);
      MessageNew early;
      early.message.id = append->id;
      early.message.conversation = operation.conversation;
      early.message.seq = early.message.version = state.ok() ? state->last_seq + 1 : 1;
      early.message.sender = operation.actor;
      early.message.content = append->content;
      early.message.no = 1;
      say_to_nodes(topic_of(operation.conversation), early.message.seq, ServerEvent(early));
    }
    staged.push_back(std::move(operation));
    return storage::StageResult::kStaged;
  }
  [[nodiscard]] std::uint32_t retry_after_ms() const override { return 250; }

  // --- reads: executed at one moment, answered at a later one ---
  template <class T, class Run>
  void read(Done<T> done, Run run) {
    ++world.store_reads;
    if constexpr (std::is_same_v<T, storage::Page>) ++world.page_reads;
    auto result = std::make_shared<std::optional<Result<T, StoreError>>>();
    reads.push_back({[this, result, run] {
                       if (world.reads_fail) {
                         result->emplace(Err{StoreError::kUnavailable});
                       } else {
                         result->emplace(run());
                       }
                     },
                     [result, done] { done(std::move(**result)); }, false});
  }
  void load_conversation(ConversationId id, Done<storage::ConversationState> done) override {
    read<storage::ConversationState>(std::move(done), [this, id] {
      auto state = world.model_.load_conversation(id);
      if (state.ok() && world.options_.plant == Plant::kForgetRead) {
        for (Member& member : state->members) member.read_no = 0;
      }
      return state;
    });
  }
  void read_page(const storage::PageQuery& query, Done<storage::Page> done) override {
    read<storage::Page>(std::move(done), [this, query] {
      auto page = world.model_.read_page(query);
      if (page.ok() && query.order == storage::PageQuery::Order::kChangedAfter &&
          query.seq_floor == 0 && world.options_.plant == Plant::kLoseRepair &&
          world.random(2) == 0) {  // not always: an attach would ask for ever
        *page = storage::Page{.messages = {}, .upto_seq = query.bound, .has_more = false};
      }
      if (page.ok() && query.order == storage::PageQuery::Order::kChangedAfter &&
          world.options_.plant == Plant::kCutIsWhole) {
        page->has_more = false;
      }
      return page;
    });
  }
  void create_user(storage::User, Done<UserId>) override { UPROAR_CHECK(false); }
  void find_user_by_name(std::string, Done<storage::User>) override { UPROAR_CHECK(false); }
  void find_users(std::vector<UserId> ids, Done<std::vector<storage::User>> done) override {
    read<std::vector<storage::User>>(std::move(done),
                                     [this, ids] { return world.model_.find_users(ids); });
  }
  void ensure_user(UserId, std::string, std::int64_t, Done<storage::User>) override {
    UPROAR_CHECK(false);
  }
  void set_last_online(UserId id, std::int64_t at_us) override {
    world.model_.set_last_online(id, at_us);
  }
  void create_session(storage::SessionRecord, Done<SessionId>) override { UPROAR_CHECK(false); }
  void rotate_session(std::string, std::string, std::int64_t, std::int64_t,
                      Done<storage::SessionRecord>) override {
    UPROAR_CHECK(false);
  }
  void revoke_session(SessionId, std::int64_t, Done<bool>) override { UPROAR_CHECK(false); }
  void revoked_since(std::int64_t, Done<std::vector<SessionId>>) override { UPROAR_CHECK(false); }
  void load_audiences(std::vector<UserId> users, storage::AudienceBounds bounds,
                      Done<std::vector<storage::Audience>> done) override {
    read<std::vector<storage::Audience>>(std::move(done), [this, users, bounds] {
      return world.model_.load_audiences(users, bounds);
    });
  }
  void list_conversations(storage::ListQuery query, Done<storage::ConversationList> done) override {
    read<storage::ConversationList>(std::move(done),
                                    [=, this] { return world.model_.list_conversations(query); });
  }
  void view_conversation(ConversationId id, UserId viewer, std::uint32_t members_max,
                         Done<ConversationView> done) override {
    read<ConversationView>(std::move(done), [=, this] {
      return world.model_.view_conversation(id, viewer, members_max);
    });
  }
  void unread_conversations(UserId user, std::uint32_t limit,
                            Done<std::vector<ConversationView>> done) override {
    read<std::vector<ConversationView>>(
        std::move(done), [=, this] { return world.model_.unread_conversations(user, limit); });
  }

  // --- IdSource ---
  Uuid make(const Now&) override {
    const std::uint64_t n = world.next_id_++;
    return {n * 0x9E3779B97F4A7C15ULL, n};
  }

  void link(std::uint32_t to, Delivered run) {
    world.links_[number][first + to].push_back(std::move(run));
  }

  World& world;
  const std::uint32_t number;  // through all nodes
  const std::uint32_t first;   // of the node
  const std::uint32_t index;   // within the node
  std::unique_ptr<ChatShard> chat;
  std::map<TopicId, std::set<Endpoint>> topics;
  std::deque<Operation> staged;
  std::deque<std::vector<Outcome>> outcomes;
  std::deque<Read> reads;
  std::int64_t heard_us = 0;  // of the last put
};

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
  shards_[shard]->chat->open_session(made.endpoint, user, made.session, resume, now);
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
  Command command{
      .actor = {.user = connection.user, .from = connection.endpoint, .request = std::move(id)},
      .event = std::move(event)};
  shards_[connection.shard]->chat->apply(std::move(command), now, 100);
  if (!options_.is_manual) settle();
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
    if (except && *except == session) continue;
    Connection* connection = find(session);
    UPROAR_CHECK(connection != nullptr);
    if (connection->is_held && delivery == Delivery::kMessage) {
      connection->held.emplace_back(topic, Heard{event, {}});
    } else {
      send_to(*connection, {event, {}});
    }
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
    }
  }
}

// --- several nodes -------------------------------------------------------------------------------------------------

bool World::step_bus(std::uint32_t shard) {
  return bus_->arrive(shard, [&](const FakeBus::Item& item) { shards_[shard]->arrived(item); });
}

bool World::step_presence(std::uint32_t shard) {
  if (!bus_->is_connected(shard)) return false;  // one server is both
  const storage::NodeId node = node_ids_[node_of(shard)];
  const auto said = presence_->write(shard, node);
  if (!said) return false;
  FakeBus::Item item;
  item.kind = FakeBus::Item::Kind::kPresence;
  item.topic = presence_topic(said->first);
  item.node = node;
  item.presence = said->second;
  bus_->publish(shard, std::move(item));
  return true;
}

void World::disconnect_bus(std::uint32_t shard) {
  bus_->disconnect(shard);
  shards_[shard]->chat->on_presence_certain(false, now);
}

void World::reconnect_bus(std::uint32_t shard) {
  for (const TopicId& topic : bus_->reconnect(shard)) {
    if (is_presence_topic(topic)) {
      shards_[shard]->chat->on_presence_lost(user_of(topic), now);
    } else if (options_.plant != Plant::kForgetLostPublish) {
      shards_[shard]->chat->on_publish_lost(topic, now);
    }
  }
  presence_->put_all_again(shard);
  shards_[shard]->chat->on_presence_certain(true, now);
}

void World::set_presence_readable(UserId user, bool is_readable) {
  presence_->set_readable(user, is_readable);
}

void World::flush_presence() {
  presence_->flush();
  for (std::uint32_t i = 0; i < shard_count(); ++i) {
    if (bus_->is_connected(i)) presence_->put_all_again(i);
  }
}

void World::meet_others(std::uint32_t shard) {
  const std::set<storage::NodeId> before = others_[shard];
  others_[shard] = {node_ids_.begin(), node_ids_.end()};
  others_[shard].erase(node_ids_[node_of(shard)]);
  if (options_.plant == Plant::kDeadStayOnline) others_[shard].insert(before.begin(), before.end());
  if (options_.is_list_late) return;
  const std::vector<storage::NodeId> others(others_[shard].begin(), others_[shard].end());
  shards_[shard]->chat->on_nodes(others, now);
}

void World::say_gap(std::uint32_t shard) {
  trace(3000 + shard);
  log("gap", shard, {}, 0, 0);
  options_.is_list_late = false;
  meet_others(shard);
  if (options_.plant != Plant::kIgnoreGap) shards_[shard]->chat->on_gap(now);
}

void World::kill_node(std::uint32_t node) {
  trace(4000 + node);
  log("dies", node, {}, 0, 0);
  node_ids_[node] = storage::NodeId(Uuid{9, ++lives_});
  for (auto& connection : connections) {
    if (!connection->is_open || node_of(connection->shard) != node) continue;
    connection->is_open = false;
    live_.erase(connection->endpoint);
    connection->wire.clear();
    connection->held.clear();
    free_slots_.push_back(connection->endpoint.slot);
  }
  for (std::uint32_t i = node * options_.shards; i < (node + 1) * options_.shards; ++i) {
    // A commit may have been on its way.
    (void)step_apply(i, random(4), false, false);
    for (auto& line : links_[i]) line.clear();
    bus_->forget(i);
    presence_->forget(i);
    shards_[i] = std::make_unique<Shard>(*this, i);
    meet_others(i);
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
