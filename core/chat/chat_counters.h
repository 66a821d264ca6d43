#pragma once

// What a shard's domain did, refused, shed and repaired: one writer, read by /metrics from any thread.

#include <cstddef>

#include "proto/base/counters.h"

namespace uproar::chat {

struct ChatCounters {
  Counter commands;  // that reached a role (after the rate check)
  Counter refused;   // answered with an error, whatever the reason
  Counter rate_limited;
  Counter shares_asked;      // commands that were asked of their user's share (user_shares.h)
  Counter shares_waited;     // of these, had to wait for it
  Counter quotas_refused;    // a quota of the day was used up
  Counter shares_forgotten;  // the table of shares was full: those who had used least
  Counter overloaded;        // a bound of limits.h was met
  Counter commands_held_up;  // waited in a crowd, and their connection with them
  Counter unavailable;       // refused because the store cannot commit or read
  Counter messages_committed;
  Counter duplicates;        // retries answered with the first result
  Counter events_published;  // event.publish
  Counter receipts_committed;
  Counter receipts_coalesced;    // marks that a newer one replaced before they were staged
  Counter receipts_unpublished;  // stored only: the conversation is too large
  Counter typing_shed;           // typers beyond the bound
  Counter presence_updates;
  Counter sessions_opened;
  Counter sessions_refused;  // connections per user, tables full, store down
  Counter not_live;          // conversations that a session found no room for
  Counter audience_loads;    // reads of what sessions hear from their start, each for many of them
  Counter heartbeat_timeouts;
  Counter sessions_expired;    // their token has, and no other one came
  Counter sessions_refreshed;  // by session.refresh
  Counter syncs;
  Counter sync_pages;
  Counter sync_lookups;        // reads of which conversations of a sync its user is in
  Counter conversation_reads;  // of a conversation's state, whether or not it was there
  Counter warm_reads;          // of the newest rows of a conversation, for all who resume in it
  Counter stale_pages;         // served from memory while the store was down
  Counter commits_failed;      // operations whose batch failed
  // Messages that the store has put where others were: it has lost what it had acknowledged (docs/cluster.md).
  Counter seqs_given_again;
  Counter repairs;  // holes in the order, filled from the store
  Histogram
      repair_us;  // from seeing a hole to its being closed, by repair or by what was on its way
  Counter node_events;       // of other nodes, heard
  Counter node_events_old;   // heard before, by a repair or twice
  Counter node_events_held;  // came before their turn
  Counter node_events_shed;  // held ones that found no room: a repair brings them
  Counter looks;  // conversations compared with the store after something may have been missed
  Counter audience_looks;  // the same for what a session hears
  Counter presence_heard;  // what other nodes said of users who are watched here
  Counter presence_old;    // of that, known already or overtaken
  Counter presence_reads;  // users looked up in the presence store
  Counter conversations_loaded;
  Counter conversations_evicted;
};

// Levels at this moment, on the shard's own thread.
struct ChatSizes {
  std::size_t sessions = 0;
  std::size_t topics = 0;
  std::size_t interests = 0;  // topics of this owner that other shards hear
  std::size_t conversations = 0;
  std::size_t parked = 0;
  std::size_t pending = 0;  // staged, outcome awaited
  std::size_t attaches = 0;
  std::size_t pullers = 0;
  std::size_t users_online = 0;   // of this owner, those in grace included
  std::size_t users_watched = 0;  // of this owner, for what other nodes say of them
  std::size_t timers = 0;
  std::size_t recent_bytes = 0;
  std::size_t reads_in_flight = 0;
};

}  // namespace uproar::chat
