#pragma once

// At a session's shard: which topics have a hearer here, and whether their owner knows. A topic that is new to the
// shard is announced to its owner (Interest) and is heard for sure once the owner has answered (InterestReady); when
// the last hearer leaves, the owner is told. Sessions keep 4-byte numbers of topics, not ids.

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/chat/shard_context.h"

namespace uproar::chat {

// A topic with so many hearers is in a small table of the large ones, too: whoever asks about large
// ones alone need not look into that of all topics, which no cache holds. Their use is in
// session_share.cc, which bounds this number.
inline constexpr std::uint32_t kLargeTopicHearers = 300;

class LocalTopics {
 public:
  using Index = std::uint32_t;

  explicit LocalTopics(ShardContext& context) : context_(context) {}

  // One more hearer, or somebody who is about to be one. nullopt: kTopicsMax.
  [[nodiscard]] std::optional<Index> acquire(ConversationId conversation) {
    return acquire(topic_of(conversation), {});
  }
  [[nodiscard]] std::optional<Index> acquire(UserId user) { return acquire(topic_of(user), user); }

  void release(Index index) {
    Topic& topic = topics_[index];
    UPROAR_CHECK(topic.hearers > 0, index);
    if (topic.hearers-- == kLargeTopicHearers) large_.erase(topic.id);
    if (topic.hearers > 0) return;
    const TopicId id = topic.id;
    const std::uint32_t token = topic.token;
    index_of_.erase(id);
    waiters_.erase(index);
    free_.push_back(index);
    if (is_announced(id))
      context_.send(context_.owner(id), Interest{id, context_.self, token, false, {}});
  }

  // Numbers the session slots that waited for the topic's owner.
  [[nodiscard]] std::vector<Endpoint> on(const InterestReady& ready) {
    const auto it = index_of_.find(ready.topic);
    if (it == index_of_.end()) return {};
    Topic& topic = topics_[it->second];
    if (topic.token != ready.token || topic.heard) return {};  // of an earlier announcement
    topic.heard = !ready.refused;
    topic.refused = ready.refused;
    const auto waiting = waiters_.find(it->second);
    if (waiting == waiters_.end()) return {};
    std::vector<Endpoint> out = std::move(waiting->second);
    waiters_.erase(waiting);
    return out;
  }

  [[nodiscard]] std::uint32_t hearers(Index index) const { return topics_[index].hearers; }
  [[nodiscard]] bool heard(Index index) const { return topics_[index].heard; }
  // Its owner has no room for it.
  [[nodiscard]] bool refused(Index index) const { return topics_[index].refused; }
  void wait(Index index, const Endpoint& session) { waiters_[index].push_back(session); }
  [[nodiscard]] const TopicId& id(Index index) const { return topics_[index].id; }
  // REQUIRES: the topic is one of a user.
  [[nodiscard]] UserId user(Index index) const {
    const Topic& topic = topics_[index];
    return UserId(Uuid{topic.id.uuid().high,
                       topic.id.uuid().low << 2 >> 2 | std::uint64_t{topic.user_variant} << 62});
  }

  [[nodiscard]] std::optional<Index> find(const TopicId& topic) const {
    const auto it = index_of_.find(topic);
    if (it == index_of_.end()) return std::nullopt;
    return it->second;
  }
  // nullopt also where it has fewer hearers than a large one.
  [[nodiscard]] std::optional<Index> find_large(const TopicId& topic) const {
    const auto it = large_.find(topic);
    if (it == large_.end()) return std::nullopt;
    return it->second;
  }
  [[nodiscard]] std::size_t size() const { return index_of_.size(); }
  // Every number is below this; those that are not in use have no hearers.
  [[nodiscard]] std::size_t numbers() const { return topics_.size(); }

 private:
  [[nodiscard]] std::optional<Index> acquire(const TopicId& topic, UserId user) {
    const auto [it, fresh] = index_of_.try_emplace(topic, 0);
    if (!fresh) {
      const Index index = it->second;
      if (++topics_[index].hearers == kLargeTopicHearers) large_.emplace(topic, index);
      if (topics_[index].refused) announce(topics_[index], user);  // there may be room by now
      return index;
    }
    if (index_of_.size() > kTopicsMax) {
      index_of_.erase(it);
      return std::nullopt;
    }
    Index index = 0;
    if (free_.empty()) {
      index = static_cast<Index>(topics_.size());
      topics_.emplace_back();
    } else {
      index = free_.back();
      free_.pop_back();
    }
    it->second = index;
    topics_[index] = {.id = topic,
                      .hearers = 1,
                      .token = 0,
                      .user_variant = static_cast<std::uint8_t>(user.uuid().low >> 62),
                      .heard = !is_announced(topic)};
    if (is_announced(topic)) announce(topics_[index], user);
    return index;
  }

  struct Topic {
    TopicId id;
    std::uint32_t hearers = 0;
    std::uint32_t token = 0;
    std::uint8_t user_variant = 0;  // of a user: the two bits that topic_of() overwrites
    bool heard = false;
    bool refused = false;  // its owner had no room, and was not asked since
  };

  // Alone, the owner need not be told of hearers on its own shard. With several nodes it listens for them.
  [[nodiscard]] bool is_announced(const TopicId& topic) const {
    return context_.nodes != nullptr || context_.owner(topic) != context_.self;
  }
  void announce(Topic& topic, UserId user) {
    topic.token = ++next_token_;
    topic.refused = false;
    context_.send(context_.owner(topic.id),
                  Interest{topic.id, context_.self, topic.token, true, user});
  }

  ShardContext& context_;
  std::vector<Topic> topics_;
  std::vector<Index> free_;
  absl::flat_hash_map<TopicId, Index> index_of_;
  absl::flat_hash_map<TopicId, Index> large_;
  absl::flat_hash_map<Index, std::vector<Endpoint>> waiters_;
  std::uint32_t next_token_ = 0;
};

}  // namespace uproar::chat
