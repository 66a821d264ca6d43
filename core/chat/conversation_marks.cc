// Marks that nobody announced to those who hear: what said so was lost, or was said before they heard. What is told is how
// things stand, at or above every announcement.
#include <algorithm>
#include <utility>

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
// so in the form of events. Messages do, of their senders: whoever has joined is shown all that
// came since.
void ConversationRole::tell_marks_to(const Conversation& conversation, const Attach& joining) {
  if (!conversation.announces_marks()) return;
  for (const MemberState& member : conversation.members) {
    const Seq told = std::max(*joining.joined_at, member.sent_seq);
    for (const ServerEvent& receipt : receipts_above(conversation, member, told, told))
      context_.outbox.reply(joining.to, {}, receipt);
  }
}

// A conversation that was read from the store does not say which marks were moved by sending.
void ConversationRole::note_senders(Conversation& conversation, const storage::Page& page) {
  for (const Message& row : page.messages) {
    if (row.system != SystemEvent::kNone) continue;
    if (MemberState* member = conversation.find_member(row.sender))
      member->sent_seq = std::max(member->sent_seq, row.seq);
  }
}

// By a look the store knows of marks that were not heard of. Some of them are of messages and memberships that are not
// published here yet, and who has left since hears until then: so nothing is told of them before that.
void ConversationRole::note_moved_marks(Conversation& conversation,
                                        const std::vector<MemberState>& before) {
  auto& all = conversation.announced_marks;
  std::erase_if(all, [&](const AnnouncedMarks& x) {
    const MemberState* member = conversation.find_member(x.user);
    return member == nullptr || member->joined_seq != x.joined_seq;
  });
  if (!conversation.announces_marks()) return;
  auto old = before.begin();
  for (const MemberState& member : conversation.members) {
    while (old != before.end() && old->user < member.user) ++old;
    AnnouncedMarks announced{.user = member.user,
                             .joined_seq = member.joined_seq,
                             .delivered_seq = member.joined_seq,
                             .read_seq = member.joined_seq};
    if (old != before.end() && old->user == member.user && old->joined_seq == member.joined_seq) {
      announced.delivered_seq = old->delivered_seq;
      announced.read_seq = old->read_seq;
    }
    const bool has_moved =
        member.delivered_seq > announced.delivered_seq || member.read_seq > announced.read_seq;
    const bool is_news = has_moved && std::ranges::none_of(all, [&](const AnnouncedMarks& x) {
                           return x.user == member.user;
                         });
    if (is_news) all.push_back(announced);
  }
}

void ConversationRole::note_announced(Conversation& conversation, UserId user, Seq delivered,
                                      Seq read) {
  for (AnnouncedMarks& marks : conversation.announced_marks) {
    if (marks.user != user) continue;
    marks.delivered_seq = std::max(marks.delivered_seq, delivered);
    marks.read_seq = std::max(marks.read_seq, read);
  }
}

// REQUIRES: nothing is missing here. When the marks moved the store does not say: the rows in memory are without, and are
// read again.
void ConversationRole::tell_moved_marks(Conversation& conversation) {
  if (conversation.announced_marks.empty()) return;
  const auto announced = std::exchange(conversation.announced_marks, {});
  forget_recent(conversation);
  if (!conversation.announces_marks()) return;
  for (const AnnouncedMarks& marks : announced) {
    const MemberState* member = conversation.find_member(marks.user);
    if (member == nullptr || member->joined_seq != marks.joined_seq) continue;
    for (const ServerEvent& receipt :
         receipts_above(conversation, *member, marks.delivered_seq, marks.read_seq))
      context_.publish_here(topic_of(conversation.id), receipt, Delivery::kReceipt);
  }
}

}  // namespace uproar::chat
