#pragma once

// A puller fetches what a hearer missed, conversation by conversation: for a session's sync and for
// conversations that it joined (then it goes live on each), and for syncs of requests and
// unread.fetch (then it only reads). At most kSyncWindow conversations at a time, and no further
// page while the hearer's egress is above kSyncEgressBytesMax or it has read more than
// kPullUnitsBurst allows.

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "core/chat/parcel.h"
#include "core/chat/rate_bucket.h"

namespace uproar::chat {

struct PullItem {
  enum class Kind : std::uint8_t {
    kSync,    // it was asked for: its end counts for sync.done
    kJoined,  // they were told that they have joined: to them it is live, and of that membership
    kLeaving  // that membership has ended before they heard it: the rest of it, with the leaving as the last
  };
  Kind kind = Kind::kSync;
  ConversationId conversation;
  Seq cursor = 0;
  std::uint32_t topic = 0;  // of a session: held for the time of the pull, then the subscription
  // The rows above this are of the membership: kJoined, kLeaving: of the one that they were told of, kSync: of that of the
  // pages so far (0: none).
  Seq seq_floor = 0;
  // They have joined at this seq, it was said meanwhile: asked before it began, the owner may refuse, and is asked again.
  std::optional<Seq> joined_at;
  // It stands in the queue until it is known whether they are a member (SessionRole::look_for_memberships): there is no topic
  // as yet. Then it is pulled, or refused with that.
  bool awaits_look = false;
  ErrorCode look_refused = ErrorCode::kNotMember;
  bool looks_after = false;  // when it has ended: they may have joined again meanwhile
};

struct Puller {
  struct Underway {
    PullItem item;
    std::uint32_t token = 0;
    bool page_waits = false;  // its next page has not been asked for
  };

  Endpoint to;
  UserId user;
  Attach::Mode mode = Attach::Mode::kLive;  // of what was asked for: kLive, kPages or kUnread
  // For each conversation that a sync names, at most sync_conversations_max, and of what was joined while there are less than
  // kSyncQueueMax.
  std::deque<PullItem> queue;
  std::vector<Underway> underway;  // at most kSyncWindow
  std::uint32_t look = 0;          // number of the read that the queue waits for
  std::uint32_t page_limit = 0;    // kUnread: messages per conversation
  std::int64_t rows_left = 0;      // kPages: what one answer may still hold
  bool has_more = false;           // kPages: it could not hold everything
  RateBucket read;                 // of pages that were asked for
  std::uint32_t units_untold = 0;  // of these, that the user's share does not know of
  // The sync that runs, if one does.
  bool is_syncing = false;
  RequestId sync_id;
  std::size_t sync_left = 0;
  std::vector<std::pair<ConversationId, Seq>> cursors;
  std::vector<std::pair<ConversationId, ErrorCode>> refused;
  // Refused as well: no member, as far as was known. Who asked with the cursor may have joined where it is known.
  std::vector<std::pair<ConversationId, Seq>> strangers;
  bool is_pumping = false;  // pump() is on the stack: its loop goes on, no second one starts
  bool timer_armed = false;
};

}  // namespace uproar::chat
