#pragma once

// What one client may use of this shard: slots, work and memory (client_table.h). Whoever is over their share waits, or makes
// room; nobody else does.
//
//   work     not begun while the client has used up its part of this turn (it goes on in the next, behind who waits already), or
//            owes for what it has caused (it is not read until that is paid)
//   memory   over the shard's budget for input, connections of whoever holds most are ended
//   slots    when they run short, the oldest connection without a session goes, of the address that has most of those

#include <algorithm>
#include <utility>
#include <vector>

#include "core/net/shard_core.h"
#include "core/net/shard_core_life-inl.h"
#include "proto/base/check.h"
#include "proto/base/weakness.h"

namespace uproar::net {

// --- Slots --------------------------------------------------------------------------------------------------------

template <class Io>
void ShardCore<Io>::join_address(std::uint32_t slot, Connection& c, const PeerAddress& peer) {
  c.address = clients_.join(client_key(peer));
  c.client = c.address;
  clients_.hold(c.client, c.held_bytes);  // of a request that a proxy sent in pieces
  c.sessionless = true;
  clients_.add_sessionless(c.address, slot, links());
}

template <class Io>
void ShardCore<Io>::leave_sessionless(std::uint32_t slot, Connection& c) {
  if (!c.sessionless) return;
  c.sessionless = false;
  clients_.remove_sessionless(c.address, slot, links());
}

template <class Io>
void ShardCore<Io>::leave_clients(Connection& c) {
  if (c.address == ClientTable::kNone) return;
  if (c.client != c.address) clients_.leave(c.client, now_.monotonic_us);
  clients_.leave(c.address, now_.monotonic_us);
}

template <class Io>
void ShardCore<Io>::identify(ConnectionId id, const Uuid& user) {
  Connection* c = find_open(id);
  if (c == nullptr || !c->sessionless) return;
  leave_sessionless(id.slot, *c);
  const ClientTable::Index client = clients_.join(client_key(user));
  clients_.hold(c->client, -std::int64_t{c->held_bytes});
  clients_.hold(client, c->held_bytes);
  c->client = client;
  c->ws().raise_message_bytes_max(options_.message_bytes_max);
}

template <class Io>
bool ShardCore<Io>::address_is_full(const PeerAddress& peer) const {
  return options_.connections_per_address_max != 0 &&
         clients_.connections(client_key(peer)) >= options_.connections_per_address_max &&
         !weakened(Weakness::kConnectionsPerAddress);
}

template <class Io>
void ShardCore<Io>::make_room() {
  const bool is_short = table_.used() + 1 + spare_slots(table_.slots_max()) > table_.slots_max();
  const bool has_too_many =
      options_.sessionless_max != 0 && clients_.sessionless() >= options_.sessionless_max;
  if ((!is_short && !has_too_many) || weakened(Weakness::kSessionlessSlots)) return;
  const std::uint32_t slot = clients_.first_to_go();
  if (slot == ClientTable::kNone) return;
  counters_.made_room.add();
  end(slot, table_[slot]);
}

// --- Work ---------------------------------------------------------------------------------------------------------

template <class Io>
void ShardCore<Io>::charge(const Connection& c, std::uint64_t units) {
  turn_units_ += units;
  if (c.address == ClientTable::kNone) return;  // of a proxy that has not said whose it is
  clients_.charge(c.address, units, options_.address_work, now_.monotonic_us, turn_);
  if (c.client != c.address)
    clients_.charge(c.client, units, options_.user_work, now_.monotonic_us, turn_);
}

template <class Io>
std::int64_t ShardCore<Io>::owes_us(const Connection& c) const {
  if (c.address == ClientTable::kNone || weakened(Weakness::kWorkShare)) return 0;
  const auto wait_us = [this](ClientTable::Index client, const WorkShare& share) {
    const std::int64_t owed_us = clients_.wait_us(client, share, now_.monotonic_us);
    if (owed_us == 0) return owed_us;
    // No longer than it takes to pay for half the burst: what was paid for meanwhile is used then.
    const std::int64_t look_us =
        std::int64_t{clients_.connections(client)} * 1'000'000 / kLooksAtIndebtedPerS;
    return std::max(owed_us, std::min(look_us, share.burst_ns / 2'000));
  };
  const std::int64_t of_address_us = wait_us(c.address, options_.address_work);
  if (c.client == c.address) return of_address_us;
  return std::max(of_address_us, wait_us(c.client, options_.user_work));
}

template <class Io>
bool ShardCore<Io>::had_its_turn(const Connection& c) const {
  if (weakened(Weakness::kWorkShare)) return false;
  if (turn_units_ >= kShardTurnUnits) return true;
  return c.client != ClientTable::kNone && clients_.turn_units(c.client, turn_) >= kClientTurnUnits;
}

// The input that this connection has kept is looked at later. REQUIRES: !may_go_on(c).
template <class Io>
void ShardCore<Io>::defer(std::uint32_t slot, Connection& c) {
  if (c.state >= ConnectionState::kDraining) return;
  if (const std::int64_t wait_us = owes_us(c); wait_us > 0) {
    counters_.work_throttled.add();
    c.owes = true;
    c.read_again_ms = now_ms() + static_cast<std::uint32_t>(wait_us / 1000) + 1;
    if (c.state == ConnectionState::kOpen) clear_deadline(c);  // the rest may lie in the kernel
    throttle(slot, c);
    arm_timer(slot, c);
    return;
  }
  counters_.work_deferred.add();
  list_resumed(slot, c);
  if (c.held_bytes > kUnreadBytesMax) throttle(slot, c);
}

template <class Io>
void ShardCore<Io>::throttle(std::uint32_t slot, Connection& c) {
  if (c.throttled) return;
  c.throttled = true;
  end_receive(slot, c);
}

template <class Io>
void ShardCore<Io>::end_throttle(std::uint32_t slot, Connection& c) {
  if (!c.throttled) return;
  c.throttled = false;
  c.owes = false;
  c.heard_ms = now_ms();  // what it may have said meanwhile lies in the kernel: it was not silent
  list_resumed(slot, c);
}

// --- Memory -------------------------------------------------------------------------------------------------------

// Counts what this connection keeps of its input now.
template <class Io>
void ShardCore<Io>::count_held(std::uint32_t slot, Connection& c) {
  std::size_t bytes = 0;
  if (const HttpStage* http = c.http()) {
    bytes = http->buffer_bytes();
  } else if (const auto* ws = std::get_if<WsStage>(&c.stage)) {
    bytes = ws->held_bytes();
  }
  if (c.has_unread) bytes += unread_.find(slot)->second.size();
  const auto more = static_cast<std::int64_t>(bytes) - std::int64_t{c.held_bytes};
  if (more == 0) return;
  if (c.client != ClientTable::kNone) clients_.hold(c.client, more);
  input_bytes_ += static_cast<std::uint64_t>(more);
  c.held_bytes = static_cast<std::uint32_t>(bytes);
}

// Forgets all that is kept of the connection's input.
template <class Io>
void ShardCore<Io>::drop_input(std::uint32_t slot, Connection& c) {
  (void)take_unread(slot, c);
  c.stage.template emplace<std::monostate>();
  count_held(slot, c);
}

// A connection that holds memory of a budget that is used up. Who holds most goes first, by client and then by connection,
// until a sixteenth is free: so the walk that finds them is paid for by as many bytes.
struct Holder {
  std::uint64_t client_bytes;
  std::uint32_t bytes;
  std::uint32_t slot;

  friend bool operator<(const Holder& a, const Holder& b) {
    return std::pair(a.client_bytes, a.bytes) > std::pair(b.client_bytes, b.bytes);
  }
};

[[nodiscard]] constexpr std::uint64_t with_a_sixteenth_free(std::uint64_t bytes_max) {
  return bytes_max / 16 * 15;
}

template <class Io>
void ShardCore<Io>::shed_input() {
  if (input_bytes_ <= options_.input_shard_bytes_max) return;
  std::vector<Holder> holders;
  for (std::uint32_t slot = 0; slot < table_.made(); ++slot) {
    const Connection& c = table_[slot];
    if (c.held_bytes == 0 || c.state >= ConnectionState::kDraining) continue;
    const bool is_known = c.client != ClientTable::kNone;
    holders.push_back(
        {is_known ? clients_.held_bytes(c.client) : c.held_bytes, c.held_bytes, slot});
  }
  std::sort(holders.begin(), holders.end());
  if (weakened(Weakness::kLargestHolder)) std::reverse(holders.begin(), holders.end());
  for (const Holder& holder : holders) {
    if (input_bytes_ <= with_a_sixteenth_free(options_.input_shard_bytes_max)) return;
    shed(holder.slot, table_[holder.slot]);
  }
}

template <class Io>
void ShardCore<Io>::shed(std::uint32_t slot, Connection& c) {
  if (c.http() == nullptr) {
    counters_.shed_unread.add();
    fail(slot, c, ws::CloseCode::kOverloaded, "too much of yours is unfinished");
  } else {
    counters_.shed_http_buffers.add();
    if (c.http()->awaiting_answer()) {
      end(slot, c);  // no answer may overtake the one that is due, so there is nothing to say
    } else {
      refuse(slot, c,
             {.status = 503,
              .code = "overloaded",
              .message = "too much of yours is unfinished; try again",
              .header = {.name = "Retry-After", .value = "1"}});
    }
  }
  drop_input(slot, c);
}

// What slow readers have not taken. May be called while a topic is served: the readers are closed at the end of the turn
// (4201), only their memory is given back at once.
template <class Io>
void ShardCore<Io>::shed_egress() {
  std::vector<Holder> holders;
  absl::flat_hash_map<ClientTable::Index, std::uint64_t> by_client;
  for (std::uint32_t slot = 0; slot < table_.made(); ++slot) {
    const Connection& c = table_[slot];
    const bool can_go = c.state == ConnectionState::kHttp || c.state == ConnectionState::kOpen;
    if (c.egress == nullptr || !can_go || c.doomed) continue;
    holders.push_back({0, c.egress->unsent_bytes(), slot});
    by_client[c.client] += c.egress->unsent_bytes();
  }
  for (Holder& holder : holders) holder.client_bytes = by_client[table_[holder.slot].client];
  std::sort(holders.begin(), holders.end());
  for (const Holder& holder : holders) {
    if (egress_budget_.used <= with_a_sixteenth_free(options_.egress_shard_bytes_max)) return;
    Connection& c = table_[holder.slot];
    counters_.shed_shard_egress.add();
    c.egress->forget_all_but_begun(egress_budget_);
    doom(holder.slot, c);
  }
}

}  // namespace uproar::net
