// What a shard says to connections, to other shards of its node and to the store.
#include "tests/core/chat/world_shard.h"

#include <memory>
#include <utility>

namespace uproar::chat::testing {

using storage::Done;
using storage::Operation;
using storage::StoreError;

World::Shard::Shard(World& w, std::uint32_t i)
    : world(w),
      number(i),
      first(i / w.options_.shards * w.options_.shards),
      index(i % w.options_.shards) {
  ChatLimits limits = w.options_.limits;
  limits.checks_invariants = true;
  chat = std::make_unique<ChatShard>(ChatPorts{*this, *this, *this, *this, *this, *this,
                                               w.bus_ ? this : nullptr, w.bus_ ? this : nullptr},
                                     limits, "node-1");
  chat->set_token_judge(*this);
}

Result<TokenProof, Error> World::Shard::judge(std::string_view token) {
  const auto known = world.tokens.find(std::string(token));
  if (known != world.tokens.end()) return known->second;
  return Err{Error{.code = ErrorCode::kUnauthorized, .detail = {}, .retry_after_ms = 0}};
}

// --- Outbox ---------------------------------------------------------------------------------------------------------

void World::Shard::reply(const Endpoint& to, const RequestId& id, const ServerEvent& event) {
  world.trace_event(1, to, event);
  if (to.shard == index) {
    world.deliver_reply(to, id, event);
  } else {
    link(to.shard, [w = &world, to, id, event] { w->deliver_reply(to, id, event); });
  }
}

void World::Shard::tell(const Endpoint& to, const ServerEvent& event, Delivery) {
  UPROAR_CHECK(to.shard == index);
  world.trace_event(2, to, event);
  Connection* connection = world.find(to);
  if (connection == nullptr) return;
  if (std::holds_alternative<ConversationNotLive>(event) &&
      world.options_.plant == Plant::kHideNotLive)
    return;
  if (world.on_tell) world.on_tell(*connection, event);
  world.send_to(*connection, {event, {}});
}

void World::Shard::publish(const TopicId& topic, const Reach& reach, const ServerEvent& event,
                           Delivery delivery, const Endpoint* except) {
  if (world.bus_ && reach.nodes) say_to_nodes(topic, reach.seq, event);
  if (!reach.here) return;
  world.trace_event(3, {}, event);
  world.trace(reach.shards);
  if (world.on_publish) world.on_publish(topic, event);
  send(topic, reach.shards, event, delivery,
       except != nullptr ? std::optional<Endpoint>(*except) : std::nullopt);
}

void World::Shard::publish_to(std::span<const Endpoint> sessions, const TopicId& topic,
                              const ServerEvent& event) {
  if (world.on_publish) world.on_publish(topic, event);
  for (const Endpoint& session : sessions) {
    UPROAR_CHECK(topics.contains(topic) && topics.at(topic).contains(session));
    world.trace_event(3, session, event);
    world.hear(session, topic, event, Delivery::kMessage);
  }
}

void World::Shard::relay(const TopicId& topic, std::uint64_t shards, ByteView payload,
                         Delivery delivery) {
  const auto event = world.decoder_.decode(payload);
  UPROAR_CHECK(event.ok());
  world.trace_event(4, {}, *event);
  world.log("relay", number, topic, seq_of(*event), event->index());
  if (world.options_.plant == Plant::kRelayAsItComes && delivery == Delivery::kMessage) return;
  send(topic, shards, *event, delivery, std::nullopt);
  if (world.options_.plant == Plant::kRepeatRelay && world.random(20) == 0)
    send(topic, shards, *event, delivery, std::nullopt);
}

void World::Shard::send(const TopicId& topic, std::uint64_t remote_shards, const ServerEvent& event,
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

bool World::Shard::subscribe(const Endpoint& session, const TopicId& topic) {
  world.trace(topic.uuid().low ^ session.slot);
  auto& members = topics[topic];
  UPROAR_CHECK(members.insert(session).second, session.slot);  // once
  return members.size() == 1;
}

bool World::Shard::unsubscribe(const Endpoint& session, const TopicId& topic,
                               PendingFrames pending) {
  auto& members = topics[topic];
  UPROAR_CHECK(members.erase(session) == 1, session.slot);
  if (pending == PendingFrames::kDrop && world.options_.plant != Plant::kKeepDropped) {
    forget_held(session, topic);
  }
  return members.empty();
}

std::vector<Endpoint> World::Shard::subscribers(const TopicId& topic) const {
  const auto it = topics.find(topic);
  if (it == topics.end()) return {};
  return {it->second.begin(), it->second.end()};
}

void World::Shard::hold(const Endpoint& session) {
  Connection* connection = world.find(session);
  connection->is_held = true;
  if (world.options_.plant != Plant::kKeepDropped) connection->held.clear();
}

void World::Shard::forget_held(const Endpoint& session, const TopicId& topic) {
  if (Connection* connection = world.find(session))
    std::erase_if(connection->held, [&](const auto& x) { return x.first == topic; });
}

void World::Shard::release(const Endpoint& session) {
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

std::uint64_t World::Shard::egress_bytes(const Endpoint& session) const {
  const Connection* connection = world.find(session);
  if (connection == nullptr) return 0;
  return connection->extra_egress_bytes + connection->wire.size() * 100;
}

void World::Shard::pause(const Endpoint& session) {
  Connection* connection = world.find(session);
  UPROAR_CHECK(connection != nullptr && !connection->is_paused);
  connection->is_paused = true;
}

void World::Shard::resume(const Endpoint& session) {
  Connection* connection = world.find(session);
  UPROAR_CHECK(connection != nullptr && connection->is_paused);
  connection->is_paused = false;
}

void World::Shard::close(const Endpoint& session, const Error& error) {
  world.trace(static_cast<std::uint64_t>(error.code));
  Connection* connection = world.find(session);
  UPROAR_CHECK(connection != nullptr && !connection->is_closing);
  connection->is_closing = true;
  connection->closed_with = error;
}

// --- Router and MessageLog ------------------------------------------------------------------------------------------

void World::Shard::post(std::uint32_t to_shard, Parcel parcel) {
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

storage::StageResult World::Shard::stage(Operation operation) {
  if (world.log_is_down) return storage::StageResult::kUnavailable;
  if (!has_room(operation.conversation, 1, 0)) return storage::StageResult::kFull;
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

bool World::Shard::has_room(ConversationId, std::size_t rows, std::size_t) const {
  return world.log_is_down || staged.empty() || staged.size() + rows <= world.log_rows_max;
}

// --- reads: executed at one moment, answered at a later one ---------------------------------------------------------

template <class T, class Run>
void World::Shard::read(Done<T> done, Run run) {
  ++world.store_reads;
  if constexpr (std::is_same_v<T, storage::Page>) ++world.page_reads;
  if constexpr (std::is_same_v<T, Seq>) ++world.seq_reads;
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

void World::Shard::load_conversation(ConversationId id, Done<storage::ConversationState> done) {
  read<storage::ConversationState>(std::move(done), [this, id] {
    auto state = world.model_.load_conversation(id);
    if (state.ok() && world.options_.plant == Plant::kForgetRead) {
      for (Member& member : state->members) member.read_no = 0;
    }
    return state;
  });
}

void World::Shard::read_page(const storage::PageQuery& query, Done<storage::Page> done) {
  read<storage::Page>(std::move(done), [this, query] {
    auto page = world.model_.read_page(query);
    if (page.ok() && query.order == storage::PageQuery::Order::kChangedAfter &&
        query.seq_floor == 0 && world.options_.plant == Plant::kLoseRepair &&
        world.random(2) == 0) {  // not always: an attach would ask for ever
      *page = storage::Page{.messages = {}, .upto_seq = query.bound, .has_more = false};
    }
    if (page.ok() && query.order == storage::PageQuery::Order::kChangedAfter && page->has_more &&
        world.options_.plant == Plant::kCutIsWhole) {
      page->has_more = false;
      page->upto_seq =
          std::max(page->upto_seq, query.bound);  // backwards it would be asked for without end
    }
    return page;
  });
}

void World::Shard::read_log(const storage::LogQuery& query, storage::Done<storage::LogPage> done) {
  read<storage::LogPage>(std::move(done), [this, query] { return world.model_.read_log(query); });
}

void World::Shard::read_last_seq(ConversationId id, storage::Done<Seq> done) {
  read<Seq>(std::move(done), [this, id] { return world.model_.read_last_seq(id); });
}

void World::Shard::find_users(std::vector<UserId> ids, Done<std::vector<storage::User>> done) {
  read<std::vector<storage::User>>(std::move(done),
                                   [this, ids] { return world.model_.find_users(ids); });
}

void World::Shard::find_companions(UserId of, std::vector<UserId> users,
                                   storage::InDoubt /*it is known of all*/,
                                   Done<std::vector<UserId>> done) {
  read<std::vector<UserId>>(std::move(done),
                            [=, this] { return world.model_.find_companions(of, users); });
}

void World::Shard::ensure_user(UserId, std::string, std::int64_t, Done<storage::User>) {
  UPROAR_CHECK(false);
}

void World::Shard::set_last_online(UserId id, std::int64_t at_us) {
  world.model_.set_last_online(id, at_us);
}

void World::Shard::rotate_session(std::string, std::string, std::int64_t, std::int64_t,
                                  Done<storage::Rotation>) {
  UPROAR_CHECK(false);
}

void World::Shard::load_audiences(std::vector<UserId> users, storage::AudienceBounds bounds,
                                  Done<std::vector<storage::Audience>> done) {
  read<std::vector<storage::Audience>>(std::move(done), [this, users, bounds] {
    return world.model_.load_audiences(users, bounds);
  });
}

void World::Shard::list_conversations(storage::ListQuery query,
                                      Done<storage::ConversationList> done) {
  read<storage::ConversationList>(std::move(done),
                                  [=, this] { return world.model_.list_conversations(query); });
}

void World::Shard::view_conversation(ConversationId id, UserId viewer, std::uint32_t members_max,
                                     Done<ConversationView> done) {
  read<ConversationView>(std::move(done), [=, this] {
    return world.model_.view_conversation(id, viewer, members_max);
  });
}

void World::Shard::unread_conversations(UserId user, std::uint32_t limit,
                                        Done<std::vector<ConversationView>> done) {
  read<std::vector<ConversationView>>(
      std::move(done), [=, this] { return world.model_.unread_conversations(user, limit); });
}

void World::Shard::find_memberships(UserId user, std::vector<ConversationId> ids,
                                    Done<std::vector<ConversationId>> done) {
  read<std::vector<ConversationId>>(std::move(done), [this, user, ids = std::move(ids)] {
    return world.model_.find_memberships(user, ids);
  });
}

void World::Shard::find_writers(std::vector<storage::Writer> asked,
                                Done<std::vector<storage::Writer>> done) {
  read<std::vector<storage::Writer>>(std::move(done), [this, asked = std::move(asked)] {
    return world.model_.find_writers(asked);
  });
}

Uuid World::Shard::make(const Now&) {
  const std::uint64_t n = world.next_id_++;
  return {n * 0x9E3779B97F4A7C15ULL, n};
}

void World::Shard::link(std::uint32_t to, Delivered run) {
  world.links_[number][first + to].push_back(std::move(run));
}

}  // namespace uproar::chat::testing
