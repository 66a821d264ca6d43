#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "core/chat/session_role.h"

namespace uproar::chat {
namespace {

void remove_repeats(std::vector<UserId>& users) {
  std::sort(users.begin(), users.end());
  users.erase(std::unique(users.begin(), users.end()), users.end());
}

PresenceState* find_state(std::vector<PresenceState>& sorted, UserId user) {
  const auto at =
      std::lower_bound(sorted.begin(), sorted.end(), user,
                       [](const PresenceState& a, const UserId& b) { return a.user < b; });
  return at != sorted.end() && at->user == user ? &*at : nullptr;
}

}  // namespace

void SessionRole::presence_subscribe(const Actor& actor, PresenceSubscribe command) {
  remove_repeats(command.users);
  if (Session* session = live(actor.from)) {
    std::vector<UserId> fresh;
    for (const UserId user : command.users) {
      if (!hears(*session, topic_of(user))) fresh.push_back(user);
    }
    const std::size_t watched = session->extras ? session->extras->watches.size() : 0;
    if (watched + fresh.size() > context_.limits.presence_watch_max) {
      context_.refuse(actor, ErrorCode::kTooLarge, "user_ids: too many are watched");
      return;
    }
    for (const UserId user : fresh) {
      if (!hear(actor.from, *session, user)) {
        context_.refuse(actor, ErrorCode::kOverloaded);
        return;
      }
      session->make_extras().watches.push_back(session->topics.back());
    }
  }
  // Asked behind the announcements and on the same way: what changes after the answer is heard.
  presence_ask(actor, std::move(command.users), PresenceAsk::Kind::kWatch);
}

void SessionRole::presence_unsubscribe(const Actor& actor, PresenceUnsubscribe command) {
  remove_repeats(command.users);
  if (Session* session = live(actor.from)) {
    for (const UserId user : command.users) {
      (void)unhear(actor.from, *session, topic_of(user), PendingFrames::kDeliver);
    }
  }
  presence_ask(actor, std::move(command.users), PresenceAsk::Kind::kGet);
}

void SessionRole::presence_ask(const Actor& actor, std::vector<UserId> users,
                               PresenceAsk::Kind kind) {
  remove_repeats(users);
  std::vector<PresenceState> states;
  states.reserve(users.size());
  for (const UserId user : users) states.push_back({.user = user});
  if (kind == PresenceAsk::Kind::kSnapshot || states.empty()) {
    ask_owners({.actor = actor, .kind = kind, .owners_awaited = 0, .users = std::move(states)});
    return;
  }
  // When they were last here comes from the store, and first: what the owners say must not wait after it was said.
  context_.directory.find_users(
      std::move(users), [this, actor, kind, states = std::move(states)](
                            Result<std::vector<storage::User>, storage::StoreError> found) mutable {
        if (found.ok()) {  // otherwise the answer goes without times
          for (const storage::User& user : *found) {
            if (PresenceState* state = find_state(states, user.id))
              state->last_online_us = user.last_online_us;
          }
        }
        ask_owners({.actor = actor, .kind = kind, .owners_awaited = 0, .users = std::move(states)});
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
  for (const PresenceState& state : ask.users)
    by_owner[context_.owner(state.user)].push_back(state.user);
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
    if (is_news && live(ask.actor.from) != nullptr) {
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
  context_.reply(ask.actor, ServerEvent(PresenceList{ask.users}));
  // With several owners the first one's word waited for the last one's, and an update may have overtaken it: whoever
  // watches is told once more what differs.
  if (ask.kind != PresenceAsk::Kind::kWatch || context_.shard_count == 1) return;
  ask.kind = PresenceAsk::Kind::kCorrection;
  if (!ask.users.empty()) ask_owners(std::move(ask));
}

}  // namespace uproar::chat
