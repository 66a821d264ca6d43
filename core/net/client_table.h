#pragma once

// Whom the work and memory of this shard are charged to. A client is an address (IPv6: its /64), and from the
// moment on that a connection is known to belong to a user, that user; its address goes on counting its connections.
// Hot path: per received piece. Allocations 0; two entries are looked at.
//
//   connections     open ones of an address, or of a user
//   held bytes      what unfinished requests and messages keep, and what waits to be read
//   work            units in a token bucket (the generic cell rate algorithm: one time, at which the bucket is full again), and in the
//                   turn that runs
//   sessionless     connections that belong to no user yet, oldest first, with the addresses ranked by how many
//                   they have: whoever makes room is found in constant time
//
// An entry lives while it has connections, and at most kIndebtedClientsMax live on because they still owe work.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/net/peer_address.h"
#include "core/net/work_share.h"
#include "proto/base/uuid.h"

namespace uproar::net {

// Names a client: an address by a high half of zero, a user by its id with the top bit set, so that none is the other.
using ClientKey = Uuid;
[[nodiscard]] ClientKey client_key(const PeerAddress& address);
[[nodiscard]] ClientKey client_key(const Uuid& user);

class ClientTable {
 public:
  using Index = std::uint32_t;
  static constexpr Index kNone = 0xFFFFFFFF;

  // The entry of `key` with one connection more.
  [[nodiscard]] Index join(const ClientKey& key);
  // One connection less. The entry goes with the last, or as soon as its work is paid for: who comes again owes it still.
  void leave(Index client, std::int64_t now_us);
  // Drops entries without connections that owe nothing any more.
  void trim(std::int64_t now_us);

  [[nodiscard]] std::uint32_t connections(Index client) const {
    return clients_[client].connections;
  }
  // Of the entry that `key` has now; 0 without one.
  [[nodiscard]] std::uint32_t connections(const ClientKey& key) const;

  // --- Work ----------------------------------------------------------------------------------------------------------

  void charge(Index client, std::uint64_t units, const WorkShare& share, std::int64_t now_us,
              std::uint32_t turn) {
    Client& c = clients_[client];
    if (c.turn != turn) {
      c.turn = turn;
      c.turn_units = 0;
    }
    constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
    c.turn_units = static_cast<std::uint32_t>(std::min(c.turn_units + units, kMost));
    c.full_at_ns = std::max(c.full_at_ns, now_us * 1000) + share.price_ns(units);
  }
  // Microseconds until the client may go on, rounded up. 0: now.
  [[nodiscard]] std::int64_t wait_us(Index client, const WorkShare& share,
                                     std::int64_t now_us) const {
    const std::int64_t wait_ns = clients_[client].full_at_ns - now_us * 1000 - share.burst_ns;
    return wait_ns <= 0 ? 0 : (wait_ns + 999) / 1000;
  }
  [[nodiscard]] std::uint64_t turn_units(Index client, std::uint32_t turn) const {
    const Client& c = clients_[client];
    return c.turn == turn ? c.turn_units : 0;
  }

  // --- Memory --------------------------------------------------------------------------------------------------------

  void hold(Index client, std::int64_t more_bytes) {
    clients_[client].held_bytes += static_cast<std::uint64_t>(more_bytes);
  }
  [[nodiscard]] std::uint64_t held_bytes(Index client) const { return clients_[client].held_bytes; }

  // --- Connections without a session -----------------------------------------------------------------------------------

  // Links of a connection among those of its address; the connection keeps them.
  struct Links {
    std::uint32_t before = kNone;
    std::uint32_t after = kNone;
  };
  // `links(slot)` gives the links of that slot's connection.
  template <class LinksOf>
  void add_sessionless(Index address, std::uint32_t slot, LinksOf&& links) {
    Client& c = clients_[address];
    links(slot) = {.before = c.newest, .after = kNone};
    (c.newest == kNone ? c.oldest : links(c.newest).after) = slot;
    c.newest = slot;
    rank(address, c.sessionless + 1);
    ++sessionless_;
  }
  template <class LinksOf>
  void remove_sessionless(Index address, std::uint32_t slot, LinksOf&& links) {
    Client& c = clients_[address];
    const Links own = links(slot);
    (own.before == kNone ? c.oldest : links(own.before).after) = own.after;
    (own.after == kNone ? c.newest : links(own.after).before) = own.before;
    rank(address, c.sessionless - 1);
    --sessionless_;
  }
  [[nodiscard]] std::uint32_t sessionless() const { return sessionless_; }
  // The slot of the oldest sessionless connection of the address that has most of them; kNone without any.
  [[nodiscard]] std::uint32_t first_to_go() const;

  [[nodiscard]] std::size_t size() const { return by_key_.size(); }

 private:
  // One cache line: what arrives from thousands of users looks at as many of these.
  struct alignas(64) Client {
    ClientKey key;
    std::int64_t full_at_ns = 0;
    std::uint64_t held_bytes = 0;
    std::uint32_t turn = 0;
    std::uint32_t turn_units = 0;  // or the most that fits
    std::uint32_t connections : 31 = 0;
    std::uint32_t is_indebted : 1 = 0;  // stands in indebted_
    std::uint32_t sessionless = 0;
    std::uint32_t oldest = kNone;  // slots
    std::uint32_t newest = kNone;
    Index before = kNone;  // neighbours among the addresses with as many sessionless connections
    Index after = kNone;
  };
  static_assert(sizeof(Client) == 64);

  void drop_first_indebted();
  void forget(Index client);
  void rank(Index address, std::uint32_t sessionless);

  std::vector<Client> clients_;
  std::vector<Index> free_;
  std::deque<Index> indebted_;  // left by their last connection, in that order
  absl::flat_hash_map<ClientKey, Index> by_key_;
  std::vector<Index>
      ranks_;               // by number of sessionless connections: the first address with so many
  std::uint32_t most_ = 0;  // no address has more
  std::uint32_t sessionless_ = 0;
};

}  // namespace uproar::net
