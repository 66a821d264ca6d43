#pragma once

// At owner_of(user): what all connections of a user, and their requests, may do together
// (docs/decisions/0039). Asked before large commands are run, before conversations are made and
// people are added or written to for the first time, and once for each 256 KiB that a session
// stores, or for each request that stores something.
//
// Over its share of work a user waits, up to a few seconds, and is refused beyond. A quota of the
// day refuses. All of it is of this node and since its start.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/chat/day_bucket.h"
#include "core/chat/rate_bucket.h"
#include "core/chat/shard_context.h"

namespace uproar::chat {

class UserShares {
 public:
  explicit UserShares(ShardContext& context) : context_(context) {}

  void on(ShareAsk ask);
  void on(const ShareBalance& balance);
  // For work that was done.
  [[nodiscard]] bool owes(UserId user) const;

  [[nodiscard]] std::size_t size() const { return shares_.size(); }

 private:
  struct Share {
    RateBucket units;
    DayBucket conversations;
    DayBucket contacts;
    DayBucket pages;
    // What they began, the newest last, at most kBegunKept: so that what they write next in a
    // direct conversation that is not stored yet, and a creation that they say again (client_id),
    // are not paid for again.
    struct Begun {
      ConversationId conversation;
      std::size_t contacts_hash = 0;  // of the people that it began with
    };
    std::vector<Begun> begun;

    [[nodiscard]] std::int64_t used_us(std::int64_t now_us) const;
    [[nodiscard]] bool has_paid_for(const ShareDemand& demand) const;
    void note_paid(const ShareDemand& demand);
  };

  Share& share_of(UserId user);
  void make_room();
  void look_for_strangers(ShareAsk ask, std::int64_t wait_us);
  // `strangers`: of the contacts asked for, how many count.
  void decide(const ShareAsk& ask, std::uint32_t strangers, std::int64_t wait_us);
  [[nodiscard]] Error unread(storage::StoreError error) const;
  void refuse_taken(const ShareAsk& ask, const Error& error);
  void refuse(const ShareAsk& ask, const Error& error);

  ShardContext& context_;
  absl::flat_hash_map<UserId, Share> shares_;
  std::size_t swept_above_ = 0;
  std::uint32_t reads_ = 0;  // under way, at most kShareReadsInFlightMax
};

}  // namespace uproar::chat
