// News of memberships: a session is told of each joining once and goes live from it if there is room (session_live.cc), and
// of each leaving as the last of what it hears; of what changed from before it joined it is shown nothing. Joinings and leavings are told by the owner of
// the conversation, by the owner of the user, or by a look at the store, in any order and more than once; what the session
// hears, pulls or is to sync again tells the old news from the new.
#include <algorithm>
#include <map>
#include <utility>

#include "core/chat/session_role.h"

namespace uproar::chat {

void SessionRole::on(SessionNotice said) {
  Session* session = live(said.session);
  if (session == nullptr) return;
  if (SessionStarting* starting = session->starting()) {
    const ConversationId conversation = said.change.conversation.id;
    // From the state kReady on HearingEnd comes.
    const bool will_hear = session->state == Session::State::kStarting &&
                           (!starting->audience_loaded || hears(*session, topic_of(conversation)));
    if (!said.change.added && will_hear) starting->leave(conversation);
    if (said.change.added || context_.nodes != nullptr)
      check_later(said.session, *session, conversation);
    return;
  }
  const Endpoint endpoint = said.session;
  notice(endpoint, *session, std::move(said));
}

// The whole room is looked through for one user: it has just been told of the leaving, which was far more.
void SessionRole::on(const HearingEnd& end) {
  const TopicId topic = topic_of(end.conversation);
  if (!topics_.find(topic)) return;
  for (const Endpoint& endpoint : context_.outbox.subscribers(topic)) {
    Session* session = live(endpoint);
    if (session == nullptr || session->user != end.user) continue;
    const bool was_shown = session->state == Session::State::kReady;  // or will be, when released
    outdate_looks(endpoint, end.conversation);
    if (!unhear(endpoint, *session, topic,
                was_shown ? PendingFrames::kDeliver : PendingFrames::kDrop))
      continue;
    session->note_leaving(end.conversation, end.seq, context_.now.monotonic_us);
    // The audience may be of a later membership, of which this session was not told.
    if (!was_shown) check_later(endpoint, *session, end.conversation);
  }
}

// Whoever joined later is shown fewer rows, and no others: how many are hidden names the page.
void SessionRole::on(const PageByMembership& said) {
  const TopicId topic = topic_of(said.page.conversation);
  std::vector<Seq> seqs;
  for (const Message& row : said.page.messages) seqs.push_back(row.seq);
  std::sort(seqs.begin(), seqs.end());
  std::map<std::size_t, std::vector<Endpoint>> hearers;  // by rows that are hidden
  hearers[0];  // the whole page is published in any case, as all is that nobody hears
  for (const Endpoint& endpoint : context_.outbox.subscribers(topic)) {
    const Session* session = live(endpoint);
    if (session == nullptr) continue;
    const auto joined =
        std::lower_bound(said.joined_seqs.begin(), said.joined_seqs.end(), session->user,
                         [](const auto& x, UserId user) { return x.first < user; });
    const bool is_known = joined != said.joined_seqs.end() && joined->first == session->user;
    const auto shown =
        is_known ? std::upper_bound(seqs.begin(), seqs.end(), joined->second) : seqs.end();
    hearers[static_cast<std::size_t>(shown - seqs.begin())].push_back(endpoint);
  }
  for (const auto& [hidden, endpoints] : hearers) {
    HistoryPage page = said.page;
    if (hidden > 0) {
      const Seq last_hidden = seqs[hidden - 1];
      std::erase_if(page.messages, [&](const Message& row) { return row.seq <= last_hidden; });
    }
    context_.outbox.publish_to(endpoints, topic, ServerEvent(std::move(page)));
  }
}

void SessionRole::notice(const Endpoint& endpoint, Session& session, SessionNotice said) {
  if (said.change.added) {
    joined(endpoint, session, said);
  } else {
    removed(endpoint, session, said.change.conversation.id, said.change.seq);
  }
}

void SessionRole::joined(const Endpoint& endpoint, Session& session, const SessionNotice& said) {
  const ConversationId conversation = said.change.conversation.id;
  const TopicId topic = topic_of(conversation);
  const auto answer = [&](const ServerEvent& event) {
    context_.outbox.reply(endpoint, *said.request, event);
  };
  // It was told already, and its cursor may be further by now.
  const auto answer_that_it_is_in = [&] {
    if (said.request != nullptr) answer(ServerEvent(ConversationInfo{said.change.conversation}));
  };
  // What the session heard or asked for before the news arrived is exact by itself.
  if (hears(session, topic)) {
    answer_that_it_is_in();
    return;
  }
  const bool may_be_over = said.request == nullptr || said.is_over;
  if (may_be_over && session.is_late(conversation, said.change.seq, context_.now.monotonic_us)) {
    if (said.request != nullptr) {
      answer(ServerEvent(Error{.code = ErrorCode::kNotMember,
                               .detail = "you have joined, and your membership has ended since",
                               .retry_after_ms = 0}));
    }
    // Unless a failover has lost the leaving: the store knows.
    look_up(endpoint, conversation);
    return;
  }
  if (session.puller() != 0 && pull_stranger(session.puller(), said.change)) {
    answer_that_it_is_in();
    pump(session.puller());
    return;
  }
  const bool is_asked_for = said.request != nullptr || said.is_told;
  if (!is_asked_for && session.will_be_told_not_live(conversation)) return;
  if (const Seq* cursor = session.silent_at(conversation)) {
    // The joining that they have their cursor of: the sync to come goes on from there.
    if (!is_asked_for && said.change.seq <= *cursor) return;
    session.end_silence(conversation);
  }
  if (session.puller() != 0) {
    if (PullItem* pulled = find_item(*pullers_.at(session.puller()), conversation)) {
      pulled->joined_at = std::max(pulled->joined_at, std::optional(said.change.seq));
      answer_that_it_is_in();
      return;
    }
  }
  if (!is_asked_for && !said.is_admitted && !admit_joining(endpoint, session, conversation)) return;
  if (!pull(endpoint, session,
            {.kind = PullItem::Kind::kJoined,
             .conversation = conversation,
             .cursor = said.change.seq,
             .seq_floor = said.change.seq,
             .joined_at = {}},
            is_asked_for)) {
    not_live(endpoint, session, conversation);
    if (said.request == nullptr) return;
    ConversationInfo info{said.change.conversation};
    info.conversation.is_live = false;
    answer(ServerEvent(std::move(info)));
    return;
  }
  const ServerEvent told(ConversationJoined{said.change.conversation});
  if (said.request != nullptr) {
    answer(told);
  } else if (!said.is_told) {
    context_.outbox.tell(endpoint, told, Delivery::kMessage);
  }
  pump(session.puller());
}

bool SessionRole::pull(const Endpoint& endpoint, Session& session, PullItem item,
                       bool is_asked_for) {
  if (!has_room(session, is_asked_for)) return false;
  const auto index = topics_.acquire(item.conversation);
  if (!index) return false;
  std::uint32_t number = session.puller();
  if (number == 0) number = make_puller(endpoint, session.user, Attach::Mode::kLive);
  if (number == 0 || pullers_.at(number)->queue.size() >= kSyncQueueMax) {
    topics_.release(*index);
    return false;
  }
  SessionExtras& extras = session.make_extras();
  extras.puller = number;
  if (!is_asked_for) extras.joinings.unasked.push_back(*index);
  item.topic = *index;
  pullers_.at(number)->queue.push_back(std::move(item));
  return true;
}

// Had the sync that is under way known of the joining, it would not have refused the conversation.
bool SessionRole::pull_stranger(std::uint32_t number, const MembershipChange& joined) {
  Puller& puller = *pullers_.at(number);
  const auto stranger =
      std::find_if(puller.strangers.begin(), puller.strangers.end(),
                   [&](const auto& refused) { return refused.first == joined.conversation.id; });
  if (stranger == puller.strangers.end() || !has_room(*live(puller.to), true)) return false;
  const auto index = topics_.acquire(stranger->first);
  if (!index) return false;
  puller.queue.push_back({.kind = PullItem::Kind::kSync,
                          .conversation = stranger->first,
                          .cursor = stranger->second,
                          .topic = *index,
                          .joined_at = joined.seq});
  puller.strangers.erase(stranger);
  ++puller.sync_left;
  return true;
}

// What it heard has ended before (HearingEnd). What it is still fetching since it joined ends with the leaving.
void SessionRole::removed(const Endpoint& endpoint, Session& session, ConversationId conversation,
                          Seq seq) {
  outdate_looks(endpoint, conversation);
  const std::uint32_t number = session.puller();
  PullItem* pulled = number == 0 ? nullptr : find_item(*pullers_.at(number), conversation);
  // Of a membership before the one that is pulled: said late, by a node that had to look it up.
  if (pulled != nullptr && seq <= std::max(pulled->seq_floor, pulled->joined_at.value_or(0)))
    return;
  // Joined again on another node meanwhile? What says so may have come before this, and was no news then.
  if (context_.nodes != nullptr) {
    if (pulled != nullptr && pulled->kind != PullItem::Kind::kSync) {
      pulled->looks_after = true;
    } else {
      look_up(endpoint, conversation);
    }
  }
  if (pulled == nullptr || pulled->kind == PullItem::Kind::kLeaving) return;
  if (auto item = take_item(*pullers_.at(number), conversation)) {
    item->joined_at.reset();
    finish_item(number, std::move(*item), 0, ErrorCode::kNotMember);
  }
}

bool SessionRole::silence(const Endpoint& endpoint, Session& session, ConversationId conversation,
                          Seq cursor) {
  auto& silent = session.make_extras().silent;
  silent.insert_or_assign(conversation, cursor);
  if (silent.size() <= kSilentMax) return true;
  fail(endpoint, session, ErrorCode::kOverloaded);
  return false;
}

}  // namespace uproar::chat
