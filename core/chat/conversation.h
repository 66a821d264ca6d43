#pragma once

// A conversation as its owner keeps it while it is hot. Plain state; what happens to it stands in conversation_role.
//
// Two numbers rule who hears what. `published_seq`: everything up to it has been published, in order, without holes.
// `last_seq`: the highest seq known to be committed. They differ only while a hole is being repaired: a commit that was
// reported as failed and is there nevertheless, or one by another node. Whoever attaches goes live at published_seq.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/chat/limits.h"
#include "core/chat/parcel.h"
#include "core/chat/recent_rows.h"
#include "storage/history.h"
#include "storage/operation.h"

namespace uproar::chat {

// What an operation does.
using Body = decltype(storage::Operation::body);

struct MemberState {
  UserId user;
  Seq joined_seq = 0;
  Seq delivered_seq = 0;
  Seq read_seq = 0;
  std::uint64_t read_no = 0;
  Seq sent_seq = 0;  // of their newest message known here, which tells of the marks that it moved
  Role role = Role::kMember;
};

// How far somebody is by what was announced, in the membership that begins above joined_seq.
struct AnnouncedMarks {
  UserId user;
  Seq joined_seq = 0;
  Seq delivered_seq = 0;
  Seq read_seq = 0;
};

// A membership that has ended above published_seq: until that is published they hear.
struct EndedMembership {
  UserId user;
  Seq joined_seq = 0;
};

// Somebody fetching what was missed (parcel.h: Attach).
struct AttachState {
  enum class Step : std::uint8_t {
    kNext,     // nothing under way
    kReading,  // the store is asked
    kWarming,  // the same for all who wait here: the newest rows, to be kept
    kAsking,   // the store is asked how far the conversation is
    kHeld,     // `held` shows more than was published so far: it waits for the outcomes
    kMore      // the hearer will ask for the next page
  };
  Attach request;
  Seq bound = 0;
  std::uint32_t rounds = 0;
  // The store's last page was cut short. A row that changed since its bound may stand behind it, with a version that is
  // not published yet: only the store can say, until a page of it is whole.
  bool store_only = false;
  bool was_warmed = false;  // once is enough: if that did not help it asks for itself
  Step step = Step::kNext;
  storage::Page held;
  Seq claimed = 0;            // with several nodes: it was looked whether so much is committed
  bool knows_stored = false;  // how far the conversation is in the store
  Seq stored_seq = 0;         // and so far it is: they go live when that is published
};

// With several nodes: an event that came before its turn.
struct HeldEvent {
  Seq seq = 0;
  ServerEvent event;
  std::string payload;  // of another node, as it came; empty: of this node, and the others have it
};

struct Typer {
  UserId user;
  Endpoint from;
  std::int64_t until_us = 0;
};

// One member's marks of one kind: one is staged, the newest of the others waits.
struct MarkSlot {
  UserId user;
  MarkKind kind{};
  Seq waiting_seq = 0;         // 0: none waits
  std::vector<Actor> waiting;  // requests that it answers, at most kMarkRepliesMax
  std::vector<Actor> staged;   // those that the staged one answers
};

// A command that changes who is here, which may be several operations. Nothing else is staged meanwhile, so that every
// right is judged against what is committed. Or any number of people who join by themselves: none
// of them changes what another may.
struct MembershipCommand {
  Actor actor;
  std::uint32_t left = 0;  // outcomes awaited; 0: none is under way
  std::optional<ServerEvent> answer;
  std::optional<Error> error;
  std::vector<Body> rest{};  // not staged so far, the last one first
  // The actor hears of it as members do: an answer without id would be the same again.
  bool is_heard = false;
  std::vector<Actor> joining{};  // by themselves, once a user; each is answered with its outcome
};

struct Conversation {
  enum class State : std::uint8_t {
    kLoading,   // being read
    kCreating,  // its creation is staged
    // There is none. Kept until the last outcome of a failed creation, or while one waits for room.
    kAbsent,
    kReady
  };
  using Parked = std::variant<ForwardedCommand, Attach>;
  // What waits for its turn (conversation_parked.cc), in the order in which it came.
  struct Waiting {
    Parked item;
    std::uint32_t bytes = 0;
    std::int64_t since_us = 0;  // monotonic
    // A command that waits in a crowd: it is refused kParkedWaitMs after since_us, and the session
    // that said it is not read meanwhile.
    bool is_held_up = false;
  };

