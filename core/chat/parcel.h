#pragma once

// A parcel crosses shards: from the shard that holds a connection to the owner of a conversation or user and back.
// Plain values; delivered in order between any two shards (ports.h), handed to ChatShard::on_parcel().
//
//   session shard                     owner(conversation)                owner(user)
//        |--- SessionStart ---------------------------------------------------->|
//        |<-- SessionAdmission -------------------------------------------------|
//        |--- Interest ------------------->|   (one per topic that is new to the shard; user topics go to owner(user))
//        |<-- InterestReady ---------------|
//        |--- MemberCheck ---------------->|--- MemberAnswer ------------------->|
//        |<-- MemberAnswer, as a SessionNotice below: behind all news that were sent before it
//        |--- ShareAsk ----------------------------------------------------->|   (of few commands: user_shares.h)
//        |<-- ShareAnswer --------------------------------------------------|
//        |--- ForwardedCommand ----------->|   (answers come by Outbox::reply)
//        |<-- Backpressure ----------------|   (twice: when it has to wait in a crowd, and when it waits no longer)
//        |--- Attach --------------------->|
//        |<-- AttachPage … AttachEnd ------|   (in one order with what the owner publishes: exact resume)
//        |                                 |--- UserNotice --------------------->|
//        |                                 |<-- SessionNotice -------------------|
//        |<-- SessionNotice ---------------|   (so that it comes behind the event that it speaks of; to a session that asked
//        |                                 |    it comes at once, in one order with other answers)
//        |<-- HearingEnd ------------------|   (right behind the leaving that was published)
//        |<-- PageByMembership ------------|   (in its place between what is published)

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "core/chat/endpoint.h"
#include "core/chat/topic.h"
#include "proto/chat/error_code.h"
#include "proto/chat/server_event.h"

