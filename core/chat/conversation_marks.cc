// Marks that nobody announced to those who hear: what said so was lost, or was said before they heard. What is told is how
// things stand, at or above every announcement.
#include <algorithm>

#include "core/chat/conversation_role.h"

namespace uproar::chat {

std::vector<ServerEvent> ConversationRole::receipts_above(const Conversation& conversation,
                                                          const MemberState& member, Seq delivered,
                                                          Seq read) const {
  std::vector<ServerEvent> receipts;
  const auto say = [&](Seq delivered_seq, Seq read_seq) {
    receipts.emplace_back(ReceiptUpdate{.conversation = conversation.id,
                                        .user = member.user,
                                        .delivered_seq = delivered_seq,
                                        .read_seq = read_seq,
                                        .at_us = context_.now.wall_us});
  };
  if (member.read_seq > read) say(0, member.read_seq);
  // A read mark is a delivered mark as well.
  if (member.delivered_seq > std::max(member.read_seq, delivered)) say(member.delivered_seq, 0);
  return receipts;
}

// Those that moved while the news of the joining was under way were announced to those who were in; their rows do not say
// so in the form of events.
void ConversationRole::tell_marks_to(const Conversation& conversation, const Attach& joining) {
  if (conversation.members.size() > kReceiptFanoutMembersMax) return;
  const Seq joined_at = *joining.joined_at;
  for (const MemberState& member : conversation.members)
    for (const ServerEvent& receipt : receipts_above(conversation, member, joined_at, joined_at))
      context_.outbox.reply(joining.to, {}, receipt);
}

// The store knows of marks that were not heard of. When they moved it does not say: the rows that are kept would be shown
// without, and are read again.
void ConversationRole::tell_moved_marks(Conversation& conversation,
                                        const std::vector<MemberState>& before) {
  std::vector<ServerEvent> moved;
  auto old = before.begin();
  for (const MemberState& member : conversation.members) {
    while (old != before.end() && old->user < member.user) ++old;
    const bool was_in =
        old != before.end() && old->user == member.user && old->joined_seq == member.joined_seq;
    std::ranges::move(
        receipts_above(conversation, member, was_in ? old->delivered_seq : member.joined_seq,
                       was_in ? old->read_seq : member.joined_seq),
        std::back_inserter(moved));
  }
  if (moved.empty()) return;
  forget_recent(conversation);
  if (conversation.members.size() > kReceiptFanoutMembersMax) return;
  const TopicId topic = topic_of(conversation.id);
  for (const ServerEvent& receipt : moved)
    context_.outbox.publish(topic, {.shards = context_.remote_shards(topic)}, receipt,
                            Delivery::kReceipt, nullptr);
}

}  // namespace uproar::chat
