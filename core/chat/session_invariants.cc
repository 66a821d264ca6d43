// What holds of every session, and of what it hears, whenever nobody is at work on it
// (conversation_invariants.cc says when it is looked at).

#include <algorithm>
#include <vector>

#include "core/chat/session_role.h"
#include "proto/base/check.h"

namespace uproar::chat {

void SessionRole::check_session(std::uint32_t slot, const Session& session) const {
  const bool is_held = session.extras && session.extras->starting.has_value();
  UPROAR_CHECK(session.state != Session::State::kStarting || is_held, slot);
  if (!session.extras) return;
  const SessionExtras& extras = *session.extras;
  UPROAR_CHECK(!extras.empty(), slot, "kept for nothing");
  UPROAR_CHECK(extras.silent.size() <= kSilentMax, slot);
  UPROAR_CHECK(extras.leavings.size() <= kLeavingsKeptMax, slot);
  UPROAR_CHECK(extras.puller == 0 || pullers_.contains(extras.puller), slot, extras.puller);
  UPROAR_CHECK(extras.share == 0 || shares_asked_.contains(extras.share), slot, extras.share);
  UPROAR_CHECK(extras.joinings.unasked.size() <= context_.limits.joined_live_max, slot);
  for (const std::uint32_t topic : extras.watches) {
    UPROAR_CHECK(
        std::find(session.topics.begin(), session.topics.end(), topic) != session.topics.end(),
        slot, topic);
  }
  if (!extras.starting) return;
  UPROAR_CHECK(extras.starting->early.size() <= kEarlyMessagesMax, slot);
  UPROAR_CHECK(
      extras.starting->left.size() <= kEarlyLeavingsMax || extras.starting->audience_loaded, slot);
}

// A topic is known here exactly as long as somebody hears it or is about to.
void SessionRole::check_subscriptions() const {
  std::vector<std::uint32_t> hearers(topics_.numbers(), 0);
  std::size_t sessions = 0;
  // No further than the last one: there are far more slots.
  table_.for_each(
      [&](std::uint32_t slot, const Session& session) {
        ++sessions;
        check_session(slot, session);
        UPROAR_CHECK(session.topics.size() <= kSessionTopicsMax, slot);
        for (const std::uint32_t topic : session.topics) ++hearers[topic];
      },
      session_count_);
  UPROAR_CHECK(sessions == session_count_, sessions, session_count_);
  for (const auto& [number, puller] : pullers_) {
    UPROAR_CHECK(puller->underway.size() <= kSyncWindow, number);
    UPROAR_CHECK(!puller->is_pumping, number);
    if (puller->to.kind != Endpoint::Kind::kSession || puller->mode != Attach::Mode::kLive)
      continue;
    for (const Puller::Underway& underway : puller->underway) ++hearers[underway.item.topic];
    for (const PullItem& item : puller->queue)
      if (!item.awaits_look) ++hearers[item.topic];
  }
  std::size_t heard = 0;
  for (std::uint32_t topic = 0; topic < hearers.size(); ++topic) {
    UPROAR_CHECK(topics_.hearers(topic) == hearers[topic], topic, topics_.hearers(topic),
                 hearers[topic]);
    heard += hearers[topic] > 0 ? 1 : 0;
  }
  UPROAR_CHECK(heard == topics_.size(), heard, topics_.size());
}

void SessionRole::check_invariants() const {
  check_subscriptions();
  UPROAR_CHECK(pullers_.size() <= kPullersMax, pullers_.size());
  UPROAR_CHECK(audience_looks_due_.size() == audience_looks_.size(), audience_looks_due_.size());
  UPROAR_CHECK(audience_looks_underway_.size() <= kAudienceLooksInFlightMax);
}

}  // namespace uproar::chat
