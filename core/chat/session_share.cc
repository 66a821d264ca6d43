// Before a large command is run, a conversation made, somebody added or written to for the first
// time, or more stored than the session has been given room for, the owner of the user is asked
// (user_shares.h). Until it answers the session is not read, so that all that it says keeps its
// order. Hot path: per command: nothing is asked for an ordinary message.
#include <algorithm>
#include <utility>

#include "core/chat/command_cost.h"
#include "core/chat/session_role.h"
#include "proto/base/weakness.h"
#include "proto/chat/ids.h"

namespace uproar::chat {
namespace {

bool is_direct(const ConversationCreate& create) {
  return create.kind == ConversationKind::kDirect;
}

// What is carried out although the session that said it has ended since: a client may say it and
// go.
bool outlives_session(const ClientEvent& event) {
  return stored_pages_of(event) > 0;
}

}  // namespace

// Those who hear it on other shards cost these as much: the busiest one has about as many as this.
// More than fits at once is let in where the bucket is full, and paid for all the same.
std::uint32_t SessionRole::cost(const ClientEvent& event) const {
  if (weakened(Weakness::kCostBySize)) return 1;
  const Told told = told_by(event);
  std::uint64_t deliveries = 0;
  if (told.events != 0) {
    if (const auto topic = topics_.find(topic_of(told.conversation)))
      deliveries = std::uint64_t{told.events} * topics_.hearers(*topic);
  }
  return cost_of(event) + static_cast<std::uint32_t>(deliveries / kDeliveriesPerUnit);
}

std::optional<ShareDemand> SessionRole::demand_of(const Command& command, Session* session) const {
  const ChatLimits& limits = context_.limits;
  ShareDemand demand;
  bool asks = false;
  const std::uint32_t units = cost(command.event);
  if (units >= kSharedCostMin) {
    demand.units = units;
    asks = true;
  }
  const std::uint32_t pages = limits.stored_pages_per_day == 0 ? 0 : stored_pages_of(command.event);
  if (session != nullptr && session->pages_left >= pages) {
    session->pages_left = static_cast<std::uint16_t>(session->pages_left - pages);
  } else if (pages > 0) {
    demand.pages = pages;
    demand.lot_pages = session != nullptr ? kStoredLotPages : 0;
    asks = true;
  }
  UserId written_to;
  if (const auto* send = std::get_if<MessageSend>(&command.event)) {
    written_to = send->to;
  } else if (const auto* create = std::get_if<ConversationCreate>(&command.event)) {
    if (!is_direct(*create)) {
      demand.conversations = 1;
      demand.contacts = create->members;
      asks = asks || limits.conversations_per_day > 0;
    } else if (create->members.size() == 1) {
      written_to = create->members.front();
    }
  } else if (const auto* add = std::get_if<MemberAdd>(&command.event)) {
    demand.contacts = add->users;
  }
  // A direct conversation that somebody here hears is there, and they know it.
  const UserId user = command.actor.user;
  if (!written_to.is_nil() && written_to != user &&
      !topics_.find(topic_of(direct_conversation_id(user, written_to)))) {
    demand.contacts.push_back(written_to);
    demand.is_direct = true;
  }
  if (limits.first_contacts_per_day == 0) demand.contacts.clear();
  std::sort(demand.contacts.begin(), demand.contacts.end());
  demand.contacts.erase(std::unique(demand.contacts.begin(), demand.contacts.end()),
                        demand.contacts.end());
  std::erase(demand.contacts, user);
  asks = asks || !demand.contacts.empty();
  if (!asks) return std::nullopt;
  return demand;
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
  asked.pages = demand.pages;
  asked.command = std::move(command);
  context_.send(context_.owner(user), ShareAsk{.shard = context_.self,
                                               .token = token,
                                               .user = user,
                                               .demand = std::move(demand),
                                               .may_wait = is_of_session});
  // The owner may have been this shard, and have answered.
  const auto waiting = shares_asked_.find(token);
  if (waiting == shares_asked_.end() || !is_of_session) return;
  waiting->second.is_paused = true;
  begin_wait(from, *live(from));
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
  AskedShare asked = std::move(found->second);
  shares_asked_.erase(found);
  const Actor actor = asked.command.actor;
  const bool is_request = actor.from.kind == Endpoint::Kind::kRequest;
  Session* session = live_session(actor.from);
  const std::uint32_t unspent_pages =
      refused ? 0 : asked.pages_given - std::min(asked.pages_given, asked.pages);
  if (session != nullptr) {
    session->extras->share = 0;
    session->free_empty_extras();
    // A lot, and less than one that was left.
    session->pages_left = static_cast<std::uint16_t>(session->pages_left + unspent_pages);
  }
  if (refused) {
    if (refused->code == ErrorCode::kRateLimited) context_.counters.rate_limited.add();
    context_.refuse(actor, *refused);
  } else if (session != nullptr || is_request || outlives_session(asked.command.event)) {
    route(std::move(asked.command));
  }
  if (!asked.is_paused || live_session(actor.from) == nullptr) return;
  run_in_turn(actor.from, std::move(asked.behind));
  session = live_session(actor.from);
  if (session != nullptr) end_wait(actor.from, *session);
}

}  // namespace uproar::chat
