// What other nodes commit (docs/contract.md, D5; docs/decisions/0026). The bus is a hint: it may lose, repeat and reorder.
// What comes as the next is delivered as it came; what was heard before is dropped; what comes too early is held while
// the store is asked for what is missing. Whenever something may have been missed, the conversation is compared with the
// store ("a look"): its last seq shows a hole, its members show whom nobody told.
//
// Hot path: per event of another node: no allocation but the row that resume keeps.
#include <algorithm>
#include <utility>

#include "core/chat/conversation_role.h"
#include "core/chat/node_event.h"

namespace uproar::chat {

using State = Conversation::State;

// --- who hears, and loading for them -------------------------------------------------------------------------------

void ConversationRole::on_interest(const Interest& interest) {
  const ConversationId id = conversation_of(interest.topic);
  Conversation* conversation = find(id);
  if (!interest.add) {
    if (conversation == nullptr) return;
    std::erase_if(conversation->asking,
                  [&](const Interest& x) { return x.shard == interest.shard; });
    if (conversation->is_heard && !context_.is_heard(interest.topic)) {
      conversation->is_heard = false;
      --heard_count_;
    }
    return;
  }
  if (conversation == nullptr) {
    const bool fits = heard_count_ < context_.limits.conversations_max;
    conversation = fits ? insert(id, State::kLoading) : nullptr;
    if (conversation == nullptr) {
      context_.counters.overloaded.add();
      context_.send(interest.shard, InterestReady{interest.topic, interest.token, true});
      return;
    }
    conversation->asking.push_back(interest);
    load_in_turn(*conversation);
    return;
  }
  touch(*conversation);
  if (!conversation->is_heard) {
    conversation->is_heard = true;
    ++heard_count_;
  }
  if (conversation->state == State::kReady) {
    context_.send(interest.shard, InterestReady{interest.topic, interest.token, false});
    return;
  }
  std::erase_if(conversation->asking, [&](const Interest& x) { return x.shard == interest.shard; });
  conversation->asking.push_back(interest);
  // Read before it was created, perhaps.
  if (conversation->is_loading) conversation->asked_late = true;
}

void ConversationRole::answer_asking(Conversation& conversation) {
  answer(std::exchange(conversation.asking, {}), false);
}

void ConversationRole::answer(const std::vector<Interest>& asking, bool refused) {
  for (const Interest& interest : asking)
    context_.send(interest.shard, InterestReady{interest.topic, interest.token, refused});
}

void ConversationRole::load_in_turn(Conversation& conversation) {
  if (loads_ < kLoadsInFlightMax) {
    load(conversation);
  } else {
    waiting_loads_.push_back(conversation.id);
  }
}

void ConversationRole::start_waiting_loads() {
  while (loads_ < kLoadsInFlightMax && !waiting_loads_.empty()) {
    Conversation* conversation = find(waiting_loads_.front());
    waiting_loads_.pop_front();
    if (conversation == nullptr || conversation->is_loading ||
        conversation->state != State::kLoading)
      continue;
    load(*conversation);
  }
}

// What is not in memory here has published nothing since the news that are on their way before the answer.
void ConversationRole::on(const MemberCheck& check) {
  MemberAnswer answer{
      .session = check.session, .user = check.user, .from = context_.self, .left = {}};
  for (const ConversationId id : check.conversations) {
    const Conversation* conversation = find(id);
    if (conversation == nullptr || conversation->state != State::kReady) continue;
    const MemberState* member = conversation->find_member(check.user);
    if (member == nullptr || member->joined_seq > conversation->published_seq)
      answer.left.push_back(id);
  }
  context_.send(context_.owner(check.user), std::move(answer));
}

// --- events --------------------------------------------------------------------------------------------------------

void ConversationRole::on_node_event(ConversationId id, Seq seq, ServerEvent&& event,
                                     ByteView payload) {
  Conversation* found = find(id);
  if (found == nullptr) return;  // forgotten meanwhile
  Conversation& conversation = *found;
  const std::optional<EventPlace> place = place_of(event);
  if (!place || place->conversation != id || place->seq != seq) {
    if (seq != 0) claim(conversation, seq);  // no event that is understood here: the store has it
    return;
  }
  context_.counters.node_events.add();
  if (seq == 0) {
    if (const auto* receipt = std::get_if<ReceiptUpdate>(&event))
      receipt_from_node(conversation, *receipt);
    const TopicId topic = topic_of(id);
    context_.outbox.relay(topic, context_.remote_shards(topic), payload, delivery_of(event));
    return;
  }
  if (conversation.state == State::kReady && seq <= conversation.published_seq) {
    context_.counters.node_events_old.add();
    return;
  }
  if (conversation.state == State::kReady && !conversation.has_hole &&
      seq == conversation.published_seq + 1) {
    deliver(conversation, seq, std::move(event), payload);
    release_held(conversation);
    note_if_closed(conversation);
    advance_attaches(conversation);
    return;
  }
  hold(conversation, seq, std::move(event), payload);
  if (conversation.state == State::kReady) repair_soon(conversation);
}

// REQUIRES: it is the next.
void ConversationRole::deliver(Conversation& conversation, Seq seq, ServerEvent&& event,
                               ByteView payload) {
  const TopicId topic = topic_of(conversation.id);
  conversation.published_seq = seq;
  conversation.last_seq = std::max(conversation.last_seq, seq);
  const std::uint64_t shards = context_.remote_shards(topic);
  if (payload.empty()) {
    context_.outbox.publish(topic, {.shards = shards}, event, Delivery::kMessage, nullptr);
  } else {
    context_.outbox.relay(topic, shards, payload, Delivery::kMessage);
    if (const auto* fresh = std::get_if<MessageNew>(&event)) {
      const Message& message = fresh->message;
      sent_by(conversation, message.sender, message.seq, message.no, message.sent_at_us);
    }
  }
  // Kept before anybody is told: a session of this shard asks for it before that returns.
  const std::optional<Message> row = system_row_of(event);
  keep_row(conversation, std::move(event));
  if (!row) return;
  if (!payload.empty()) {
    take_membership(conversation, *row);
  } else if (row->system == SystemEvent::kMemberRemoved) {
    tell_removed(conversation, row->subject, seq);
  }
}

void ConversationRole::hold(Conversation& conversation, Seq seq, ServerEvent&& event,
                            ByteView payload) {
  auto& held = conversation.held;
  const auto at = std::lower_bound(held.begin(), held.end(), seq,
                                   [](const HeldEvent& x, Seq wanted) { return x.seq < wanted; });
  if (at != held.end() && at->seq == seq) {
    context_.counters.node_events_old.add();
    return;
  }
  ++conversation.claims;
  if (held.size() >= kHeldMax || held_bytes_ + payload.size() > kHeldBytesMax) {
    context_.counters.node_events_shed.add();
    conversation.claimed_seq = std::max(conversation.claimed_seq, seq);
    return;
  }
  context_.counters.node_events_held.add();
  held_bytes_ += payload.size();
  held.insert(at,
              {.seq = seq, .event = std::move(event), .payload = std::string(as_text(payload))});
}

void ConversationRole::drop_held(Conversation& conversation) {
  std::erase_if(conversation.held, [&](const HeldEvent& x) {
    if (x.seq > conversation.published_seq) return false;
    held_bytes_ -= x.payload.size();
    return true;
  });
}

void ConversationRole::shed_held(Conversation& conversation) {
  for (const HeldEvent& event : conversation.held) held_bytes_ -= event.payload.size();
  conversation.held.clear();
}

void ConversationRole::release_held(Conversation& conversation) {
  while (!conversation.has_hole && !conversation.held.empty() &&
         conversation.held.front().seq <= conversation.published_seq + 1) {
    HeldEvent next = std::move(conversation.held.front());
    conversation.held.erase(conversation.held.begin());
    held_bytes_ -= next.payload.size();
    if (next.seq == conversation.published_seq + 1)
      deliver(conversation, next.seq, std::move(next.event), as_bytes(next.payload));
  }
}

// --- what they change here -----------------------------------------------------------------------------------------

// Sending is reading: the store raises the sender's marks, and what that says about others' messages.
void ConversationRole::sent_by(Conversation& conversation, UserId sender, Seq seq, std::uint64_t no,
                               std::int64_t at_us) {
  if (MemberState* member = conversation.find_member(sender)) {
    if (member->read_no != no - 1) {
      conversation.recent.mark(sender, member->delivered_seq, member->read_seq, true, seq, at_us);
    }
    note_announced(conversation, sender, seq, seq);
    member->sent_seq = std::max(member->sent_seq, seq);
    member->delivered_seq = std::max(member->delivered_seq, seq);
    member->read_seq = std::max(member->read_seq, seq);
    member->read_no = std::max(member->read_no, no);
  }
  conversation.last_no = std::max(conversation.last_no, no);
}

// A page that a repair brought. Messages of before the page count as well: one that was changed since stands behind those that
// came after it.
void ConversationRole::count_sent(Conversation& conversation, const storage::Page& page) {
  for (const Message& row : page.messages) {
    if (row.system == SystemEvent::kNone)
      sent_by(conversation, row.sender, row.seq, row.no, row.sent_at_us);
  }
}

void ConversationRole::receipt_from_node(Conversation& conversation, const ReceiptUpdate& receipt) {
  // What is being read may be from before it.
  if (conversation.is_loading && receipt.read_seq != 0) conversation.doubt_after_load = true;
  // Its members are known with its outcome, and then as if nobody had read anything.
  if (conversation.state == State::kCreating) {
    conversation.marks_doubtful = true;
    want_look(conversation);
  }
  MemberState* member = conversation.find_member(receipt.user);
  if (member == nullptr) return;
  const Seq upto = std::max(receipt.delivered_seq, receipt.read_seq);
  note_announced(conversation, receipt.user, upto, receipt.read_seq);
  conversation.recent.mark(member->user, member->delivered_seq, member->read_seq,
                           receipt.read_seq != 0, upto, receipt.at_us);
  member->delivered_seq = std::max(member->delivered_seq, upto);
  if (receipt.read_seq <= member->read_seq) return;
  member->read_seq = receipt.read_seq;
  conversation.marks_doubtful = true;
}

// --- holes ---------------------------------------------------------------------------------------------------------

void ConversationRole::repair_soon(Conversation& conversation) {
  if (conversation.hole_since_us == 0)
    conversation.hole_since_us = std::max<std::int64_t>(context_.now.monotonic_us, 1);
  if (context_.nodes == nullptr) {
    repair(conversation);
    return;
  }
  if (conversation.is_repairing || conversation.repair_timer_armed) return;
  conversation.repair_timer_armed = true;
  context_.deadlines.arm(context_.now.monotonic_us + std::int64_t{kRepairGraceMs} * 1000,
                         Deadline::Kind::kRepair, conversation.id.uuid());
}

void ConversationRole::repair_due(ConversationId id) {
  Conversation* conversation = find(id);
  if (conversation == nullptr) return;
  conversation->repair_timer_armed = false;
  if (conversation->state == State::kReady && conversation->is_behind()) repair(*conversation);
}

void ConversationRole::note_if_closed(Conversation& conversation) {
  if (conversation.is_behind()) return;
  tell_moved_marks(conversation);
  if (conversation.hole_since_us == 0) return;
  const std::int64_t took_us = context_.now.monotonic_us - conversation.hole_since_us;
  conversation.hole_since_us = 0;
  context_.counters.repair_us.record(
      static_cast<std::uint64_t>(std::max<std::int64_t>(took_us, 0)));
}

void ConversationRole::claim(Conversation& conversation, Seq seq) {
  if (conversation.state == State::kReady && seq <= conversation.published_seq) return;
  ++conversation.claims;
  conversation.claimed_seq = std::max(conversation.claimed_seq, seq);
  if (conversation.state == State::kReady) repair_soon(conversation);
}

void ConversationRole::on_node_hint(ConversationId id, const NodeHint& hint) {
  Conversation* conversation = find(id);
  if (conversation == nullptr || hint.kind != NodeHint::Kind::kCommitted) return;
  if (hint.seq == 0) {
    want_look(*conversation);
  } else {
    claim(*conversation, hint.seq);
  }
}

// Not by seq: what was lost may have been a receipt.
void ConversationRole::on_publish_lost(ConversationId id) {
  context_.nodes->hint(
      topic_of(id),
      {.kind = NodeHint::Kind::kCommitted, .seq = 0, .conversation = id, .session = {}});
}

bool ConversationRole::owes_nodes() const {
  for (const Conversation* at = newest_; at != nullptr; at = at->older)
    if (at->owes_word) return true;
  return false;
}

// --- looks: comparing with the store -------------------------------------------------------------------------------

void ConversationRole::on_listening(ConversationId id) {
  if (Conversation* conversation = find(id)) want_look(*conversation);
}

void ConversationRole::on_gap() {
  for (Conversation* at = newest_; at != nullptr;) {
    Conversation* const next = at->older;
    if (!at->is_heard && at->is_idle()) {
      erase(*at);  // cheaper than asking, and nobody misses it
    } else {
      want_look(*at);
    }
    at = next;
  }
}

void ConversationRole::want_look(Conversation& conversation) {
  if (conversation.is_loading) {
    conversation.look_again = true;  // what is under way may have been read before
    return;
  }
  conversation.wants_look = true;
  if (conversation.state != State::kReady || conversation.is_look_queued) return;
  conversation.is_look_queued = true;
  waiting_looks_.push_back(conversation.id);
  start_looks();
}

void ConversationRole::start_looks() {
  while (looks_ < kLooksInFlightMax && !waiting_looks_.empty()) {
    Conversation* conversation = find(waiting_looks_.front());
    waiting_looks_.pop_front();
    if (conversation == nullptr) continue;
    conversation->is_look_queued = false;
    // With a membership command under way: when it has ended.
    if (!conversation->wants_look || conversation->state != State::kReady ||
        conversation->is_loading || conversation->change.left > 0)
      continue;
    conversation->is_look = true;
    ++looks_;
    context_.counters.looks.add();
    load(*conversation);
  }
}

void ConversationRole::look_now(Conversation& conversation) {
  if (conversation.is_loading) {
    conversation.look_again = true;
    return;
  }
  conversation.wants_look = true;
  if (conversation.state == State::kReady && conversation.change.left == 0) {
    context_.counters.looks.add();
    load(conversation);
  }
}

bool ConversationRole::is_stranger_in_doubt(const Conversation& conversation, UserId user) const {
  return context_.nodes != nullptr && conversation.find_member(user) == nullptr &&
         context_.now.monotonic_us - conversation.looked_at_us >
             std::int64_t{kMembersTrustedMs} * 1000;
}

void ConversationRole::park_for_look(Conversation& conversation, Conversation::Parked parked) {
  if (!park(conversation, std::move(parked))) return;
  conversation.look_blocks = true;
  look_now(conversation);
}

}  // namespace uproar::chat
