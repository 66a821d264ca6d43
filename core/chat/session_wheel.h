#pragma once

// Deadlines of all sessions in buckets of a second: when silence ends a session, when its token
// does, and when it is told that its token will. A frame costs one store; a session is looked at
// when the first of its deadlines may have come. Lists are linked through the sessions themselves.

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/chat/limits.h"
#include "core/chat/session_table.h"

namespace uproar::chat {

class SessionWheel {
 public:
  explicit SessionWheel(SessionTable& table) : table_(table) { heads_.fill(Session::kNone); }

  void insert(std::uint32_t slot, Session& session, std::int64_t now_us) {
    if (count_++ == 0) current_ = bucket_number(now_us);
    link(slot, session, current_);
  }
  void remove(Session& session) {
    unlink(session);
    --count_;
  }
  // Due when a deadline of it has come nearer, or was looked at.
  void move(std::uint32_t slot, Session& session) { move_behind(slot, session, current_); }

  struct Due {
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
  };
  // Appends every session that has a deadline behind it, kSessionsDueMax of them at most: the
  // others come with the next call, which next_us() then says is due. Who looks at them does so
  // afterwards, and may remove any session; one that stays has to be moved, or it comes again.
  void advance(std::int64_t now_us, std::vector<Due>& due) {
    const std::uint64_t target = bucket_number(now_us);
    if (target > current_ + kSessionBuckets) {  // time stood still: once round
      current_ = target - kSessionBuckets;
      is_partway_ = false;
    }
    std::uint32_t left = kSessionsDueMax;
    while ((is_partway_ || current_ < target) && count_ > 0) {
      if (!is_partway_) ++current_;
      is_partway_ = true;
      std::uint32_t slot = heads_[current_ % kSessionBuckets];
      while (slot != Session::kNone) {
        Session& session = table_.at(slot);
        const std::uint32_t next = session.wheel_next;
        if (due_bucket(session) > current_) {
          move_behind(slot, session, current_);
        } else {
          if (left-- == 0) return;
          due.push_back({.slot = slot, .generation = session.generation});
          move_behind(slot, session, target);
        }
        slot = next;
      }
      is_partway_ = false;
    }
    is_partway_ = false;
    current_ = target;
  }
  [[nodiscard]] std::optional<std::int64_t> next_us() const {
    if (count_ == 0) return std::nullopt;
    return static_cast<std::int64_t>(is_partway_ ? current_ : current_ + 1) * kBucketUs;
  }

 private:
  static constexpr std::int64_t kBucketUs = 1'000'000;  // deadlines are kept in seconds

  static std::uint64_t bucket_number(std::int64_t us) {
    return static_cast<std::uint64_t>(us / kBucketUs);
  }
  static std::uint64_t due_bucket(const Session& session) {
    return std::min(std::uint64_t{session.heartbeat_s} + kHeartbeatTimeoutMs / 1000,
                    session.token_deadline_s());
  }
  void move_behind(std::uint32_t slot, Session& session, std::uint64_t behind) {
    unlink(session);
    link(slot, session, behind);
  }
  // Into a bucket above `behind`. In one that was run or begun the session would wait for two
  // minutes, until that bucket's number comes again.
  void link(std::uint32_t slot, Session& session, std::uint64_t behind) {
    const std::uint64_t bucket = std::max(due_bucket(session), behind + 1);
    session.wheel_bucket = static_cast<std::uint8_t>(bucket % kSessionBuckets);
    std::uint32_t& head = heads_[session.wheel_bucket];
    session.wheel_prev = Session::kNone;
    session.wheel_next = head;
    if (head != Session::kNone) table_.at(head).wheel_prev = slot;
    head = slot;
  }
  void unlink(const Session& session) {
    if (session.wheel_prev != Session::kNone) {
      table_.at(session.wheel_prev).wheel_next = session.wheel_next;
    } else {
      heads_[session.wheel_bucket] = session.wheel_next;
    }
    if (session.wheel_next != Session::kNone)
      table_.at(session.wheel_next).wheel_prev = session.wheel_prev;
  }

  SessionTable& table_;
  std::array<std::uint32_t, kSessionBuckets> heads_{};
  std::uint64_t current_ = 0;  // number of the last bucket that was run, or begun
  bool is_partway_ = false;    // in that one
  std::size_t count_ = 0;
};

}  // namespace uproar::chat
