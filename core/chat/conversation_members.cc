// Who is in a conversation, and who is told: as outcomes of this node change it, as it is published from other nodes or
// the store, and in which role and under which name.
#include <algorithm>
#include <utility>

#include "core/chat/conversation_role.h"

namespace uproar::chat {

using storage::OutcomeStatus;

namespace {

bool is_member_since(const Conversation& conversation, UserId user, Seq joining) {
  const MemberState* member = conversation.find_member(user);
  return member != nullptr && member->joined_seq + 1 == joining;
}

}  // namespace

// --- telling ---------------------------------------------------------------------------------------------------------

ConversationView ConversationRole::view_for(const Conversation& conversation, UserId user,
                                            Seq seq) const {
  ConversationView view;
  view.id = conversation.id;
  view.kind = conversation.kind;
  view.name = conversation.name;
  view.last_seq = seq;
  view.last_no = conversation.last_no;
  view.member_count = static_cast<std::uint32_t>(conversation.members.size());
  view.created_at_us = conversation.created_at_us;
  // Whoever tells each member does so without a look at all others.
  if (const MemberState* member = conversation.find_member(user)) {
    view.role = member->role;
    view.read_seq = member->read_seq;
    view.delivered_seq = member->delivered_seq;
    view.unread = conversation.last_no - std::min(member->read_no, conversation.last_no);
  }
  if (conversation.members.size() > kMembersShownMax) return view;
  for (const MemberState& member : conversation.members) {
    view.members.push_back({.user = member.user,
                            .name = {},
                            .role = member.role,
                            .joined_seq = member.joined_seq,
                            .delivered_seq = member.delivered_seq,
                            .read_seq = member.read_seq,
                            .read_no = member.read_no});
  }
  return view;
}

// Later messages are shown behind it, and count as they are: how many are known here says nothing.
ConversationView ConversationRole::view_at_joining(const Conversation& conversation, UserId user,
                                                   Seq seq) const {
  ConversationView view = view_for(conversation, user, seq);
  view.unread = 0;
  return view;
}

void ConversationRole::tell_joined(const Conversation& conversation, UserId user, Seq seq,
                                   const Endpoint& but, bool to_nodes) {
  if (to_nodes && context_.nodes != nullptr) {
    context_.nodes->hint(topic_of(user), {.kind = NodeHint::Kind::kJoined,
                                          .seq = seq,
                                          .conversation = conversation.id,
                                          .session = {}});
  }
  context_.send(context_.owner(user),
                UserNotice{.user = user,
                           .change = {.added = true,
                                      .seq = seq,
                                      .conversation = view_at_joining(conversation, user, seq)},
                           .but = but});
}

// take_membership() leaves out who asked for the joining, for its outcome to answer. For outcomes that do not say that they
// are in: a joining by another device was first, another one followed, or the answer is lost. Whoever hears ignores it.
void ConversationRole::tell_if_member(const Conversation& conversation, UserId user) {
  if (const MemberState* member = conversation.find_member(user))
    tell_joined(conversation, user, member->joined_seq, Endpoint{}, false);
}

void ConversationRole::tell_asker(const Conversation& conversation, const Actor& asker, Seq seq,
                                  bool is_told) {
  if (asker.from.kind != Endpoint::Kind::kSession) return;
  context_.send(
      asker.from.shard,
      SessionNotice{.session = asker.from,
                    .change = {.added = true,
                               .seq = seq,
                               .conversation = view_at_joining(conversation, asker.user, seq)},
                    .is_told = is_told,
                    .is_over = !is_told && !is_member_since(conversation, asker.user, seq),
                    .request = is_told ? nullptr : std::make_unique<RequestId>(asker.request)});
}

// Their hearing ends in one order with what is published; the news are for sessions that are about to hear it.
void ConversationRole::tell_removed(Conversation& conversation, UserId user, Seq seq) {
  std::erase_if(conversation.ended,
                [&](const EndedMembership& x) { return x.user == user && x.joined_seq < seq; });
  send_to_hearers(conversation, HearingEnd{user, conversation.id, seq});
  UserNotice notice{
      .user = user, .change = {.added = false, .seq = seq, .conversation = {}}, .but = {}};
  notice.change.conversation.id = conversation.id;
  context_.send(context_.owner(user), std::move(notice));
}

// --- what this node commits -----------------------------------------------------------------------------------------

void ConversationRole::add_member(Conversation& conversation, UserId user, Role role, Seq seq) {
  const MemberState state{.user = user,
                          .joined_seq = seq - 1,
                          .delivered_seq = seq - 1,
                          .read_seq = seq - 1,
                          .read_no = conversation.last_no,
                          .role = role};
  if (MemberState* present = conversation.find_member(user)) {
    conversation.note_ended(*present);
    *present = state;
    return;
  }
  auto& members = conversation.members;
  members.insert(
      std::upper_bound(members.begin(), members.end(), state,
                       [](const MemberState& a, const MemberState& b) { return a.user < b.user; }),
      state);
}

namespace {

// A late outcome may find that its change was read or published here from the store, and perhaps undone by other nodes since.
// A seq that was published when it was staged is given again: by a store that came back with less, and what is known is of
// its other life.
bool is_known(const Conversation& conversation, Seq seq, Seq published_when_staged) {
  return seq <= conversation.members_seq && seq > published_when_staged;
}

}  // namespace

// A change of members, role or name that this node committed. Those of other nodes that are still missing are older.
void ConversationRole::members_changed(Conversation& conversation, Seq seq) {
  if (seq > conversation.published_seq + 1) want_look(conversation);
  conversation.members_seq = std::max(conversation.members_seq, seq);
}

void ConversationRole::change_step_done(Conversation& conversation,
                                        std::optional<ServerEvent> answer,
                                        std::optional<Error> error) {
  MembershipCommand& change = conversation.change;
  UPROAR_CHECK(change.left > 0);
  if (answer) change.answer = std::move(answer);
  if (error && !change.error) change.error = error;
  if (--change.left > 0) return;
  if (!change.error && !change.rest.empty() && stage_slice(conversation)) return;
  const MembershipCommand done = std::exchange(change, {});
  if (conversation.wants_look) want_look(conversation);
  if (done.error) {
    context_.refuse(done.actor, *done.error);
  } else if (done.answer && (!done.is_heard || wants_reply(done.actor))) {
    context_.reply(done.actor, *done.answer);
  }
}

void ConversationRole::joining_done(Conversation& conversation, const Actor& actor,
                                    const std::optional<ServerEvent>& answer) {
  MembershipCommand& change = conversation.change;
  UPROAR_CHECK(change.left > 0);
  std::erase_if(change.joining, [&](const Actor& x) { return x.user == actor.user; });
  if (--change.left == 0) {
    change = {};
    if (conversation.wants_look) want_look(conversation);
  }
  if (answer) context_.reply(actor, *answer);
}

// By another device or node, which may be unknown here, as may be what they have read: answered as whoever joins once more.
// Who has left since joins again, then.
void ConversationRole::joined_already(Conversation& conversation, const Actor& actor) {
  joining_done(conversation, actor, {});
  tell_if_member(conversation, actor.user);
  park_for_look(
      conversation,
      ForwardedCommand{.command = {.actor = actor, .event = ConversationJoin{conversation.id}},
                       .conversation = conversation.id});
}

void ConversationRole::committed(Conversation& conversation, Pending& pending,
                                 storage::AddMember& op, const storage::Outcome& outcome) {
  const bool is_duplicate = outcome.status == OutcomeStatus::kDuplicate;
  const bool is_join = op.user == pending.actor.user;
  if (is_duplicate && is_join) {
    joined_already(conversation, pending.actor);
    return;
  }
  const MemberAdded added{.conversation = conversation.id,
                          .seq = is_duplicate ? 0 : outcome.seq,
                          .user = op.user,
                          .role = op.role,
                          .by = pending.actor.user,
                          .at_us = outcome.at_us};
  if (is_duplicate) {
    if (conversation.find_member(op.user) == nullptr)
      want_look(conversation);  // another node's, and not heard so far
  } else {
    if (!is_known(conversation, outcome.seq, pending.published_seq))
      add_member(conversation, op.user, op.role, outcome.seq);
    members_changed(conversation, outcome.seq);
    announce(conversation, outcome.seq, ServerEvent(added));
  }
  // Of a session that joins only its own shard knows whether it hears already, as what a read has found before this
  // outcome came. It is answered there.
  const bool is_answered_there = is_join && pending.actor.from.kind == Endpoint::Kind::kSession;
  if (is_answered_there) {
    joining_done(conversation, pending.actor, {});
  } else if (is_join) {
    joining_done(
        conversation, pending.actor,
        ServerEvent(ConversationJoined{view_at_joining(conversation, op.user, outcome.seq)}));
  } else {
    if (!is_duplicate) conversation.change.is_heard = true;
    change_step_done(conversation, ServerEvent(added), {});
  }
  if (!is_duplicate) {
    if (is_answered_there) tell_asker(conversation, pending.actor, outcome.seq, false);
    if (is_member_since(conversation, op.user, outcome.seq)) {
      tell_joined(conversation, op.user, outcome.seq,
                  is_answered_there ? pending.actor.from : Endpoint{}, true);
    } else if (is_join) {
      tell_if_member(conversation, op.user);  // back since, and left out when that was published
    }
    doubt_marks(conversation, op.user);
  }
}

void ConversationRole::committed(Conversation& conversation, Pending& pending,
                                 storage::RemoveMember& op, const storage::Outcome& outcome) {
  const ServerEvent removed(MemberRemoved{.conversation = conversation.id,
                                          .seq = outcome.seq,
                                          .user = op.user,
                                          .by = pending.actor.user,
                                          .at_us = outcome.at_us});
  if (outcome.status == OutcomeStatus::kCommitted) {
    const MemberState* member = conversation.find_member(op.user);
    const bool is_back = member != nullptr && member->joined_seq >= outcome.seq &&
                         is_known(conversation, outcome.seq, pending.published_seq);
    const bool is_in = member != nullptr && !is_back;
    // Else it was told when it was published from the store.
    const bool is_untold = is_in || conversation.published_seq < outcome.seq;
    if (is_in) {
      conversation.note_ended(*member);
      std::erase_if(conversation.members, [&](const MemberState& x) { return x.user == op.user; });
    }
    if (!is_back) stop_typing(conversation, op.user);
    conversation.change.is_heard = true;
    members_changed(conversation, outcome.seq);
    announce(conversation, outcome.seq, ServerEvent(removed));
    // Else it waits for what is missing before it, and is told with it.
    if (is_untold && conversation.published_seq >= outcome.seq)
      tell_removed(conversation, op.user, outcome.seq);
  }
  change_step_done(conversation, removed, {});
}

void ConversationRole::committed(Conversation& conversation, Pending& pending, storage::SetRole& op,
                                 const storage::Outcome& outcome) {
  const ServerEvent updated(ConversationUpdated{.conversation = conversation.id,
                                                .seq = outcome.seq,
                                                .by = pending.actor.user,
                                                .name = {},
                                                .user = op.user,
                                                .role = op.role,
                                                .at_us = outcome.at_us});
  MemberState* member = conversation.find_member(op.user);
  if (member != nullptr && !is_known(conversation, outcome.seq, pending.published_seq))
    member->role = op.role;
  if (outcome.status == OutcomeStatus::kCommitted) {
    conversation.change.is_heard = true;
    members_changed(conversation, outcome.seq);
    announce(conversation, outcome.seq, ServerEvent(updated));
  }
  change_step_done(conversation, updated, {});
}

void ConversationRole::committed(Conversation& conversation, Pending& pending, storage::Rename& op,
                                 const storage::Outcome& outcome) {
  ServerEvent updated(ConversationUpdated{.conversation = conversation.id,
                                          .seq = outcome.seq,
                                          .by = pending.actor.user,
                                          .name = op.name,
                                          .user = {},
                                          .role = {},
                                          .at_us = outcome.at_us});
  if (!is_known(conversation, outcome.seq, pending.published_seq))
    conversation.name = std::move(op.name);
  const bool is_duplicate = outcome.status == OutcomeStatus::kDuplicate;
  if (is_duplicate || wants_reply(pending.actor)) context_.reply(pending.actor, updated);
  if (is_duplicate) return;
  members_changed(conversation, outcome.seq);
  announce(conversation, outcome.seq, std::move(updated));
}

// --- what is published here from other nodes or the store -----------------------------------------------------------

// A change of members, role or name, at the moment at which it has been published here. What was read may be newer: then it
// changes nothing, and who leaves or joins is told all the same. They are told here alone, so that whoever leaves has
// heard everything up to that, and nothing above.
void ConversationRole::take_membership(Conversation& conversation, const Message& row) {
  const bool is_newer = row.seq > conversation.members_seq;
  if (is_newer) conversation.members_seq = row.seq;
  switch (row.system) {
    case SystemEvent::kMemberAdded: {
      if (is_newer) add_member(conversation, row.subject, row.role, row.seq);
      if (is_member_since(conversation, row.subject, row.seq)) {  // and not left since
        // Who asked to join is answered with the outcome.
        Endpoint asker;
        for (const Actor& joining : conversation.change.joining)
          if (joining.user == row.subject) asker = joining.from;
        tell_joined(conversation, row.subject, row.seq, asker, false);
      }
      if (is_newer) doubt_marks(conversation, row.subject);
      return;
    }
    case SystemEvent::kMemberRemoved: {
      // Also where a later change was committed here before this one was known: who has come back has joined above it.
      const auto left = [&](const MemberState& x) {
        return x.user == row.subject && x.joined_seq < row.seq;
      };
      if (std::erase_if(conversation.members, left) > 0) stop_typing(conversation, row.subject);
      tell_removed(conversation, row.subject, row.seq);
      return;
    }
    case SystemEvent::kRoleChanged:
      if (!is_newer) return;
      if (MemberState* member = conversation.find_member(row.subject)) member->role = row.role;
      return;
    case SystemEvent::kRenamed:
      if (is_newer) conversation.name = row.content;
      return;
    case SystemEvent::kNone:
      return;
  }
}

// How many messages there were when somebody joined is not known for sure: later ones may have been counted already.
// The store has it, and is asked before it is shown; marks only grow, so until then it is none.
void ConversationRole::doubt_marks(Conversation& conversation, UserId user) {
  if (context_.nodes == nullptr) return;
  if (MemberState* member = conversation.find_member(user)) member->read_no = 0;
  conversation.marks_doubtful = true;
  if (conversation.is_loading) conversation.doubt_after_load = true;
}

}  // namespace uproar::chat