namespace uproar::chat {

// --- sessions and users --------------------------------------------------------------------------------------------
struct SessionStart {
  Endpoint session;
  UserId user;
};  // to owner(user)
struct SessionAdmission {
  Endpoint session;
  bool admitted = false;  // false: too many connections
  bool owes = false;      // the share of the user is not full (user_shares.h)
};                        // back
// To owner(user). `offline_at_us` (monotonic): when the user counts as offline if no device comes back; 0: at once.
struct SessionEnd {
  Endpoint session;
  UserId user;
  std::int64_t offline_at_us = 0;
};

// To owner(user), before a command is run: what it takes of what all connections of its user may do together.
struct ShareDemand {
  std::uint32_t units = 0;          // command_cost.h; 0: it is not large
  std::uint32_t conversations = 0;  // it makes
  ConversationId begins;         // that it makes or writes to; nil: none, or one without an id yet
  std::uint32_t pages = 0;       // it stores; 0: they are paid for
  std::uint32_t lot_pages = 0;   // wanted in advance, if the day's quota has so much left
  std::vector<UserId> contacts;  // whom it adds, or writes to
  bool is_direct = false;        // `contacts` is one, in the direct conversation `begins`
};
struct ShareAsk {
  std::uint32_t shard = 0;
  std::uint32_t token = 0;
  UserId user;
  ShareDemand demand;
  bool may_wait = false;  // a few seconds, rather than be refused
};
struct ShareAnswer {
  std::uint32_t token = 0;
  std::uint32_t pages = 0;  // may be stored: what was asked for, or a lot
  std::int64_t wait_us = 0;
  std::optional<Error> refused;
};
// To owner(user), when it is known: what was used beyond what the answer gave; below zero: was not
// used.
struct ShareBalance {
  UserId user;
  std::int64_t units = 0;
  std::int64_t pages = 0;
};

// To a shard where `user` has devices, or where somebody may watch them: they have left a
// conversation, and perhaps the last one that they shared with somebody.
struct PresenceReview {
  UserId user;
  std::vector<Endpoint> devices;  // of the user, at this shard
};

// Somebody became, or stopped being, a member by the event `seq` (0: the conversation was created with them).
struct MembershipChange {
  bool added = false;
  Seq seq = 0;
  ConversationView conversation;  // added: as the member sees it at `seq`; removed: only the id
};
struct UserNotice {  // to owner(user), who passes it to every device
  UserId user;
  MembershipChange change;
  Endpoint but;  // this one has a notice of its own: it asked for the change
};
struct SessionNotice {
  Endpoint session;
  MembershipChange change;
  bool is_told = false;      // what it was answered says it: it is attached and told no more
  bool is_over = false;      // the answer came late: another leaving or joining has followed
  bool is_admitted = false;  // there was room for it: it is what the session has looked up
  std::unique_ptr<RequestId> request;  // not null: what it is told answers this
};

// To a session, with several nodes: its user may be in `conversation` (nil: in any) and it may not hear so. It asks the
// store.
struct AudienceCheck {
  Endpoint session;
  ConversationId conversation;
  friend constexpr bool operator==(const AudienceCheck&, const AudienceCheck&) = default;
  template <class H>
  friend H AbslHashValue(H h, const AudienceCheck& x) {
    return H::combine(std::move(h), x.session.slot, x.session.generation, x.conversation);
  }
};
// To owner(conversation): a session that begins hears these by what the store said a moment ago. Is its user a member
// still? Whatever changes later comes to it behind the event that changed it.
struct MemberCheck {
  Endpoint session;
  UserId user;
  std::vector<ConversationId> conversations;
};
struct MemberAnswer {
  Endpoint session;
  UserId user;
  std::uint32_t from = 0;    // the shard that was asked
  bool was_at_user = false;  // it goes by owner(user), as notices do, and cannot overtake one
  std::vector<ConversationId>
      left;  // in which they are no member, or one that has joined above what is published
};

// To every shard that hears the conversation: this user has left it, and hears no more of it. Comes with what is published,
// so what is before the leaving has been heard there and nothing above it.
struct HearingEnd {
  UserId user;
  ConversationId conversation;
  Seq seq = 0;  // by which they have left
};

// To every shard that hears the conversation: a page that is not for all who hear it to the same extent, in place of its
// publish. Rows from before somebody joined are not for them, also when they changed since.
struct PageByMembership {
  HistoryPage page;
  std::vector<std::pair<UserId, Seq>> joined_seqs;  // by user: of all who hear it by right
};

struct Revoke {
  UserId user;
  SessionId session;
};  // to owner(user)
struct RevokeSession {
  Endpoint endpoint;
  SessionId session;
};  // to the session's shard

// --- who hears -----------------------------------------------------------------------------------------------------
// To owner(topic): `shard` has its first subscriber, or lost its last. `token` tells an answer from an outdated one.
struct Interest {
  TopicId topic;
  std::uint32_t shard = 0;
  std::uint32_t token = 0;
  bool add = true;
  UserId user;  // of a user's topic, when `add`
};
struct InterestReady {
  TopicId topic;
  std::uint32_t token = 0;
  bool refused = false;  // with several nodes: more is heard than fits; announce it again
};                       // what is published from here on arrives

struct PresenceQuery {
  std::uint32_t shard = 0;
  std::uint32_t token = 0;
  std::vector<UserId> users;
};
struct PresenceAnswer {
  std::uint32_t token = 0;
  std::vector<PresenceState> users;
};

// --- conversations -------------------------------------------------------------------------------------------------
// A command at its conversation's owner. `conversation` is set also where the command itself has none yet.
struct ForwardedCommand {
  Command command;
  ConversationId conversation;
};

// To the session that said it: a command waits at its conversation's owner, or waits there no
// longer.
struct Backpressure {
  Endpoint session;
  bool begins = true;
};

// Page what was missed, then go live.
struct Attach {
  enum class Mode : std::uint8_t {
    kLive,  // pages until nothing is missing, then AttachEnd: the session subscribes there
    kJoined,  // the same, of one membership alone: kNotMember when it has ended, also when another has begun
    kPages,   // as kLive, for a request that has no connection to go live on
    kUnread,  // the newest `limit` unread messages in one page
    kLeaving  // the rest of a membership that has ended, to the leaving; nothing when the store knows of none
  };
  Endpoint to;
  UserId user;
  ConversationId conversation;
  Seq cursor = 0;
  std::uint32_t token = 0;
  std::uint32_t limit = 0;
  Mode mode = Mode::kLive;
  // They were told that they have joined at this seq, or right behind it. An owner that does not know so compares itself
  // with the store. Marks above it may have been announced before they could hear, so AttachEnd comes after how they stand.
  std::optional<Seq> joined_at;
  Seq seq_floor = 0;  // kJoined, kLeaving: the rows above are of that membership
};
struct AttachMore {
  Endpoint to;
  ConversationId conversation;
  std::uint32_t token = 0;
};  // send the next page
struct AttachCancel {
  Endpoint to;
  ConversationId conversation;
  std::uint32_t token = 0;
};  // the hearer is gone
struct AttachPage {
  Endpoint to;
  std::uint32_t token = 0;
  HistoryPage page;
  Seq joined_seq = 0;  // kLive, kJoined: of the membership that it is of
};
struct AttachEnd {
  Endpoint to;
  std::uint32_t token = 0;
  Seq cursor = 0;  // everything up to here was paged; what is published from here on is above it
  std::optional<ErrorCode> refused;
};

using Parcel =
    std::variant<SessionStart, SessionAdmission, SessionEnd, UserNotice, SessionNotice,
                 AudienceCheck, MemberCheck, MemberAnswer, HearingEnd, PageByMembership, Revoke,
                 RevokeSession, Interest, InterestReady, PresenceQuery, PresenceAnswer,
                 ForwardedCommand, Backpressure, Attach, AttachMore, AttachCancel, AttachPage,
                 AttachEnd, ShareAsk, ShareAnswer, ShareBalance, PresenceReview>;

}  // namespace uproar::chat
