#pragma once

// Bodies of BasicShardNet<Io>. Included where it is instantiated: shard_net.cc for the ring, the tests for theirs.

#include <utility>

#include "core/net/shard_core.h"
#include "core/net/shard_core_accept-inl.h"
#include "core/net/shard_core_drain-inl.h"
#include "core/net/shard_core_life-inl.h"
#include "core/net/shard_core_pause-inl.h"
#include "core/net/shard_core_send-inl.h"
#include "core/net/shard_core_talk-inl.h"
#include "core/net/shard_net.h"

namespace uproar::net {

template <class Io>
BasicShardNet<Io>::BasicShardNet(Io& io, Handler& handler, NetOptions options)
    : core_(std::make_unique<ShardCore<Io>>(io, handler, std::move(options))) {
  static_assert(NetIo<Io>);
}

template <class Io>
BasicShardNet<Io>::~BasicShardNet() = default;

template <class Io>
void BasicShardNet<Io>::add_listener(int fd) {
  core_->add_listener(fd);
}

template <class Io>
void BasicShardNet<Io>::admit(int fd) {
  core_->admit(fd);
}

template <class Io>
void BasicShardNet<Io>::on_completion(const runtime::Completion& completion, Now now) {
  core_->now_ = now;
  core_->on_completion(completion);
}

template <class Io>
void BasicShardNet<Io>::on_completion(const runtime::Completion& completion) {
  core_->on_completion(completion);
}

template <class Io>
void BasicShardNet<Io>::on_tick(Now now) {
  core_->on_tick(now);
}

template <class Io>
std::optional<std::int64_t> BasicShardNet<Io>::next_deadline() const {
  return core_->next_deadline();
}

template <class Io>
bool BasicShardNet<Io>::flush(Now now) {
  return core_->flush(now);
}

template <class Io>
void BasicShardNet<Io>::drain(std::uint32_t closes_per_second) {
  core_->drain(closes_per_second);
}

template <class Io>
bool BasicShardNet<Io>::drained() const {
  return core_->drained();
}

template <class Io>
bool BasicShardNet<Io>::respond(ConnectionId id, const Reply& reply) {
  return core_->respond(id,
                        {.status = static_cast<std::uint16_t>(reply.status),
                         .content_type = reply.content_type,
                         .headers = reply.headers,
                         .body = reply.body},
                        reply.close, reply.shared);
}

template <class Io>
bool BasicShardNet<Io>::from_listed_origin(ConnectionId id) const {
  const Connection* c = core_->find(id);
  return c != nullptr && c->state == ConnectionState::kHttp && c->http()->from_listed_origin();
}

template <class Io>
bool BasicShardNet<Io>::respond(ConnectionId id, const http::Response& response, bool close_after) {
  return core_->respond(id, response, close_after);
}

template <class Io>
SendOutcome BasicShardNet<Io>::send(ConnectionId id, const EncodedMessage& message,
                                    DeliveryClass cls) {
  return core_->send(id, message, cls);
}

template <class Io>
SendOutcome BasicShardNet<Io>::send(ConnectionId id, const SharedBytes& frame, DeliveryClass cls) {
  return core_->send(id, frame, cls);
}

template <class Io>
void BasicShardNet<Io>::close(ConnectionId id, ws::CloseCode code, std::string_view reason) {
  core_->close(id, code, reason);
}

template <class Io>
void BasicShardNet<Io>::identify(ConnectionId id, const Uuid& user) {
  core_->identify(id, user);
}

template <class Io>
void BasicShardNet<Io>::pause(ConnectionId id) {
  core_->pause(id);
}

template <class Io>
void BasicShardNet<Io>::resume(ConnectionId id) {
  core_->resume(id);
}

template <class Io>
bool BasicShardNet<Io>::is_open(ConnectionId id) const {
  return core_->find_open(id) != nullptr;
}

template <class Io>
std::uint64_t BasicShardNet<Io>::context(ConnectionId id) const {
  const Connection* c = core_->find(id);
  return c == nullptr ? 0 : c->context;
}

template <class Io>
void BasicShardNet<Io>::set_context(ConnectionId id, std::uint64_t context) {
  if (Connection* c = core_->find(id); c != nullptr) c->context = context;
}

template <class Io>
PeerAddress BasicShardNet<Io>::client_address(ConnectionId id) const {
  const Connection* c = core_->find(id);
  return c == nullptr ? PeerAddress{} : ShardCore<Io>::client_address(*c);
}

template <class Io>
std::uint32_t BasicShardNet<Io>::egress_bytes(ConnectionId id) const {
  const Connection* c = core_->find(id);
  return c == nullptr || c->egress == nullptr ? 0 : c->egress->unsent_bytes();
}

template <class Io>
bool BasicShardNet<Io>::negotiated_deflate(ConnectionId id) const {
  const Connection* c = core_->find(id);
  return c != nullptr && c->deflate;
}

template <class Io>
SubscribeOutcome BasicShardNet<Io>::subscribe(ConnectionId id, const TopicId& topic) {
  return core_->subscribe(id, topic);
}

template <class Io>
UnsubscribeOutcome BasicShardNet<Io>::unsubscribe(ConnectionId id, const TopicId& topic,
                                                  PendingFrames pending) {
  return core_->unsubscribe(id, topic, pending);
}

template <class Io>
PublishOutcome BasicShardNet<Io>::publish(const TopicId& topic, const EncodedMessage& message,
                                          DeliveryClass cls, ConnectionId except) {
  return core_->publish(topic, message, cls, except);
}

template <class Io>
SendOutcome BasicShardNet<Io>::publish_to(ConnectionId id, const TopicId& topic,
                                          const EncodedMessage& message) {
  return core_->publish_to(id, topic, message);
}

template <class Io>
std::uint32_t BasicShardNet<Io>::subscriber_count(const TopicId& topic) const {
  return core_->topics_.subscriber_count(topic);
}

template <class Io>
std::vector<ConnectionId> BasicShardNet<Io>::subscribers(const TopicId& topic) const {
  std::vector<ConnectionId> out;
  core_->topics_.for_each_subscriber(topic, [&](std::uint32_t slot) {
    out.push_back({.slot = slot, .generation = core_->table_[slot].generation});
  });
  return out;
}

template <class Io>
void BasicShardNet<Io>::hold(ConnectionId id) {
  core_->hold(id);
}

template <class Io>
void BasicShardNet<Io>::release(ConnectionId id) {
  if (Connection* c = core_->find_open(id); c != nullptr) core_->release(id.slot, *c);
}

template <class Io>
void BasicShardNet<Io>::forget_held(ConnectionId id, const TopicId& topic) {
  if (Connection* c = core_->find_open(id); c != nullptr) core_->forget_held(*c, topic);
}

template <class Io>
bool BasicShardNet<Io>::is_held(ConnectionId id) const {
  const Connection* c = core_->find(id);
  return c != nullptr && c->held != nullptr;
}

template <class Io>
const NetCounters& BasicShardNet<Io>::counters() const {
  return core_->counters_;
}

template <class Io>
const NetOptions& BasicShardNet<Io>::options() const {
  return core_->options_;
}

template <class Io>
std::size_t BasicShardNet<Io>::memory_bytes() const {
  constexpr std::size_t kTimerBytes = 24;
  return std::size_t{core_->table_.made()} * sizeof(Connection) +
         core_->timers_.size() * kTimerBytes + core_->topics_.memory_bytes() +
         core_->egress_budget_.used + core_->assembler_pool_.bytes_held();
}

}  // namespace uproar::net
