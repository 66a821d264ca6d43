#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "storage/client_link.h"
#include "storage/limits.h"
#include "tests/sim/sim_network.h"

namespace uproar::sim {

using storage::BusState;
using storage::NodeId;
using storage::PresenceDelta;
using storage::PresenceError;
using storage::UserPresence;

// As the real one behaves (storage/redis/redis_presence.h): one write after another, each told on the bus when its answer is
// there;
// what may be lost is put again with the next beat.
class SimPresence final : public storage::PresenceStore {
 public:
  SimPresence(SimNetwork& network, NodeId id, storage::Reactor& reactor, storage::Bus& bus,
              server::PresenceSetup setup)
      : network_(network),
        id_(id),
        reactor_(reactor),
        bus_(bus),
        setup_(std::move(setup)),
        link_(std::make_shared<storage::ClientLink>(reactor)),
        losses_then_(network.presence_losses_),
        timer_(reactor.arm_timer(kBeatMs, [this] { beat(); })) {}
  ~SimPresence() override {
    link_->close();
    *is_alive_ = false;
    reactor_.cancel_timer(timer_);
  }

  void put(const UserId& user, const PresenceDelta& presence) override {
    Row& row = rows_[user];
    row.presence = presence;
    row.is_news = true;
    ++row.version;
    wait(user, row);
    counters_.rows.set(static_cast<std::int64_t>(rows_.size()));
    flush_later();
  }
  void read(std::span<const UserId> users, Found found) override {
    if (users.size() > storage::kPresenceReadUsersMax) {
      return link_->post([found = std::move(found)] { found(Err{PresenceError::kOverloaded}); });
    }
    counters_.reads.add(users.size());
    auto asked = std::make_shared<Reading>(
        Reading{.users = {users.begin(), users.end()}, .rows = {}, .found = std::move(found)});
    const std::uint64_t connection = disconnects();
    if (bus_.state() != BusState::kUp) return answer(asked);
    network_.kernel_.after(delay_us(), [this, is_alive = is_alive_, connection, asked] {
      if (!*is_alive) return;
      if (connection == disconnects() && !network_.kernel_.chance(network_.presence_fails_percent))
        asked->rows = network_.rows_of(asked->users);
      network_.kernel_.after(delay_us(), [this, is_alive, connection, asked] {
        if (!*is_alive) return;
        if (connection != disconnects()) asked->rows.reset();
        answer(asked);
      });
    });
  }
  [[nodiscard]] bool is_certain() const override {
    return bus_.state() == BusState::kUp && disconnects_then_ == disconnects() &&
           waiting_.empty() && unanswered_ == 0;
  }
  [[nodiscard]] const storage::PresenceCounters& counters() const override { return counters_; }

 private:
  static constexpr std::uint32_t kBeatMs = 2'000;
  struct Row {
    PresenceDelta presence;
    bool is_waiting = false;  // in waiting_
    bool is_news = false;     // the watchers have not been told
    std::uint64_t version = 0;
  };
  struct Reading {
    std::vector<UserId> users;
    std::optional<std::vector<UserPresence>> rows;  // none: no answer
    Found found;
  };

