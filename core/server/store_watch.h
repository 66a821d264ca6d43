#pragma once

// Tells operators when the store fails, why, and when it works again: one line each for the whole node, however many
// shards meet the failure and however many messages. The reason may change while it lasts (the session was ended, then
// the server refuses the next one): that is said, too, with growing pauses.

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "core/server/log.h"
#include "storage/store.h"

namespace uproar::server {

class StoreWatch {
 public:
  using Say = std::function<void(LogLevel level, const std::string& text)>;
  // Between two lines of one outage: at least this, doubled with each.
  static constexpr std::int64_t kPauseUsMin = 2'000'000;
  static constexpr std::int64_t kPauseUsMax = 60'000'000;

  // `store` outlives it.
  explicit StoreWatch(const storage::Store& store)
      : StoreWatch(store, [](LogLevel level, const std::string& text) { log(level, text); }) {}
  StoreWatch(const storage::Store& store, Say say) : store_(store), say_(std::move(say)) {}

  // From any shard's thread. A shard's circuit (storage/batch_writer.h) opened, or closed.
  void circuit_changed(bool is_open) { open_circuits_.fetch_add(is_open ? 1 : -1); }
  // From any shard's thread, each turn.
  void look(std::int64_t now_us);

 private:
  void look_closer(bool fails, std::int64_t now_us);

  const storage::Store& store_;
  const Say say_;
  std::atomic<int> open_circuits_{0};
  std::atomic<bool> said_{false};
  std::atomic<std::int64_t> next_look_us_{0};
  std::mutex mutex_;  // of what follows
  std::string said_reason_;
  std::int64_t pause_us_ = 0;
};

}  // namespace uproar::server
