// What those who attach ask the store: how far the conversation is, its newest rows for all who come back together, and
// pages for one. Questions and rows are shared where many wait for the same, so a storm costs reads by conversation.
#include <algorithm>
#include <utility>

#include "core/chat/conversation_role.h"
#include "storage/limits.h"

namespace uproar::chat {

using storage::PageQuery;

// --- how far it is ---------------------------------------------------------------------------------------------------

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

// The store is away, and what it has is not published here: who asked need not wait for its return, they can ask again. Who
// was told that they have joined asked for nothing, and would have to now (SessionRole::stay_silent), so they wait: what is
// missing comes with the repair.
void ConversationRole::refuse_waiting(Conversation& conversation) {
  using Step = AttachState::Step;
  std::vector<std::pair<Endpoint, std::uint32_t>> refused;
  for (const AttachState& attach : conversation.attaches) {
    const bool was_asked = attach.request.mode != Attach::Mode::kJoined;
    const Seq awaited = std::max(attach.bound, attach.stored_seq);
    const bool waits = attach.step == Step::kHeld ||
                       (attach.step == Step::kNext && awaited > conversation.published_seq);
    if (was_asked && waits) refused.emplace_back(attach.request.to, attach.request.token);
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

// --- the newest rows -------------------------------------------------------------------------------------------------

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

// --- pages -----------------------------------------------------------------------------------------------------------

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
                  .limit = context_.limits.page_rows_max,
                  .bytes_max = context_.limits.page_bytes_max};
  if (request.mode == Attach::Mode::kUnread) {
    query.order = PageQuery::Order::kBefore;
    query.bound = 0;
    // The store has said how far they have read; marks of other nodes are not all told.
    query.seq_floor =
        std::max({joined_seq, request.cursor, member == nullptr ? Seq{0} : member->read_seq});
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

}  // namespace uproar::chat
