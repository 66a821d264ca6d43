// Before a large command is run, a conversation made, somebody added or written to for the first
// time, or more stored than the session has been given room for, the owner of the user is asked
// (user_shares.h). Until it answers the session is not read, so that all that it says keeps its
// order; where the cost of a command shows only in its answer (conversation.get), until then.
// Hot path: per command: nothing is asked for a message in a conversation that is there, that fewer
// than 2,100 hear at this shard, by a session that has some of its lot of stored pages left.
#include <algorithm>
#include <utility>

#include "core/chat/command_cost.h"
#include "core/chat/session_role.h"
#include "proto/base/sort_unique.h"
#include "proto/base/weakness.h"
#include "proto/chat/ids.h"

namespace uproar::chat {
namespace {

bool is_direct(const ConversationCreate& create) {
  return create.kind == ConversationKind::kDirect;
}

// How large the answer is shows when it is there: nothing more is read of its session until then.
bool is_held_until_answered(const ClientEvent& event) {
  return std::holds_alternative<ConversationGet>(event) && !weakened(Weakness::kCostBySize);
}

// Its user may owe for the pages of the one before.
bool brings_pages(const ClientEvent& event) {
  const auto* sync = std::get_if<Sync>(&event);
  return (sync != nullptr && !sync->cursors.empty()) || std::holds_alternative<UnreadFetch>(event);
}

// What is carried out although its client has gone since: a client may say it and go.
bool outlives_session(const ClientEvent& event) {
  return stored_pages_of(event) > 0;
}

}  // namespace

static_assert(kLargeTopicHearers <= kDeliveriesPerUnit, "what fewer hear once is less than a unit");

// Of those who hear it only this shard's are counted: each other shard delivers to about as many,
// and at the same time. More than fits at once is let in where the bucket is full, and paid for all
// the same.
std::uint32_t SessionRole::cost(const ClientEvent& event) const {
  if (weakened(Weakness::kCostBySize)) return 1;
  const Told told = told_by(event);
  std::uint64_t deliveries = 0;
  if (told.events != 0) {
    const TopicId id = topic_of(told.conversation);
    if (const auto topic = told.events == 1 ? topics_.find_large(id) : topics_.find(id))
      deliveries = std::uint64_t{told.events} * topics_.hearers(*topic);
  }
  return cost_of(event) + static_cast<std::uint32_t>(deliveries / kDeliveriesPerUnit);
}

std::uint32_t SessionRole::pages_of(const ClientEvent& event) const {
  return context_.limits.stored_pages_per_day == 0 ? 0 : stored_pages_of(event);
}

std::optional<ShareDemand> SessionRole::demand_of(const Command& command, const Session* session,
                                                  std::uint32_t units, std::uint32_t pages) const {
  const ChatLimits& limits = context_.limits;
  ShareDemand demand;
  bool asks = false;
  if (is_held_until_answered(command.event)) {
    demand.units = units + kUnitsReserved;
    asks = true;
  } else if (units >= kSharedCostMin ||
             (brings_pages(command.event) && (session == nullptr || session->may_owe))) {
    demand.units = units;
    asks = true;
  }
  if (pages > (session != nullptr ? session->pages_left : 0)) {
    demand.pages = pages;
    demand.lot_pages = session != nullptr ? kStoredLotPages : 0;
    asks = true;
  }
  const UserId user = command.actor.user;
  UserId written_to;
  if (const auto* send = std::get_if<MessageSend>(&command.event)) {
    written_to = send->to;
  } else if (const auto* create = std::get_if<ConversationCreate>(&command.event)) {
    if (!is_direct(*create)) {
      demand.conversations = 1;
      if (!create->client_id.empty())
        demand.begins = created_conversation_id(user, create->client_id);
      demand.contacts = create->members;
      asks = asks || limits.conversations_per_day > 0;
    } else if (create->members.size() == 1) {
      written_to = create->members.front();
    }
  } else if (const auto* add = std::get_if<MemberAdd>(&command.event)) {
    demand.contacts = add->users;
  }
  // A direct conversation that somebody here hears is there, and they know it.
  if (!written_to.is_nil() && written_to != user) {
    const ConversationId direct = direct_conversation_id(user, written_to);
    if (!topics_.find(topic_of(direct))) {
      demand.begins = direct;
      demand.contacts.push_back(written_to);
      demand.is_direct = true;
    }
  }
  if (limits.first_contacts_per_day == 0) demand.contacts.clear();
  sort_unique(demand.contacts);
  std::erase(demand.contacts, user);
  asks = asks || !demand.contacts.empty();
  if (!asks) return std::nullopt;
  return demand;
}

void SessionRole::run_or_ask(Command command, Session* session, std::uint32_t units) {
  const std::uint32_t strangers = cost_of_strangers(command.event, session);
  if (strangers > 0) charge_more(command.actor, session, strangers);
  const std::uint32_t pages = pages_of(command.event);
  if (auto demand = demand_of(command, session, units + strangers, pages))
    return ask_share(std::move(command), std::move(*demand));
  settle_pages(command.actor.user, session, 0, pages);
  route(std::move(command));
}

void SessionRole::ask_share(Command command, ShareDemand demand) {
  const Endpoint from = command.actor.from;
  const UserId user = command.actor.user;
  if (shares_asked_.size() >= kSharesAskedMax) {
    context_.refuse(command.actor, ErrorCode::kOverloaded);
    return;
  }
  const std::uint32_t token = ++next_number_;
  const bool is_of_session = from.kind == Endpoint::Kind::kSession;
  if (is_of_session) live(from)->make_extras().share = token;
  AskedShare& asked = shares_asked_[token];
  asked.from = from;
  asked.units = demand.units;
  asked.command = std::move(command);
  context_.send(context_.owner(user), ShareAsk{.shard = context_.self,
                                               .token = token,
                                               .user = user,
                                               .demand = std::move(demand),
                                               .may_wait = is_of_session});
  // The owner may have been this shard, and have answered.
  const auto waiting = shares_asked_.find(token);
  if (waiting == shares_asked_.end() || !is_of_session) return;
  Session* session = live(from);
  if (session == nullptr) return;
  waiting->second.is_paused = true;
  begin_wait(from, *session);
}

void SessionRole::on(const ShareAnswer& answer) {
  const auto found = shares_asked_.find(answer.token);
  UPROAR_CHECK(found != shares_asked_.end(), answer.token);
  found->second.pages_given = answer.pages;
  if (!answer.refused && answer.wait_us > 0) {
    context_.deadlines.arm(context_.now.monotonic_us + answer.wait_us, Deadline::Kind::kShare,
                           Uuid{answer.token, 0});
    return;
  }
  share_settled(answer.token, answer.refused);
}

void SessionRole::share_due(const Uuid& key) {
  share_settled(static_cast<std::uint32_t>(key.high), {});
}

void SessionRole::share_settled(std::uint32_t token, const std::optional<Error>& refused) {
  const auto found = shares_asked_.find(token);
  UPROAR_CHECK(found != shares_asked_.end(), token);
  Command command = std::move(found->second.command);
  const Actor actor = command.actor;
  Session* session = live_session(actor.from);
  const bool has_asker = session != nullptr || actor.from.kind == Endpoint::Kind::kRequest;
  const bool runs =
      !refused &&
      (has_asker || (!found->second.was_ended_by_us && outlives_session(command.event)));
  settle_pages(actor.user, session, found->second.pages_given, runs ? pages_of(command.event) : 0);
  if (refused) {
    if (refused->code == ErrorCode::kRateLimited) context_.counters.rate_limited.add();
    context_.refuse(actor, *refused);
  }
  if (session == nullptr && !runs && !refused) {
    context_.send(
        context_.owner(actor.user),
        ShareBalance{.user = actor.user, .units = -std::int64_t{found->second.units}, .pages = 0});
  }
  const bool ends_later = runs && is_held_until_answered(command.event);
  if (runs) route(std::move(command), token);
  if (!ends_later) end_share(token);
}

// What was said behind it before session.ready runs only while the session lasts, as what the
// connection has not been read for: none of it was acknowledged.
void SessionRole::end_share(std::uint32_t token) {
  const auto found = shares_asked_.find(token);
  UPROAR_CHECK(found != shares_asked_.end(), token);
  AskedShare asked = std::move(found->second);
  shares_asked_.erase(found);
  Session* session = live_session(asked.from);
  if (session == nullptr) return;
  session->extras->share = 0;
  session->free_empty_extras();
  if (!asked.is_paused) return;
  run_in_turn(asked.from, std::move(asked.behind));
  session = live_session(asked.from);
  if (session != nullptr) end_wait(asked.from, *session);
}

// A session keeps what it was given and did not spend. Where there is none, its user's share does.
void SessionRole::settle_pages(UserId user, Session* session, std::uint32_t given,
                               std::uint32_t spent) {
  if (session != nullptr) {
    UPROAR_CHECK(session->pages_left + given >= spent, session->pages_left, given, spent);
    session->pages_left = static_cast<std::uint16_t>(session->pages_left + given - spent);
  } else if (given != spent) {
    context_.send(
        context_.owner(user),
        ShareBalance{.user = user, .units = 0, .pages = std::int64_t{spent} - std::int64_t{given}});
  }
}

// `units` of what it was charged after all; of these kUnitsReserved were taken from the user's
// share before. What is said next waits for it.
void SessionRole::charge_after(const Actor& actor, std::uint32_t units) {
  if (weakened(Weakness::kCostBySize)) return;
  context_.send(context_.owner(actor.user),
                ShareBalance{.user = actor.user,
                             .units = std::int64_t{units} - std::int64_t{kUnitsReserved},
                             .pages = 0});
  charge_more(actor, live_session(actor.from), units);
}

// A session that has ended owes nothing.
void SessionRole::charge_more(const Actor& actor, Session* session, std::uint32_t units) {
  if (session == nullptr && actor.from.kind != Endpoint::Kind::kRequest) return;
  RateBucket& bucket = session != nullptr ? session->commands : request_bucket(actor.user);
  bucket.take(units, context_.limits.commands_per_s, context_.now.monotonic_us);
}

// A page that a sync or an unread.fetch has brought is owed by the share of the user: the next one
// waits for it, also on a connection that begins later. What others put a session into costs its
// user nothing.
void SessionRole::charge_page(Puller& puller, const HistoryPage& page) {
  if (weakened(Weakness::kCostBySize)) return;
  const std::uint32_t units = cost_of(page);
  if (units == 0) return;
  if (Session* session = live_session(puller.to)) session->may_owe = true;
  puller.read.take(units, kPullUnitsPerS, context_.now.monotonic_us);
  puller.units_untold += units;
  if (puller.units_untold >= kPullUnitsTold) tell_units(puller);
}

void SessionRole::tell_units(Puller& puller) {
  const std::uint32_t units = std::exchange(puller.units_untold, 0);
  if (units == 0) return;
  const UserId user = puller.user;
  context_.send(context_.owner(user), ShareBalance{.user = user, .units = units, .pages = 0});
}

}  // namespace uproar::chat
