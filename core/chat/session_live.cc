// Which conversations a session hears, of more than it has room for. What its user has asked for comes first: what others
// put them into competes for a share, and for a rate. Nobody can end or hinder a session by it: what finds no room is not
// live, and the session is told so (docs/contract.md, D4).
#include <algorithm>
#include <utility>

#include "core/chat/session_role.h"
#include "proto/base/weakness.h"

namespace uproar::chat {

// Room is kept for all that presence.subscribe may still ask for.
std::size_t SessionRole::topics_left(const Session& session) const {
  std::size_t topics = session.topics.size() + context_.limits.presence_watch_max;
  if (session.extras) topics -= session.extras->watches.size();
  if (const std::uint32_t number = session.puller(); number != 0) {
    const Puller& puller = *pullers_.at(number);
    topics += puller.underway.size();
    for (const PullItem& item : puller.queue) topics += item.awaits_look ? 0 : 1;
  }
  return topics >= kSessionTopicsMax ? 0 : kSessionTopicsMax - topics;
}

bool SessionRole::has_room(const Session& session, bool is_asked_for) const {
  if (weakened(Weakness::kJoiningFlood)) return true;
  if (topics_left(session) == 0) return false;
  return is_asked_for || !session.extras ||
         session.extras->joinings.unasked.size() < context_.limits.joined_live_max;
}

bool SessionRole::admit_joining(const Endpoint& endpoint, Session& session,
                                ConversationId conversation) {
  if (weakened(Weakness::kJoiningFlood)) return true;
  const std::int64_t now_us = context_.now.monotonic_us;
  RateBucket& rate = session.make_extras().joinings.rate;
  const bool is_slow = rate.wait_us(1, kJoiningsPerS, kJoiningsBurst, now_us) == 0;
  if (!is_slow || !has_room(session, false)) {
    not_live(endpoint, session, conversation);
    return false;
  }
  rate.take(1, kJoiningsPerS, now_us);
  return true;
}

void SessionRole::not_live(const Endpoint& endpoint, Session& session,
                           ConversationId conversation) {
  context_.counters.not_live.add();
  SessionJoinings& joinings = session.make_extras().joinings;
  auto& named = joinings.not_live;
  const bool is_named = std::find(named.begin(), named.end(), conversation) != named.end();
  if (conversation.is_nil() || (!is_named && named.size() >= kNotLiveNamedMax)) {
    joinings.more_not_live = true;
  } else if (!is_named) {
    named.push_back(conversation);
  }
  if (std::exchange(joinings.is_telling, true)) return;
  context_.deadlines.arm(context_.now.monotonic_us + std::int64_t{kNotLiveMs} * 1000,
                         Deadline::Kind::kNotLive, {endpoint.slot, endpoint.generation});
}

void SessionRole::tell_not_live(const Uuid& key) {
  const Endpoint endpoint = endpoint_of(key);
  Session* session = live(endpoint);
  if (session == nullptr) return;
  SessionJoinings& joinings = session->make_extras().joinings;
  ConversationNotLive told{.conversations = std::exchange(joinings.not_live, {}),
                           .more = std::exchange(joinings.more_not_live, false)};
  joinings.is_telling = false;
  // By now it may have been synced.
  std::erase_if(told.conversations, [&](ConversationId conversation) {
    return is_provided_for(*session, conversation) && session->silent_at(conversation) == nullptr;
  });
  session->free_empty_extras();
  if (!told.conversations.empty() || told.more)
    context_.outbox.tell(endpoint, ServerEvent(std::move(told)), Delivery::kMessage);
}

void SessionRole::act_in(Session& session, ConversationId conversation) {
  if (!session.extras || session.extras->joinings.unasked.empty()) return;
  if (const auto index = topics_.find(topic_of(conversation))) session.forget_unasked(*index);
}

// A request has no connection on which anything could be live.
void SessionRole::note_live(const Actor& viewer, ConversationView& view) {
  const Session* session = live_session(viewer.from);
  if (session == nullptr) return;
  view.is_live = is_provided_for(*session, view.id) && session->silent_at(view.id) == nullptr;
}

}  // namespace uproar::chat
