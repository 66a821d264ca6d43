#pragma once

// Whose password is hashed next. It takes 20 ms of a core, so a flood is a matter of order: three
// classes, and in each of them one lane for each address (or account, for devices that it knows),
// which take turns. Pure: lock and threads are core/server's.
//
// Which class a login is in depends on where it comes from and never on whether its account exists,
// so that the time of an answer tells a stranger nothing.

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "core/gateway/password_worker.h"

namespace uproar::gateway {

class PasswordQueue {
 public:
  enum class Fate : std::uint8_t { kRun, kNoRoom };
  using Job = std::function<void(Fate)>;  // called once

  // The job that has no room, if not all have it: this one, or the newest of the longest lane of
  // its class, where that is longer than this one's.
  [[nodiscard]] std::optional<Job> push(PasswordTurn turn, Job job);
  // Who is next; nullopt: nobody waits.
  [[nodiscard]] std::optional<Job> pop();
  [[nodiscard]] std::size_t size() const;

 private:
  struct Class {
    absl::flat_hash_map<std::uint64_t, std::deque<Job>> lanes;  // none is empty
    std::deque<std::uint64_t> round;  // the lanes, in the order of their turns
    std::size_t size = 0;
  };
  [[nodiscard]] static Job take_newest_of_longest(Class& from);

  std::array<Class, static_cast<std::size_t>(PasswordClass::kCount)> classes_;
  std::size_t turn_ = 0;  // of kFirst
};

}  // namespace uproar::gateway
