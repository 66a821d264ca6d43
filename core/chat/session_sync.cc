// What begins a pull: sync and unread.fetch. Of what a sync names the session knows what it hears;
// the rest is looked up before anything is asked of its owners.
#include <algorithm>
#include <utility>

#include "core/chat/session_role.h"
#include "proto/base/weakness.h"
#include "storage/limits.h"

namespace uproar::chat {

static_assert(kSyncConversationsMax <= storage::kLookedUpMax, "looked up in one read");

void SessionRole::sync(const Actor& actor, Sync command) {
  Session* session = live(actor.from);
  auto& cursors = command.cursors;
  if (cursors.size() > context_.limits.sync_conversations_max) {
    context_.refuse(actor, ErrorCode::kTooLarge, "cursors: too many");
    return;
  }
  std::stable_sort(cursors.begin(), cursors.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  cursors.erase(std::unique(cursors.begin(), cursors.end(),
                            [](const auto& a, const auto& b) { return a.first == b.first; }),
                cursors.end());
  std::uint32_t number = 0;
  bool was_pulling = false;
  if (session != nullptr) {
    number = session->puller();
    was_pulling = number != 0;
    if (number != 0 && pullers_.at(number)->is_syncing) {
      context_.refuse(actor, ErrorCode::kConflict, "a sync is under way");
      return;
    }
  }
  if (number == 0) {
    number = make_puller(actor.from, actor.user,
                         session != nullptr ? Attach::Mode::kLive : Attach::Mode::kPages);
  }
  if (number == 0) {
    context_.refuse(actor, ErrorCode::kOverloaded);
    return;
  }
  if (session != nullptr) session->make_extras().puller = number;
  context_.counters.syncs.add();
  Puller& puller = *pullers_.at(number);
  puller.is_syncing = true;
  puller.sync_id = actor.request;
  puller.sync_left = cursors.size();
  for (const auto& [conversation, cursor] : cursors) {
    PullItem item{.kind = PullItem::Kind::kSync,
                  .conversation = conversation,
                  .cursor = cursor,
                  .joined_at = {}};
    item.awaits_look = !weakened(Weakness::kUnknownIds) &&
                       (session == nullptr || !hears(*session, topic_of(conversation))) &&
                       !(was_pulling && find_item(puller, conversation) != nullptr);
    if (session != nullptr) session->end_silence(conversation);
    if (session != nullptr && item.awaits_look)
      context_.outbox.forget_held(actor.from, topic_of(conversation));
    if (session != nullptr && !item.awaits_look) {
      // The announcement must not lapse between the old subscription and the new one.
      const auto index = is_provided_for(*session, conversation) || has_room(*session, true)
                             ? topics_.acquire(conversation)
                             : std::nullopt;
      if (!index) {
        puller.refused.emplace_back(conversation, ErrorCode::kOverloaded);
        --puller.sync_left;
        continue;
      }
      item.topic = *index;
      const TopicId topic = topic_of(conversation);
      // Also when they have left it while they were on hold: what was held begins above their
      // cursor, and they are told by the refusal.
      if (!unhear(actor.from, *session, topic, PendingFrames::kDrop))
        context_.outbox.forget_held(actor.from, topic);
      if (auto before = was_pulling ? take_item(puller, conversation) : std::nullopt) {
        if (!before->awaits_look) {
          topics_.release(before->topic);
          session->forget_unasked(before->topic);
        }
        item.joined_at = before->joined_at;
        if (before->kind == PullItem::Kind::kJoined)
          item.joined_at = std::max(item.joined_at, std::optional(before->seq_floor));
        item.looks_after = before->looks_after;
        // A cursor above what was paged was sent before conversation.joined took it back.
        item.cursor = std::min(item.cursor, before->cursor);
      }
    }
    puller.queue.push_back(std::move(item));
  }
  const bool are_looked_up = look_for_memberships(number);
  // What is not named goes on live; what is named is silent until its pull ends. May end the
  // session.
  if (session != nullptr) release_hold(actor.from, *session);
  if (are_looked_up) {
    pump(number);
  } else {
    end_refused_looks(number);
  }
}

// A client may name conversations that it has left, that it never was in, or that are not there: to
// have the owner of each read it from the store is work without end for who names a thousand. So
// what the session does not hear is looked up in one read first, and nothing is announced of it
// before. A joining may be told meanwhile (PullItem::joined_at): then its owner is asked, which
// knows. False: there is nothing to wait for.
bool SessionRole::look_for_memberships(std::uint32_t number) {
  Puller& puller = *pullers_.at(number);
  const auto unknown =
      std::stable_partition(puller.queue.begin(), puller.queue.end(),
                            [](const PullItem& item) { return !item.awaits_look; });
  std::vector<ConversationId> ids;
  for (auto item = unknown; item != puller.queue.end(); ++item) ids.push_back(item->conversation);
  std::sort(ids.begin(), ids.end());
  if (ids.size() <= kSyncWindow) {  // the owners may as well be asked at once
    settle_looks(puller, std::move(ids));
    return false;
  }
  context_.counters.sync_lookups.add();
  puller.look = ++next_number_;
  context_.directory.find_memberships(
      puller.user, std::move(ids),
      [this, number,
       look = puller.look](Result<std::vector<ConversationId>, storage::StoreError> found) {
        const auto it = pullers_.find(number);
        if (it == pullers_.end() || it->second->look != look) return;
        settle_looks(*it->second, std::move(found));
        end_refused_looks(number);
      });
  return true;
}

// What is refused stands first from here on, and its look is not over until it is taken out.
void SessionRole::settle_looks(Puller& puller,
                               Result<std::vector<ConversationId>, storage::StoreError> found) {
  // While the store is away owners may know, and refuse at once what they do not.
  const bool is_away = !found.ok() && found.error() == storage::StoreError::kUnavailable;
  const bool is_live = puller.mode == Attach::Mode::kLive;
  const Session* session = is_live ? live(puller.to) : nullptr;
  std::size_t room = session != nullptr ? topics_left(*session) : 0;
  for (PullItem& item : puller.queue) {
    if (!item.awaits_look) continue;
    const bool is_known =
        is_away || item.joined_at ||
        (found.ok() && std::binary_search(found->begin(), found->end(), item.conversation));
    if (!is_known) {
      item.look_refused = found.ok() ? ErrorCode::kNotMember : error_of(found.error());
      continue;
    }
    if (is_live) {
      item.look_refused = ErrorCode::kOverloaded;
      const auto index = room > 0 ? topics_.acquire(item.conversation) : std::nullopt;
      if (!index) continue;
      --room;
      item.topic = *index;
    }
    item.awaits_look = false;
  }
  std::stable_partition(puller.queue.begin(), puller.queue.end(),
                        [](const PullItem& item) { return item.awaits_look; });
}

void SessionRole::end_refused_looks(std::uint32_t number) {
  while (true) {
    const auto it = pullers_.find(number);  // to end one may end the session
    if (it == pullers_.end()) return;
    auto& queue = it->second->queue;
    if (queue.empty() || !queue.front().awaits_look) break;
    PullItem item = std::move(queue.front());
    queue.pop_front();
    const ErrorCode refused = item.look_refused;
    finish_item(number, std::move(item), 0, refused);
  }
  pump(number);
}

Session* SessionRole::live_session(const Endpoint& endpoint) {
  return endpoint.kind == Endpoint::Kind::kSession ? live(endpoint) : nullptr;
}

void SessionRole::unread(const Actor& actor, const UnreadFetch& command) {
  // One at a time: who does not read must not pile up pullers that others need.
  if (Session* session = live_session(actor.from)) {
    if (session->unread_puller() != 0) {
      context_.refuse(actor, ErrorCode::kConflict, "an unread.fetch is under way");
      return;
    }
    session->make_extras().unread_puller = kUnreadAsked;
  }
  context_.directory.unread_conversations(
      actor.user, kUnreadConversationsMax,
      [this, actor,
       limit = command.limit](Result<std::vector<ConversationView>, storage::StoreError> listed) {
        unread_listed(actor, limit, std::move(listed));
      });
}

void SessionRole::unread_listed(const Actor& actor, std::uint32_t limit,
                                Result<std::vector<ConversationView>, storage::StoreError> listed) {
  Session* session = live_session(actor.from);
  if (session == nullptr && actor.from.kind == Endpoint::Kind::kSession) return;
  if (session != nullptr) session->end_unread();
  if (!listed.ok()) {
    context_.refuse(actor, error_of(listed.error()));
    return;
  }
  const std::uint32_t number = make_puller(actor.from, actor.user, Attach::Mode::kUnread);
  if (number == 0) {
    context_.refuse(actor, ErrorCode::kOverloaded);
    return;
  }
  if (session != nullptr) session->make_extras().unread_puller = number;
  Puller& puller = *pullers_.at(number);
  puller.is_syncing = true;
  puller.sync_id = actor.request;
  puller.sync_left = listed->size();
  puller.page_limit = std::clamp(limit, 1U, context_.limits.history_limit_max);
  for (const ConversationView& view : *listed) {
    puller.queue.push_back({.kind = PullItem::Kind::kSync,
                            .conversation = view.id,
                            .cursor = view.read_seq,
                            .joined_at = {}});
  }
  pump(number);
}

}  // namespace uproar::chat
