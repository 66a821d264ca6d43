#include "core/chat/conversation_role.h"

#include <algorithm>
#include <utility>

namespace uproar::chat {
// --- table ---------------------------------------------------------------------------------------------------------

Conversation* ConversationRole::find(ConversationId id) {
  const auto it = conversations_.find(id);
  return it == conversations_.end() ? nullptr : it->second.get();
}

void ConversationRole::link_front(Conversation& conversation) {
  conversation.newer = nullptr;
  conversation.older = newest_;
  if (newest_ != nullptr) newest_->newer = &conversation;
  newest_ = &conversation;
  if (oldest_ == nullptr) oldest_ = &conversation;
}

void ConversationRole::unlink(Conversation& conversation) {
  (conversation.newer != nullptr ? conversation.newer->older : newest_) = conversation.older;
  (conversation.older != nullptr ? conversation.older->newer : oldest_) = conversation.newer;
}

void ConversationRole::touch(Conversation& conversation) {
  if (newest_ == &conversation) return;
  unlink(conversation);
  link_front(conversation);
}

Conversation* ConversationRole::insert(ConversationId id, Conversation::State state) {
  if (conversations_.size() >= context_.limits.conversations_max + kConversationSlack)
    return nullptr;
  auto& slot = conversations_[id];
  UPROAR_CHECK(slot == nullptr);
  slot = std::make_unique<Conversation>();
  slot->id = id;
  slot->state = state;
  link_front(*slot);
  if (context_.nodes != nullptr) {
    // As long as it is in memory, so that what is known of it is true also for those who only ask.
    context_.nodes->listen(topic_of(id));
    slot->is_heard = context_.is_heard(topic_of(id));
    heard_count_ += slot->is_heard ? 1 : 0;
  }
  return slot.get();
}

Conversation* ConversationRole::find_or_load(ConversationId id) {
  if (Conversation* conversation = find(id)) {
    touch(*conversation);
    return conversation;
  }
  Conversation* conversation = insert(id, Conversation::State::kLoading);
  if (conversation != nullptr) load_in_turn(*conversation);
  return conversation;
}

void ConversationRole::erase(Conversation& conversation) {
  UPROAR_CHECK(conversation.pending == 0 && conversation.parked.empty() &&
               !conversation.is_loading);
  const std::vector<Interest> asking = std::exchange(conversation.asking, {});
  if (conversation.wants_room) std::erase(waiting_for_room_, conversation.id);
  if (context_.nodes != nullptr) {
    context_.nodes->unlisten(topic_of(conversation.id));
    heard_count_ -= conversation.is_heard ? 1 : 0;
    shed_held(conversation);
  }
  recent_bytes_ -= conversation.recent.bytes();
  unlink(conversation);
  conversations_.erase(conversation.id);
  // Of a creation that failed: whether another node's exists is not known, so it cannot be heard for sure.
  answer(asking, true);  // last: a session that is answered may speak at once
}

void ConversationRole::trim() {
  // Busy ones are passed over, a few at a time: what is busy now is used now, and moves to the front.
  std::uint32_t looks = 64;
  for (Conversation* at = oldest_;
       conversations_.size() > context_.limits.conversations_max && at != nullptr;) {
    Conversation* const next = at->newer;
    if (at->is_heard) {  // to the front, so that those behind it are looked at next time
      touch(*at);
      if (--looks == 0) return;
    } else if (at->is_idle()) {
      context_.counters.conversations_evicted.add();
      erase(*at);
    } else if (--looks == 0) {
      return;
    }
    at = next;
  }
}

void ConversationRole::account_recent(Conversation& conversation, std::size_t bytes_before) {
  recent_bytes_ += conversation.recent.bytes();
  recent_bytes_ -= bytes_before;
  if (recent_bytes_ <= context_.limits.recent_bytes_max) return;
  // An eighth at once, so that the walk is paid by many messages.
  const std::uint64_t goal = context_.limits.recent_bytes_max / 8 * 7;
  for (Conversation* at = oldest_; recent_bytes_ > goal && at != nullptr; at = at->newer) {
    if (!at->recent.empty()) forget_recent(*at);
  }
}

void ConversationRole::forget_recent(Conversation& conversation) {
  recent_bytes_ -= conversation.recent.bytes();
  conversation.recent.reset(conversation.published_seq);
}

// --- load and verify -----------------------------------------------------------------------------------------------

void ConversationRole::load(Conversation& conversation) {
  conversation.is_loading = true;
  conversation.load_began_us = context_.now.monotonic_us;
  ++loads_;
  context_.counters.conversation_reads.add();
  context_.history.load_conversation(
      conversation.id, [this, id = conversation.id, failures = conversation.failures](
                           Result<storage::ConversationState, storage::StoreError> state) {
        loaded(id, failures, std::move(state));
      });
}

void ConversationRole::take_state(Conversation& conversation, storage::ConversationState state) {
  conversation.kind = state.kind;
  conversation.name = std::move(state.name);
  conversation.last_seq = std::max(conversation.last_seq, state.last_seq);
  conversation.last_no = std::max(conversation.last_no, state.last_no);
  conversation.created_at_us = state.created_at_us;
  const std::vector<MemberState> before = std::exchange(conversation.members, {});
  conversation.members.reserve(state.members.size());
  for (const Member& member : state.members) {
    conversation.members.push_back({.user = member.user,
                                    .joined_seq = member.joined_seq,
                                    .delivered_seq = member.delivered_seq,
                                    .read_seq = member.read_seq,
                                    .read_no = member.read_no,
                                    .role = member.role});
  }
  std::sort(conversation.members.begin(), conversation.members.end(),
            [](const MemberState& a, const MemberState& b) { return a.user < b.user; });
  for (const MemberState& old : before) {
    MemberState* member = conversation.find_member(old.user);
    if (member == nullptr || member->joined_seq != old.joined_seq) {
      conversation.note_ended(old);
      continue;
    }
    // A mark may have been committed and heard while the store was read: it never goes back.
    member->delivered_seq = std::max(member->delivered_seq, old.delivered_seq);
    member->read_seq = std::max(member->read_seq, old.read_seq);
    member->read_no = std::max(member->read_no, old.read_no);
    member->sent_seq = old.sent_seq;
  }
  conversation.members_seq = std::max(conversation.members_seq, state.last_seq);
}

void ConversationRole::loaded(ConversationId id, std::uint32_t failures,
                              Result<storage::ConversationState, storage::StoreError> state) {
  take_loaded(id, failures, std::move(state));
  start_waiting_loads();
  start_looks();
}

void ConversationRole::take_loaded(ConversationId id, std::uint32_t failures,
                                   Result<storage::ConversationState, storage::StoreError> state) {
  using State = Conversation::State;
  --loads_;
  Conversation* found = find(id);
  UPROAR_CHECK(found != nullptr && found->is_loading);
  Conversation& conversation = *found;
  conversation.is_loading = false;
  if (std::exchange(conversation.is_look, false)) --looks_;
  const bool again = std::exchange(conversation.look_again, false);

  if (!state.ok()) {
    if (conversation.state == State::kLoading && state.error() == storage::StoreError::kNotFound) {
      if (again ||
          std::exchange(conversation.asked_late,
                        false)) {  // created since, perhaps: somebody has been told to hear it
        load(conversation);
        return;
      }
      conversation.state = State::kAbsent;
      conversation.look_blocks = false;
      conversation.creation_in_doubt = false;
      conversation.published_at_most.reset();
      answer_asking(conversation);
      handle_absent(conversation);
      return;
    }
    conversation.look_blocks = false;
    refuse_parked(conversation, error_of(state.error()));
    const bool is_forgettable =
        conversation.pending == 0 && !conversation.creation_in_doubt && !conversation.is_heard;
    if (conversation.state == State::kLoading && is_forgettable) {
      erase(conversation);
    } else {
      arm_verify(conversation);
      refuse_waiting(conversation);
    }
    return;
  }

  context_.counters.conversations_loaded.add();
  conversation.asked_late = false;
  if (conversation.state == State::kReady) {
    if (state->last_seq < conversation.members_seq) {
      if (++conversation.old_loads < kOldLoadsMax) {  // read before a change that is known here
        conversation.wants_look = true;
        arm_verify(conversation);
        return;
      }
      conversation.members_seq = state->last_seq;
    }
    if (conversation.change.left > 0 && !conversation.needs_verify) {
      conversation.wants_look = true;  // its outcomes first: they say who asked for what
      return;
    }
  }
  // Before what is held comes out, which is newer than what was read, and may make the marks doubtful.
  conversation.marks_doubtful = std::exchange(conversation.doubt_after_load, false);
  if (conversation.state == State::kLoading) {
    take_state(conversation, std::move(*state));
    conversation.published_seq = conversation.last_seq;
    if (conversation.published_at_most) {
      conversation.published_seq =
          std::min(conversation.published_seq, *conversation.published_at_most);
      conversation.published_at_most.reset();
    }
    conversation.recent.reset(conversation.published_seq);
    conversation.state = State::kReady;
    if (conversation.creation_in_doubt) {
      conversation.creation_in_doubt = false;
      tell_differences(conversation, {});
    }
    drop_held(conversation);
    release_held(conversation);
    answer_asking(conversation);
  } else {
    const std::vector<MemberState> before = conversation.members;
    take_state(conversation, std::move(*state));
    note_moved_marks(conversation, before);
    tell_differences(conversation, before);
    if (!conversation.is_behind()) tell_moved_marks(conversation);
  }
  conversation.old_loads = 0;
  conversation.wants_look = false;
  conversation.needs_verify = conversation.failures != failures;
  conversation.verify_backoff_ms = 0;
  if (conversation.needs_verify) arm_verify(conversation);
  if (context_.nodes != nullptr) {
    conversation.looked_at_us = conversation.load_began_us;
    if (conversation.owes_word && !conversation.needs_verify) {
      conversation.owes_word = false;
      on_publish_lost(id);  // perhaps it is there, and was not said
    }
  }
  if (again) look_now(conversation);
  // Somebody asks for another look during each: what waits is not kept from going on by that.
  conversation.look_blocks =
      conversation.look_blocks && again && ++conversation.blocking_looks < kBlockingLooksMax;
  if (!conversation.look_blocks) conversation.blocking_looks = 0;
  repair_if_behind(conversation);
  advance_attaches(conversation);
  unpark(conversation);
}

// Memberships that a commit changed although it was reported as failed, or that another node has changed. Whoever joined
// hears from their joining on, so they are told at once. Whoever left is told when that is published
// (take_membership): until then they hear what was said before it.
void ConversationRole::tell_differences(Conversation& conversation,
                                        const std::vector<MemberState>& before) {
  const std::vector<MemberState> after =
      conversation.members;  // a copy: telling may come back here
  const auto gone = [&](const MemberState& member) {
    if (conversation.published_seq == conversation.last_seq)
      tell_removed(conversation, member.user, conversation.last_seq);
  };
  auto old = before.begin();
  for (const MemberState& member : after) {
    for (; old != before.end() && old->user < member.user; ++old) gone(*old);
    if (old != before.end() && old->user == member.user) {
      ++old;
      continue;
    }
    tell_joined(conversation, member.user, member.joined_seq, Endpoint{}, conversation.owes_word);
  }
  for (; old != before.end(); ++old) gone(*old);
}

void ConversationRole::commit_failed(Conversation& conversation) {
  ++conversation.failures;
  conversation.needs_verify = true;
  conversation.owes_word = context_.nodes != nullptr;
  arm_verify(conversation);
}

void ConversationRole::arm_verify(Conversation& conversation) {
  if (conversation.verify_timer_armed) return;
  conversation.verify_timer_armed = true;
  // The first look is at once (in the next turn), so that one failed batch costs no more than itself.
  context_.deadlines.arm(
      context_.now.monotonic_us + std::int64_t{conversation.verify_backoff_ms} * 1000,
      Deadline::Kind::kVerify, conversation.id.uuid());
  conversation.verify_backoff_ms =
      std::clamp(conversation.verify_backoff_ms * 2, kVerifyBackoffMinMs, kVerifyBackoffMaxMs);
}

void ConversationRole::verify_due(ConversationId id) {
  Conversation* conversation = find(id);
  if (conversation == nullptr) return;
  conversation->verify_timer_armed = false;
  const bool is_cold = conversation->state == Conversation::State::kLoading;
  if (is_cold || ((conversation->needs_verify || conversation->wants_look) &&
                  conversation->state == Conversation::State::kReady)) {
    if (!conversation->is_loading) load(*conversation);
  } else if (context_.nodes != nullptr) {
    repair_due(id);
  } else {
    repair_if_behind(*conversation);  // with operations under way: when their outcomes have come
  }
}

}  // namespace uproar::chat
