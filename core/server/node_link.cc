#include "core/server/node_link.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/runtime/clock.h"
#include "core/server/log.h"
#include "storage/redis/redis_presence.h"

namespace uproar::server {
namespace {

storage::redis::RedisBusOptions bus_options(const Cluster& cluster, std::uint32_t shard) {
  storage::redis::RedisBusOptions options;
  options.url = cluster.redis;
  options.node = cluster.self.id;
  options.shard = static_cast<std::uint16_t>(shard);
  // Of a server that comes back without its data the nodes have 30 % of a lease to tell it that they live, or the first
  // to be back takes the others for dead (docs/decisions/0025).
  options.backoff_ms_max = std::min(storage::redis::kBackoffMsMax, cluster.lease_ms * 15 / 100);
  options.monotonic_us = &runtime::monotonic_us;
  return options;
}

}  // namespace

NodeLink::NodeLink(storage::Reactor& reactor, const Cluster& cluster, std::uint32_t shard,
                   const Now& now, Listener& listener)
    : reactor_(reactor),
      shard_(shard),
      self_(cluster.self.id),
      now_(now),
      listener_(listener),
      ports_(*this),
      bus_(open_bus(reactor, cluster)),
      presence_(*bus_, cluster.self.id, now, [&](PresenceSetup setup) {
        return open_presence(reactor, cluster, std::move(setup));
      }) {
  ports_.connect(*bus_);
  claims_ = std::make_unique<RedisClaims>(over_redis_, now);
  if (shard != kWatchingShard) return;
  watch_ = std::make_unique<NodeWatch>(reactor, over_redis_, cluster,
                                       [this](const gateway::NodesSeen& seen) {
                                         listener_.on_nodes(seen);
                                         if (roll_call_) roll_call_->look();
                                       });
  ports_.join_roll_call();
}

NodeLink::~NodeLink() = default;

void NodeLink::open_roll_call(storage::NodesAtWork& store) {
  roll_call_ = std::make_unique<RollCall>(
      RollCall::Ports{.reactor = reactor_,
                      .store = store,
                      .listed = watch_->listed(),
                      .is_bus_up = [this] { return bus_->state() == storage::BusState::kUp; },
                      .call = [this] { ports_.call_roll(); }},
      self_);
}

std::unique_ptr<storage::Bus> NodeLink::open_bus(storage::Reactor& reactor,
                                                 const Cluster& cluster) {
  if (cluster.services != nullptr) return cluster.services->open_bus(reactor, ports_, shard_);
  auto bus =
      std::make_unique<storage::redis::RedisBus>(reactor, ports_, bus_options(cluster, shard_));
  over_redis_ = bus.get();
  return bus;
}

std::unique_ptr<storage::PresenceStore> NodeLink::open_presence(storage::Reactor& reactor,
                                                                const Cluster& cluster,
                                                                PresenceSetup setup) {
  if (cluster.services != nullptr)
    return cluster.services->open_presence(reactor, *bus_, shard_, std::move(setup));
  storage::redis::RedisPresenceOptions options;
  options.node = cluster.self.id;
  options.shard = static_cast<std::uint16_t>(shard_);
  options.delta_kind = setup.delta_kind;
  options.is_live = std::move(setup.is_live);
  return std::make_unique<storage::redis::RedisPresence>(reactor, *over_redis_, std::move(options));
}

void NodeLink::close() {
  const std::lock_guard lock(closing_);
  roll_call_.reset();
  watch_.reset();
  presence_.close();
  ports_.disconnect();
  bus_.reset();  // what is still asked has no answer any more; who waits for a claim ends with the shard
  over_redis_ = nullptr;
  claims_.reset();
}

void NodeLink::flush() {
  bus_->flush();
}

bool NodeLink::is_ready() const {
  return bus_->state() == storage::BusState::kUp && ports_.is_live() &&
         (watch_ == nullptr || watch_->is_ready()) &&
         (roll_call_ == nullptr || roll_call_->is_over());
}

SystemError NodeLink::why_not() const {
  const bool bus_is_up = bus_->state() == storage::BusState::kUp;
  SystemError why =
      bus_is_up && watch_ != nullptr ? watch_->discovery().last_error() : bus_->last_error();
  if (why.operation.empty()) {
    why.operation = !bus_is_up                                ? "reach Redis"
                    : watch_ == nullptr || watch_->is_ready() ? "hear the other nodes over Redis"
                                                              : "register this node";
  }
  return why;
}

bool NodeLink::has_told_all() const {
  return bus_->is_settled() && !chat_->owes_nodes();
}

const storage::BusCounters* NodeLink::bus_counters() const {
  return bus_ != nullptr ? &bus_->counters() : nullptr;
}

const storage::DiscoveryCounters* NodeLink::discovery_counters() const {
  return watch_ != nullptr ? &watch_->discovery().counters() : nullptr;
}

const UnlistedNodeCounters* NodeLink::unlisted_counters() const {
  const UnlistedNodes* const unlisted = watch_ != nullptr ? watch_->unlisted() : nullptr;
  return unlisted != nullptr ? &unlisted->counters() : nullptr;
}

void NodeLink::on_node_event(const chat::TopicId& topic, Seq seq, chat::ServerEvent event,
                             ByteView payload) {
  chat_->on_node_event(topic, seq, std::move(event), payload, now_);
}

void NodeLink::on_node_hint(const chat::TopicId& topic, const chat::NodeHint& hint) {
  chat_->on_node_hint(topic, hint, now_);
}

void NodeLink::on_listening(const chat::TopicId& topic) {
  chat_->on_listening(topic, now_);
}

void NodeLink::on_gap() {
  chat_->on_gap(now_);
}

void NodeLink::on_publish_lost(const chat::TopicId& topic) {
  chat_->on_publish_lost(topic, now_);
}

void NodeLink::on_nodes_poked() {
  if (watch_) watch_->poke();
}

void NodeLink::on_roll_call(const storage::NodeId& node, bool asks) {
  if (asks) ports_.answer_roll_call();
  if (roll_call_) roll_call_->heard(node);
}

void NodeLink::on_revoked(const gateway::SessionRevoked& revoked) {
  listener_.on_revoked(revoked);
}

void NodeLink::on_revocations_missed() {
  listener_.on_revocations_missed();
}

// One shard speaks for all: they have the same server.
void NodeLink::on_bus_state(storage::BusState state) {
  if (state != storage::BusState::kUp) listener_.on_revocations_missed();
  presence_.on_bus_state(state);
  if (shard_ != kWatchingShard) return;
  if (state == storage::BusState::kUp) {
    watch_->bus_is_up();
    ports_.call_roll();  // whoever gave this node up hears it
    if (roll_call_) roll_call_->begin_anew();
  }
  switch (state) {
    case storage::BusState::kUp:
      return log(LogLevel::kInfo, "Redis is there: other nodes hear this one, and it hears them");
    case storage::BusState::kUncertain:
      if (bus_->last_error().operation.empty()) return;  // on its way up
      return log(LogLevel::kWarn, "Redis is there in part only: " + bus_->last_error().text());
    case storage::BusState::kDown:
      return log(
          LogLevel::kWarn,
          "Redis is away: what other nodes say is not heard until it is back, then it is read "
          "from the store: " +
              bus_->last_error().text());
  }
}

}  // namespace uproar::server