  ConversationId id;
  State state = State::kLoading;
  ConversationKind kind{};
  std::string name;
  Seq published_seq = 0;
  Seq last_seq = 0;
  std::uint64_t last_no = 0;
  std::int64_t created_at_us = 0;
  std::vector<MemberState> members;  // by user id: as it is committed, as far as is known
  // At most one a user, until the leaving is published (tell_removed).
  std::vector<EndedMembership> ended;
  // Members of whom the store knew more than was announced here; empty as soon as nothing is missing here. At most
  // kReceiptFanoutMembersMax, 40 bytes each.
  std::vector<AnnouncedMarks> announced_marks;

  std::deque<Waiting> parked;  // all of the shard together: kParkedMax
  std::uint32_t pending = 0;   // staged operations without outcome
  MembershipCommand change;
  std::vector<AttachState> attaches;
  std::vector<Typer> typers;    // at most kTypersMax
  std::vector<MarkSlot> marks;  // at most kWaitingMarksMax
  RecentRows recent;

  // A commit failed: what is stored is unknown until it has been read again.
  bool needs_verify = false;
  bool is_loading = false;    // load_conversation() is under way
  bool is_repairing = false;  // a page of a hole is being read
  bool has_hole = false;      // and it is not closed until a whole page was published
  bool verify_timer_armed = false;
  bool typing_timer_armed = false;
  bool is_unparking = false;
  bool parked_timer_armed = false;
  bool wants_room =
      false;  // stands in the list of those whose first command waits for room in the log
  std::uint64_t warming = 0;   // number of the read that fills `recent`; 0: none is under way
  std::uint64_t question = 0;  // number of the one how far the store is; 0: none is under way
  // Counts failed commits: a load that began before the last one proves nothing.
  std::uint32_t failures = 0;
  std::uint32_t verify_backoff_ms = 0;
  std::uint32_t old_loads = 0;  // in a row that knew less than this state
  // Its creation was reported as failed and may have worked: should loading find it, its members are told.
  bool creation_in_doubt = false;
  std::optional<Seq> published_at_most;  // while loading: an outcome above it waits to be heard
  // Everything up to here that happened to members, roles and name is in this state.
  Seq members_seq = 0;

  // --- several nodes (conversation_nodes.cc) ---
  std::vector<HeldEvent> held;  // by seq; at most kHeldMax
  // Somebody says that so much is committed. A whole page of changes that was read since settles it.
  Seq claimed_seq = 0;
  std::uint32_t claims = 0;
  std::uint32_t repair_tries = 0;  // whole pages in a row that brought nothing
  std::int64_t hole_since_us = 0;  // 0: none is seen
  std::int64_t load_began_us = 0;
  std::int64_t looked_at_us = 0;  // when the read began that this state is from
  std::vector<Interest> asking;   // shards that wait for it to be loaded
  bool is_heard = false;          // by somebody on this node: it is not forgotten
  bool wants_look = false;        // to be compared with the store: something may have been missed
  bool is_look_queued = false;
  bool is_look = false;              // the load under way is one
  bool look_again = false;           // asked for while a load was under way, which may be too old
  bool asked_late = false;           // the same by somebody who is to hear it
  bool look_blocks = false;          // what is parked waits for the look
  std::uint32_t blocking_looks = 0;  // in a row, that ended while another was asked for
  bool repair_timer_armed = false;
  bool owes_word = false;  // a commit failed that other nodes are to be told of, should it be there
  bool doubt_after_load = false;
  bool marks_doubtful = false;  // another node's receipt told how far somebody read, not how many

  // The shard's list of conversations, most recently used first.
  Conversation* newer = nullptr;
  Conversation* older = nullptr;

  [[nodiscard]] MemberState* find_member(UserId user);
  [[nodiscard]] const MemberState* find_member(UserId user) const {
    return const_cast<Conversation*>(this)->find_member(user);  // reads only
  }
  // Else they are stored alone, and other nodes learn of them by looks.
  [[nodiscard]] bool announces_marks() const { return members.size() <= kReceiptFanoutMembersMax; }
  // The caller takes it out of `members`: who heard by it hears until the leaving is published.
  void note_ended(const MemberState& member);
  // Of all who may hear what is published next, once each and by user: what was said up to there is not theirs. Sessions
  // of others may be subscribed for a moment: a HearingEnd is on its way to them, or they have joined above published_seq.
  [[nodiscard]] std::vector<std::pair<UserId, Seq>> hearers_joined_seqs() const;
  // Nothing would be lost by forgetting it.
  [[nodiscard]] bool is_idle() const;
  // More may be committed than was published here: an outcome is due, or what happened is being read.
  [[nodiscard]] bool is_unsettled() const { return pending > 0 || has_hole || needs_verify; }
  // Something is committed that was not published here.
  [[nodiscard]] bool is_behind() const {
    return has_hole || published_seq < std::max(last_seq, claimed_seq) || !held.empty();
  }
};

}  // namespace uproar::chat
