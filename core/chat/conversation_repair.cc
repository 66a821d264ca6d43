// Holes: what is committed and was not published here is read from the store, and published as pages with upto_seq. When
// a hole is seen, and who says so, stands in conversation_nodes.cc; alone it is a commit whose answer was lost.
#include <algorithm>
#include <utility>

#include "core/chat/conversation_role.h"
#include "core/chat/live_event.h"

namespace uproar::chat {

void ConversationRole::repair_if_behind(Conversation& conversation) {
  if (context_.nodes != nullptr) {
    if (conversation.state == Conversation::State::kReady && conversation.is_behind())
      repair_soon(conversation);
    return;
  }
  // With operations under way the outcomes may close the gap; they also notice when they do not (is_next). A hole that is
  // known keeps all that follows from being published, until it is read.
  if (conversation.state != Conversation::State::kReady ||
      (conversation.pending > 0 && !conversation.has_hole))
    return;
  if (conversation.has_hole || conversation.published_seq < conversation.last_seq)
    repair(conversation);
}

void ConversationRole::repair(Conversation& conversation) {
  conversation.has_hole = true;
  if (conversation.is_repairing) return;
  conversation.is_repairing = true;
  context_.history.read_page({.conversation = conversation.id,
                              .order = storage::PageQuery::Order::kChangedAfter,
                              .bound = conversation.published_seq,
                              .seq_floor = 0,
                              .limit = context_.limits.page_rows_max,
                              .bytes_max = context_.limits.page_bytes_max},
                             [this, id = conversation.id, claims = conversation.claims](
                                 Result<storage::Page, storage::StoreError> page) {
                               repaired(id, claims, std::move(page));
                             });
}

// Whoever leaves is shown nothing that came after: the page ends before it, and what follows is read again once they hear
// no more. Returned is who leaves there, several when they left one behind the other.
std::vector<Message> ConversationRole::cut_at_leaving(storage::Page& page) {
  const auto leaves = [](const Message& row) {
    return row.system == SystemEvent::kMemberRemoved && row.version == row.seq;
  };
  auto& rows = page.messages;
  const auto first = std::find_if(rows.begin(), rows.end(), leaves);
  if (first == rows.end()) return {};
  auto last = first + 1;
  while (last != rows.end() && leaves(*last) && last->seq == (last - 1)->seq + 1) ++last;
  std::vector<Message> leavings(first, last);
  page.has_more = page.has_more || page.upto_seq > leavings.back().seq;
  page.upto_seq = leavings.front().seq - 1;
  rows.erase(first, rows.end());
  return leavings;
}

// REQUIRES: everything up to it was published.
void ConversationRole::repaired_upto(Conversation& conversation, Seq seq) {
  conversation.published_seq = seq;
  conversation.last_seq = std::max(conversation.last_seq, seq);
  forget_recent(conversation);
}

void ConversationRole::publish_page(Conversation& conversation, storage::Page page) {
  if (context_.nodes != nullptr) count_sent(conversation, page);
  std::vector<Message> changes;  // of members, roles, name: in the order of their seqs
  Seq first_seq = page.upto_seq;
  for (const Message& row : page.messages) {
    first_seq = std::min(first_seq, row.seq);
    // A node alone knows of newer ones when it has read the conversation again, with the marks that belong to them.
    if (row.system != SystemEvent::kNone &&
        (context_.nodes != nullptr || row.seq <= conversation.members_seq))
      changes.push_back(row);
  }
  auto joined_seqs = conversation.hearers_joined_seqs();
  const bool is_for_all = std::all_of(joined_seqs.begin(), joined_seqs.end(),
                                      [&](const auto& x) { return x.second < first_seq; });
  repaired_upto(conversation, page.upto_seq);
  const TopicId topic = topic_of(conversation.id);
  HistoryPage shown{.conversation = conversation.id,
                    .messages = std::move(page.messages),
                    .upto_seq = page.upto_seq,
                    .has_more = false,
                    .stale = false};
  if (is_for_all) {
    context_.outbox.publish(topic, {.shards = context_.remote_shards(topic)},
                            ServerEvent(std::move(shown)), Delivery::kMessage, nullptr);
  } else {
    send_to_hearers(conversation, PageByMembership{.page = std::move(shown),
                                                   .joined_seqs = std::move(joined_seqs)});
  }
  for (const Message& row : changes) take_membership(conversation, row);
}

void ConversationRole::publish_leaving(Conversation& conversation, const Message& row) {
  repaired_upto(conversation, row.seq);
  const TopicId topic = topic_of(conversation.id);
  context_.outbox.publish(topic, {.shards = context_.remote_shards(topic)}, *live_event_of(row),
                          Delivery::kMessage, nullptr);
  take_membership(conversation, row);
}

void ConversationRole::repaired(ConversationId id, std::uint32_t claims,
                                Result<storage::Page, storage::StoreError> read) {
  Conversation* found = find(id);
  UPROAR_CHECK(found != nullptr && found->is_repairing);
  Conversation& conversation = *found;
  if (!read.ok()) {
    conversation.is_repairing = false;
    arm_verify(conversation);
    refuse_waiting(conversation);
    return;
  }
  storage::Page& page = *read;
  cut_page(page, storage::PageQuery::Order::kChangedAfter, context_.limits.page_bytes_max);
  const std::vector<Message> leavings = cut_at_leaving(page);
  const bool is_whole = !page.has_more;
  const Seq upto = leavings.empty() ? page.upto_seq : leavings.back().seq;
  const bool is_progress = upto > conversation.published_seq;
  if (is_progress) {
    context_.counters.repairs.add();
    conversation.repair_tries = 0;
    if (page.upto_seq > conversation.published_seq) publish_page(conversation, std::move(page));
    for (const Message& row : leavings) publish_leaving(conversation, row);
    drop_held(conversation);
  }
  conversation.is_repairing = false;  // not earlier: telling may come back here
  if (is_whole && claims == conversation.claims) conversation.claimed_seq = 0;
  // A page that was cut may leave out a row that changed since: only a whole one ends the repair.
  if (!is_whole || conversation.published_seq < conversation.last_seq) {
    if (is_progress) {
      repair(conversation);
    } else {
      arm_verify(conversation);
    }
  } else {
    conversation.has_hole = false;
    conversation.verify_backoff_ms = 0;
    release_held(conversation);
    const bool is_in_vain = conversation.is_behind() && !is_progress;
    if (is_in_vain && ++conversation.repair_tries >= kRepairTriesMax) {
      // The store has none of what came before these: a hint was wrong, and the store is what is so.
      conversation.repair_tries = 0;
      context_.counters.node_events_shed.add(conversation.held.size());
      shed_held(conversation);
      conversation.claimed_seq = 0;
    }
    note_if_closed(conversation);
    if (conversation.is_behind()) repair_soon(conversation);
  }
  advance_attaches(conversation);
}

}  // namespace uproar::chat
