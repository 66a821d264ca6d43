// What holds of every conversation whenever nobody is at work on it: the state that a reader of this
// folder may rely on. Looked at behind each entry where ChatLimits::checks_invariants says so (tests
// and simulator); a violation aborts.

#include <algorithm>

#include "core/chat/conversation_role.h"
#include "proto/base/check.h"

namespace uproar::chat {
namespace {

// Names it in what a failed check prints.
std::uint64_t number(const Conversation& conversation) {
  return conversation.id.uuid().low;
}

template <class List, class Key>
bool is_ascending(const List& list, Key key) {
  return std::adjacent_find(list.begin(), list.end(), [&](const auto& a, const auto& b) {
           return !(key(a) < key(b));
         }) == list.end();
}

void check_members(const Conversation& conversation) {
  UPROAR_CHECK(is_ascending(conversation.members, [](const MemberState& x) { return x.user; }),
               number(conversation));
  for (const MemberState& member : conversation.members) {
    UPROAR_CHECK(member.joined_seq <= std::max(conversation.last_seq, conversation.members_seq),
                 number(conversation), member.joined_seq, conversation.last_seq);
  }
  UPROAR_CHECK(conversation.announced_marks.size() <= kReceiptFanoutMembersMax,
               number(conversation));
  for (std::size_t i = 0; i < conversation.ended.size(); ++i) {
    const EndedMembership& ended = conversation.ended[i];
    UPROAR_CHECK(ended.joined_seq <= conversation.published_seq, number(conversation),
                 ended.joined_seq, conversation.published_seq);
    for (std::size_t k = 0; k < i; ++k)
      UPROAR_CHECK(conversation.ended[k].user != ended.user, number(conversation));
  }
}

// Where the fold stands, and what stands above it.
void check_position(const Conversation& conversation) {
  UPROAR_CHECK(conversation.published_seq <= conversation.last_seq, number(conversation),
               conversation.published_seq, conversation.last_seq);
  UPROAR_CHECK(is_ascending(conversation.held, [](const HeldEvent& x) { return x.seq; }),
               number(conversation));
  // While a hole is being read even the next one waits: the page may hold it.
  UPROAR_CHECK(conversation.has_hole || conversation.held.empty() ||
                   conversation.held.front().seq > conversation.published_seq + 1,
               number(conversation), conversation.published_seq);
  UPROAR_CHECK(conversation.held.size() <= kHeldMax, number(conversation));
}

void check_reads(const Conversation& conversation) {
  using State = Conversation::State;
  UPROAR_CHECK(conversation.state != State::kCreating || conversation.pending > 0,
               number(conversation));
  UPROAR_CHECK(!conversation.is_look || conversation.is_loading, number(conversation));
  UPROAR_CHECK(!conversation.look_again || conversation.is_loading, number(conversation));
  UPROAR_CHECK(!conversation.is_repairing || conversation.has_hole, number(conversation));
  UPROAR_CHECK(!conversation.is_unparking, number(conversation));
}

void check_change(const Conversation& conversation) {
  const MembershipCommand& change = conversation.change;
  UPROAR_CHECK(change.left <= conversation.pending, number(conversation), change.left,
               conversation.pending);
  UPROAR_CHECK(change.left > 0 || (change.rest.empty() && change.joining.empty()),
               number(conversation));
}

void check_bounds(const Conversation& conversation) {
  UPROAR_CHECK(conversation.typers.size() <= kTypersMax, number(conversation));
  UPROAR_CHECK(conversation.typers.empty() || conversation.typing_timer_armed,
               number(conversation));
  UPROAR_CHECK(conversation.marks.size() <= kWaitingMarksMax, number(conversation));
  for (const MarkSlot& slot : conversation.marks) {
    UPROAR_CHECK(slot.waiting.size() <= kMarkRepliesMax, number(conversation));
    UPROAR_CHECK(slot.waiting_seq > 0 || slot.waiting.empty(), number(conversation));
  }
}

void check_attaches(const Conversation& conversation) {
  using Step = AttachState::Step;
  for (const AttachState& attach : conversation.attaches) {
    UPROAR_CHECK(attach.step != Step::kWarming || conversation.warming != 0, number(conversation));
    UPROAR_CHECK(attach.step != Step::kAsking || conversation.question != 0, number(conversation));
    UPROAR_CHECK(attach.step == Step::kHeld || attach.held.messages.empty(), number(conversation));
  }
}

}  // namespace

void ConversationRole::check_invariants() const {
  std::size_t listed = 0;
  const Conversation* newer = nullptr;
  for (const Conversation* x = newest_; x != nullptr; newer = x, x = x->older, ++listed)
    UPROAR_CHECK(x->newer == newer, number(*x));
  UPROAR_CHECK(listed == conversations_.size() && newer == oldest_, listed, conversations_.size());

  std::size_t parked = 0;
  std::size_t parked_bytes = 0;
  std::size_t pending = 0;
  std::size_t attaches = 0;
  std::size_t recent_bytes = 0;
  std::size_t held_bytes = 0;
  std::size_t looks = 0;
  std::size_t heard = 0;
  for (const auto& [id, conversation] : conversations_) {
    UPROAR_CHECK(conversation->id == id, number(*conversation));
    if (conversation->state == Conversation::State::kReady) {
      check_members(*conversation);
      check_position(*conversation);
    }
    check_reads(*conversation);
    check_change(*conversation);
    check_bounds(*conversation);
    check_attaches(*conversation);
    parked += conversation->parked.size();
    for (const Conversation::Waiting& waiting : conversation->parked) parked_bytes += waiting.bytes;
    pending += conversation->pending;
    attaches += conversation->attaches.size();
    recent_bytes += conversation->recent.bytes();
    for (const HeldEvent& held : conversation->held) held_bytes += held.payload.size();
    looks += conversation->is_look ? 1 : 0;
    heard += conversation->is_heard ? 1 : 0;
  }
  UPROAR_CHECK(parked == parked_count_ && parked <= kParkedMax, parked, parked_count_);
  UPROAR_CHECK(parked_bytes == parked_bytes_, parked_bytes, parked_bytes_);
  UPROAR_CHECK(pending == pending_.size() && pending <= kPendingMax, pending, pending_.size());
  UPROAR_CHECK(attaches == attach_count_, attaches, attach_count_);
  UPROAR_CHECK(recent_bytes == recent_bytes_, recent_bytes, recent_bytes_);
  UPROAR_CHECK(held_bytes == held_bytes_, held_bytes, held_bytes_);
  UPROAR_CHECK(looks == looks_, looks, looks_);
  UPROAR_CHECK(heard == heard_count_, heard, heard_count_);
}

}  // namespace uproar::chat
