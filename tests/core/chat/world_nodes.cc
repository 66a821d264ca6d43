// What lies between nodes: the bus, who is connected where, and nodes that die.
#include <memory>
#include <utility>

#include "tests/core/chat/world_shard.h"

namespace uproar::chat::testing {

TopicId presence_topic(UserId user) {
  return TopicId(Uuid{user.uuid().high, (user.uuid().low & ~(3ULL << 62)) | (1ULL << 62)});
}
bool is_presence_topic(const TopicId& topic) {
  return topic.uuid().low >> 62 == 1;
}
UserId user_of(const TopicId& topic) {
  return UserId(Uuid{topic.uuid().high, (topic.uuid().low & ~(3ULL << 62)) | (1ULL << 63)});
}

// --- a shard's part -----------------------------------------------------------------------------------------------

void World::Shard::hint(const TopicId& topic, const NodeHint& hint) {
  if (world.options_.plant == Plant::kForgetHints && hint.kind == NodeHint::Kind::kJoined) return;
  FakeBus::Item item;
  item.kind = FakeBus::Item::Kind::kHint;
  item.topic = topic;
  item.hint = hint;
  world.bus_->publish(number, std::move(item));
}

void World::Shard::put(UserId user, const storage::PresenceDelta& said) {
  UPROAR_CHECK(said.heard_us > heard_us, said.heard_us);
  heard_us = said.heard_us;
  world.presence_->put(number, user, said);
}

void World::Shard::read(std::vector<UserId> users, storage::PresenceStore::Found found) {
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

void World::Shard::say_to_nodes(const TopicId& topic, Seq seq, const ServerEvent& event) {
  world.json_.clear();
  encode(event, {}, world.json_);
  FakeBus::Item item;
  item.topic = topic;
  item.seq = seq;
  item.payload = std::string(world.json_.text());
  world.bus_->publish(number, std::move(item));
}

void World::Shard::arrived(const FakeBus::Item& item) {
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

std::uint64_t World::Shard::all_others() const {
  return ((std::uint64_t{1} << world.options_.shards) - 1) & ~(std::uint64_t{1} << index);
}

// --- the world's part -----------------------------------------------------------------------------------------------

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

}  // namespace uproar::chat::testing
