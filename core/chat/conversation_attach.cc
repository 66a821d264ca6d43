// Pages of what was missed, up to the point from which live traffic goes on (docs/contract.md, D6), and history.
//
// Why the end is exact. AttachEnd is sent when every row that changed up to published_seq was paged, and in one order
// with what is published from there on. Two things could break it, and both come from the store being ahead of the
// outcomes that have reached us: a page may show changes that are not published yet (it is held until they are), and a
// page that was cut may leave out an old row because its newest change is behind the cut and not published yet (after
// a cut page the store is asked again, until one is whole).
//
// Whoever broke off after a cut page comes back with its end for a cursor. Where less is published by then than that page's
// reader knew, the change of a row that it left out would be an event to them, of a row that they were never shown. So
// nobody goes live below what is committed when they come. That may be more than is published here while a commit has no
// outcome, and at any time with several nodes. Then the store says how much it is: by the page that they read there, or
// by one more question, which all who wait for it share.
#include <algorithm>
#include <utility>

#include "core/chat/conversation_role.h"
#include "storage/limits.h"

namespace uproar::chat {

using storage::PageQuery;

// --- history -------------------------------------------------------------------------------------------------------

void ConversationRole::history(Conversation& conversation, const Actor& actor,
                               const History& history) {
  const MemberState* member = permit(conversation, actor, Act::kReact);
  if (member == nullptr) return;
  if (history.before_seq && history.after_seq) {
    context_.refuse(actor, ErrorCode::kInvalidField, "before_seq or after_seq, not both");
    return;
  }
  if (history_reads_ >= kReadsInFlightMax) {
    context_.refuse(actor, ErrorCode::kOverloaded);
    return;
  }
  const PageQuery query{
      .conversation = conversation.id,
      .order = history.after_seq ? PageQuery::Order::kAfter : PageQuery::Order::kBefore,
      .bound = history.after_seq ? *history.after_seq : history.before_seq.value_or(0),
      .seq_floor = member->joined_seq,
      .limit = std::clamp(history.limit, 1U, context_.limits.history_limit_max)};
  ++history_reads_;
  context_.history.read_page(query,
                             [this, actor, query](Result<storage::Page, storage::StoreError> page) {
                               history_read(actor, query, std::move(page));
                             });
}

void ConversationRole::history_read(const Actor& actor, const PageQuery& query,
                                    Result<storage::Page, storage::StoreError> read) {
  --history_reads_;
  bool is_stale = false;
  storage::Page page;
  if (read.ok()) {
    page = std::move(*read);
  } else {
    Conversation* conversation = find(query.conversation);
    if (conversation == nullptr || conversation->recent.empty()) {
      context_.refuse(actor, error_of(read.error()));
      return;
    }
    page = conversation->recent.page(query);
    is_stale = true;
    context_.counters.stale_pages.add();
  }
  cut_page(page, query.order, context_.limits.page_bytes_max);
  context_.reply(actor, ServerEvent(HistoryPage{.conversation = query.conversation,
                                                .messages = std::move(page.messages),
                                                .upto_seq = 0,
                                                .has_more = page.has_more,
                                                .stale = is_stale}));
}

// --- attaches ------------------------------------------------------------------------------------------------------

void ConversationRole::on(const Attach& attach) {
  Conversation* conversation =
      attach_count_ < kAttachesMax ? find_or_load(attach.conversation) : nullptr;
  if (conversation == nullptr) {
    context_.counters.overloaded.add();
    context_.send(attach.to.shard,
                  AttachEnd{attach.to, attach.token, attach.cursor, ErrorCode::kOverloaded});
    return;
  }
  if (conversation->state != Conversation::State::kReady) {
    park(*conversation, attach);
    return;
  }
  if (attach.mode == Attach::Mode::kLeaving) {  // no member, and the store is asked anyway
    begin_attach(*conversation, attach);
    return;
  }
  // Whoever says that somebody has joined is ahead of what is known here: of nobody, or of who has left since.
  const MemberState* known = conversation->find_member(attach.user);
  const bool is_news = context_.nodes != nullptr && attach.marks_after.has_value() &&
                       (known == nullptr || known->joined_seq + 1 < *attach.marks_after);
  if (is_news || is_stranger_in_doubt(*conversation, attach.user)) {
    park_for_look(*conversation, attach);
    return;
  }
  begin_attach(*conversation, attach);
}

void ConversationRole::begin_attach(Conversation& conversation, const Attach& attach) {
  ++attach_count_;
  conversation.attaches.push_back({.request = attach, .bound = attach.cursor, .held = {}});
  advance_attach(conversation, attach.to, attach.token);
}

AttachState* ConversationRole::find_attach(Conversation& conversation, const Endpoint& to,
                                           std::uint32_t token) {
  for (AttachState& attach : conversation.attaches) {
    if (attach.request.token == token && attach.request.to == to) return &attach;
  }
  return nullptr;
}

void ConversationRole::end_attach(Conversation& conversation, const Endpoint& to,
                                  std::uint32_t token, Seq cursor,
                                  std::optional<ErrorCode> refused) {
  std::erase_if(conversation.attaches, [&](const AttachState& x) {
    return x.request.token == token && x.request.to == to;
  });
  --attach_count_;
  if (refused == ErrorCode::kOverloaded) context_.counters.overloaded.add();
  context_.send(to.shard, AttachEnd{to, token, cursor, refused});
}

// Marks that moved while the news of the joining was under way were announced to those who were in; their rows do not
// say so in the form of events. What is told here is how things stand, at or above what was announced.
void ConversationRole::tell_marks(const Conversation& conversation, const Attach& joining) {
  if (conversation.members.size() > kReceiptFanoutMembersMax) return;
  const auto tell = [&](const MemberState& member, Seq delivered, Seq read) {
    context_.outbox.reply(joining.to, {},
                          ServerEvent(ReceiptUpdate{.conversation = conversation.id,
                                                    .user = member.user,
                                                    .delivered_seq = delivered,
                                                    .read_seq = read,
                                                    .at_us = context_.now.wall_us}));
  };
  for (const MemberState& member : conversation.members) {
    if (member.read_seq > *joining.marks_after) tell(member, 0, member.read_seq);
    // A read mark is a delivered mark as well.
    if (member.delivered_seq > std::max(member.read_seq, *joining.marks_after))
      tell(member, member.delivered_seq, 0);
  }
}

void ConversationRole::on(const AttachMore& more) {
  Conversation* conversation = find(more.conversation);
  if (conversation == nullptr) return;
  AttachState* attach = find_attach(*conversation, more.to, more.token);
  if (attach == nullptr || attach->step != AttachState::Step::kMore) return;
  attach->step = AttachState::Step::kNext;
  advance_attach(*conversation, more.to, more.token);
}

void ConversationRole::on(const AttachCancel& cancel) {
  Conversation* conversation = find(cancel.conversation);
  if (conversation == nullptr) return;
  attach_count_ -= std::erase_if(conversation->attaches, [&](const AttachState& x) {
    return x.request.token == cancel.token && x.request.to == cancel.to;
  });
  parked_count_ -= std::erase_if(conversation->parked, [&](const Conversation::Parked& x) {
    const auto* attach = std::get_if<Attach>(&x);
    return attach != nullptr && attach->token == cancel.token && attach->to == cancel.to;
  });
}

void ConversationRole::advance_attaches(Conversation& conversation) {
  if (conversation.attaches.empty()) return;
  std::vector<std::pair<Endpoint, std::uint32_t>> waiting;
  for (const AttachState& attach : conversation.attaches) {
    if (attach.step == AttachState::Step::kNext || attach.step == AttachState::Step::kHeld) {
      waiting.emplace_back(attach.request.to, attach.request.token);
    }
  }
  for (const auto& [to, token] : waiting) advance_attach(conversation, to, token);
}

void ConversationRole::advance_attach(Conversation& conversation, const Endpoint& to,
                                      std::uint32_t token) {
  using Step = AttachState::Step;
  if (conversation.state != Conversation::State::kReady) return;
  while (true) {
    // Looked up anew each time: sending to a session of this shard may come back here.
    AttachState* attach = find_attach(conversation, to, token);
    if (attach == nullptr || attach->step == Step::kReading || attach->step == Step::kWarming ||
        attach->step == Step::kMore || attach->step == Step::kAsking)
      return;
    if (attach->request.mode == Attach::Mode::kLeaving) {
      read_for_attach(conversation, *attach);
      return;
    }
    const MemberState* member = conversation.find_member(attach->request.user);
    if (member == nullptr) {
      end_attach(conversation, to, token, attach->bound, ErrorCode::kNotMember);
      return;
    }
    // Whoever left and came back begins at their joining: what was said in between is not theirs to hear, and going live
    // below it would show that.
    const bool is_unread = attach->request.mode == Attach::Mode::kUnread;
    if (!is_unread) attach->bound = std::max(attach->bound, member->joined_seq);
    if (attach->step == Step::kHeld) {
      if (conversation.published_seq < attach->held.upto_seq) return;
      storage::Page page = std::exchange(attach->held, {});
      // They may have come back since it was read.
      std::erase_if(page.messages,
                    [&](const Message& row) { return row.seq <= member->joined_seq; });
      attach->step = Step::kNext;
      send_page(conversation, *attach, member->joined_seq, std::move(page));
      continue;
    }
    if (!is_unread && attach->bound > conversation.published_seq) {
      // History shows what is committed before it is published, so a cursor may be ahead for a moment; for longer it is
      // of another life of the store.
      if (conversation.is_unsettled()) return;
      if (context_.nodes != nullptr) {  // or another node has published it, and it is on its way
        if (attach->claimed < attach->bound) {
          attach->claimed = attach->bound;
          claim(conversation, attach->bound);
        }
        if (conversation.is_behind()) return;
      }
      attach->bound = conversation.published_seq;
    }
    if (!is_unread && !attach->store_only) {
      const bool is_in_memory = attach->bound >= conversation.recent.complete_after();
      if (is_in_memory && must_ask(conversation, *attach, *member)) {
        ask_last_seq(conversation, *attach);
        return;
      }
      if (attach->bound == conversation.published_seq) {
        if (attach->stored_seq > attach->bound &&
            (conversation.is_behind() || conversation.is_unsettled()))
          return;
        if (attach->request.marks_after) tell_marks(conversation, attach->request);
        end_attach(conversation, to, token, attach->bound, {});
        return;
      }
      if (is_in_memory) {
        storage::Page page = conversation.recent.changed_after(attach->bound, member->joined_seq,
                                                               context_.limits.page_rows_max,
                                                               conversation.published_seq);
        cut_page(page, PageQuery::Order::kChangedAfter, context_.limits.page_bytes_max);
        send_page(conversation, *attach, member->joined_seq, std::move(page));
        continue;
      }
    }
    if (++attach->rounds > kAttachRoundsMax && attach->bound >= conversation.published_seq) {
      end_attach(conversation, to, token, attach->bound, ErrorCode::kOverloaded);
      return;
    }
    if (!is_unread && !attach->store_only && can_warm(conversation, *attach)) {
      warm(conversation, *attach);
    } else {
      read_for_attach(conversation, *attach);
    }
    return;
  }
}

// Those who were shown no row, or that of their own joining alone, lack none.
bool ConversationRole::must_ask(const Conversation& conversation, const AttachState& attach,
                                const MemberState& member) const {
  return !attach.knows_stored && attach.request.mode == Attach::Mode::kLive &&
         attach.request.cursor > member.joined_seq + 1 &&
         (context_.nodes != nullptr || conversation.is_unsettled());
}

static_assert(kAttachesMax <= storage::kFindLastSeqsMax, "each may have a conversation of its own");

void ConversationRole::ask_last_seq(Conversation& conversation, AttachState& attach) {
  attach.step = AttachState::Step::kAsking;
  if (conversation.question == 0) ask_last_seq_for_all(conversation);
}

void ConversationRole::ask_last_seq_for_all(Conversation& conversation) {
  conversation.question = ++questions_;
  for (AttachState& attach : conversation.attaches)
    if (attach.step == AttachState::Step::kAsking) attach.knows_stored = true;
  context_.history.read_last_seq(
      conversation.id,
      [this, id = conversation.id, number = conversation.question](
          Result<Seq, storage::StoreError> read) { last_seq_read(id, number, read); });
}

void ConversationRole::last_seq_read(ConversationId id, std::uint64_t number,
                                     const Result<Seq, storage::StoreError>& read) {
  Conversation* found = find(id);
  if (found == nullptr || found->question != number) return;
  Conversation& conversation = *found;
  conversation.question = 0;
  std::vector<std::pair<Endpoint, std::uint32_t>> refused;
  bool are_more = false;  // who came after it was asked
  for (AttachState& attach : conversation.attaches) {
    if (attach.step != AttachState::Step::kAsking) continue;
    are_more = are_more || !attach.knows_stored;
    if (!attach.knows_stored) continue;
    attach.step = AttachState::Step::kNext;
    if (read.ok()) {
      attach.stored_seq = *read;
    } else {
      refused.emplace_back(attach.request.to, attach.request.token);
    }
  }
  if (are_more) ask_last_seq_for_all(conversation);
  if (read.ok()) {
    found_committed(conversation, *read);
    advance_attaches(conversation);
  } else {
    refuse_attaches(conversation, refused, error_of(read.error()));
  }
}

void ConversationRole::refuse_attaches(
    Conversation& conversation, const std::vector<std::pair<Endpoint, std::uint32_t>>& refused,
    ErrorCode code) {
  for (const auto& [to, token] : refused) {
    if (const AttachState* attach = find_attach(conversation, to, token))
      end_attach(conversation, to, token, attach->bound, code);
  }
}

// The store is away, and what it has is not published here: nobody waits for its return, who asked can ask again.
void ConversationRole::refuse_waiting(Conversation& conversation) {
  std::vector<std::pair<Endpoint, std::uint32_t>> refused;
  for (const AttachState& attach : conversation.attaches) {
    if (attach.step == AttachState::Step::kNext && attach.stored_seq > conversation.published_seq)
      refused.emplace_back(attach.request.to, attach.request.token);
  }
  refuse_attaches(conversation, refused, ErrorCode::kUnavailable);
}

// The store has so much; outcomes that are due, or a repair, publish it.
void ConversationRole::found_committed(Conversation& conversation, Seq seq) {
  if (context_.nodes != nullptr) {
    claim(conversation, seq);
  } else if (seq > conversation.last_seq && conversation.pending == 0) {
    conversation.last_seq = seq;  // no outcome would tell: a hole
    repair_if_behind(conversation);
  }
}

// After a start, a repair or a death elsewhere many come with cursors that the newest rows would serve, and these are not
// in memory: they are read once for all of them.
bool ConversationRole::can_warm(const Conversation& conversation, const AttachState& attach) const {
  if (attach.was_warmed || context_.limits.recent_rows_max == 0) return false;
  return attach.bound >= warm_bound(conversation) &&
         (conversation.warming != 0 || attach_reads_ < kAttachReadsInFlightMax);
}

// As many versions as rows are kept.
Seq ConversationRole::warm_bound(const Conversation& conversation) const {
  const Seq complete_after = conversation.recent.complete_after();
  return complete_after - std::min<Seq>(complete_after, context_.limits.recent_rows_max);
}

namespace {

// No row of those up to `upto` has changed since: it would be missing, and its change is perhaps not told so far.
bool is_as_it_was(const storage::Page& page, Seq upto) {
  return !page.has_more &&
         std::none_of(page.messages.begin(), page.messages.end(),
                      [&](const auto& row) { return row.version > upto && row.seq <= upto; });
}

}  // namespace

void ConversationRole::warm(Conversation& conversation, AttachState& attach) {
  attach.step = AttachState::Step::kWarming;
  if (conversation.warming != 0) return;
  conversation.warming = ++warmings_;
  ++attach_reads_;
  context_.counters.warm_reads.add();
  const storage::PageQuery query{.conversation = conversation.id,
                                 .order = PageQuery::Order::kChangedAfter,
                                 .bound = warm_bound(conversation),
                                 .seq_floor = 0,
                                 // and as many that came since the newest of them
                                 .limit = 2 * context_.limits.recent_rows_max};
  context_.history.read_page(
      query, [this, id = conversation.id, number = conversation.warming, from = query.bound,
              upto = conversation.recent.complete_after(), changes = conversation.recent.changes()](
                 Result<storage::Page, storage::StoreError> page) {
        --attach_reads_;
        start_waiting_reads();
        Conversation* found = find(id);
        if (found == nullptr || found->warming != number) return;
        found->warming = 0;
        RecentRows& recent = found->recent;
        const bool is_good = page.ok() && recent.complete_after() == upto &&
                             recent.changes() == changes && is_as_it_was(*page, upto);
        if (is_good) {
          const std::size_t bytes_before = recent.bytes();
          recent.warm(from, std::move(page->messages));
          account_recent(*found, bytes_before);
        }
        for (AttachState& waiting : found->attaches) {
          if (waiting.step != AttachState::Step::kWarming) continue;
          waiting.step = AttachState::Step::kNext;
          waiting.was_warmed = true;
        }
        advance_attaches(*found);
      });
}

void ConversationRole::read_for_attach(Conversation& conversation, AttachState& attach) {
  const Attach& request = attach.request;
  attach.step = AttachState::Step::kReading;
  if (attach_reads_ >= kAttachReadsInFlightMax) {
    if (waiting_reads_.size() >= 2 * kAttachesMax) {  // cancelled ones are among them
      end_attach(conversation, request.to, request.token, attach.bound, ErrorCode::kOverloaded);
      return;
    }
    waiting_reads_.push_back({conversation.id, request.to, request.token});
    return;
  }
  ++attach_reads_;
  const MemberState* member = conversation.find_member(request.user);
  const Seq joined_seq = member == nullptr ? conversation.last_seq : member->joined_seq;
  PageQuery query{.conversation = conversation.id,
                  .order = PageQuery::Order::kChangedAfter,
                  .bound = attach.bound,
                  .seq_floor = joined_seq,
                  .limit = context_.limits.page_rows_max};
  if (request.mode == Attach::Mode::kUnread) {
    query.order = PageQuery::Order::kBefore;
    query.bound = 0;
    query.seq_floor = std::max(joined_seq, member == nullptr ? Seq{0} : member->read_seq);
    query.limit = request.limit;
  } else if (request.mode == Attach::Mode::kLeaving) {
    query.seq_floor = request.seq_floor;
  }
  context_.history.read_page(
      query, [this, id = conversation.id, to = request.to,
              token = request.token](Result<storage::Page, storage::StoreError> page) {
        attach_read(id, to, token, std::move(page));
      });
}

void ConversationRole::start_waiting_reads() {
  while (attach_reads_ < kAttachReadsInFlightMax && !waiting_reads_.empty()) {
    const WaitingRead waiting = waiting_reads_.front();
    waiting_reads_.pop_front();
    Conversation* conversation = find(waiting.conversation);
    if (conversation == nullptr) continue;
    AttachState* attach = find_attach(*conversation, waiting.to, waiting.token);
    if (attach != nullptr) read_for_attach(*conversation, *attach);
  }
}

void ConversationRole::attach_read(ConversationId id, const Endpoint& to, std::uint32_t token,
                                   Result<storage::Page, storage::StoreError> read) {
  --attach_reads_;
  start_waiting_reads();
  Conversation* found = find(id);
  if (found == nullptr) return;
  Conversation& conversation = *found;
  AttachState* attach = find_attach(conversation, to, token);
  if (attach == nullptr) return;
  if (!read.ok()) {
    end_attach(conversation, to, token, attach->bound, error_of(read.error()));
    return;
  }
  storage::Page& page = *read;
  if (attach->request.mode == Attach::Mode::kUnread) {
    cut_page(page, PageQuery::Order::kBefore, context_.limits.page_bytes_max);
    const Seq cursor = conversation.published_seq;
    if (!page.messages.empty()) {
      context_.send(to.shard, AttachPage{to,
                                         token,
                                         {.conversation = id,
                                          .messages = std::move(page.messages),
                                          .upto_seq = 0,
                                          .has_more = page.has_more,
                                          .stale = false}});
    }
    end_attach(conversation, to, token, cursor, {});
    return;
  }
  cut_page(page, PageQuery::Order::kChangedAfter, context_.limits.page_bytes_max);
  if (attach->request.mode == Attach::Mode::kLeaving) {
    send_leaving_page(conversation, *attach, std::move(page));
    return;
  }
  attach->store_only = page.has_more;
  // A whole page goes as far as the store does; after another one more is read.
  attach->knows_stored = true;
  attach->held = std::move(page);
  attach->step = AttachState::Step::kHeld;
  found_committed(conversation, attach->held.upto_seq);
  advance_attach(conversation, to, token);
}

// Need not be published here so far: nobody goes live on it, and nothing above the leaving is shown. Rows of the system never
// change, so in the order of versions all that is before the leaving is of this membership.
void ConversationRole::send_leaving_page(Conversation& conversation, AttachState& attach,
                                         storage::Page page) {
  const Endpoint to = attach.request.to;
  const std::uint32_t token = attach.request.token;
  auto& rows = page.messages;
  const auto leaving = std::find_if(rows.begin(), rows.end(), [&](const Message& row) {
    return row.system == SystemEvent::kMemberRemoved && row.subject == attach.request.user;
  });
  const bool has_left = leaving != rows.end();
  if (has_left) {
    page.upto_seq = leaving->seq;
    rows.erase(leaving + 1, rows.end());
  }
  const bool has_more = page.has_more && !has_left;
  attach.bound = std::max(attach.bound, page.upto_seq);
  const Seq bound = attach.bound;
  if (has_more) attach.step = AttachState::Step::kMore;
  if (has_left || has_more) {
    context_.send(to.shard, AttachPage{to,
                                       token,
                                       {.conversation = conversation.id,
                                        .messages = std::move(rows),
                                        .upto_seq = page.upto_seq,
                                        .has_more = has_more,
                                        .stale = false}});
  }
  if (!has_more) end_attach(conversation, to, token, bound, ErrorCode::kNotMember);
}

void ConversationRole::send_page(Conversation& conversation, AttachState& attach, Seq joined_seq,
                                 storage::Page page) {
  attach.bound = std::max(attach.bound, page.upto_seq);
  if (page.messages.empty()) return;
  const bool has_more = attach.store_only || attach.bound < conversation.published_seq;
  if (has_more) attach.step = AttachState::Step::kMore;
  context_.send(attach.request.to.shard, AttachPage{attach.request.to,
                                                    attach.request.token,
                                                    {.conversation = conversation.id,
                                                     .messages = std::move(page.messages),
                                                     .upto_seq = page.upto_seq,
                                                     .has_more = has_more,
                                                     .stale = false},
                                                    joined_seq});
}

}  // namespace uproar::chat
