#include "storage/redis/redis_presence.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "proto/base/parse_number.h"

namespace uproar::storage::redis {
namespace {

// What is said again waits while this much is on its way, so that messages find room beside it.
constexpr std::size_t kOutgoingBytesForPresence = kBusOutgoingBytesMax / 4;
// A row of a dead node goes when somebody else's in the same hash is this much younger.
constexpr std::int64_t kOutlivedUs = std::int64_t{kPresenceKeptS} * 1'000'000;
// The sentinel is forgotten after this many beats in which nobody told it again.
constexpr std::uint32_t kSentinelBeats = 3;

std::string value_of(const PresenceDelta& presence) {
  return std::to_string(presence.devices) + " " + std::to_string(presence.heard_us);
}

std::optional<PresenceDelta> presence_of(std::string_view value) {
  const std::size_t space = value.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto devices = parse_number<std::uint32_t>(value.substr(0, space));
  const auto heard_us = parse_number<std::int64_t>(value.substr(space + 1));
  if (!devices || !heard_us || *heard_us < 0) return std::nullopt;
  return PresenceDelta{.devices = *devices, .heard_us = *heard_us};
}

}  // namespace

struct RedisPresence::Reading {
  std::vector<UserPresence> users;
  std::size_t remaining = 0;
  std::size_t failed = 0;
  Found found;
};

RedisPresence::RedisPresence(Reactor& reactor, RedisBus& bus, RedisPresenceOptions options)
    : reactor_(reactor),
      bus_(bus),
      options_(std::move(options)),
      node_text_(options_.node.text()),
      sentinel_key_(bus.prefix() + "sentinel:" + node_text_ + "/" + std::to_string(options_.shard)),
      sentinel_ms_(std::to_string(options_.beat_ms * kSentinelBeats)),
      self_(std::make_shared<ClientLink>(reactor)),
      timer_(reactor.arm_timer(0, [this] { beat(); })) {}

RedisPresence::~RedisPresence() {
  self_->close();
  reactor_.cancel_timer(timer_);
}

bool RedisPresence::is_certain() const {
  return is_sentinel_there_ && disconnects_then_ == bus_.commands().counts().disconnects &&
         waiting_.empty() && unreached_.empty() && unanswered_ == 0;
}

std::string RedisPresence::key_of(const UserId& user) const {
  return bus_.prefix() + "presence:" + user.text();
}

void RedisPresence::put(const UserId& user, const PresenceDelta& presence) {
  Row& row = rows_[user];
  row.presence = presence;
  row.is_news = true;
  ++row.version;
  wait(user, row);
  counters_.rows.set(static_cast<std::int64_t>(rows_.size()));
  flush_later();
}

void RedisPresence::wait(const UserId& user, Row& row) {
  if (!std::exchange(row.is_waiting, true)) waiting_.push_back(user);
}

void RedisPresence::flush_later() {
  if (flush_posted_) return;
  flush_posted_ = true;
  self_->post([this] {
    flush_posted_ = false;
    flush();
  });
}

void RedisPresence::flush() {
  std::size_t done = 0;
  for (; done < waiting_.size(); ++done) {
    const UserId user = waiting_[done];
    const auto found = rows_.find(user);
    if (found == rows_.end()) continue;
    const SendResult sent = write(user, found->second);
    if (sent == SendResult::kFull) break;  // the next beat goes on
    if (sent == SendResult::kDown) unreached_.push_back(user);
  }
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(done));
}

SendResult RedisPresence::write(const UserId& user, Row& row) {
  RedisCommands& commands = bus_.commands();
  if (commands.outgoing_bytes() > kOutgoingBytesForPresence) return SendResult::kFull;
  const std::string key = key_of(user);
  const auto done = [this, user, version = row.version](const auto& answer) {
    written(user, version, answer);
  };
  const SendResult sent =
      row.presence.devices == 0
          ? commands.send(key, {"HDEL", key, node_text_}, done)
          : commands.send(key, {"HSET", key, node_text_, value_of(row.presence)}, done);
  if (sent != SendResult::kQueued) return sent;
  if (row.presence.devices != 0)
    (void)commands.send(key, {"EXPIRE", key, std::to_string(kPresenceKeptS)}, {});
  ++unanswered_;
  counters_.puts.add();
  row.is_waiting = false;
  return sent;
}

void RedisPresence::written(const UserId& user, std::uint64_t version,
                            const Result<RedisReply, RedisLost>& answer) {
  --unanswered_;
  if (unanswered_ == 0 && !waiting_.empty()) flush_later();
  const auto found = rows_.find(user);
  if (found == rows_.end() || found->second.version != version) return;  // a later one tells
  if (!answer.ok()) {
    counters_.failures.add();
    return wait(user, found->second);
  }
  if (answer.value().value().is_error()) {
    counters_.failures.add();
    if (!std::exchange(found->second.is_waiting, true)) unreached_.push_back(user);
    return refused();
  }
  // Not before: who reads on hearing it finds it, whichever server of a cluster has the row and whichever the channel.
  if (std::exchange(found->second.is_news, false))
    (void)bus_.publish(presence_channel(user), options_.delta_kind, 0,
                       encode_presence_delta(found->second.presence));
  if (found->second.presence.devices == 0) {
    rows_.erase(found);
    counters_.rows.set(static_cast<std::int64_t>(rows_.size()));
  }
}

// What others read of our users is old until it takes them again.
void RedisPresence::refused() {
  was_refused_ = true;
  bus_.set_writes_refused(true);
}

