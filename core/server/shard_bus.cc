// Hot path: per event to or from another node.
#include "core/server/shard_bus.h"

#include <utility>

#include "core/server/bus_words.h"
#include "proto/base/check.h"
#include "storage/discovery.h"

namespace uproar::server {
namespace {

std::uint8_t number_of(BusKind kind) {
  return static_cast<std::uint8_t>(kind);
}

chat::NodeHint committed(Seq seq) {
  return {.kind = chat::NodeHint::Kind::kCommitted, .seq = seq, .conversation = {}, .session = {}};
}

}  // namespace

void ShardBus::connect(storage::Bus& bus) {
  UPROAR_CHECK(bus_ == nullptr);
  bus_ = &bus;
  bus_->subscribe(kGapChannel);
  bus_->subscribe(kRevokedChannel);
}

void ShardBus::join_roll_call() {
  if (bus_ != nullptr) bus_->subscribe(kRollCallChannel);
}

void ShardBus::call_roll() {
  if (bus_ != nullptr) (void)bus_->publish(kRollCallChannel, number_of(BusKind::kCall), 0, {});
}

void ShardBus::answer_roll_call() {
  if (bus_ != nullptr) (void)bus_->publish(kRollCallChannel, number_of(BusKind::kHere), 0, {});
}

void ShardBus::listen(const chat::TopicId& topic) {
  if (bus_ != nullptr) bus_->subscribe(channel_of(topic));
}

void ShardBus::unlisten(const chat::TopicId& topic) {
  if (bus_ != nullptr) bus_->unsubscribe(channel_of(topic));
}

// What the bus refuses it reports as lost once it takes it again.
void ShardBus::hint(const chat::TopicId& topic, const chat::NodeHint& hint) {
  if (bus_ == nullptr) return;
  (void)bus_->publish(channel_of(topic), number_of(BusKind::kHint), hint.seq,
                      encode_node_hint(hint).view());
}

void ShardBus::publish(const chat::TopicId& topic, Seq seq, ByteView payload) {
  if (bus_ == nullptr) return;
  const auto sent = bus_->publish(channel_of(topic), number_of(BusKind::kEvent), seq, payload);
  // No hearer could decode it either: they read it from the store.
  if (sent == storage::PublishResult::kTooLarge && seq != 0) hint(topic, committed(seq));
}

void ShardBus::publish_revoked(const gateway::SessionRevoked& revoked) {
  if (bus_ == nullptr) return;
  (void)bus_->publish(kRevokedChannel, number_of(BusKind::kRevoked), 0, encode_revocation(revoked));
}

void ShardBus::on_bus_message(std::string_view channel, const storage::BusMessage& message) {
  switch (static_cast<BusKind>(message.header.kind)) {
    case BusKind::kGap:
      return heard_gap();
    case BusKind::kNodes:
      return hearer_.on_nodes_poked();
    case BusKind::kRevoked:
      return heard_revocation(message);
    case BusKind::kCall:
    case BusKind::kHere:
      return hearer_.on_roll_call(message.header.node,
                                  message.header.kind == number_of(BusKind::kCall));
    case BusKind::kEvent:
    case BusKind::kHint:
      break;
    case BusKind::kPresence:
      if (const auto user = user_of_presence_channel(channel))
        return hearer_.on_presence(*user, message);
      return counters_.unknown.add();
    default:
      return counters_.unknown.add();
  }
  const auto topic = topic_of_channel(channel);
  if (!topic) return counters_.unknown.add();
  if (message.header.kind == number_of(BusKind::kEvent)) return heard_event(*topic, message);
  const auto hint = decode_node_hint(message.header.seq, message.payload);
  if (hint) return hearer_.on_node_hint(*topic, *hint);
  // A newer node's, perhaps: whatever it says, the store knows.
  counters_.undecodable.add();
  if (!chat::is_user_topic(*topic)) hearer_.on_node_hint(*topic, committed(message.header.seq));
}

void ShardBus::heard_event(const chat::TopicId& topic, const storage::BusMessage& message) {
  auto event = decoder_.decode(message.payload);
  if (event.ok())
    return hearer_.on_node_event(topic, message.header.seq, std::move(event.value()),
                                 message.payload);
  counters_.undecodable.add();
  if (message.header.seq != 0) hearer_.on_node_hint(topic, committed(message.header.seq));
}

void ShardBus::heard_revocation(const storage::BusMessage& message) {
  if (const auto revoked = decode_revocation(message.payload)) return hearer_.on_revoked(*revoked);
  if (!message.payload.empty()) counters_.undecodable.add();
  hearer_.on_revocations_missed();
}

void ShardBus::on_bus_live(std::string_view channel, storage::BusGap gap) {
  if (channel == kGapChannel) {
    hears_gaps_ = true;
    // Nothing is listened to before it. Later somebody may have said so while we could not hear it.
    if (gap != storage::BusGap::kSubscribed) heard_gap();
    return;
  }
  if (channel == kRevokedChannel) {
    hears_revocations_ = true;
    return hearer_.on_revocations_missed();
  }
  if (channel == storage::kNodesChannel) return hearer_.on_nodes_poked();
  if (const auto topic = topic_of_channel(channel)) {
    hearer_.on_listening(*topic);
  } else if (const auto user = user_of_presence_channel(channel)) {
    hearer_.on_presence_listening(*user);
  }
}

void ShardBus::on_publish_lost(std::span<const std::string> channels, bool all) {
  if (all) return tell_gap();
  for (const std::string& channel : channels) {
    if (channel == kGapChannel) {
      tell_gap();
    } else if (channel == kRevokedChannel && bus_ != nullptr) {
      (void)bus_->publish(kRevokedChannel, number_of(BusKind::kRevoked), 0, {});
    } else if (const auto topic = topic_of_channel(channel)) {
      hearer_.on_publish_lost(*topic);
    } else if (const auto user = user_of_presence_channel(channel)) {
      hearer_.on_presence_lost(*user);
    }
  }
}

void ShardBus::heard_gap() {
  counters_.gaps_heard.add();
  hearer_.on_gap();
  hearer_.on_revocations_missed();
}

void ShardBus::tell_gap() {
  if (bus_ == nullptr) return;
  counters_.gaps_told.add();
  (void)bus_->publish(kGapChannel, number_of(BusKind::kGap), 0, {});
}

}  // namespace uproar::server
