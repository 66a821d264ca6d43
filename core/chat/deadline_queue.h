#pragma once

// What is due when: a heap for the few things that have a deadline of their own (heartbeats have a wheel). Entries are
// never cancelled; whoever is called looks whether it still has something to do. Each owner arms at most one at a
// time, so the heap holds at most one entry per starting session, session with news, paused sync,
// user in grace and busy conversation.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "proto/base/uuid.h"

namespace uproar::chat {

struct Deadline {
  enum class Kind : std::uint8_t {
    kReleaseHold,     // key: slot and generation of a session
    kResumePull,      // key: number of a puller
    kTyping,          // key: conversation
    kVerify,          // key: conversation
    kRepair,          // key: conversation
    kParked,          // key: conversation
    kNotLive,         // key: slot and generation of a session
    kShare,           // key: token of a command that waits for its user's share
    kPresenceReview,  // no key
    kAudience,        // no key
    kAudienceGather,  // no key
    kOffline,         // key: user
    kPresenceFlush,   // no key
    kPresenceRead     // no key
  };
  std::int64_t at_us = 0;
  std::uint64_t order = 0;  // of arming: ties are run in it, so that runs repeat themselves
  Kind kind{};
  Uuid key;
};

class DeadlineQueue {
 public:
  void arm(std::int64_t at_us, Deadline::Kind kind, Uuid key) {
    heap_.push_back({at_us, next_order_++, kind, key});
    std::push_heap(heap_.begin(), heap_.end(), later);
  }
  // The earliest that is due at `now_us`, taken out.
  std::optional<Deadline> pop_due(std::int64_t now_us) {
    if (heap_.empty() || heap_.front().at_us > now_us) return std::nullopt;
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const Deadline due = heap_.back();
    heap_.pop_back();
    return due;
  }
  [[nodiscard]] std::optional<std::int64_t> next_us() const {
    if (heap_.empty()) return std::nullopt;
    return heap_.front().at_us;
  }
  [[nodiscard]] std::size_t size() const { return heap_.size(); }

 private:
  static bool later(const Deadline& a, const Deadline& b) {
    return a.at_us != b.at_us ? a.at_us > b.at_us : a.order > b.order;
  }

  std::vector<Deadline> heap_;
  std::uint64_t next_order_ = 0;
};

}  // namespace uproar::chat
