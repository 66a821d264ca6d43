// Hot path: each turn of each shard, three loads while the store works.
#include "core/server/store_watch.h"

#include <algorithm>

namespace uproar::server {
namespace {
// While the reason stays the same it is looked at this often.
constexpr std::int64_t kLookEveryUs = 500'000;
}  // namespace

void StoreWatch::look(std::int64_t now_us) {
  const bool fails = open_circuits_.load(std::memory_order_acquire) > 0 || !store_.healthy();
  const bool said = said_.load(std::memory_order_acquire);
  if (!fails && !said) return;
  if (fails && said && now_us < next_look_us_.load(std::memory_order_acquire)) return;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock.owns_lock()) look_closer(fails, now_us);  // else another shard is at it
}

void StoreWatch::look_closer(bool fails, std::int64_t now_us) {
  const bool said = said_.load(std::memory_order_acquire);
  if (!fails) {
    if (said) say_(LogLevel::kInfo, "the store works again");
    said_.store(false, std::memory_order_release);
    return;
  }
  if (said && now_us < next_look_us_.load(std::memory_order_acquire)) return;
  const std::string reason = store_.last_error();
  const std::string because = reason.empty() ? "" : ": " + reason;
  next_look_us_.store(now_us + kLookEveryUs, std::memory_order_release);
  if (!said) {
    say_(LogLevel::kWarn,
         "the store fails, and what needs it is refused as unavailable until it works again" +
             because);
    pause_us_ = kPauseUsMin;
  } else if (!reason.empty() && reason != said_reason_) {
    say_(LogLevel::kWarn, "the store still fails" + because);
    pause_us_ = std::min(2 * pause_us_, kPauseUsMax);
  } else {
    return;
  }
  said_reason_ = reason;
  next_look_us_.store(now_us + pause_us_, std::memory_order_release);
  said_.store(true, std::memory_order_release);
}

}  // namespace uproar::server
