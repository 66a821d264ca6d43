#include "core/server/shard_router.h"

#include <utility>
#include <variant>

#include "core/server/limits.h"

namespace uproar::server {

MailboxGrid::MailboxGrid(std::uint32_t shards) : shards_(shards) {
  boxes_.resize(std::size_t{shards} * shards);
  for (std::uint32_t from = 0; from < shards; ++from) {
    for (std::uint32_t to = 0; to < shards; ++to) {
      if (from != to) boxes_[from * shards + to] = std::make_unique<ShardMailbox>(kMailboxParcels);
    }
  }
}

ShardRouter::ShardRouter(MailboxGrid& grid, std::uint32_t self)
    : grid_(grid), self_(self), held_back_(grid.shards()) {}

void ShardRouter::post(std::uint32_t to_shard, chat::Parcel parcel) {
  post(to_shard, gateway::ShardParcel(std::move(parcel)));
}

void ShardRouter::post(std::uint32_t to_shard, gateway::ShardParcel parcel) {
  counters_.parcels.add();
  if (to_shard == self_) {
    own_.push_back(std::move(parcel));
    return;
  }
  auto& held = held_back_[to_shard];
  if (held.empty() && grid_.between(self_, to_shard).try_push(std::move(parcel))) return;
  // The other shard is behind by a whole mailbox. Order forbids overtaking; what may be lost is lost first.
  if (held.size() >= kHeldBackLossyMax) {
    const auto* publish = std::get_if<gateway::PublishFrames>(&parcel);
    if (publish != nullptr && publish->delivery != net::DeliveryClass::kMessage) {
      counters_.shed.add();
      return;
    }
  }
  counters_.held_back.add();
  counters_.waiting.add(1);
  // A refused try_push() leaves its argument as it was.
  held.push_back(std::move(parcel));  // NOLINT(bugprone-use-after-move)
}

bool ShardRouter::waiting() const {
  if (!own_.empty()) return true;
  for (std::uint32_t from = 0; from < grid_.shards(); ++from) {
    if (from != self_ && !grid_.between(from, self_).empty()) return true;
  }
  return false;
}

void ShardRouter::publish(runtime::ShardContext& context) {
  for (std::uint32_t to = 0; to < grid_.shards(); ++to) {
    if (to == self_) continue;
    ShardMailbox& box = grid_.between(self_, to);
    auto& held = held_back_[to];
    while (!held.empty() && box.try_push(std::move(held.front()))) {
      held.pop_front();
      counters_.waiting.add(-1);
    }
    if (box.publish()) context.wake(*wakers_[to]);
  }
}

}  // namespace uproar::server
