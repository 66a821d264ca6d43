#include "storage/redis/redis_discovery.h"

#include <algorithm>
#include <utility>

#include "proto/base/check.h"
#include "storage/redis/redis_remedy.h"

namespace uproar::storage::redis {
namespace {

std::string error_text(const Result<RedisReply, RedisLost>& answer) {
  return answer.ok() ? std::string(answer.value().value().text()) : "the connection was lost";
}

bool is_fault(const Result<RedisReply, RedisLost>& answer) {
  return !answer.ok() || answer.value().value().is_error();
}

}  // namespace

RedisDiscovery::RedisDiscovery(Reactor& reactor, DiscoveryListener& listener, RedisBus& bus,
                               RedisDiscoveryOptions options)
    : reactor_(reactor),
      bus_(bus),
      listener_(listener),
      options_(options),
      set_key_("{" + bus.prefix() + "nodes}"),
      self_(std::make_shared<ClientLink>(reactor)),
      list_(listener, counters_) {
  UPROAR_CHECK(options_.lease_ms >= 500, options_.lease_ms);
  bus_.subscribe(kNodesChannel);
  poll_timer_ = reactor_.arm_timer(0, [this] { poll(); });
}

RedisDiscovery::~RedisDiscovery() {
  self_->close();
  bus_.unsubscribe(kNodesChannel);
  for (auto* timer : {&beat_timer_, &poll_timer_, &poke_timer_, &withdraw_timer_})
    if (*timer) reactor_.cancel_timer(**timer);
}

void RedisDiscovery::announce(const NodeRecord& record) {
  UPROAR_CHECK(!own_ || own_->id == record.id);
  UPROAR_CHECK(record.name.size() <= kNodeNameBytesMax && record.url.size() <= kNodeUrlBytesMax);
  if (has_left_) return;
  const bool is_first = !own_;
  own_ = record;
  if (is_first) return beat();
  tell(false);
}

// Tells the own record, and again each beat.
void RedisDiscovery::beat() {
  beat_timer_ = reactor_.arm_timer(beat_ms(), [this] { beat(); });
  if (++silent_beats_ > kBeatsALease) lose_lease();
  tell(is_registered_);
}

// While registered it asks for the record to be there still: if it is not, the lease was lost meanwhile.
void RedisDiscovery::tell(bool only_if_there) {
  RedisCommands& commands = bus_.commands();
  const std::string id = own_->id.text();
  const std::string key = set_key_ + ":" + id;
  const std::string record = encode_node_record(*own_);
  const std::string time = std::to_string(key_ms());
  const auto done = [this, only_if_there, state = own_->state](const auto& answer) {
    told(only_if_there, state, answer);
  };
  (void)commands.send(set_key_, {"SADD", set_key_, id}, {});
  const SendResult sent =
      only_if_there ? commands.send(set_key_, {"SET", key, record, "PX", time, "XX"}, done)
                    : commands.send(set_key_, {"SET", key, record, "PX", time}, done);
  if (sent != SendResult::kQueued) failed("register", "Redis cannot be reached");
}

void RedisDiscovery::told(bool only_if_there, NodeState state,
                          const Result<RedisReply, RedisLost>& answer) {
  if (!own_ || (withdrawn_ && state != NodeState::kLeaving)) return;  // overtaken
  if (is_fault(answer)) return failed("register", error_text(answer));
  if (answer.value().value().is_nil()) {
    lose_lease();
    return tell(false);
  }
  silent_beats_ = 0;
  counters_.renewals.add();
  if (withdrawn_) {
    tell_others();
    return end_withdrawal();
  }
  if (only_if_there) return;
  tell_others();
  if (!std::exchange(is_registered_, true)) listener_.on_registered();
}

void RedisDiscovery::lose_lease() {
  if (!std::exchange(is_registered_, false)) return;
  counters_.leases_lost.add();
  listener_.on_lease_lost();
}

void RedisDiscovery::withdraw(std::function<void()> done) {
  has_left_ = true;
  if (!own_) {
    self_->post(std::move(done));
    return;
  }
  // The record stays for its time and says why there will be none.
  own_->state = NodeState::kLeaving;
  is_registered_ = false;
  withdrawn_ = std::move(done);
  withdraw_timer_ = reactor_.arm_timer(options_.lease_ms, [this] {
    withdraw_timer_.reset();
    end_withdrawal();
  });
  tell(false);
}

void RedisDiscovery::end_withdrawal() {
  own_.reset();
  if (beat_timer_) reactor_.cancel_timer(*std::exchange(beat_timer_, std::nullopt));
  if (withdraw_timer_) reactor_.cancel_timer(*std::exchange(withdraw_timer_, std::nullopt));
  std::exchange(withdrawn_, {})();
}

void RedisDiscovery::tell_others() {
  (void)bus_.publish(kNodesChannel, options_.poke_kind, 0, {});
  poke();
}

void RedisDiscovery::poke() {
  if (poke_timer_ || is_reading_) {
    is_poked_ = true;
  } else {
    read_list(false);
  }
  if (poke_timer_) return;
  poke_timer_ = reactor_.arm_timer(kPokeIntervalMs, [this] {
    poke_timer_.reset();
    if (std::exchange(is_poked_, false)) poke();
  });
}

void RedisDiscovery::poll() {
  poll_timer_ = reactor_.arm_timer(poll_ms(), [this] { poll(); });
  ++polls_;
  if (!is_reading_) read_list(true);  // else its answer is late
}

void RedisDiscovery::read_list(bool is_poll) {
  is_reading_ = true;
  counts_from_ = is_poll ? polls_ : polls_ + 1;
  const SendResult sent = bus_.commands().send(set_key_, {"SMEMBERS", set_key_},
                                               [this](const auto& answer) { ids_read(answer); });
  if (sent == SendResult::kQueued) return;
  is_reading_ = false;
  failed("read the list of nodes", "Redis cannot be reached");
}

void RedisDiscovery::ids_read(const Result<RedisReply, RedisLost>& answer) {
  if (is_fault(answer)) {
    is_reading_ = false;
    return failed("read the list of nodes", error_text(answer));
  }
  std::vector<NodeId> ids;
  const RedisValue members = answer.value().value();
  for (std::size_t i = 0; i < members.size(); ++i)
    if (const auto id = NodeId::parse(members[i].text())) ids.push_back(*id);
  // Those that are in the list may have been lost from the set.
  for (const NodeRecord& node : list_.nodes())
    if (std::find(ids.begin(), ids.end(), node.id) == ids.end()) ids.push_back(node.id);
  if (ids.empty()) ids.emplace_back();  // MGET wants a key
  std::vector<std::string> words{"MGET"};
  for (const NodeId& id : ids) words.push_back(set_key_ + ":" + id.text());
  const std::vector<std::string_view> arguments(words.begin(), words.end());
  const SendResult sent =
      bus_.commands().send(set_key_, arguments, [this, ids](const auto& records) {
        is_reading_ = false;
        records_read(ids, records);
      });
  if (sent == SendResult::kQueued) return;
  is_reading_ = false;
  failed("read the list of nodes", "Redis cannot be reached");
}

void RedisDiscovery::records_read(const std::vector<NodeId>& ids,
                                  const Result<RedisReply, RedisLost>& answer) {
  if (is_fault(answer) || answer.value().value().size() != ids.size())
    return failed("read the list of nodes", error_text(answer));
  counters_.resyncs.add();
  const RedisValue records = answer.value().value();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (records[i].is_nil()) {
      missing(ids[i]);
      continue;
    }
    missed_since_.erase(ids[i]);
    // What cannot be read was written by a newer version: it lives, and here it is not known as what.
    if (const auto record = decode_node_record(ids[i], records[i].text())) list_.seen(*record);
  }
  set_state(own_ && !is_registered_ && !withdrawn_ ? DiscoveryState::kUncertain
                                                   : DiscoveryState::kUp);
}

void RedisDiscovery::missing(const NodeId& id) {
  if (id.is_nil()) return;
  const auto [since, is_new] = missed_since_.try_emplace(id, counts_from_);
  if (polls_ + 1 < since->second + kGracePolls) return;
  missed_since_.erase(since);
  (void)bus_.commands().send(set_key_, {"SREM", set_key_, id.text()}, {});
  // The own record is told again by the next beat; the others may not see it, but this node knows that it lives.
  if (!own_ || own_->id != id) list_.gone(id);
}

void RedisDiscovery::failed(std::string_view what, std::string_view why) {
  counters_.failures.add();
  last_error_ = {.operation = std::string(what),
                 .subject = "Redis: " + std::string(why),
                 .code = 0,
                 .hint = std::string(remedy_for(why))};
  // Looking in vain counts while the service answers: when it is back, everybody has the grace to tell again.
  missed_since_.clear();
  set_state(DiscoveryState::kDown);
}

void RedisDiscovery::set_state(DiscoveryState state) {
  if (std::exchange(state_, state) == state) return;
  counters_.state.set(static_cast<std::int64_t>(state));
  listener_.on_discovery_state(state);
}

}  // namespace uproar::storage::redis
