#pragma once

// Which shard serialises a conversation, or keeps a user's presence: a hash of the id that is the same on every shard
// and in every run. The owner of a topic is the owner of what it speaks of.

#include <cstdint>

#include "core/chat/topic.h"
#include "proto/base/uuid.h"
#include "proto/chat/ids.h"

namespace uproar::chat {

// Version 7 ids share their high bits within a millisecond and their low bits are random: mix both (the finaliser of
// SplitMix64), then scale without a division.
[[nodiscard]] constexpr std::uint32_t owner_of(const Uuid& id, std::uint32_t shard_count) {
  std::uint64_t x = id.high ^ (id.low * 0x9E3779B97F4A7C15ULL);
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  x ^= x >> 31;
  return static_cast<std::uint32_t>(((x >> 32) * shard_count) >> 32);
}
[[nodiscard]] constexpr std::uint32_t owner_of(TopicId topic, std::uint32_t shard_count) {
  return owner_of(topic.uuid(), shard_count);
}
[[nodiscard]] constexpr std::uint32_t owner_of(ConversationId id, std::uint32_t shard_count) {
  return owner_of(topic_of(id), shard_count);
}
[[nodiscard]] constexpr std::uint32_t owner_of(UserId id, std::uint32_t shard_count) {
  return owner_of(topic_of(id), shard_count);
}

}  // namespace uproar::chat
