#pragma once

// Who is still to come in: so many handshakes at once and no more. What was refused, reset or never answered is tried again, from
// another source port each time, which with SO_REUSEPORT is another shard of the server: one that is full must not end a run of a
// million clients, and one server that refuses everybody must not be asked for ever.

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include <absl/container/flat_hash_map.h>

namespace uproar::bench {

class Arrivals {
 public:
  static constexpr std::uint32_t kTriesMax = 16;
  static constexpr std::int64_t kPatienceNs = 5'000'000'000;

  Arrivals(const std::vector<std::uint32_t>& clients, std::uint32_t under_way_max);

  // The next to connect, which is under way from now on; none while enough are.
  [[nodiscard]] std::optional<std::uint32_t> next(std::int64_t now_ns);
  // One that has been under way for kPatienceNs, named once a try: to be cut, then failed().
  [[nodiscard]] std::optional<std::uint32_t> overdue(std::int64_t now_ns);
  // REQUIRES, of both: the client is under way.
  void came_in(std::uint32_t client) { under_way_.erase(client); }
  // It will be tried again, behind all others. False: it was tried often enough.
  [[nodiscard]] bool failed(std::uint32_t client);

  [[nodiscard]] bool is_done() const { return todo_.empty() && under_way_.empty(); }

 private:
  struct Todo {
    std::uint32_t client = 0;
    std::uint32_t tries = 0;
  };
  struct Try {
    std::uint32_t tries = 0;  // this one included
    std::int64_t begun_ns = 0;
  };
  struct Begun {
    std::uint32_t client = 0;
    std::int64_t begun_ns = 0;
  };

  std::uint32_t under_way_max_;
  std::deque<Todo> todo_;
  absl::flat_hash_map<std::uint32_t, Try> under_way_;
  std::deque<Begun> begun_;  // by time; some of them are under way no more
};

}  // namespace uproar::bench