void RedisPresence::beat() {
  timer_ = reactor_.arm_timer(options_.beat_ms, [this] { beat(); });
  const SendResult sent =
      bus_.commands().send(sentinel_key_, {"SET", sentinel_key_, "1", "XX", "PX", sentinel_ms_},
                           [this](const auto& answer) { sentinel_answered(answer); });
  if (sent != SendResult::kQueued) is_sentinel_there_ = false;
  refresh_some();
  waiting_.insert(waiting_.end(), unreached_.begin(), unreached_.end());
  unreached_.clear();
  flush();
}

void RedisPresence::sentinel_seen(bool is_there) {
  is_sentinel_there_ = is_there;
  if (is_there) disconnects_then_ = bus_.commands().counts().disconnects;
}

void RedisPresence::sentinel_answered(const Result<RedisReply, RedisLost>& answer) {
  const bool was_cut_off = disconnects_then_ != bus_.commands().counts().disconnects;
  sentinel_seen(answer.ok() && answer.value().value().text() == "OK");
  if (answer.ok() && answer.value().value().is_error()) refused();
  // A beat in which nothing was.
  if (answer.ok() && !std::exchange(was_refused_, false)) bus_.set_writes_refused(false);
  const bool is_missing = answer.ok() && answer.value().value().is_nil();
  if (is_missing) {
    (void)bus_.commands().send(sentinel_key_, {"SET", sentinel_key_, "1", "PX", sentinel_ms_},
                               [this](const auto& set) {
                                 sentinel_seen(set.ok() && set.value().value().text() == "OK");
                                 if (set.ok() && set.value().value().is_error()) refused();
                               });
  }
  // Nobody knows how much else is gone: of a cluster, the server that restarted may be another than the sentinel's.
  if (is_missing || (is_sentinel_there_ && was_cut_off)) put_all_again();
}

// And tells the watchers: who has read meanwhile has found nothing.
void RedisPresence::put_all_again() {
  for (auto& [user, row] : rows_) {
    row.is_news = true;
    wait(user, row);
  }
  if (std::exchange(was_sentinel_there_, true)) counters_.restored.add(rows_.size());
  flush_later();
}

// A share of all rows each beat, so that every row is told again within refresh_s.
void RedisPresence::refresh_some() {
  if (refreshes_.empty()) {
    for (const auto& [user, row] : rows_) refreshes_.push_back(user);
    const std::size_t beats =
        std::max<std::size_t>(1, std::size_t{options_.refresh_s} * 1000 / options_.beat_ms);
    refreshes_a_beat_ = (rows_.size() + beats - 1) / beats;
    return;
  }
  for (std::size_t i = 0; i < refreshes_a_beat_ && !refreshes_.empty(); ++i) {
    const UserId user = refreshes_.front();
    refreshes_.pop_front();
    const auto found = rows_.find(user);
    if (found == rows_.end()) continue;
    wait(user, found->second);
    counters_.refreshed.add();
  }
}

void RedisPresence::read(std::span<const UserId> users, Found found) {
  if (users.size() > kPresenceReadUsersMax) {
    self_->post([found = std::move(found)] { found(Err{PresenceError::kOverloaded}); });
    return;
  }
  auto reading = std::make_shared<Reading>();
  reading->remaining = users.size();
  reading->found = std::move(found);
  for (const UserId& user : users) reading->users.push_back({.user = user, .nodes = {}});
  if (users.empty()) {
    self_->post([reading] { reading->found(std::move(reading->users)); });
    return;
  }
  counters_.reads.add(users.size());
  for (std::size_t i = 0; i < users.size(); ++i) read_one(reading, i);
}

void RedisPresence::read_one(const std::shared_ptr<Reading>& reading, std::size_t index) {
  const std::string key = key_of(reading->users[index].user);
  const SendResult sent = bus_.commands().send(
      key, {"HGETALL", key},
      [this, reading, index](const auto& answer) { one_read(*reading, index, answer); });
  if (sent == SendResult::kQueued) return;
  self_->post(
      [this, reading, index] { one_read(*reading, index, Err{RedisLost{.was_written = false}}); });
}

void RedisPresence::one_read(Reading& reading, std::size_t index,
                             const Result<RedisReply, RedisLost>& answer) {
  UserPresence& user = reading.users[index];
  std::vector<NodePresence> dead;
  if (!answer.ok() || !answer.value().value().is_array()) {
    counters_.failures.add();
    ++reading.failed;
    user.is_known = false;
  } else {
    const RedisValue pairs = answer.value().value();
    for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
      const auto node = NodeId::parse(pairs[i].text());
      const auto presence = presence_of(pairs[i + 1].text());
      if (!node || !presence || presence->devices == 0) continue;
      const bool is_live = *node == options_.node || !options_.is_live || options_.is_live(*node);
      (is_live ? user.nodes : dead).push_back({.node = *node, .presence = *presence});
    }
  }
  std::sort(user.nodes.begin(), user.nodes.end(),
            [](const auto& a, const auto& b) { return a.node < b.node; });
  counters_.of_the_dead.add(dead.size());
  for (const NodePresence& row : dead) {
    const bool is_outlived =
        std::any_of(user.nodes.begin(), user.nodes.end(), [&](const auto& other) {
          return other.presence.heard_us - row.presence.heard_us > kOutlivedUs;
        });
    if (!is_outlived)
      continue;  // it may be a node that discovery does not list yet; else its hash expires
    const std::string key = key_of(user.user);
    (void)bus_.commands().send(key, {"HDEL", key, row.node.text()}, {});
  }
  if (--reading.remaining > 0) return;
  if (reading.failed == reading.users.size())
    return reading.found(Err{PresenceError::kUnavailable});
  reading.found(std::move(reading.users));
}

}  // namespace uproar::storage::redis
