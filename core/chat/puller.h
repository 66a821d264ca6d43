#pragma once

// A puller fetches what a hearer missed, conversation by conversation: for a session's sync and for conversations that
// it joined (then it goes live on each), and for syncs of requests and unread.fetch (then it only reads). At most
// kSyncWindow conversations at a time, and no further page while the hearer's egress is above kSyncEgressBytesMax.

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "core/chat/parcel.h"

namespace uproar::chat {

struct PullItem {
  ConversationId conversation;
  Seq cursor = 0;
  std::uint32_t topic = 0;  // kLive: held for the time of the pull, then the subscription
  bool is_sync = false;     // its end counts for sync.done
  // They have joined at this seq, and the owner does not know that this was said: should it refuse, it is asked again.
  std::optional<Seq> joined_at;
  // Not of a sync: they know of a membership with the rows above this, by conversation.joined for one. It may end before the
  // subscription begins: then the rest of it is fetched, with the leaving as the last.
  Seq seq_floor = 0;
  bool is_leaving = false;
  bool was_heard = false;    // not since a joining: it was live already (HearAgain)
  bool looks_after = false;  // they may have joined again meanwhile
};

struct Puller {
  struct Underway {
    PullItem item;
    std::uint32_t token = 0;
    bool page_waits = false;  // its next page has not been asked for
  };

  Endpoint to;
  UserId user;
  Attach::Mode mode = Attach::Mode::kLive;
  std::deque<PullItem> queue;      // at most kSyncQueueMax
  std::vector<Underway> underway;  // at most kSyncWindow
  std::uint32_t page_limit = 0;    // kUnread: messages per conversation
  std::int64_t rows_left = 0;      // kPages: what one answer may still hold
  bool has_more = false;           // kPages: it could not hold everything
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
