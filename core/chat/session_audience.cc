// What sessions hear from their start; and with several nodes: does a session hear every conversation that its user is in? Other nodes say who has joined, and may
// be lost on the way, so the store is asked: for one conversation after a word, for all of them when words may have been
// missed. A bounded number at a time; the others wait.
#include <algorithm>
#include <map>
#include <utility>

#include "core/chat/session_role.h"
#include "proto/base/weakness.h"
#include "storage/limits.h"

namespace uproar::chat {

// What the session began to hear by the audience it read: its owners look whether it still may.
void SessionRole::check_membership(const Endpoint& endpoint, Session& session) {
  std::map<std::uint32_t, std::vector<ConversationId>> by_owner;
  for (const std::uint32_t index : session.topics) {
    const TopicId& topic = topics_.id(index);
    if (!is_user_topic(topic)) by_owner[context_.owner(topic)].push_back(conversation_of(topic));
  }
  if (by_owner.empty()) return become_ready(endpoint, session);
  session.starting()->checks_awaited = static_cast<std::uint32_t>(by_owner.size());
  const UserId user = session.user;
  for (auto& [owner, conversations] : by_owner)  // the last answer may come at once
    context_.send(owner, MemberCheck{endpoint, user, std::move(conversations)});
}

void SessionRole::on(const MemberAnswer& answer) {
  Session* session = live(answer.session);
  if (session == nullptr) return;
  SessionStarting* starting = session->starting();
  UPROAR_CHECK(starting != nullptr && starting->checks_awaited > 0, answer.session.slot);
  for (const ConversationId conversation : answer.left) {
    // Joined again, perhaps, where it is not known here so far.
    if (unhear(answer.session, *session, topic_of(conversation), PendingFrames::kDrop))
      check_later(answer.session, *session, conversation);
  }
  if (live(answer.session) == nullptr) return;
  if (--starting->checks_awaited == 0) become_ready(answer.session, *session);
}

// May end the session (in a test build).
void SessionRole::check_later(const Endpoint& endpoint, Session& session,
                              ConversationId conversation) {
  SessionStarting& starting = *session.starting();
  const std::uint32_t max = context_.limits.early_checks_max;
  if (weakened(Weakness::kJoiningFlood) && starting.checks.size() >= max)
    return fail(endpoint, session, ErrorCode::kOverloaded);
  starting.check_later(conversation, max);
}

void SessionRole::on(const AudienceCheck& check) {
  Session* session = live(check.session);
  if (session == nullptr) return;
  if (session->starting() != nullptr) {  // after the release, as all news
    check_later(check.session, *session, check.conversation);
  } else {
    check_now(check.session, *session, check.conversation);
  }
}

void SessionRole::check_now(const Endpoint& endpoint, Session& session,
                            ConversationId conversation) {
  if (!conversation.is_nil() && !is_provided_for(session, conversation)) {
    if (!admit_joining(endpoint, session, conversation)) return;
  }
  look_up(endpoint, conversation);
}

// A look that has not begun sees all that happens until then: another one would be a read for nothing, and while the store
// is away they would add up.
void SessionRole::look_up(const Endpoint& endpoint, ConversationId conversation) {
  if (conversation.is_nil() || audience_looks_.size() >= kAudienceLooksMax) {
    Session* session = live(endpoint);
    if (session == nullptr || std::exchange(session->look_due, true)) return;
    audiences_due_.push_back({.session = endpoint, .is_look = true});
    load_audiences();
    return;
  }
  const AudienceCheck look{endpoint, conversation};
  if (!audience_looks_due_.insert(look).second) return;
  audience_looks_.push_back(look);
  start_audience_looks();
}

// A few reads at a time and a hundred a second, each for all who came meanwhile: a storm of clients is a trickle of
// queries. Somebody who comes alone waits for nobody.
void SessionRole::load_audiences() {
  const std::int64_t now_us = context_.now.monotonic_us;
  while (audience_loads_underway_ < kAudienceLoadsInFlightMax && !audiences_due_.empty()) {
    if (audiences_due_.size() < storage::kAudienceUsersMax) {
      const std::int64_t wait_us =
          audience_rate_.wait_us(1, kAudienceLoadsPerS, kAudienceLoadsBurst, now_us);
      if (wait_us > 0) {
        if (!std::exchange(audience_gather_armed_, true))
          context_.deadlines.arm(now_us + wait_us, Deadline::Kind::kAudienceGather, Uuid{});
        return;
      }
      audience_rate_.take(1, kAudienceLoadsPerS, now_us);
    }
    std::vector<AudienceDue> due;
    std::vector<UserId> users;
    std::uint32_t peers_max = 0;  // looks need none
    while (!audiences_due_.empty() && users.size() < storage::kAudienceUsersMax) {
      const AudienceDue next = audiences_due_.front();
      audiences_due_.pop_front();
      Session* session = live(next.session);
      if (session == nullptr) continue;  // gone meanwhile
      if (next.is_look) session->look_due = false;
      due.push_back(next);
      users.push_back(session->user);
      if (next.is_look) context_.counters.audience_looks.add();
      if (!next.is_look) peers_max = kAudiencePeersMax;
    }
    if (users.empty()) return;
    ++audience_loads_underway_;
    context_.counters.audience_loads.add();
    context_.directory.load_audiences(
        std::move(users),
        {.conversations_max = kAudienceConversationsMax + 1,  // one more: whether that is all
         .peers_max = peers_max,
         .small_group_max = kSmallGroupMembersMax},
        [this,
         due = std::move(due)](Result<std::vector<storage::Audience>, storage::StoreError> loaded) {
          audiences_loaded(due, std::move(loaded));
        });
  }
}

void SessionRole::gathered_audiences() {
  audience_gather_armed_ = false;
  load_audiences();
}

void SessionRole::audiences_loaded(
    const std::vector<AudienceDue>& due,
    Result<std::vector<storage::Audience>, storage::StoreError> loaded) {
  --audience_loads_underway_;
  load_audiences();
  for (std::size_t i = 0; i < due.size(); ++i) {
    Session* session = live(due[i].session);
    if (session == nullptr) continue;
    if (!loaded.ok() && due[i].is_look) {
      if (!std::exchange(session->look_due, true)) audiences_failed_.push_back(due[i]);
      arm_audience_retry();
    } else if (!loaded.ok()) {
      context_.counters.sessions_refused.add();
      fail(due[i].session, *session, ErrorCode::kOverloaded, "the store cannot be read now");
    } else if (due[i].is_look) {
      audience_compared(due[i].session, (*loaded)[i]);
    } else {
      audience_loaded(due[i].session, std::move((*loaded)[i]));
    }
  }
}

void SessionRole::start_audience_looks() {
  while (audience_looks_underway_.size() < kAudienceLooksInFlightMax && !audience_looks_.empty()) {
    const AudienceCheck look = audience_looks_.front();
    audience_looks_.pop_front();
    audience_looks_due_.erase(look);
    const Session* session = live(look.session);
    if (session == nullptr) continue;
    const std::uint32_t number = ++next_number_;
    audience_looks_underway_.push_back({.look = look, .number = number});
    context_.counters.audience_looks.add();
    context_.directory.view_conversation(
        look.conversation, session->user, kMembersShownMax,
        [this, number, look](Result<ConversationView, storage::StoreError> viewed) {
          membership_viewed(number, look, std::move(viewed));
        });
  }
}

// They have left: what the store says of before may say that they are in.
void SessionRole::outdate_looks(const Endpoint& endpoint, ConversationId conversation) {
  const AudienceCheck look{endpoint, conversation};
  for (UnderwayLook& underway : audience_looks_underway_)
    underway.is_stale = underway.is_stale || underway.look == look;
}

bool SessionRole::audience_look_ended(std::uint32_t number, const AudienceCheck& look,
                                      bool is_known) {
  const auto underway =
      std::find_if(audience_looks_underway_.begin(), audience_looks_underway_.end(),
                   [&](const UnderwayLook& x) { return x.number == number; });
  UPROAR_CHECK(underway != audience_looks_underway_.end(), number);
  const bool is_stale = underway->is_stale;
  audience_looks_underway_.erase(underway);
  if (is_known) {
    if (is_stale) look_up(look.session, look.conversation);
    start_audience_looks();
    return is_stale;
  }
  // The store cannot be read now.
  if (audience_looks_due_.insert(look).second) audience_looks_.push_back(look);
  arm_audience_retry();
  return is_stale;
}

void SessionRole::arm_audience_retry() {
  if (audience_timer_armed_) return;
  audience_timer_armed_ = true;
  context_.deadlines.arm(context_.now.monotonic_us + std::int64_t{kAudienceLookRetryMs} * 1000,
                         Deadline::Kind::kAudience, Uuid{});
}

void SessionRole::retry_audience_looks() {
  audience_timer_armed_ = false;
  audiences_due_.insert(audiences_due_.end(), audiences_failed_.begin(), audiences_failed_.end());
  audiences_failed_.clear();
  load_audiences();
  start_audience_looks();
}

bool SessionRole::is_provided_for(const Session& session, ConversationId conversation) const {
  if (hears(session, topic_of(conversation)) || session.silent_at(conversation) != nullptr)
    return true;
  return session.puller() != 0 &&
         find_item(*pullers_.at(session.puller()), conversation) != nullptr;
}

void SessionRole::audience_compared(const Endpoint& endpoint, const storage::Audience& audience) {
  Session* session = live(endpoint);
  if (session == nullptr) return;
  for (const storage::Membership& membership : audience.conversations) {
    if (!is_provided_for(*session, membership.conversation) &&
        admit_joining(endpoint, *session, membership.conversation))
      look_up(endpoint, membership.conversation);
  }
}

void SessionRole::membership_viewed(std::uint32_t number, const AudienceCheck& look,
                                    Result<ConversationView, storage::StoreError> viewed) {
  const bool is_known = viewed.ok() || viewed.error() == storage::StoreError::kNotFound;
  if (audience_look_ended(number, look, is_known)) return;
  Session* session = live(look.session);
  if (session == nullptr || !viewed.ok()) return;
  SessionNotice joined;
  joined.session = look.session;
  joined.is_admitted = true;
  joined.change.added = true;
  joined.change.conversation = std::move(*viewed);
  ConversationView& view = joined.change.conversation;
  view.last_message.reset();
  view.last_seq = view.joined_seq;  // from where it hears; what it hears counts behind it
  view.unread = 0;
  joined.change.seq = view.joined_seq;
  // Read since it was told. As late news it would be looked up again, for ever.
  session->forget_leaving(view.id);
  notice(look.session, *session, std::move(joined));
}

}  // namespace uproar::chat
