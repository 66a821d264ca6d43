#include "core/net/client_table.h"

#include "core/net/limits.h"
#include "proto/base/check.h"

namespace uproar::net {

ClientKey client_key(const PeerAddress& address) {
  return {.high = 0, .low = address.limit_key()};
}

ClientKey client_key(const Uuid& user) {
  return {.high = user.high | (std::uint64_t{1} << 63U), .low = user.low};
}

ClientTable::Index ClientTable::join(const ClientKey& key) {
  const auto [found, is_new] = by_key_.try_emplace(key, kNone);
  if (is_new) {
    if (free_.empty()) {
      found->second = static_cast<Index>(clients_.size());
      clients_.emplace_back();
    } else {
      found->second = free_.back();
      free_.pop_back();
    }
    clients_[found->second] = {};
    clients_[found->second].key = key;
  }
  ++clients_[found->second].connections;
  return found->second;
}

void ClientTable::leave(Index client, std::int64_t now_us) {
  Client& c = clients_[client];
  UPROAR_CHECK(c.connections > 0);
  if (--c.connections > 0) return;
  UPROAR_CHECK(c.sessionless == 0 && c.held_bytes == 0, c.sessionless, c.held_bytes);
  if (c.is_indebted) return;
  if (c.full_at_ns <= now_us * 1000) return forget(client);
  c.is_indebted = 1;
  indebted_.push_back(client);
  if (indebted_.size() > kIndebtedClientsMax) drop_first_indebted();
}

void ClientTable::trim(std::int64_t now_us) {
  while (!indebted_.empty()) {
    const Client& c = clients_[indebted_.front()];
    if (c.connections == 0 && c.full_at_ns > now_us * 1000) return;
    drop_first_indebted();
  }
}

// Who came again meanwhile stays.
void ClientTable::drop_first_indebted() {
  const Index client = indebted_.front();
  indebted_.pop_front();
  clients_[client].is_indebted = 0;
  if (clients_[client].connections == 0) forget(client);
}

void ClientTable::forget(Index client) {
  by_key_.erase(clients_[client].key);
  free_.push_back(client);
}

std::uint32_t ClientTable::connections(const ClientKey& key) const {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? 0 : clients_[found->second].connections;
}

std::uint32_t ClientTable::first_to_go() const {
  return most_ == 0 ? kNone : clients_[ranks_[most_]].oldest;
}

// The address leaves the list of those that have as many as it had, and goes to the front of its new one.
void ClientTable::rank(Index address, std::uint32_t sessionless) {
  Client& c = clients_[address];
  if (c.sessionless > 0) {
    (c.before == kNone ? ranks_[c.sessionless] : clients_[c.before].after) = c.after;
    if (c.after != kNone) clients_[c.after].before = c.before;
  }
  c.sessionless = sessionless;
  if (sessionless > 0) {
    if (ranks_.size() <= sessionless) ranks_.resize(std::size_t{sessionless} + 1, kNone);
    c.before = kNone;
    c.after = ranks_[sessionless];
    if (c.after != kNone) clients_[c.after].before = address;
    ranks_[sessionless] = address;
    most_ = std::max(most_, sessionless);
  }
  while (most_ > 0 && ranks_[most_] == kNone) --most_;
}

}  // namespace uproar::net
