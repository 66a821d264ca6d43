#include "core/server/shard_presence.h"

#include <algorithm>
#include <utility>

#include "core/server/bus_words.h"

namespace uproar::server {

ShardPresence::ShardPresence(storage::Bus& bus, storage::NodeId self, const Now& now,
                             const OpenStore& open_store)
    : self_(self), now_(now), bus_(&bus) {
  store_ = open_store({.delta_kind = static_cast<std::uint8_t>(BusKind::kPresence),
                       .is_live = [this](const storage::NodeId& node) { return is_live(node); }});
}

ShardPresence::~ShardPresence() = default;

void ShardPresence::close() {
  store_.reset();
  bus_ = nullptr;
}

bool ShardPresence::is_live(const storage::NodeId& node) const {
  return !knows_nodes_ || std::binary_search(others_.begin(), others_.end(), node);
}

void ShardPresence::on_message(UserId user, const storage::BusMessage& message) {
  if (const auto said = storage::decode_presence_delta(message.payload))
    chat_->on_presence(message.header.node, user, *said, now_);
}

void ShardPresence::on_bus_state(storage::BusState state) {
  hears_others_ = state == storage::BusState::kUp;
  tell_certainty();
}

// Whoever is shown as online may have gone with a node that nobody found dead.
void ShardPresence::tell_certainty() {
  chat_->on_presence_certain(hears_others_ && knows_who_lives_, now_);
}

void ShardPresence::on_nodes(const std::vector<storage::NodeRecord>& nodes, bool is_current) {
  others_.clear();
  for (const storage::NodeRecord& node : nodes) {
    if (node.id != self_) others_.push_back(node.id);
  }
  std::sort(others_.begin(), others_.end());
  knows_nodes_ = true;
  chat_->on_nodes(others_, now_);
  if (std::exchange(knows_who_lives_, is_current) != is_current) tell_certainty();
}

void ShardPresence::put(UserId user, const storage::PresenceDelta& presence) {
  if (store_) store_->put(user, presence);
}

void ShardPresence::read(std::vector<UserId> users, storage::PresenceStore::Found found) {
  if (!store_) return;  // the shard ends
  store_->read(users, [self = self_, found = std::move(found)](auto read) {
    if (read.ok()) {
      for (storage::UserPresence& user : read.value())
        std::erase_if(user.nodes, [&](const auto& row) { return row.node == self; });
    }
    found(std::move(read));
  });
}

void ShardPresence::watch(UserId user) {
  if (bus_ != nullptr) bus_->subscribe(storage::presence_channel(user));
}

void ShardPresence::unwatch(UserId user) {
  if (bus_ != nullptr) bus_->unsubscribe(storage::presence_channel(user));
}

}  // namespace uproar::server
