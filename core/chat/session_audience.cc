// With several nodes: does a session hear every conversation that its user is in? Other nodes say who has joined, and may
// be lost on the way, so the store is asked: for one conversation after a word, for all of them when words may have been
// missed. A bounded number at a time; the others wait.
#include <algorithm>
#include <map>
#include <utility>

#include "core/chat/session_role.h"

namespace uproar::chat {

// What the session began to hear by the audience it read: its owners look whether it still may.
void SessionRole::check_membership(const Session& session) {
  std::map<std::uint32_t, std::vector<ConversationId>> by_owner;
  for (const std::uint32_t index : session.topics) {
    const TopicId& topic = topics_.id(index);
    if (!is_user_topic(topic)) by_owner[context_.owner(topic)].push_back(conversation_of(topic));
  }
  const UserId user = session.user;
  for (auto& [owner, conversations] : by_owner)
    context_.send(owner, MemberCheck{user, std::move(conversations)});
}

void SessionRole::on(const AudienceCheck& check) {
  Session* session = live(check.session);
  if (session == nullptr) return;
  if (SessionStarting* starting = session->starting()) {  // after the release, as all news
    starting->checks.push_back(check.conversation);
    if (starting->checks.size() > kEarlyNoticesMax) starting->checks.assign(1, ConversationId());
    return;
  }
  look_up(check.session, check.conversation);
}

void SessionRole::look_up(const Endpoint& session, ConversationId conversation) {
  audience_looks_.push_back({session, conversation});
  start_audience_looks();
}

void SessionRole::start_audience_looks() {
  while (audience_looks_underway_ < kAudienceLooksInFlightMax && !audience_looks_.empty()) {
    const AudienceCheck look = audience_looks_.front();
    audience_looks_.pop_front();
    const Session* session = live(look.session);
    if (session == nullptr) continue;
    ++audience_looks_underway_;
    context_.counters.audience_looks.add();
    if (look.conversation.is_nil()) {
      context_.directory.load_audience(
          session->user, kAudienceConversationsMax, 0, 0,
          [this, look](Result<storage::Audience, storage::StoreError> loaded) {
            audience_compared(look, loaded);
          });
    } else {
      context_.directory.view_conversation(
          look.conversation, session->user, kMembersShownMax,
          [this, look](Result<ConversationView, storage::StoreError> viewed) {
            membership_viewed(look, std::move(viewed));
          });
    }
  }
}

void SessionRole::audience_look_ended(const AudienceCheck& look, bool is_known) {
  --audience_looks_underway_;
  if (is_known) {
    start_audience_looks();
    return;
  }
  audience_looks_.push_back(look);  // the store cannot be read now
  if (audience_timer_armed_) return;
  audience_timer_armed_ = true;
  context_.deadlines.arm(context_.now.monotonic_us + std::int64_t{kAudienceLookRetryMs} * 1000,
                         Deadline::Kind::kAudience, Uuid{});
}

void SessionRole::retry_audience_looks() {
  audience_timer_armed_ = false;
  start_audience_looks();
}

bool SessionRole::hears_or_pulls(const Session& session, ConversationId conversation) const {
  if (hears(session, topic_of(conversation))) return true;
  if (session.puller() == 0) return false;
  const Puller& puller = *pullers_.at(session.puller());
  return std::any_of(puller.queue.begin(), puller.queue.end(),
                     [&](const PullItem& x) { return x.conversation == conversation; }) ||
         std::any_of(puller.underway.begin(), puller.underway.end(),
                     [&](const auto& x) { return x.item.conversation == conversation; });
}

void SessionRole::audience_compared(const AudienceCheck& look,
                                    const Result<storage::Audience, storage::StoreError>& loaded) {
  audience_look_ended(look, loaded.ok());
  const Session* session = live(look.session);
  if (session == nullptr || !loaded.ok()) return;
  for (const storage::Membership& membership : loaded->conversations) {
    if (!hears_or_pulls(*session, membership.conversation))
      look_up(look.session, membership.conversation);
  }
}

void SessionRole::membership_viewed(const AudienceCheck& look,
                                    Result<ConversationView, storage::StoreError> viewed) {
  const bool is_known = viewed.ok() || viewed.error() == storage::StoreError::kNotFound;
  audience_look_ended(look, is_known);
  Session* session = live(look.session);
  if (session == nullptr || !viewed.ok()) return;
  SessionNotice joined{.session = look.session, .silent = false, .change = {}};
  joined.change.added = true;
  joined.change.conversation = std::move(*viewed);
  ConversationView& view = joined.change.conversation;
  view.last_message.reset();
  view.last_seq = view.joined_seq;  // from where it hears
  joined.change.seq = view.joined_seq;
  notice(look.session, *session, std::move(joined));
}

}  // namespace uproar::chat
