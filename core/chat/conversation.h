#pragma once

// A conversation as its owner keeps it while it is hot. Plain state; what happens to it stands in conversation_role.
//
// Two numbers rule who hears what. `published_seq`: everything up to it has been published, in order, without holes.
// `last_seq`: the highest seq known to be committed. They differ only while a hole is being repaired: a commit that was
// reported as failed and is there nevertheless, or one by another node. Whoever attaches goes live at published_seq.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/chat/parcel.h"
#include "core/chat/recent_rows.h"
#include "storage/history.h"

namespace uproar::chat {

struct MemberState {
  UserId user;
  Seq joined_seq = 0;
  Seq delivered_seq = 0;
  Seq read_seq = 0;
  std::uint64_t read_no = 0;
  Role role = Role::kMember;
};

// Somebody fetching what was missed (parcel.h: Attach).
struct AttachState {
  enum class Step : std::uint8_t {
    kNext,     // nothing under way
    kReading,  // the store is asked
    kHeld,     // `held` shows more than was published so far: it waits for the outcomes
    kMore      // the hearer will ask for the next page
  };
  Attach request;
  Seq bound = 0;
  std::uint32_t rounds = 0;
  // The store's last page was cut short. A row that changed since its bound may stand behind it, with a version that is
  // not published yet: only the store can say, until a page of it is whole.
  bool store_only = false;
  Step step = Step::kNext;
  storage::Page held;
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
// right is judged against what is committed.
struct MembershipCommand {
  Actor actor;
  std::uint32_t left = 0;  // outcomes awaited; 0: none is under way
  std::optional<ServerEvent> answer;
  std::optional<Error> error;
  // The actor hears of it as members do: an answer without id would be the same again.
  bool is_heard = false;
};

struct Conversation {
  enum class State : std::uint8_t {
    kLoading,   // being read
    kCreating,  // its creation is staged
    kAbsent,    // there is none; kept only until the last outcome of a failed creation
    kReady
  };
  using Parked = std::variant<ForwardedCommand, Attach>;

  ConversationId id;
  State state = State::kLoading;
  ConversationKind kind{};
  std::string name;
  Seq published_seq = 0;
  Seq last_seq = 0;
  std::uint64_t last_no = 0;
  std::int64_t created_at_us = 0;
  std::vector<MemberState> members;  // by user id

  std::deque<Parked> parked;  // at most kParkedPerConversationMax
  std::uint32_t pending = 0;  // staged operations without outcome
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
  // Counts failed commits: a load that began before the last one proves nothing.
  std::uint32_t failures = 0;
  std::uint32_t verify_backoff_ms = 0;
  // Its creation was reported as failed and may have worked: should loading find it, its members are told.
  bool creation_in_doubt = false;
  std::optional<Seq> published_at_most;  // while loading: an outcome above it waits to be heard

  // The shard's list of conversations, most recently used first.
  Conversation* newer = nullptr;
  Conversation* older = nullptr;

  [[nodiscard]] MemberState* find_member(UserId user);
  // Nothing would be lost by forgetting it.
  [[nodiscard]] bool is_idle() const;
};

}  // namespace uproar::chat
