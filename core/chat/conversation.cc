#include "core/chat/conversation.h"

#include <algorithm>

namespace uproar::chat {

MemberState* Conversation::find_member(UserId user) {
  const auto it =
      std::lower_bound(members.begin(), members.end(), user,
                       [](const MemberState& a, const UserId& b) { return a.user < b; });
  return it != members.end() && it->user == user ? &*it : nullptr;
}

void Conversation::note_ended(const MemberState& member) {
  if (member.joined_seq > published_seq) return;  // nobody has heard by it
  std::erase_if(ended, [&](const EndedMembership& x) { return x.user == member.user; });
  ended.push_back({.user = member.user, .joined_seq = member.joined_seq});
}

std::vector<std::pair<UserId, Seq>> Conversation::hearers_joined_seqs() const {
  std::vector<std::pair<UserId, Seq>> out;
  out.reserve(members.size() + ended.size());
  for (const MemberState& member : members)
    if (member.joined_seq <= published_seq) out.emplace_back(member.user, member.joined_seq);
  for (const EndedMembership& membership : ended)
    out.emplace_back(membership.user, membership.joined_seq);
  // Both, after a store that came back with less than it had: the later one, which shows less.
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
    return a.first == b.first ? a.second > b.second : a.first < b.first;
  });
  out.erase(std::unique(out.begin(), out.end(),
                        [](const auto& a, const auto& b) { return a.first == b.first; }),
            out.end());
  return out;
}

bool Conversation::is_idle() const {
  return state == State::kReady && parked.empty() && pending == 0 && attaches.empty() &&
         typers.empty() && marks.empty() && !needs_verify && !is_loading && !is_behind() &&
         !is_repairing && !wants_look && asking.empty();
}

}  // namespace uproar::chat
