#pragma once

// Parcels between shards: a mailbox per ordered pair, gathered over a turn, one wake per target that sleeps.
// What a shard says to itself waits in a queue of its own and is handed over before the turn ends, so no call of a
// handler ever nests in another.

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "core/chat/ports.h"
#include "core/gateway/shard_parcel.h"
#include "core/runtime/mailbox.h"
#include "core/runtime/shard_thread.h"
#include "core/runtime/waker.h"
#include "core/server/limits.h"
#include "proto/base/counters.h"

namespace uproar::server {

using ShardMailbox = runtime::Mailbox<gateway::ShardParcel>;
static_assert(sizeof(gateway::ShardParcel) <= 544, "the bounds of limits.h are reckoned with it");

// All mailboxes of the process; [from][to], made before any shard runs.
class MailboxGrid {
 public:
  explicit MailboxGrid(std::uint32_t shards);
  [[nodiscard]] ShardMailbox& between(std::uint32_t from, std::uint32_t to) {
    return *boxes_[from * shards_ + to];
  }
  [[nodiscard]] std::uint32_t shards() const { return shards_; }

 private:
  std::uint32_t shards_;
  std::vector<std::unique_ptr<ShardMailbox>> boxes_;
};

struct RouterCounters {
  Counter parcels;
  Counter held_back;  // parcels that waited for room in a mailbox
  Counter shed;       // lossy publishes dropped because a mailbox was full
  Gauge waiting;      // parcels held back now
};

class ShardRouter final : public gateway::ShardLink, public chat::Router {
 public:
  ShardRouter(MailboxGrid& grid, std::uint32_t self);
  // Before any shard runs: whom to wake, by shard.
  void connect(std::vector<runtime::Waker*> wakers) { wakers_ = std::move(wakers); }

  // gateway::ShardLink and chat::Router: one order for both.
  [[nodiscard]] std::uint32_t self() const override { return self_; }
  [[nodiscard]] std::uint32_t shard_count() const override { return grid_.shards(); }
  void post(std::uint32_t to_shard, gateway::ShardParcel parcel) override;
  void post(std::uint32_t to_shard, chat::Parcel parcel) override;
  [[nodiscard]] bool own_waiting() const { return !own_.empty(); }
  [[nodiscard]] bool congested() const override {
    return counters_.waiting.value() >= kHeldBackParcelsMax;
  }

  // Hands on_parcel(ShardParcel&&) what came from other shards and from this one, at most `parcels_max`.
  template <class F>
  void drain(F&& on_parcel, std::uint32_t parcels_max) {
    for (std::uint32_t from = 0; from < grid_.shards(); ++from) {
      if (from != self_) grid_.between(from, self_).drain(on_parcel, parcels_max);
    }
    drain_own(on_parcel, parcels_max);
  }
  template <class F>
  void drain_own(F&& on_parcel, std::uint32_t parcels_max) {
    for (std::uint32_t i = 0; i < parcels_max && !own_.empty(); ++i) {
      gateway::ShardParcel parcel = std::move(own_.front());
      own_.pop_front();
      on_parcel(std::move(parcel));
    }
  }
  [[nodiscard]] bool waiting() const;
  // Parcels wait here for room in a mailbox. Nobody says when there is some: publish() must be called again soon.
  [[nodiscard]] bool holding_back() const { return counters_.waiting.value() != 0; }
  // End of the turn: mailboxes become visible, sleepers are woken.
  void publish(runtime::ShardContext& context);

  [[nodiscard]] const RouterCounters& counters() const { return counters_; }

 private:
  MailboxGrid& grid_;
  const std::uint32_t self_;
  std::vector<runtime::Waker*> wakers_;
  std::deque<gateway::ShardParcel> own_;
  std::vector<std::deque<gateway::ShardParcel>> held_back_;  // by target, in order
  RouterCounters counters_;
};

}  // namespace uproar::server