  [[nodiscard]] std::uint64_t disconnects() const { return bus_.counters().disconnects.value(); }
  [[nodiscard]] std::int64_t delay_us() {
    return network_.kernel_.between(network_.latency_us / 4, network_.latency_us * 2);
  }
  void wait(const UserId& user, Row& row) {
    if (!std::exchange(row.is_waiting, true)) waiting_.push_back(user);
  }
  void flush_later() {
    if (std::exchange(is_flush_posted_, true)) return;
    link_->post([this] {
      is_flush_posted_ = false;
      flush();
    });
  }
  void flush() {
    if (bus_.state() != BusState::kUp) return;  // a later beat goes on
    for (const UserId& user : std::exchange(waiting_, {})) {
      const auto row = rows_.find(user);
      if (row == rows_.end()) continue;
      row->second.is_waiting = false;
      write(user, row->second);
    }
  }
  // In order, as they would travel on one connection.
  void write(const UserId& user, Row& row) {
    const std::int64_t now_us = network_.kernel_.now_us();
    next_us_ = std::max(next_us_, now_us + delay_us());
    ++unanswered_;
    counters_.puts.add();
    network_.kernel_.after(next_us_ - now_us, [this, &network = network_, id = id_,
                                               is_alive = is_alive_, connection = disconnects(),
                                               user, presence = row.presence,
                                               version = row.version] {
      const bool is_connected = *is_alive && connection == disconnects();
      // Of a connection that broke meanwhile: it may have left, or not.
      if (is_connected || network.kernel_.chance(50)) network.put_row(user, id, presence);
      if (!*is_alive) return;
      link_->post([this, user, version, is_connected] { written(user, version, is_connected); });
    });
  }
  void written(const UserId& user, std::uint64_t version, bool is_answered) {
    --unanswered_;
    const auto row = rows_.find(user);
    if (row == rows_.end() || row->second.version != version) return;  // a later one tells
    if (!is_answered) {
      counters_.failures.add();
      return wait(user, row->second);
    }
    const bool is_hidden = network_.wrong.hides_presence && network_.kernel_.chance(20);
    if (std::exchange(row->second.is_news, false) && !is_hidden)
      (void)bus_.publish(storage::presence_channel(user), setup_.delta_kind, 0,
                         storage::encode_presence_delta(row->second.presence));
    if (row->second.presence.devices == 0) {
      rows_.erase(row);
      counters_.rows.set(static_cast<std::int64_t>(rows_.size()));
    }
  }
  void beat() {
    timer_ = reactor_.arm_timer(kBeatMs, [this] { beat(); });
    if (bus_.state() != BusState::kUp) return;
    const bool may_be_lost =
        disconnects_then_ != disconnects() || losses_then_ != network_.presence_losses_;
    disconnects_then_ = disconnects();
    losses_then_ = network_.presence_losses_;
    if (may_be_lost && !network_.wrong.forgets_to_put_again) {
      for (auto& [user, row] : rows_) {
        row.is_news = true;
        wait(user, row);
      }
      counters_.restored.add(rows_.size());
    }
    flush();
  }
  void answer(const std::shared_ptr<Reading>& reading) {
    link_->post([this, reading] {
      if (!reading->rows) {
        counters_.failures.add();
        return reading->found(Err{PresenceError::kUnavailable});
      }
      for (UserPresence& user : *reading->rows) {
        counters_.of_the_dead.add(std::erase_if(user.nodes, [this](const auto& row) {
          return row.node != id_ && setup_.is_live && !setup_.is_live(row.node);
        }));
      }
      reading->found(std::move(*reading->rows));
    });
  }

  SimNetwork& network_;
  const NodeId id_;
  storage::Reactor& reactor_;
  storage::Bus& bus_;
  const server::PresenceSetup setup_;
  std::shared_ptr<storage::ClientLink> link_;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
  std::map<UserId, Row> rows_;
  std::vector<UserId> waiting_;
  std::size_t unanswered_ = 0;
  std::int64_t next_us_ = 0;  // the next write arrives no earlier
  std::uint64_t disconnects_then_ = 0;
  std::uint64_t losses_then_ = 0;
  bool is_flush_posted_ = false;
  storage::Reactor::TimerId timer_;
  storage::PresenceCounters counters_;
};

std::unique_ptr<storage::PresenceStore> SimNetwork::open_presence(NodeId id,
                                                                  storage::Reactor& reactor,
                                                                  storage::Bus& bus,
                                                                  server::PresenceSetup setup) {
  return std::make_unique<SimPresence>(*this, id, reactor, bus, std::move(setup));
}

void SimNetwork::lose_presence() {
  presence_.clear();
  ++presence_losses_;
}

void SimNetwork::put_row(const UserId& user, const NodeId& node, const PresenceDelta& presence) {
  kernel_.tell("presence of " + user.text().substr(14, 4) + ": node " + node.text() + " has " +
               std::to_string(presence.devices));
  if (presence.devices == 0) {
    presence_[user].erase(node);
  } else {
    presence_[user][node] = presence;
  }
}

std::vector<UserPresence> SimNetwork::rows_of(const std::vector<UserId>& users) const {
  std::vector<UserPresence> found;
  for (const UserId& user : users) {
    UserPresence& rows = found.emplace_back(UserPresence{.user = user, .nodes = {}});
    const auto known = presence_.find(user);
    if (known == presence_.end()) continue;
    for (const auto& [node, presence] : known->second)
      rows.nodes.push_back({.node = node, .presence = presence});
  }
  return found;
}

}  // namespace uproar::sim
