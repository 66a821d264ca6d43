// Who is online, for those who may know it: who shares a conversation with them, or everybody (--presence).
#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <utility>

#include "core/chat/command_cost.h"
#include "core/chat/session_role.h"
#include "core/chat/store_error.h"
#include "proto/base/sort_unique.h"
#include "proto/base/weakness.h"

namespace uproar::chat {
namespace {

PresenceState* find_state(std::vector<PresenceState>& sorted, UserId user) {
  const auto at =
      std::lower_bound(sorted.begin(), sorted.end(), user,
                       [](const PresenceState& a, const UserId& b) { return a.user < b; });
  return at != sorted.end() && at->user == user ? &*at : nullptr;
}

}  // namespace

// --- who may know --------------------------------------------------------------------------------------------------

// Whom the session hears already it has a right to; of the others the store knows. A stranger is answered as somebody
// whom nobody knows is, and their owner is not asked: neither the answer nor its time tells of them.
void SessionRole::judge_presence(const Actor& actor, const std::vector<UserId>& users,
                                 Judged done) {
  if (context_.limits.presence_is_public || weakened(Weakness::kPresenceOfStrangers))
    return done({});
  const Session* session = live_session(actor.from);
  std::vector<UserId> unknown;
  for (const UserId user : users) {
    const bool is_known =
        user == actor.user || (session != nullptr && hears(*session, topic_of(user)));
    if (!is_known) unknown.push_back(user);
  }
  if (unknown.empty()) return done({});
  context_.directory.find_companions(
      actor.user, unknown, storage::InDoubt::kStranger,
      [this, actor, unknown,
       done = std::move(done)](Result<std::vector<UserId>, storage::StoreError> found) {
        if (!found.ok()) return context_.refuse(actor, error_of(found.error()));
        std::vector<UserId> strangers;
        std::set_difference(unknown.begin(), unknown.end(), found->begin(), found->end(),
                            std::back_inserter(strangers));
        done(std::move(strangers));
      });
}

std::uint32_t SessionRole::cost_of_strangers(const ClientEvent& event,
                                             const Session* session) const {
  const std::vector<UserId>* users = nullptr;
  if (const auto* watch = std::get_if<PresenceSubscribe>(&event)) users = &watch->users;
  if (const auto* watch = std::get_if<PresenceUnsubscribe>(&event)) users = &watch->users;
  if (const auto* get = std::get_if<PresenceGet>(&event)) users = &get->users;
  const bool asks_nobody = context_.limits.presence_is_public || weakened(Weakness::kCostBySize);
  if (users == nullptr || asks_nobody) return 0;
  const auto strangers = std::count_if(users->begin(), users->end(), [&](UserId user) {
    return session == nullptr || !hears(*session, topic_of(user));
  });
  return static_cast<std::uint32_t>(strangers) * kUnitsPerStranger;
}

// --- commands ------------------------------------------------------------------------------------------------------

void SessionRole::presence_subscribe(const Actor& actor, PresenceSubscribe command) {
  sort_unique(command.users);
  if (const Session* session = live_session(actor.from)) {
    std::size_t watched = session->extras ? session->extras->watches.size() : 0;
    for (const UserId user : command.users) watched += hears(*session, topic_of(user)) ? 0 : 1;
    if (watched > context_.limits.presence_watch_max) {
      context_.refuse(actor, ErrorCode::kTooLarge, "user_ids: too many are watched");
      return;
    }
  }
  std::vector<UserId> users = command.users;
  judge_presence(actor, command.users,
                 [this, actor, users = std::move(users)](std::vector<UserId> strangers) {
                   presence_watch(actor, users, std::move(strangers));
                 });
}

void SessionRole::presence_watch(const Actor& actor, std::vector<UserId> users,
                                 std::vector<UserId> strangers) {
  if (Session* session = live(actor.from)) {
    for (const UserId user : users) {
      if (hears(*session, topic_of(user)) ||
          std::binary_search(strangers.begin(), strangers.end(), user))
        continue;
      const std::size_t watched = session->extras ? session->extras->watches.size() : 0;
      if (watched >= context_.limits.presence_watch_max || !hear(actor.from, *session, user)) {
        context_.refuse(actor, ErrorCode::kOverloaded);
        return;
      }
      session->make_extras().watches.push_back(session->topics.back());
    }
  }
  // Asked behind the announcements and on the same way: what changes after the answer is heard.
  presence_ask(actor, std::move(users), PresenceAsk::Kind::kWatch, std::move(strangers));
}

void SessionRole::presence_get(const Actor& actor, std::vector<UserId> users) {
  sort_unique(users);
  judge_presence(actor, users, [this, actor, users](std::vector<UserId> strangers) {
    presence_ask(actor, users, PresenceAsk::Kind::kGet, std::move(strangers));
  });
}

void SessionRole::presence_unsubscribe(const Actor& actor, PresenceUnsubscribe command) {
  sort_unique(command.users);
  judge_presence(actor, command.users,
                 [this, actor, users = command.users](std::vector<UserId> strangers) {
                   if (Session* session = live(actor.from)) {
                     for (const UserId user : users)
                       (void)unhear(actor.from, *session, topic_of(user), PendingFrames::kDeliver);
                   }
                   presence_ask(actor, users, PresenceAsk::Kind::kGet, std::move(strangers));
                 });
}

void SessionRole::presence_ask(const Actor& actor, std::vector<UserId> users,
                               PresenceAsk::Kind kind, std::vector<UserId> strangers) {
  sort_unique(users);
  std::vector<PresenceState> states;
  states.reserve(users.size());
  for (const UserId user : users) states.push_back({.user = user});
  if (kind == PresenceAsk::Kind::kSnapshot || states.empty()) {
    ask_owners({.actor = actor,
                .kind = kind,
                .owners_awaited = 0,
                .users = std::move(states),
                .strangers = {}});
    return;
  }
  // When they were last here comes from the store, and first: what the owners say must not wait after it was said.
  std::erase_if(users, [&](UserId user) {
    return std::binary_search(strangers.begin(), strangers.end(), user);
  });
  context_.directory.find_users(
      std::move(users),
      [this, actor, kind, states = std::move(states), strangers = std::move(strangers)](
          Result<std::vector<storage::User>, storage::StoreError> found) mutable {
        if (found.ok()) {  // otherwise the answer goes without times
          for (const storage::User& user : *found) {
            if (PresenceState* state = find_state(states, user.id))
              state->last_online_us = user.last_online_us;
          }
        }
        ask_owners({.actor = actor,
                    .kind = kind,
                    .owners_awaited = 0,
                    .users = std::move(states),
                    .strangers = std::move(strangers)});
      });
}

void SessionRole::ask_owners(PresenceAsk ask) {
  if (presence_asks_.size() >= kPresenceQueriesMax) {
    // A snapshot that is left out costs the session nothing but knowledge: presence is lossy by contract.
    const bool is_answer =
        ask.kind == PresenceAsk::Kind::kGet || ask.kind == PresenceAsk::Kind::kWatch;
    if (is_answer) context_.refuse(ask.actor, ErrorCode::kOverloaded);
    return;
  }
  std::map<std::uint32_t, std::vector<UserId>> by_owner;
  for (const PresenceState& state : ask.users) {
    if (!std::binary_search(ask.strangers.begin(), ask.strangers.end(), state.user))
      by_owner[context_.owner(state.user)].push_back(state.user);
  }
  if (by_owner.empty()) {
    presence_known(std::move(ask));
    return;
  }
  ask.owners_awaited = static_cast<std::uint32_t>(by_owner.size());
  const std::uint32_t token = ++next_number_;
  presence_asks_.emplace(token, std::move(ask));
  for (auto& [owner, asked] : by_owner)
    context_.send(owner, PresenceQuery{context_.self, token, std::move(asked)});
}

void SessionRole::on(const PresenceAnswer& answer) {
  const auto it = presence_asks_.find(answer.token);
  UPROAR_CHECK(it != presence_asks_.end(), answer.token);
  PresenceAsk& ask = it->second;
  for (const PresenceState& said : answer.users) {
    PresenceState* state = find_state(ask.users, said.user);
    UPROAR_CHECK(state != nullptr);
    // Told at once: the owner's next update comes behind this on the same way.
    const bool is_news =
        ask.kind == PresenceAsk::Kind::kSnapshot
            ? said.online
            : ask.kind == PresenceAsk::Kind::kCorrection &&
                  (said.online != state->online || said.uncertain != state->uncertain);
    const Session* hearer = is_news ? live(ask.actor.from) : nullptr;
    if (hearer != nullptr && hears(*hearer, topic_of(said.user))) {  // and not parted meanwhile
      context_.outbox.tell(ask.actor.from, ServerEvent(PresenceUpdate{said}), Delivery::kPresence);
    }
    state->online = said.online;
    state->uncertain = said.uncertain;
    if (said.last_online_us != 0) state->last_online_us = said.last_online_us;
  }
  if (--ask.owners_awaited > 0) return;
  PresenceAsk known = std::move(ask);
  presence_asks_.erase(it);
  presence_known(std::move(known));
}

void SessionRole::presence_known(PresenceAsk ask) {
  if (ask.kind == PresenceAsk::Kind::kSnapshot || ask.kind == PresenceAsk::Kind::kCorrection)
    return;
  const Session* watcher =
      ask.kind == PresenceAsk::Kind::kWatch ? live_session(ask.actor.from) : nullptr;
  for (PresenceState& state : ask.users) {  // whoever parted meanwhile has been shown so
    if (watcher != nullptr && !hears(*watcher, topic_of(state.user))) state = {.user = state.user};
  }
  context_.reply(ask.actor, ServerEvent(PresenceList{ask.users}));
  // With several owners the first one's word waited for the last one's, and an update may have overtaken it: whoever
  // watches is told once more what differs.
  if (ask.kind != PresenceAsk::Kind::kWatch || context_.shard_count == 1) return;
  ask.kind = PresenceAsk::Kind::kCorrection;
  if (!ask.users.empty()) ask_owners(std::move(ask));
}

}  // namespace uproar::chat
