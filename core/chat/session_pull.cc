// Exact resume (docs/contract.md, D6). A conversation that is pulled is unsubscribed first, what was published of it
// meanwhile is forgotten; its owner then pages until nothing is missing and says so (AttachEnd) in one order with its
// publishes; the subscription begins there. The topic's announcement is kept for the whole time, so that the owner's
// publishes reach this shard from the moment of AttachEnd on.
#include <algorithm>
#include <utility>

#include "core/chat/live_event.h"
#include "core/chat/session_role.h"

namespace uproar::chat {

std::uint32_t SessionRole::make_puller(const Endpoint& to, UserId user, Attach::Mode mode) {
  if (pullers_.size() >= kPullersMax) return 0;
  const std::uint32_t number = ++next_number_;
  auto puller = std::make_unique<Puller>();
  puller->to = to;
  puller->user = user;
  puller->mode = mode;
  puller->rows_left = kRequestSyncRowsMax;
  pullers_.emplace(number, std::move(puller));
  return number;
}

// --- pulling -------------------------------------------------------------------------------------------------------

bool SessionRole::egress_is_full(const Puller& puller) const {
  return puller.to.kind == Endpoint::Kind::kSession &&
         context_.outbox.egress_bytes(puller.to) > kSyncEgressBytesMax;
}

bool SessionRole::has_read_enough(const Puller& puller) const {
  return puller.read.wait_us(1, kPullUnitsPerS, kPullUnitsBurst, context_.now.monotonic_us) > 0;
}

void SessionRole::pump(std::uint32_t number) {
  // Answers of a local owner come back before start_item() returns: the loop takes them up, not the stack.
  {
    const auto it = pullers_.find(number);
    if (it == pullers_.end() || it->second->is_pumping) return;
    it->second->is_pumping = true;
  }
  while (true) {
    const auto it = pullers_.find(number);
    if (it == pullers_.end()) return;
    Puller& puller = *it->second;
    const bool is_paused = egress_is_full(puller) || has_read_enough(puller);
    std::uint32_t token = 0;
    ConversationId conversation;
    if (!is_paused) {
      for (Puller::Underway& underway : puller.underway) {
        if (!underway.page_waits) continue;
        underway.page_waits = false;
        token = underway.token;
        conversation = underway.item.conversation;
        break;
      }
    }
    if (token != 0) {
      context_.send(context_.owner(conversation), AttachMore{puller.to, conversation, token});
      continue;
    }
    if (puller.mode == Attach::Mode::kPages && puller.rows_left <= 0) {
      leave_rest(puller);
    }
    if (!is_paused && puller.underway.size() < kSyncWindow && !puller.queue.empty() &&
        !puller.queue.front().awaits_look) {
      PullItem item = std::move(puller.queue.front());
      puller.queue.pop_front();
      start_item(number, puller, std::move(item));
      continue;
    }
    puller.is_pumping = false;
    if (is_paused && !puller.timer_armed) {
      puller.timer_armed = true;
      context_.deadlines.arm(context_.now.monotonic_us + std::int64_t{kSyncRetryMs} * 1000,
                             Deadline::Kind::kResumePull, Uuid{number, 0});
    }
    break;
  }
  finish_sync_if_done(number);
}

void SessionRole::start_item(std::uint32_t number, Puller& puller, PullItem item) {
  const std::uint32_t token = ++next_number_;
  Attach attach{.to = puller.to,
                .user = puller.user,
                .conversation = item.conversation,
                .cursor = item.cursor,
                .token = token,
                .limit = puller.page_limit,
                .mode = puller.mode,
                .joined_at = {},
                .seq_floor = item.seq_floor};
  switch (item.kind) {
    case PullItem::Kind::kSync:
      attach.joined_at = std::exchange(item.joined_at, {});  // said once
      break;
    case PullItem::Kind::kJoined:
      attach.mode = Attach::Mode::kJoined;
      attach.joined_at = item.seq_floor;
      break;
    case PullItem::Kind::kLeaving:
      attach.mode = Attach::Mode::kLeaving;
      break;
  }
  puller_of_token_.emplace(token, number);
  puller.underway.push_back({.item = std::move(item), .token = token, .page_waits = false});
  context_.send(context_.owner(attach.conversation), attach);
}

void SessionRole::on(AttachPage said) {
  const auto found = puller_of_token_.find(said.token);
  if (found == puller_of_token_.end()) return;
  const std::uint32_t number = found->second;
  Puller& puller = *pullers_.at(number);
  const auto underway =
      std::find_if(puller.underway.begin(), puller.underway.end(),
                   [&](const Puller::Underway& x) { return x.token == said.token; });
  UPROAR_CHECK(underway != puller.underway.end(), said.token);
  context_.counters.sync_pages.add();
  const Seq before = underway->item.cursor;
  underway->item.cursor = std::max(underway->item.cursor, said.page.upto_seq);
  underway->item.seq_floor = std::max(underway->item.seq_floor, said.joined_seq);
  const bool has_more = said.page.has_more;
  const auto rows = static_cast<std::int64_t>(said.page.messages.size());
  const bool is_sync = underway->item.kind == PullItem::Kind::kSync;
  if (is_sync) charge_page(puller, said.page);
  if (puller.mode == Attach::Mode::kPages && has_more && puller.rows_left - rows <= 0) {
    // What is under way ends where it stands.
    puller.rows_left = 0;
    puller.has_more = true;
    const ServerEvent page(std::move(said.page));
    context_.outbox.reply(puller.to, puller.sync_id, page);
    while (!puller.underway.empty()) {
      const Puller::Underway ended = std::move(puller.underway.back());
      puller.underway.pop_back();
      puller_of_token_.erase(ended.token);
      puller.cursors.emplace_back(ended.item.conversation, ended.item.cursor);
      context_.send(context_.owner(ended.item.conversation),
                    AttachCancel{puller.to, ended.item.conversation, ended.token});
    }
    leave_rest(puller);
    puller.sync_left = 0;
    pump(number);
    return;
  }
  puller.rows_left -= rows;
  underway->page_waits = has_more && puller.mode != Attach::Mode::kUnread;  // that has one page
  if (is_sync) {
    context_.outbox.reply(puller.to, puller.sync_id, ServerEvent(std::move(said.page)));
  } else {
    tell_missed(puller.to, puller.user, before, std::move(said.page));
  }
  pump(number);
}

// The answer of a request is full: what was not begun keeps the cursor that was asked with.
void SessionRole::leave_rest(Puller& puller) {
  puller.has_more = puller.has_more || !puller.queue.empty();
  for (const PullItem& item : puller.queue)
    puller.cursors.emplace_back(item.conversation, item.cursor);
  puller.sync_left -= puller.queue.size();
  puller.queue.clear();
}

// What was said between joining and hearing: to the hearer it is live, so it comes as the events that the others got. A row that
// was changed meanwhile can only be shown as it stands: from there on it is a page.
// Their own leaving is an event in any case.
void SessionRole::tell_missed(const Endpoint& to, UserId user, Seq cursor, HistoryPage page) {
  const ConversationId conversation = page.conversation;
  std::optional<ServerEvent> leaving;
  Seq left_seq = 0;
  if (!page.messages.empty()) {
    const Message& last = page.messages.back();
    if (last.system == SystemEvent::kMemberRemoved && last.subject == user) {
      leaving = live_event_of(last);
      left_seq = last.seq;
      page.upto_seq = left_seq - 1;
      page.messages.pop_back();
    }
  }
  auto row = page.messages.begin();
  for (; row != page.messages.end() && row->seq == cursor + 1; ++row, ++cursor) {
    const auto event = live_event_of(*row);
    if (!event) break;
    context_.outbox.tell(to, *event, Delivery::kMessage);
  }
  page.messages.erase(page.messages.begin(), row);
  if (!page.messages.empty() || page.upto_seq > cursor)
    context_.outbox.tell(to, ServerEvent(std::move(page)), Delivery::kMessage);
  if (!leaving) return;
  outdate_looks(to, conversation);
  context_.outbox.tell(to, *leaving, Delivery::kMessage);
  if (Session* session = live(to))
    session->note_leaving(conversation, left_seq, context_.now.monotonic_us);
}

void SessionRole::on(const AttachEnd& end) {
  const auto found = puller_of_token_.find(end.token);
  if (found == puller_of_token_.end()) return;
  const std::uint32_t number = found->second;
  Puller& puller = *pullers_.at(number);
  puller_of_token_.erase(found);
  const auto underway =
      std::find_if(puller.underway.begin(), puller.underway.end(),
                   [&](const Puller::Underway& x) { return x.token == end.token; });
  UPROAR_CHECK(underway != puller.underway.end(), end.token);
  PullItem item = std::move(underway->item);
  puller.underway.erase(underway);
  finish_item(number, std::move(item), end.cursor, end.refused);
}

namespace {

// Of what was refused, as they are no member: what is to be fetched all the same.
std::optional<PullItem> rest_of(PullItem item) {
  const bool is_told_again = item.joined_at && *item.joined_at <= item.seq_floor + 1;
  switch (item.kind) {
    case PullItem::Kind::kSync:
      if (!item.joined_at) return {};
      return item;  // it finds by itself from where they may hear
    case PullItem::Kind::kJoined:
      // Two words of one joining may name it or what was before it. Of another one they are told when this has ended.
      if (is_told_again) {
        item.joined_at.reset();
      } else {
        item.kind = PullItem::Kind::kLeaving;
      }
      return item;
    case PullItem::Kind::kLeaving:
      break;
  }
  return {};
}

}  // namespace

// The item is in no list any more.
void SessionRole::finish_item(std::uint32_t number, PullItem item, Seq cursor,
                              std::optional<ErrorCode> refused) {
  Puller& puller = *pullers_.at(number);
  const bool is_of_session = puller.mode == Attach::Mode::kLive;
  const bool is_over = is_of_session && refused == ErrorCode::kNotMember;
  if (auto rest = is_over ? rest_of(item) : std::nullopt) {
    puller.queue.push_back(std::move(*rest));
    pump(number);
    return;
  }
  if (item.kind == PullItem::Kind::kSync) {
    if (is_over) {
      puller.strangers.emplace_back(item.conversation, item.cursor);
    } else if (refused) {
      puller.refused.emplace_back(item.conversation, *refused);
    } else if (puller.mode !=
               Attach::Mode::kUnread) {  // what was unread is not all that was missed
      puller.cursors.emplace_back(item.conversation, cursor);
    }
    --puller.sync_left;
  }
  if (is_of_session) {
    const Endpoint to = puller.to;  // the puller ends with the session
    Session* session = live(to);
    UPROAR_CHECK(session != nullptr && session->puller() == number, number);
    if (!refused) {
      go_live(puller, *session, item, cursor);
    } else if (!stay_silent(to, *session, item, *refused)) {
      return;
    }
  }
  pump(number);
}

void SessionRole::go_live(const Puller& puller, Session& session, const PullItem& item,
                          Seq cursor) {
  if (cursor > item.cursor) {
    // What changed stands in no row that this member sees. The cursor moves all the same, before live traffic.
    const ServerEvent page(HistoryPage{.conversation = item.conversation,
                                       .messages = {},
                                       .upto_seq = cursor,
                                       .has_more = false,
                                       .stale = false});
    if (item.kind == PullItem::Kind::kSync) {
      context_.outbox.reply(puller.to, puller.sync_id, page);
    } else {
      context_.outbox.tell(puller.to, page, Delivery::kMessage);
    }
  }
  session.topics.push_back(item.topic);
  (void)context_.outbox.subscribe(puller.to, topic_of(item.conversation));
}

bool SessionRole::stay_silent(const Endpoint& endpoint, Session& session, const PullItem& item,
                              ErrorCode refused) {
  if (!item.awaits_look) {
    topics_.release(item.topic);
    session.forget_unasked(item.topic);
  }
  const bool is_sync = item.kind == PullItem::Kind::kSync;
  if (refused != ErrorCode::kNotMember) {
    if (is_sync) return silence(endpoint, session, item.conversation, item.cursor);
    // Nobody asked, so nobody can be refused. What others did leaves room for the session's own syncs.
    auto& silent = session.make_extras().silent;
    if (silent.size() < kSilentMax / 2) silent.insert_or_assign(item.conversation, item.cursor);
    not_live(endpoint, session, item.conversation);
    return true;
  }
  // The refusal tells of a leaving above what they have seen; who has seen nothing can be told nothing twice.
  if (is_sync && item.cursor > 0) {
    outdate_looks(endpoint, item.conversation);
    session.note_leaving(item.conversation, item.cursor + 1, context_.now.monotonic_us);
  }
  // Of what is not live by now they are told as of a new joining.
  if (item.looks_after || item.joined_at) look_up(endpoint, item.conversation);
  return true;
}

void SessionRole::finish_sync_if_done(std::uint32_t number) {
  const auto it = pullers_.find(number);
  if (it == pullers_.end()) return;
  Puller& puller = *it->second;
  if (puller.is_syncing && puller.sync_left == 0) {
    puller.is_syncing = false;
    for (const auto& [conversation, cursor] : puller.strangers)
      puller.refused.emplace_back(conversation, ErrorCode::kNotMember);
    puller.strangers.clear();
    SyncDone done{.cursors = std::move(puller.cursors),
                  .refused = std::move(puller.refused),
                  .has_more = puller.has_more};
    puller.cursors.clear();
    puller.refused.clear();
    std::sort(done.cursors.begin(), done.cursors.end());
    std::sort(done.refused.begin(), done.refused.end());
    context_.outbox.reply(puller.to, puller.sync_id, ServerEvent(std::move(done)));
  }
  if (puller.is_syncing || !puller.queue.empty() || !puller.underway.empty()) return;
  tell_units(puller);
  if (puller.mode == Attach::Mode::kLive) {
    if (Session* session = live(puller.to)) session->end_pull();
  } else if (Session* session = live_session(puller.to)) {
    session->end_unread();
  }
  pullers_.erase(it);
}

PullItem* SessionRole::find_item(Puller& puller, ConversationId conversation) {
  for (Puller::Underway& underway : puller.underway)
    if (underway.item.conversation == conversation) return &underway.item;
  for (PullItem& item : puller.queue)
    if (item.conversation == conversation) return &item;
  return nullptr;
}

std::optional<PullItem> SessionRole::take_item(Puller& puller, ConversationId conversation) {
  for (auto it = puller.queue.begin(); it != puller.queue.end(); ++it) {
    if (it->conversation != conversation) continue;
    PullItem item = std::move(*it);
    puller.queue.erase(it);
    return item;
  }
  for (auto it = puller.underway.begin(); it != puller.underway.end(); ++it) {
    if (it->item.conversation != conversation) continue;
    PullItem item = std::move(it->item);
    const std::uint32_t token = it->token;
    puller.underway.erase(it);
    puller_of_token_.erase(token);
    context_.send(context_.owner(conversation), AttachCancel{puller.to, conversation, token});
    return item;
  }
  return std::nullopt;
}

void SessionRole::drop_puller(std::uint32_t number) {
  const auto it = pullers_.find(number);
  UPROAR_CHECK(it != pullers_.end(), number);
  const std::unique_ptr<Puller> puller = std::move(it->second);
  pullers_.erase(it);
  tell_units(*puller);
  const bool is_live = puller->mode == Attach::Mode::kLive;
  for (const PullItem& item : puller->queue) {
    if (is_live && !item.awaits_look) topics_.release(item.topic);
  }
  for (const Puller::Underway& underway : puller->underway) {
    puller_of_token_.erase(underway.token);
    if (is_live) topics_.release(underway.item.topic);
    context_.send(context_.owner(underway.item.conversation),
                  AttachCancel{puller->to, underway.item.conversation, underway.token});
  }
}

void SessionRole::resume_pull(const Uuid& key) {
  const auto number = static_cast<std::uint32_t>(key.high);
  const auto it = pullers_.find(number);
  if (it == pullers_.end()) return;
  it->second->timer_armed = false;
  pump(number);
}

void SessionRole::on_drained(const Endpoint& endpoint) {
  const Session* session = live(endpoint);
  if (session == nullptr) return;
  const std::uint32_t unread = session->unread_puller();  // a pump may end the session
  if (session->puller() != 0) pump(session->puller());
  if (unread != 0 && unread != kUnreadAsked && pullers_.contains(unread)) pump(unread);
}

}  // namespace uproar::chat
