#pragma once

// Discovery over etcd v3: a node's record is the key <prefix>nodes/<node id> under a lease that is kept alive.
//
//   own record   grant a lease -> put the record -> keep alive, kRenewalsALease times a lease; lost: from the start
//   the others   read all (range) -> watch from the next revision on; ended: watch again from the revision after the
//                last one heard, or read all again if etcd has compacted that away or has lost its data
//                once a lease all is read again, too: a watch that brings nothing may be deaf
//
// A record without a lease would be a live node for ever: it is none, and neither is what cannot be read.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "storage/client_link.h"
#include "storage/discovery.h"
#include "storage/etcd/etcd_json.h"
#include "storage/etcd/http_client.h"
#include "storage/etcd/limits.h"
#include "storage/limits.h"
#include "storage/node_list.h"
#include "storage/reactor.h"

namespace uproar::storage::etcd {

struct EtcdDiscoveryOptions {
  std::vector<std::string> urls;  // parse_etcd_urls()
  std::string prefix = "uproar/";
  std::uint32_t lease_ms =
      kNodeLeaseMs;  // etcd counts in seconds, two at least, and takes up to one more to notice
};

class EtcdDiscovery final : public Discovery {
 public:
  // Begins to read. Both outlive it.
  EtcdDiscovery(Reactor& reactor, DiscoveryListener& listener, EtcdDiscoveryOptions options);
  ~EtcdDiscovery() override;
  EtcdDiscovery(const EtcdDiscovery&) = delete;
  EtcdDiscovery& operator=(const EtcdDiscovery&) = delete;

  void announce(const NodeRecord& record) override;
  void withdraw(std::function<void()> done) override;
  [[nodiscard]] const std::vector<NodeRecord>& nodes() const override { return list_.nodes(); }
  [[nodiscard]] DiscoveryState state() const override { return state_; }
  [[nodiscard]] const SystemError& last_error() const override { return last_error_; }
  [[nodiscard]] const DiscoveryCounters& counters() const override { return counters_; }

 private:
  using Body = std::optional<std::string>;  // nullopt: failed() has been told

  void call(std::string_view path, std::string body, std::function<void(Body)> done);
  [[nodiscard]] std::string key_of(const NodeId& id) const;

  // The own record.
  void beat();
  void renew();
  void grant();
  void granted(const Body& body);
  void keep_alive();
  void kept_alive(const Body& body);
  void put();
  void put_done(NodeState state, const Body& body);
  void lose_lease();
  // The lease may have run out.
  [[nodiscard]] bool is_overdue() const { return beats_ - renewed_beat_ >= kRenewalsALease; }
  void end_withdrawal();

  // The others.
  void read_list();
  void list_read(const Body& body);
  bool remove_missing(const Range& range);
  void recheck_later();
  void watch();
  void watch_line(std::string_view text);
  void watch_ended(const HttpAnswer& answer);
  void stop_watch();
  void retry_later();
  // True: the list is another one now.
  bool apply(const KeyValue& entry);
  // It is there and says nothing of a node that lives: told once, counted.
  void ignore(const std::string& key, std::string_view why);
  bool removed(std::string_view key, std::int64_t revision);

  void failed(std::size_t member, std::string_view what, std::string why, std::string hint);
  void failed(std::string_view what, std::string why);
  void leave_member(std::size_t index);
  void update_state();

  Reactor& reactor_;
  DiscoveryListener& listener_;
  const EtcdDiscoveryOptions options_;
  const std::string nodes_prefix_;
  const std::uint32_t ttl_s_;
  std::shared_ptr<ClientLink> self_;
  DiscoveryCounters counters_;
  NodeList list_;
  std::set<std::string> ignored_;  // told of; up to kIgnoredToldMax
  HttpClient http_;
  std::size_t url_index_ = 0;
  DiscoveryState state_ = DiscoveryState::kDown;
  SystemError last_error_;

  std::optional<NodeRecord> own_;
  std::string lease_;  // empty: none
  bool is_registered_ = false;
  bool is_renewing_ = false;  // a request about the own record is under way
  bool is_changed_ = false;   // own_ says something else than what was put
  bool has_left_ = false;     // withdraw() was called
  std::uint64_t beats_ = 0;
  std::uint64_t asked_beat_ = 0;  // the last before the request about the lease that is under way
  std::uint64_t renewed_beat_ =
      0;  // likewise of the last that was granted: from there on the lease counts
  std::int64_t own_revision_ = 0;  // of the store when the record was put last
  std::function<void()> withdrawn_;

  std::optional<HttpClient::RequestId> watch_;
  bool is_reading_ = false;
  bool is_read_ = false;      // there is a revision to go on from
  bool is_watching_ = false;  // etcd has confirmed the watch
  bool is_forgiving_ =
      false;  // the store has lost its data: nobody counts as dead until recheck_timer_ fires
  std::int64_t revision_ = 0;
  std::uint32_t retry_ms_ = 0;

  std::optional<Reactor::TimerId> beat_timer_;
  std::optional<Reactor::TimerId> retry_timer_;
  std::optional<Reactor::TimerId> recheck_timer_;
  std::optional<Reactor::TimerId> withdraw_timer_;
};

}  // namespace uproar::storage::etcd
