#include "core/server/node_link.h"

#include <string>
#include <utility>

#include "core/runtime/clock.h"
#include "core/server/log.h"

namespace uproar::server {

NodeLink::NodeLink(storage::Reactor& reactor, const Cluster& cluster, std::uint32_t shard,
                   const Now& now, NodeWatch::Changed changed)
    : shard_(shard), now_(now), ports_(*this) {
  storage::redis::RedisBusOptions options;
  options.url = cluster.redis;
  options.node = cluster.self.id;
  options.shard = static_cast<std::uint16_t>(shard);
  options.monotonic_us = &runtime::monotonic_us;
  bus_ = std::make_unique<storage::redis::RedisBus>(reactor, ports_, options);
  ports_.connect(*bus_);
  if (shard == kWatchingShard)
    watch_ = std::make_unique<NodeWatch>(reactor, *bus_, cluster, std::move(changed));
}

NodeLink::~NodeLink() = default;

void NodeLink::close() {
  watch_.reset();
  ports_.disconnect();
  bus_.reset();
}

void NodeLink::flush() {
  bus_->flush();
}

bool NodeLink::is_ready() const {
  return bus_->state() == storage::BusState::kUp && ports_.is_live() &&
         (watch_ == nullptr || watch_->is_ready());
}

SystemError NodeLink::why_not() const {
  const bool bus_is_up = bus_->state() == storage::BusState::kUp;
  SystemError why =
      bus_is_up && watch_ != nullptr ? watch_->discovery().last_error() : bus_->last_error();
  if (why.operation.empty()) why.operation = bus_is_up ? "register this node" : "reach Redis";
  return why;
}

bool NodeLink::is_idle() const {
  return bus_->counters().outgoing_bytes.value() == 0 || bus_->state() == storage::BusState::kDown;
}

const storage::DiscoveryCounters* NodeLink::discovery_counters() const {
  return watch_ != nullptr ? &watch_->discovery().counters() : nullptr;
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

// One shard speaks for all: they have the same server.
void NodeLink::on_bus_state(storage::BusState state) {
  if (shard_ != kWatchingShard) return;
  if (state == storage::BusState::kUp) watch_->bus_is_up();
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
