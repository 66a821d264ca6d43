#pragma once

// Who waits for metrics, and when the next text may be rendered. Pure: no clock of its own.
//
// A text is rendered for all who wait, and at most one in kEveryUs: whoever asks sooner waits for the next. So an
// answer is never older than its question, and many who ask, or one who asks in a loop, cost what one costs.

#include <cstdint>
#include <limits>
#include <vector>

#include "core/net/handler.h"
#include "proto/base/check.h"

namespace uproar::gateway {

class ScrapeQueue {
 public:
  static constexpr std::int64_t kEveryUs = 1'000'000;
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  // `slots`: of the connections that may ask. A place for each: a connection has one request at a time, and whoever
  // gets the slot of one that has ended takes its place, too.
  explicit ScrapeQueue(std::uint32_t slots) : waiting_(slots) {}

  void add(net::ConnectionId connection) {
    UPROAR_CHECK(connection.slot < waiting_.size());
    if (waiting_[connection.slot].is_none()) ++count_;
    waiting_[connection.slot] = connection;
  }
  [[nodiscard]] bool is_empty() const { return count_ == 0; }
  // When a text is to be rendered; kNever while nobody waits.
  [[nodiscard]] std::int64_t due_us() const { return is_empty() ? kNever : not_before_us_; }
  // Those who get the text that is rendered at `now_us`.
  [[nodiscard]] std::vector<net::ConnectionId> take(std::int64_t now_us) {
    std::vector<net::ConnectionId> out;
    out.reserve(count_);
    for (net::ConnectionId& each : waiting_) {
      if (!each.is_none()) out.push_back(each);
      each = {};
    }
    count_ = 0;
    not_before_us_ = now_us + kEveryUs;
    return out;
  }

 private:
  std::vector<net::ConnectionId> waiting_;  // by slot
  std::uint32_t count_ = 0;
  std::int64_t not_before_us_ = 0;
};

}  // namespace uproar::gateway
