#pragma once

// Heartbeat deadlines of all sessions in coarse buckets: a frame costs one store, a session is looked at once per
// timeout. Lists are linked through the sessions themselves.

#include <array>
#include <cstdint>
#include <optional>

#include "core/chat/limits.h"
#include "core/chat/session_table.h"

namespace uproar::chat {

class HeartbeatWheel {
 public:
  explicit HeartbeatWheel(SessionTable& table) : table_(table) { heads_.fill(Session::kNone); }

  void insert(std::uint32_t slot, Session& session, std::int64_t now_us) {
    if (count_++ == 0) current_ = bucket_number(now_us);
    link(slot, session);
  }
  void remove(std::uint32_t slot, Session& session) {
    unlink(slot, session);
    --count_;
  }
  // Calls expired(slot) for every session whose time is over; it must remove() the session. Others move on.
  template <class Expired>
  void advance(std::int64_t now_us, Expired&& expired) {
    const std::uint64_t target = bucket_number(now_us);
    if (target > current_ + kHeartbeatBuckets)
      current_ = target - kHeartbeatBuckets;  // time stood still: once round
    while (current_ < target && count_ > 0) {
      ++current_;
      std::uint32_t slot = heads_[current_ % kHeartbeatBuckets];
      while (slot != Session::kNone) {
        Session& session = table_.at(slot);
        const std::uint32_t next = session.wheel_next;
        if (due_bucket(session) <= current_) {
          expired(slot);
        } else {
          unlink(slot, session);
          link(slot, session);
        }
        slot = next;
      }
    }
    current_ = target;
  }
  [[nodiscard]] std::optional<std::int64_t> next_us() const {
    if (count_ == 0) return std::nullopt;
    return static_cast<std::int64_t>(current_ + 1) * kHeartbeatBucketMs * 1000;
  }

 private:
  static std::uint64_t bucket_number(std::int64_t us) {
    return static_cast<std::uint64_t>(us) / (std::uint64_t{kHeartbeatBucketMs} * 1000);
  }
  static std::uint64_t due_bucket(const Session& session) {
    return (std::uint64_t{session.heartbeat_s} * 1000 + kHeartbeatTimeoutMs) / kHeartbeatBucketMs;
  }
  void link(std::uint32_t slot, Session& session) {
    session.wheel_bucket = static_cast<std::uint16_t>(due_bucket(session) % kHeartbeatBuckets);
    std::uint32_t& head = heads_[session.wheel_bucket];
    session.wheel_prev = Session::kNone;
    session.wheel_next = head;
    if (head != Session::kNone) table_.at(head).wheel_prev = slot;
    head = slot;
  }
  void unlink(std::uint32_t slot, Session& session) {
    (void)slot;
    if (session.wheel_prev != Session::kNone) {
      table_.at(session.wheel_prev).wheel_next = session.wheel_next;
    } else {
      heads_[session.wheel_bucket] = session.wheel_next;
    }
    if (session.wheel_next != Session::kNone)
      table_.at(session.wheel_next).wheel_prev = session.wheel_prev;
  }

  SessionTable& table_;
  std::array<std::uint32_t, kHeartbeatBuckets> heads_{};
  std::uint64_t current_ = 0;  // number of the last bucket that was run
  std::size_t count_ = 0;
};

}  // namespace uproar::chat
