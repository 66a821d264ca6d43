// Hot path: per command (apply, forward): 0 allocations beyond those of the command itself.
#include "core/chat/session_role.h"

#include <algorithm>
#include <utility>

#include "core/chat/command_cost.h"
#include "proto/base/sort_unique.h"
#include "proto/base/spread.h"
#include "proto/base/weakness.h"

namespace uproar::chat {
namespace {

Uuid key_of(const Endpoint& endpoint) {
  return {endpoint.slot, endpoint.generation};
}

// Many are closed at once, and each is told another time between one and three times as late: they would come back as
// they went. The slots of those who are closed together are all different.
std::uint32_t spread(const Endpoint& endpoint, std::uint32_t retry_ms) {
  return spread_ms(retry_ms, 2 * retry_ms, endpoint.slot * 2'654'435'769U);
}

template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

}  // namespace

SessionRole::SessionRole(ShardContext& context, std::string node)
    : context_(context), node_(std::move(node)), wheel_(table_), topics_(context) {}

// --- life ----------------------------------------------------------------------------------------------------------

void SessionRole::open(const Endpoint& endpoint, const TokenProof& proof, bool resume_announced) {
  UPROAR_CHECK(endpoint.kind == Endpoint::Kind::kSession && endpoint.shard == context_.self,
               endpoint.shard);
  Session& session = table_.at(endpoint.slot);
  UPROAR_CHECK(session.state == Session::State::kFree, endpoint.slot, session.generation,
               endpoint.generation);
  session = Session();
  session.user = proof.user;
  session.id = proof.session;
  session.generation = endpoint.generation;
  session.heartbeat_s = static_cast<std::uint32_t>(context_.now.monotonic_us / 1'000'000);
  keep_until(session, proof);
  if (session_count_ >= context_.limits.sessions_max) {
    session.state = Session::State::kClosing;
    ++session_count_;
    context_.counters.sessions_refused.add();
    context_.outbox.close(endpoint, {.code = ErrorCode::kOverloaded,
                                     .detail = {},
                                     .retry_after_ms = spread(endpoint, kOverloadedRetryMs)});
    return;
  }
  ++session_count_;
  session.state = Session::State::kStarting;
  session.make_extras().starting.emplace().resume_announced = resume_announced;
  wheel_.insert(endpoint.slot, session, context_.now.monotonic_us);
  context_.outbox.hold(endpoint);
  context_.send(context_.owner(proof.user), SessionStart{endpoint, proof.user});
}

Session* SessionRole::live(const Endpoint& endpoint) {
  Session* session = table_.find(endpoint);
  if (session == nullptr || session->state == Session::State::kClosing) return nullptr;
  return session;
}

void SessionRole::on(const SessionAdmission& admission) {
  Session* session = live(admission.session);
  if (session == nullptr) return;
  if (!admission.admitted) {
    context_.counters.sessions_refused.add();
    fail(admission.session, *session, ErrorCode::kTooManyConnections);
    return;
  }
  session->may_owe = admission.owes;
  audiences_due_.push_back({.session = admission.session, .is_look = false});
  load_audiences();
}

void SessionRole::audience_loaded(const Endpoint& endpoint, storage::Audience audience) {
  Session* session = live(endpoint);
  if (session == nullptr) return;
  SessionStarting& starting = *session->starting();
  if (std::exchange(starting.reads_again, false)) {
    starting.left.clear();
    audiences_due_.push_back({.session = endpoint, .is_look = false});
    return load_audiences();
  }
  session->topics.reserve(audience.conversations.size() + audience.peers.size());
  const auto listen = [&](const auto& who) {  // a conversation or a user
    const TopicId topic = topic_of(who);
    const auto index = topics_.acquire(who);
    if (!index) return false;
    session->topics.push_back(*index);
    if (topics_.refused(*index)) return false;
    if (topics_.heard(*index)) {
      (void)context_.outbox.subscribe(endpoint, topic);
    } else {
      ++starting.topics_awaited;
      topics_.wait(*index, endpoint);
    }
    return true;
  };
  bool fits = true;
  if (audience.conversations.size() > kAudienceConversationsMax) {
    audience.conversations.resize(kAudienceConversationsMax);
    starting.hears_all = false;
  }
  for (const auto& membership : audience.conversations)
    fits = fits && listen(membership.conversation);
  for (const UserId peer : audience.peers) fits = fits && listen(peer);
  if (!fits) {
    fail(endpoint, *session, ErrorCode::kOverloaded);
    return;
  }
  starting.peers = std::move(audience.peers);
  starting.audience_loaded = true;
  if (starting.topics_awaited == 0) check_membership(endpoint, *session);
}

void SessionRole::on(const InterestReady& ready) {
  for (const Endpoint& endpoint : topics_.on(ready)) {
    Session* session = live(endpoint);
    if (session == nullptr || session->state != Session::State::kStarting) continue;
    if (ready.refused) {
      context_.counters.sessions_refused.add();
      fail(endpoint, *session, ErrorCode::kOverloaded);
      continue;
    }
    SessionStarting* starting = session->starting();
    UPROAR_CHECK(starting != nullptr && starting->topics_awaited > 0, endpoint.slot);
    // Not earlier: what an earlier announcement left on the way ends before this answer, and may end with a gap.
    (void)context_.outbox.subscribe(endpoint, ready.topic);
    if (--starting->topics_awaited == 0) check_membership(endpoint, *session);
  }
}

void SessionRole::become_ready(const Endpoint& endpoint, Session& session) {
  session.state = Session::State::kReady;
  SessionStarting& starting = *session.starting();
  // It hears from here on: what was published before may be older than its membership.
  context_.outbox.hold(endpoint);
  for (const ConversationId conversation : starting.left)
    (void)unhear(endpoint, session, topic_of(conversation), PendingFrames::kDrop);
  const std::vector<UserId> peers = std::move(starting.peers);
  std::vector<EarlyMessage> early = std::move(starting.early);
  const bool resume_announced = starting.resume_announced;
  const bool reviews_presence = starting.reviews_presence;
  context_.counters.sessions_opened.add();
  const ChatLimits& limits = context_.limits;
  context_.outbox.tell(
      endpoint,
      ServerEvent(SessionReady{.session = session.id,
                               .user = session.user,
                               .server_time_us = context_.now.wall_us,
                               .heartbeat_interval_ms = limits.heartbeat_interval_ms,
                               .resume_window_s = kResumeWindowS,
                               .limits = {.content_bytes_max = limits.content_bytes_max,
                                          .event_bytes_max = limits.event_bytes_max,
                                          .message_bytes_max = limits.message_bytes_max,
                                          .members_max = limits.members_max,
                                          .history_limit_max = limits.history_limit_max,
                                          .sync_conversations_max = limits.sync_conversations_max,
                                          .presence_watch_max = limits.presence_watch_max},
                               .node = node_,
                               .expires_at_us = std::int64_t{session.expires_at_s} * 1'000'000}),
      Delivery::kMessage);
  warn_before_expiry(endpoint.slot, session);
  const std::int64_t hold_us = std::int64_t{resume_announced ? kHoldResumeMs : kHoldMs} * 1000;
  context_.deadlines.arm(context_.now.monotonic_us + hold_us, Deadline::Kind::kReleaseHold,
                         key_of(endpoint));
  if (!peers.empty()) {
    presence_ask({.user = session.user, .from = endpoint, .request = {}}, peers,
                 PresenceAsk::Kind::kSnapshot);
  }
  if (reviews_presence) on(PresenceReview{.user = session.user, .devices = {endpoint}});
  run_in_turn(endpoint, std::move(early));
}

void SessionRole::run_in_turn(const Endpoint& endpoint, std::vector<EarlyMessage> said) {
  for (auto at = said.begin(); at != said.end(); ++at) {
    const Session* session = live(endpoint);
    if (session == nullptr) return;
    if (session->share() != 0) {
      AskedShare& before = shares_asked_.at(session->share());
      before.behind.assign(std::make_move_iterator(at), std::make_move_iterator(said.end()));
      return;
    }
    if (at->refused) {
      context_.refuse(at->command.actor, *at->refused);
    } else {
      const std::uint32_t units = cost(at->command.event);
      run(std::move(at->command), units);
    }
  }
}

void SessionRole::release_hold(const Endpoint& endpoint, Session& session) {
  if (session.starting() == nullptr) return;
  const SessionStarting ended = *std::exchange(session.extras->starting, std::nullopt);
  session.free_empty_extras();
  context_.outbox.release(endpoint);
  for (const ConversationId conversation : ended.checks) {
    const bool is_told = context_.nodes == nullptr && is_provided_for(session, conversation);
    if (!is_told) check_now(endpoint, session, conversation);  // alone, what it hears is its own
  }
  if (!ended.hears_all) not_live(endpoint, session, ConversationId());
}

void SessionRole::hold_ended(const Uuid& key) {
  const Endpoint endpoint = endpoint_of(key);
  if (Session* session = live(endpoint)) release_hold(endpoint, *session);
}

Endpoint SessionRole::endpoint_of(std::uint32_t slot, std::uint32_t generation) const {
  return {.shard = static_cast<std::uint16_t>(context_.self),
          .kind = Endpoint::Kind::kSession,
          .slot = slot,
          .generation = generation};
}

Endpoint SessionRole::endpoint_of(const Uuid& key) const {
  return endpoint_of(static_cast<std::uint32_t>(key.high), static_cast<std::uint32_t>(key.low));
}

void SessionRole::fail(const Endpoint& endpoint, Session& session, ErrorCode code,
                       std::string_view detail) {
  context_.outbox.close(endpoint,
                        {.code = code,
                         .detail = detail,
                         .retry_after_ms = spread(endpoint, context_.retry_after_ms(code))});
  if (session.share() != 0) shares_asked_.at(session.share()).was_ended_by_us = true;
  session.state = Session::State::kClosing;  // first, as in close()
  detach(endpoint, session, 0);
}

void SessionRole::detach(const Endpoint& endpoint, Session& session, std::int64_t offline_at_us) {
  const std::unique_ptr<SessionExtras> extras = std::move(session.extras);
  settle_pages(session.user, nullptr, std::exchange(session.pages_left, std::uint16_t{0}), 0);
  if (extras && extras->puller != 0) drop_puller(extras->puller);
  if (extras && extras->unread_puller != 0 && extras->unread_puller != kUnreadAsked)
    drop_puller(extras->unread_puller);
  const std::vector<std::uint32_t> topics = std::exchange(session.topics, {});
  for (const std::uint32_t topic : topics) topics_.release(topic);
  wheel_.remove(session);
  context_.send(context_.owner(session.user), SessionEnd{endpoint, session.user, offline_at_us});
}

void SessionRole::close(const Endpoint& endpoint, bool clean) {
  Session* session = table_.find(endpoint);
  if (session == nullptr) return;
  if (session->state != Session::State::kClosing) {
    const std::int64_t last_us = std::int64_t{session->heartbeat_s} * 1'000'000;
    const std::int64_t grace_us =
        std::min(context_.now.monotonic_us + std::int64_t{kOfflineGraceMs} * 1000,
                 last_us + std::int64_t{kHeartbeatTimeoutMs} * 1000);
    // Closing first: nothing that follows from the end may speak to the session any more.
    session->state = Session::State::kClosing;
    detach(endpoint, *session, clean ? 0 : grace_us);
  }
  session->state = Session::State::kFree;
  --session_count_;
}

void SessionRole::on_heartbeat(const Endpoint& endpoint) {
  if (Session* session = live(endpoint)) {
    session->heartbeat_s = static_cast<std::uint32_t>(context_.now.monotonic_us / 1'000'000);
  }
}

void SessionRole::on(const RevokeSession& revoke) {
  Session* session = live(revoke.endpoint);
  if (session == nullptr || session->id != revoke.session) return;
  fail(revoke.endpoint, *session, ErrorCode::kTokenRevoked);
}

void SessionRole::end_revoked(const absl::flat_hash_set<SessionId>& sessions) {
  std::vector<Endpoint> ended;  // to end one may end others
  table_.for_each([&](std::uint32_t slot, const Session& session) {
    if (!sessions.contains(session.id)) return;
    ended.push_back(endpoint_of(slot, session.generation));
  });
  for (const Endpoint& endpoint : ended)
    if (Session* session = live(endpoint)) fail(endpoint, *session, ErrorCode::kTokenRevoked);
}

// --- topics --------------------------------------------------------------------------------------------------------

bool SessionRole::hear(const Endpoint& endpoint, Session& session, UserId user) {
  const auto index = topics_.acquire(user);
  if (!index) return false;
  session.topics.push_back(*index);
  (void)context_.outbox.subscribe(endpoint, topic_of(user));
  return true;
}

bool SessionRole::unhear(const Endpoint& endpoint, Session& session, const TopicId& topic,
                         PendingFrames pending) {
  const auto index = topics_.find(topic);
  if (!index || std::erase(session.topics, *index) == 0) return false;
  if (session.extras) {
    std::erase(session.extras->watches, *index);
    std::erase(session.extras->joinings.unasked, *index);
    session.free_empty_extras();
  }
  (void)context_.outbox.unsubscribe(endpoint, topic, pending);
  topics_.release(*index);
  return true;
}

bool SessionRole::hears(const Session& session, const TopicId& topic) const {
  const auto index = topics_.find(topic);
  return index &&
         std::find(session.topics.begin(), session.topics.end(), *index) != session.topics.end();
}

// --- commands ------------------------------------------------------------------------------------------------------

bool SessionRole::admit(Session& session, const Actor& actor, std::uint32_t units,
                        std::uint32_t payload_bytes) {
  const ChatLimits& limits = context_.limits;
  const std::uint32_t room_units = std::min(units, limits.commands_burst);
  const std::int64_t now_us = context_.now.monotonic_us;
  const std::int64_t wait_us = std::max(
      session.commands.wait_us(room_units, limits.commands_per_s, limits.commands_burst, now_us),
      session.bytes.wait_us(payload_bytes, limits.bytes_per_s, limits.bytes_burst, now_us));
  if (wait_us == 0) {
    charge(session, units, payload_bytes);
    session.rate_strikes = 0;
    return true;
  }
  context_.counters.rate_limited.add();
  if (++session.rate_strikes >= kRateStrikesMax) {
    fail(actor.from, session, ErrorCode::kRateLimited);
    return false;
  }
  refuse_in_turn(
      actor, session,
      Error{.code = ErrorCode::kRateLimited, .detail = {}, .retry_after_ms = retry_ms_of(wait_us)});
  return false;
}

void SessionRole::charge(Session& session, std::uint32_t units, std::uint32_t payload_bytes) {
  const ChatLimits& limits = context_.limits;
  const std::int64_t now_us = context_.now.monotonic_us;
  session.commands.take(units, limits.commands_per_s, now_us);
  session.bytes.take(payload_bytes, limits.bytes_per_s, now_us);
}

RateBucket& SessionRole::request_bucket(UserId user) {
  constexpr std::uint64_t kShared = 4'096;
  const Uuid& id = user.uuid();
  const bool is_shared = weakened(Weakness::kCollidingIds);
  return request_buckets_.of(
      is_shared ? UserId(Uuid{.high = 0, .low = (id.low ^ id.high) % kShared}) : user,
      context_.now.monotonic_us);
}

bool SessionRole::admit_request(const Actor& actor, std::uint32_t units) {
  RateBucket& bucket = request_bucket(actor.user);
  const ChatLimits& limits = context_.limits;
  const std::int64_t now_us = context_.now.monotonic_us;
  const std::int64_t wait_us = bucket.wait_us(std::min(units, limits.commands_burst),
                                              limits.commands_per_s, limits.commands_burst, now_us);
  if (wait_us == 0) {
    bucket.take(units, limits.commands_per_s, now_us);
    return true;
  }
  context_.counters.rate_limited.add();
  context_.refuse(
      actor,
      Error{.code = ErrorCode::kRateLimited, .detail = {}, .retry_after_ms = retry_ms_of(wait_us)});
  return false;
}

void SessionRole::refuse(const Endpoint& endpoint, const RequestId& request, const Error& error,
                         std::uint32_t payload_bytes) {
  Session* session = live(endpoint);
  if (session == nullptr) return;
  const Actor actor{.user = session->user, .from = endpoint, .request = request};
  if (admit(*session, actor, 1, payload_bytes)) refuse_in_turn(actor, *session, error);
}

void SessionRole::refuse_in_turn(const Actor& actor, Session& session, const Error& error) {
  if (session.state != Session::State::kStarting) return context_.refuse(actor, error);
  say_early(session, {.command = {.actor = actor, .event = {}}, .refused = error});
}

// REQUIRES: the session is starting.
void SessionRole::say_early(Session& session, EarlyMessage said) {
  auto& early = session.starting()->early;
  if (early.size() >= kEarlyMessagesMax) {
    fail(said.command.actor.from, session, ErrorCode::kOverloaded,
         "too much was said before session.ready");
    return;
  }
  if (!said.refused && early.size() >= kEarlyCommandsMax) {
    said.refused = Error{.code = ErrorCode::kOverloaded,
                         .detail = "wait for session.ready",
                         .retry_after_ms = kOverloadedRetryMs};
    said.command.event = {};
  }
  early.push_back(std::move(said));
}

void SessionRole::apply(Command command, std::uint32_t payload_bytes) {
  if (command.actor.from.kind == Endpoint::Kind::kRequest) {
    const std::uint32_t units = cost(command.event);
    if (admit_request(command.actor, units)) run_or_ask(std::move(command), nullptr, units);
    return;
  }
  Session* session = live(command.actor.from);
  if (session == nullptr) return;
  command.actor.user = session->user;  // who they are was settled when the session was opened
  session->heartbeat_s = static_cast<std::uint32_t>(context_.now.monotonic_us / 1'000'000);
  const std::uint32_t units = cost(command.event);
  // What it owes for its commands must not end it: one refresh for each time that it is told to.
  if (std::holds_alternative<SessionRefresh>(command.event) && session->may_refresh) {
    session->may_refresh = false;
    charge(*session, units, payload_bytes);
  } else if (!admit(*session, command.actor, units, payload_bytes)) {
    return;
  }
  if (session->state == Session::State::kStarting) {
    say_early(*session, {.command = std::move(command), .refused = {}});
    return;
  }
  run(std::move(command), units);
}

// REQUIRES: the session is live.
void SessionRole::run(Command command, std::uint32_t units) {
  Session* session = live(command.actor.from);
  // A refresh answers the server, and says nothing of whether a sync follows.
  if (!std::holds_alternative<Sync>(command.event) &&
      !std::holds_alternative<SessionRefresh>(command.event)) {
    release_hold(command.actor.from, *session);
    session = live(command.actor.from);
    if (session == nullptr) return;
  }
  run_or_ask(std::move(command), session, units);
}

void SessionRole::on(const Backpressure& said) {
  Session* session = live(said.session);
  if (session == nullptr) return;
  if (said.begins) {
    begin_wait(said.session, *session);
  } else {
    end_wait(said.session, *session);
  }
}

void SessionRole::begin_wait(const Endpoint& endpoint, Session& session) {
  if (session.make_extras().waiting++ == 0) context_.outbox.pause(endpoint);
}

void SessionRole::end_wait(const Endpoint& endpoint, Session& session) {
  std::uint32_t& waiting = session.make_extras().waiting;
  UPROAR_CHECK(waiting > 0, endpoint.slot);
  if (--waiting > 0) return;
  session.free_empty_extras();
  context_.outbox.resume(endpoint);
}

void SessionRole::forward(Command command, ConversationId conversation) {
  if (Session* session = live_session(command.actor.from)) act_in(*session, conversation);
  context_.send(context_.owner(conversation), ForwardedCommand{std::move(command), conversation});
}

void SessionRole::route(Command command, std::uint32_t share) {
  context_.counters.commands.add();
  const Actor& actor = command.actor;
  std::visit(
      Overloaded{[&](SessionOpen&) { context_.refuse(actor, ErrorCode::kAlreadyOpen); },
                 [&](SessionRefresh& fresh) { refresh(actor, fresh); },
                 [&](Ping&) { context_.reply(actor, ServerEvent(Pong{})); },
                 [&](MessageSend& send) {
                   if (!send.to.is_nil() && send.to == actor.user) {
                     context_.refuse(actor, ErrorCode::kInvalidField,
                                     "to: a direct conversation needs another user");
                     return;
                   }
                   const ConversationId conversation =
                       send.to.is_nil() ? send.conversation
                                        : direct_conversation_id(actor.user, send.to);
                   forward(std::move(command), conversation);
                 },
                 [&](ConversationCreate&) { create_conversation(std::move(command)); },
                 [&](ConversationList& list) { list_conversations(actor, list); },
                 [&](ConversationGet& get) { get_conversation(actor, get.conversation, share); },
                 [&](PresenceSubscribe& watch) { presence_subscribe(actor, std::move(watch)); },
                 [&](PresenceUnsubscribe& watch) { presence_unsubscribe(actor, std::move(watch)); },
                 [&](PresenceGet& get) {
                   if (get.users.size() > context_.limits.presence_watch_max) {
                     context_.refuse(actor, ErrorCode::kTooLarge, "user_ids: too many");
                     return;
                   }
                   presence_get(actor, std::move(get.users));
                 },
                 [&](Sync& command_sync) { sync(actor, std::move(command_sync)); },
                 [&](UnreadFetch& fetch) { unread(actor, fetch); },
                 [&](auto& of_conversation) {
                   const ConversationId conversation = of_conversation.conversation;
                   forward(std::move(command), conversation);
                 }},
      command.event);
}

void SessionRole::create_conversation(Command command) {
  const Actor& actor = command.actor;
  auto& create = std::get<ConversationCreate>(command.event);
  sort_unique(create.members);
  std::erase(create.members, actor.user);
  ConversationId id;
  if (create.kind == ConversationKind::kDirect) {
    if (create.members.size() != 1) {
      context_.refuse(actor, ErrorCode::kInvalidField,
                      "members: a direct conversation needs one other user");
      return;
    }
    id = direct_conversation_id(actor.user, create.members.front());
  } else if (!create.client_id.empty()) {
    id = created_conversation_id(actor.user, create.client_id);
  } else {
    id = ConversationId(context_.ids.make(context_.now));
  }
  forward(std::move(command), id);
}

void SessionRole::list_conversations(const Actor& actor, const ConversationList& list) {
  storage::ListQuery query{.user = actor.user,
                           .after = list.after,
                           .limit = std::clamp(list.limit, 1U, kConversationListLimitMax),
                           .members_shown_max = kMembersShownMax};
  context_.directory.list_conversations(
      query, [this, actor](Result<storage::ConversationList, storage::StoreError> listed) {
        if (!listed.ok()) {
          context_.refuse(actor, error_of(listed.error()));
          return;
        }
        for (ConversationView& view : listed->conversations) note_live(actor, view);
        context_.reply(
            actor, ServerEvent(ConversationPage{.conversations = std::move(listed->conversations),
                                                .has_more = listed->has_more,
                                                .stale = false}));
      });
}

void SessionRole::get_conversation(const Actor& actor, ConversationId conversation,
                                   std::uint32_t share) {
  context_.directory.view_conversation(
      conversation, actor.user, context_.limits.members_max,
      [this, actor, share](Result<ConversationView, storage::StoreError> viewed) {
        const std::size_t members = viewed.ok() ? viewed->members.size() : 0;
        charge_after(actor, static_cast<std::uint32_t>(members) / kMembersPerUnit);
        if (!viewed.ok()) {
          context_.refuse(actor, error_of(viewed.error()));
        } else {
          note_live(actor, *viewed);
          context_.reply(actor, ServerEvent(ConversationInfo{std::move(*viewed)}));
        }
        if (share != 0) end_share(share);
      });
}

}  // namespace uproar::chat
