#pragma once

// Durable work and its outcome. The store assigns `seq` in the commit, so that several nodes never
// disagree (docs/contract.md, D2), and judges what only it can know: idempotency, authorship,
// existence, the last owner.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "proto/chat/client_event.h"
#include "proto/chat/vocabulary.h"

namespace uproar::storage {

// Chosen by whoever stages; comes back with the outcome.
using Ticket = std::uint64_t;

struct NewMember {
  UserId user{};
  chat::Role role = chat::Role::kMember;
};

// State at seq 0, not an event. kDuplicate when the id exists already (then nothing changes).
struct CreateConversation {
  chat::ConversationKind kind{};
  std::string name{};
  std::vector<NewMember> members{};
};
// kDuplicate: the (conversation, actor, client_id) is stored with the same body; outcome = the first result.
// kKeyReused: with another body (compared as it was sent, also after edits). Both also when the actor has left since.
// kForbidden: the actor is not a member.
struct AppendMessage {
  MessageId id{};
  std::string client_id{};
  chat::MessageType type = chat::MessageType::kText;
  std::string content{};
  std::string attachments{};
  Seq reply_to = 0;  // kNotFound when the actor can read no such message
  std::vector<UserId> mentions{};
  // Of somebody who may not post (any more): a retry is answered, anything else is kForbidden and stores nothing.
  bool retry_only = false;
};
// Of a message from before the actor has joined, which is hidden from them: kNotFound, as of none.
struct EditMessage {
  chat::MessageRef message{};
  std::string content{};
};  // kForbidden unless the actor sent it
struct DeleteMessage {
  chat::MessageRef message{};
  bool as_moderator = false;
};  // deleting twice: kDuplicate
struct ChangeReaction {
  chat::MessageRef message{};
  std::string emoji{};
  bool add = true;
};  // no change: kDuplicate
struct AddMember {
  UserId user{};
  chat::Role role = chat::Role::kMember;
};  // a member already: kDuplicate; unknown user: kNotFound
// kConflict: in a direct conversation, and when the only owner would leave others behind.
struct RemoveMember {
  UserId user;
};  // no member: kNotFound
// kConflict: when the only owner would stop being one, also when they are alone.
struct SetRole {
  UserId user{};
  chat::Role role = chat::Role::kMember;
};
struct Rename {
  std::string name;
};
// Raises the actor's mark (never lowers it, never above last_seq) and appends a receipt. Not an event: no seq.
// kSeen raises the delivered mark, too. kDuplicate: it stood there already.
struct AdvanceMark {
  chat::MarkKind kind{};
  Seq seq = 0;
};
struct SetMute {
  std::int64_t until_us = 0;
};  // the actor's own; not an event

enum class JobKind : std::uint8_t { kPush, kEmail, kMobileSync, kMention, kCallAnalytics };
// Written with the operation if it commits something new, and only then (storage/job_queue.h). A second one of the same
// kind and user is the first.
struct NewJob {
  JobKind kind{};
  UserId user{};                   // for whom; nil: it speaks of the event as a whole
  std::int64_t expires_at_us = 0;  // wall clock: nobody needs it after that
};

struct Operation {
  Ticket ticket = 0;
  ConversationId conversation{};
  UserId actor{};
  std::int64_t at_us = 0;  // wall clock when staged: sent_at, edited_at, …
  std::variant<CreateConversation, AppendMessage, EditMessage, DeleteMessage, ChangeReaction,
               AddMember, RemoveMember, SetRole, Rename, AdvanceMark, SetMute>
      body{};
  std::vector<NewJob> jobs{};

  // What the operation costs a batch, in bytes.
  [[nodiscard]] std::size_t bytes() const;
};

enum class OutcomeStatus : std::uint8_t {
  kCommitted,
  kDuplicate,  // nothing new was stored; the fields below are those of the first time
  kKeyReused,
  kNotFound,  // conversation, message or user
  kForbidden,
  kConflict,
  kUnavailable  // the commit failed as far as anyone knows; nobody may be told that it is stored
};

struct Outcome {
  Ticket ticket = 0;
  OutcomeStatus status = OutcomeStatus::kUnavailable;
  Seq seq = 0;           // of the event; AdvanceMark: where the mark stands now
  std::uint64_t no = 0;  // AppendMessage: message number; AdvanceMark kSeen: read_no
  MessageId message{};
  Seq message_seq = 0;  // edits, deletions, reactions: the message they speak of
  std::int64_t at_us = 0;
};

}  // namespace uproar::storage
