#include "storage/etcd/etcd_discovery.h"

#include <algorithm>
#include <utility>

#include "proto/base/check.h"
#include "storage/etcd/limits.h"

namespace uproar::storage::etcd {
namespace {

constexpr const char* kStartIt = "start etcd there, or correct --etcd: http://HOST:2379";
constexpr const char* kNotEtcd = "the answer is not that of etcd v3";
constexpr const char* kIsItEtcd =
    "is this etcd v3? --etcd wants the address for its clients, http://HOST:2379";

// etcd notices an end up to a second late: the lease that others see is the one that was asked for.
std::uint32_t ttl_for(std::uint32_t lease_ms) {
  return std::max(kLeaseSecondsMin, lease_ms < 1000 ? 0 : (lease_ms - 1000) / 1000);
}

}  // namespace

EtcdDiscovery::EtcdDiscovery(Reactor& reactor, DiscoveryListener& listener,
                             EtcdDiscoveryOptions options)
    : reactor_(reactor),
      listener_(listener),
      options_(std::move(options)),
      nodes_prefix_(options_.prefix + "nodes/"),
      ttl_s_(ttl_for(options_.lease_ms)),
      self_(std::make_shared<ClientLink>(reactor)),
      list_(listener, counters_),
      http_(reactor) {
  UPROAR_CHECK(!options_.urls.empty());
  beat_timer_ = reactor_.arm_timer(0, [this] { beat(); });
  read_list();
}

EtcdDiscovery::~EtcdDiscovery() {
  self_->close();
  for (auto* timer : {&beat_timer_, &retry_timer_, &recheck_timer_, &withdraw_timer_})
    if (*timer) reactor_.cancel_timer(**timer);
}

std::string EtcdDiscovery::key_of(const NodeId& id) const {
  return nodes_prefix_ + id.text();
}

void EtcdDiscovery::call(std::string_view path, std::string body, std::function<void(Body)> done) {
  const std::string url = options_.urls[url_index_] + std::string(path);
  // An answer that is later than the next beat is none.
  const std::uint32_t timeout_ms = ttl_s_ * 1000 / kRenewalsALease;
  http_.post(url, std::move(body), timeout_ms,
             [this, member = url_index_, path = std::string(path),
              done = std::move(done)](HttpAnswer answer) {
               if (answer.status == 200) return done(std::move(answer.body));
               std::string why = answer.status == 0 ? answer.error : read_error(answer.body);
               std::string hint = answer.status == 0 ? kStartIt : "";
               if (why.empty()) {
                 why = "HTTP status " + std::to_string(answer.status);
                 hint = kIsItEtcd;
               }
               failed(member, path, std::move(why), std::move(hint));
               if (answer.status == 0 || answer.status >= 500) leave_member(member);
               done(std::nullopt);
             });
}

// --- the own record ---------------------------------------------------------------------------------------------------

void EtcdDiscovery::announce(const NodeRecord& record) {
  UPROAR_CHECK(!own_ || own_->id == record.id);
  UPROAR_CHECK(record.name.size() <= kNodeNameBytesMax && record.url.size() <= kNodeUrlBytesMax);
  if (has_left_) return;
  own_ = record;
  is_changed_ = true;
  renew();
}

void EtcdDiscovery::beat() {
  beat_timer_ = reactor_.arm_timer(ttl_s_ * 1000 / kRenewalsALease, [this] { beat(); });
  ++beats_;
  // Who has nothing to keep alive has to look in another way whether etcd still answers.
  if (!own_ || beats_ % kRenewalsALease == 0) read_list();
  if (!own_) return;
  // Etcd counts from when it heard of the renewal, which is no earlier: the others know no earlier than this node.
  if (is_overdue()) lose_lease();
  renew();
}

void EtcdDiscovery::renew() {
  if (is_renewing_ || !own_) return;  // its end comes back here if there is more to do
  is_renewing_ = true;
  if (lease_.empty()) {
    grant();
  } else if (is_overdue()) {
    keep_alive();  // if there is such a lease at all
  } else if (is_changed_ || !is_registered_) {
    put();
  } else {
    keep_alive();
  }
}

void EtcdDiscovery::grant() {
  asked_beat_ = beats_;
  call("/v3/lease/grant", grant_body(ttl_s_), [this](const Body& body) { granted(body); });
}

void EtcdDiscovery::granted(const Body& body) {
  is_renewing_ = false;
  if (!body) return;  // the next beat tries again
  auto lease = read_grant(*body);
  if (!lease) return failed("/v3/lease/grant", kNotEtcd);
  lease_ = std::move(*lease);
  renewed_beat_ = asked_beat_;
  renew();
}

void EtcdDiscovery::keep_alive() {
  asked_beat_ = beats_;
  call("/v3/lease/keepalive", lease_body(lease_), [this](const Body& body) { kept_alive(body); });
}

void EtcdDiscovery::kept_alive(const Body& body) {
  is_renewing_ = false;
  if (!body) return;
  const auto ttl_s = read_keepalive(*body);
  if (!ttl_s) return failed("/v3/lease/keepalive", kNotEtcd);
  if (*ttl_s == 0) {
    lease_.clear();
    lose_lease();
    return renew();
  }
  renewed_beat_ = asked_beat_;
  counters_.renewals.add();
  update_state();
  if (is_changed_ || !is_registered_) renew();
}

void EtcdDiscovery::put() {
  is_changed_ = false;
  call("/v3/kv/put", put_body(key_of(own_->id), encode_node_record(*own_), lease_),
       [this, state = own_->state](const Body& body) { put_done(state, body); });
}

void EtcdDiscovery::put_done(NodeState state, const Body& body) {
  is_renewing_ = false;
  if (!own_) return;
  if (!body) {
    // Most of all: the lease is gone. With another one it will be put again.
    is_changed_ = true;
    lease_.clear();
    return lose_lease();
  }
  const auto answer = read_range(*body);  // its header is the same
  if (answer) own_revision_ = answer->revision;
  if (state == NodeState::kLeaving) {
    // The record goes with its lease.
    return call("/v3/lease/revoke", lease_body(lease_), [this](const Body&) { end_withdrawal(); });
  }
  if (!withdrawn_ && !std::exchange(is_registered_, true)) listener_.on_registered();
  update_state();
  if (is_changed_) renew();
}

void EtcdDiscovery::lose_lease() {
  if (!std::exchange(is_registered_, false)) return;
  counters_.leases_lost.add();
  update_state();
  listener_.on_lease_lost();
}

void EtcdDiscovery::withdraw(std::function<void()> done) {
  has_left_ = true;
  if (!own_) {
    self_->post(std::move(done));
    return;
  }
  own_->state = NodeState::kLeaving;
  is_registered_ = false;
  is_changed_ = true;
  withdrawn_ = std::move(done);
  withdraw_timer_ = reactor_.arm_timer(options_.lease_ms, [this] {
    withdraw_timer_.reset();
    end_withdrawal();
  });
  renew();
}

void EtcdDiscovery::end_withdrawal() {
  if (!withdrawn_) return;
  own_.reset();
  lease_.clear();
  if (withdraw_timer_) reactor_.cancel_timer(*std::exchange(withdraw_timer_, std::nullopt));
  std::exchange(withdrawn_, {})();
}

// --- the others -------------------------------------------------------------------------------------------------------

void EtcdDiscovery::read_list() {
  if (is_reading_) return;
  is_reading_ = true;
  call("/v3/kv/range", range_body(nodes_prefix_), [this](const Body& body) { list_read(body); });
}

void EtcdDiscovery::list_read(const Body& body) {
  is_reading_ = false;
  if (!body) return retry_later();
  const auto range = read_range(*body);
  if (!range) {
    failed("/v3/kv/range", kNotEtcd);
    return retry_later();
  }
  const bool is_younger = range->revision < revision_;
  if (is_younger && watch_) return;  // overtaken by what was watched
  counters_.resyncs.add();
  // A store that has lost its data: the living get a lease's time to register again before they count as dead.
  if (is_younger) {
    is_forgiving_ = true;
    recheck_later();
  }
  counters_.ignored.set(0);
  bool is_other = !is_forgiving_ && remove_missing(*range);
  for (const KeyValue& entry : range->found) is_other |= apply(entry);
  is_read_ = true;
  // A watch that has not brought what is read here is late, or deaf behind a connection that somebody has dropped: a new
  // one begins where the list ends.
  if (watch_ && is_watching_ && is_other) stop_watch();
  if (!watch_) {
    revision_ = range->revision;
    watch();
  }
}

void EtcdDiscovery::recheck_later() {
  if (recheck_timer_) reactor_.cancel_timer(*recheck_timer_);
  recheck_timer_ = reactor_.arm_timer(options_.lease_ms, [this] {
    recheck_timer_.reset();
    is_forgiving_ = false;
    read_list();
  });
}

bool EtcdDiscovery::remove_missing(const Range& range) {
  std::vector<std::string> missing;
  for (const NodeRecord& node : list_.nodes()) {
    std::string key = key_of(node.id);
    const bool is_there =
        std::any_of(range.found.begin(), range.found.end(),
                    [&](const KeyValue& entry) { return entry.key == key && entry.is_leased; });
    if (!is_there) missing.push_back(std::move(key));
  }
  bool is_other = false;
  for (const std::string& key : missing) is_other |= removed(key, range.revision);
  return is_other;
}

void EtcdDiscovery::watch() {
  watch_ = http_.stream(
      options_.urls[url_index_] + "/v3/watch", watch_body(nodes_prefix_, revision_ + 1),
      ttl_s_ * 1000 / kRenewalsALease, [this](std::string_view line) { watch_line(line); },
      [this](const HttpAnswer& answer) { watch_ended(answer); });
}

void EtcdDiscovery::watch_line(std::string_view text) {
  const auto line = read_watch_line(text);
  if (!line) {
    const std::string why = read_error(text);
    failed("/v3/watch", why.empty() ? kNotEtcd : why);
    stop_watch();
    return retry_later();
  }
  // A start that was compacted away, or a store that is younger than what we know of it: changes cannot be had. Or the
  // member lags behind the one that was asked before: by the next attempt it may have caught up.
  if (line->is_canceled || line->revision < revision_) {
    stop_watch();
    is_read_ = false;
    return retry_later();
  }
  if (line->is_created) {
    is_watching_ = true;
    retry_ms_ = 0;
    // If the store was lost and has grown beyond revision_ since, nothing shows it: one more look will.
    recheck_later();
    return update_state();
  }
  for (const WatchEvent& event : line->events) {
    // Who is put anew without a lease has lost it.
    if (event.is_delete || !event.entry.is_leased) removed(event.entry.key, event.revision);
    if (!event.is_delete) apply(event.entry);
  }
  revision_ = line->revision;
}

void EtcdDiscovery::watch_ended(const HttpAnswer& answer) {
  watch_.reset();
  is_watching_ = false;
  std::string why = answer.status == 0 ? answer.error : read_error(answer.body);
  failed(url_index_, "/v3/watch", why.empty() ? "etcd has ended the watch" : std::move(why),
         kStartIt);
  leave_member(url_index_);
  retry_later();
}

void EtcdDiscovery::stop_watch() {
  if (watch_) http_.cancel(*std::exchange(watch_, std::nullopt));
  is_watching_ = false;
}

void EtcdDiscovery::retry_later() {
  if (retry_timer_ || watch_) return;
  retry_ms_ = std::clamp(retry_ms_ * 2, kRetryMsMin, kRetryMsMax);
  retry_timer_ = reactor_.arm_timer(retry_ms_, [this] {
    retry_timer_.reset();
    if (watch_) return;
    if (is_read_) {
      watch();
    } else {
      read_list();
    }
  });
}

bool EtcdDiscovery::apply(const KeyValue& entry) {
  const std::string_view key = entry.key;
  if (!key.starts_with(nodes_prefix_)) return false;
  const auto id = NodeId::parse(key.substr(nodes_prefix_.size()));
  const auto record = id ? decode_node_record(*id, entry.value) : std::nullopt;
  if (record && entry.is_leased) return list_.seen(*record);
  ignore(entry.key, record ? "it has no lease, so it would stay when its node is dead: delete it"
                           : "it is no record of a node that this release can read");
  return false;
}

void EtcdDiscovery::ignore(const std::string& key, std::string_view why) {
  counters_.ignored.add(1);
  if (ignored_.size() < kIgnoredToldMax && ignored_.insert(key).second)
    listener_.on_record_ignored(key, why);
}

bool EtcdDiscovery::removed(std::string_view key, std::int64_t revision) {
  if (!key.starts_with(nodes_prefix_)) return false;
  const auto id = NodeId::parse(key.substr(nodes_prefix_.size()));
  if (!id) return false;
  if (!own_ || own_->id != *id || withdrawn_) return list_.gone(*id);
  // Our own record: the lease has run out, or somebody has removed it. A watch that resumes may still bring the end of
  // an older record than the one that is there.
  if (!is_registered_ || revision < own_revision_) return false;
  lease_.clear();
  lose_lease();
  renew();
  return false;
}

void EtcdDiscovery::failed(std::string_view what, std::string why) {
  const bool is_etcd = why != kNotEtcd;
  failed(url_index_, what, std::move(why), is_etcd ? "" : kIsItEtcd);
}

void EtcdDiscovery::failed(std::size_t member, std::string_view what, std::string why,
                           std::string hint) {
  counters_.failures.add();
  last_error_ = {.operation = "ask etcd for " + std::string(what),
                 .subject = options_.urls[member] + ": " + why,
                 .code = 0,
                 .hint = std::move(hint)};
  if (std::exchange(state_, DiscoveryState::kDown) != DiscoveryState::kDown) {
    counters_.state.set(static_cast<std::int64_t>(state_));
    listener_.on_discovery_state(state_);
  }
}

// It does not answer, and the next one may. A watch on it would be silent for ever.
void EtcdDiscovery::leave_member(std::size_t index) {
  if (index != url_index_) return;  // an answer that is later than the step away from it
  url_index_ = (url_index_ + 1) % options_.urls.size();
  if (!watch_) return;
  stop_watch();
  retry_later();
}

void EtcdDiscovery::update_state() {
  const bool is_whole = is_watching_ && (!own_ || is_registered_ || withdrawn_);
  const DiscoveryState now = is_whole ? DiscoveryState::kUp : DiscoveryState::kUncertain;
  if (std::exchange(state_, now) == now) return;
  counters_.state.set(static_cast<std::int64_t>(now));
  listener_.on_discovery_state(now);
}

}  // namespace uproar::storage::etcd
