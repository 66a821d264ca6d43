#include "core/server/node_watch.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/server/bus_words.h"
#include "core/server/log.h"
#include "storage/etcd/etcd_discovery.h"

namespace uproar::server {
namespace {

std::string name_of(const storage::NodeRecord& record) {
  return "node " + record.name + " (" + record.url + ")";
}

}  // namespace

NodeWatch::NodeWatch(storage::Reactor& reactor, storage::redis::RedisBus* bus,
                     const Cluster& cluster, Changed changed)
    : reactor_(reactor),
      lease_ms_(cluster.lease_ms),
      self_(cluster.self),
      changed_(std::move(changed)) {
  storage::DiscoveryListener& self = *this;  // a base that make_unique cannot see
  if (cluster.services != nullptr) {
    discovery_ = cluster.services->open_discovery(reactor, self);
  } else if (cluster.etcd_urls.empty()) {
    auto over_redis = std::make_unique<storage::redis::RedisDiscovery>(
        reactor, self, *bus,
        storage::redis::RedisDiscoveryOptions{
            .lease_ms = cluster.lease_ms, .poke_kind = static_cast<std::uint8_t>(BusKind::kNodes)});
    over_redis_ = over_redis.get();
    discovery_ = std::move(over_redis);
  } else {
    storage::etcd::EtcdDiscoveryOptions options;
    options.urls = cluster.etcd_urls;
    options.lease_ms = cluster.lease_ms;
    discovery_ = std::make_unique<storage::etcd::EtcdDiscovery>(reactor, self, std::move(options));
  }
  discovery_->announce(self_);
}

NodeWatch::~NodeWatch() {
  if (standing_) reactor_.cancel_timer(*standing_);
}

void NodeWatch::attach(storage::NodesAtWork* store) {
  if (store == nullptr) return;
  const auto look = [this] { tell(true); };
  unlisted_ = std::make_unique<UnlistedNodes>(
      UnlistedNodes::Ports{.reactor = reactor_, .store = *store, .listed = listed(), .look = look},
      self_.id, lease_ms_);
}

NodeWatch::Listed NodeWatch::listed() const {
  return [this]() -> const std::vector<storage::NodeRecord>& { return discovery_->nodes(); };
}

void NodeWatch::poke() {
  if (over_redis_ != nullptr) over_redis_->poke();
}

void NodeWatch::bus_is_up() {
  if (over_redis_ == nullptr) return;
  over_redis_->announce(self_);  // a server that was restarted knows nobody
  over_redis_->poke();
}

void NodeWatch::announce_draining() {
  self_.state = storage::NodeState::kDraining;
  discovery_->announce(self_);
}

void NodeWatch::withdraw(std::function<void()> done) {
  discovery_->withdraw(std::move(done));
}

bool NodeWatch::is_stranger(const storage::NodeRecord& record) const {
  return !record.key_fingerprint.empty() && record.key_fingerprint != self_.key_fingerprint;
}

const storage::NodeRecord* NodeWatch::stranger() const {
  const auto& all = discovery_->nodes();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [this](const storage::NodeRecord& x) { return is_stranger(x); });
  return found == all.end() ? nullptr : &*found;
}

void NodeWatch::tell(bool may_have_missed) {
  changed_({.nodes = discovery_->nodes(),
            .may_have_missed = may_have_missed,
            .is_current = is_current_});
}

bool NodeWatch::is_ready() const {
  return is_registered_ && discovery_->state() == storage::DiscoveryState::kUp &&
         discovery_->is_live(self_.id);
}

void NodeWatch::on_node_joined(const storage::NodeRecord& record) {
  if (record.id != self_.id) log(LogLevel::kInfo, name_of(record) + " has joined");
  if (record.id != self_.id && record.name == self_.name)
    log(LogLevel::kWarn, name_of(record) + " has the name of this one: give each a --node-id");
  if (is_stranger(record)) {
    log(LogLevel::kError,
        name_of(record) +
            " signs with another key: tokens from there are refused here, and those "
            "from here there. Give all nodes the same --auth-secret-file");
  }
  tell(false);
}

void NodeWatch::on_node_changed(const storage::NodeRecord& record) {
  if (record.id != self_.id && record.state == storage::NodeState::kDraining)
    log(LogLevel::kInfo, name_of(record) + " is draining");
  tell(false);
}

void NodeWatch::on_node_gone(const storage::NodeRecord& record, storage::NodeEnd end) {
  const bool has_died = end == storage::NodeEnd::kDied && record.id != self_.id;
  if (has_died) {
    log(LogLevel::kWarn,
        name_of(record) + " is dead: what it may have kept to itself is looked for");
  } else if (record.id != self_.id) {
    log(LogLevel::kInfo, name_of(record) + " has left");
  }
  tell(has_died && !unlisted_);
  if (has_died && unlisted_) unlisted_->died(record);
}

void NodeWatch::on_registered() {
  is_registered_ = true;
}

// Others may count this node as dead until it is registered again. It serves its clients all the same.
void NodeWatch::on_lease_lost() {
  is_registered_ = false;
  log(LogLevel::kWarn,
      "this node could not renew its lease: to the others it is dead until it can");
}

void NodeWatch::on_record_ignored(std::string_view key, std::string_view why) {
  log(LogLevel::kWarn,
      "etcd: " + std::string(key) + " is not taken for a node: " + std::string(why));
}

void NodeWatch::on_discovery_state(storage::DiscoveryState state) {
  const std::string service = over_redis_ != nullptr ? "Redis" : "etcd";
  if (state == storage::DiscoveryState::kUp) {
    log(LogLevel::kInfo, service + " tells which nodes there are");
    list_moves();
  } else if (state == storage::DiscoveryState::kDown) {
    log(LogLevel::kWarn, service + " does not tell which nodes there are, the last list stands: " +
                             discovery_->last_error().text());
    list_stands();
  }
}

void NodeWatch::list_moves() {
  if (standing_) reactor_.cancel_timer(*std::exchange(standing_, std::nullopt));
  if (!std::exchange(is_current_, true)) tell(false);
}

void NodeWatch::list_stands() {
  if (standing_ || !is_current_) return;
  standing_ = reactor_.arm_timer(lease_ms_, [this] {
    standing_.reset();
    is_current_ = false;
    tell(false);
  });
}

}  // namespace uproar::server
