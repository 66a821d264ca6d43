// Pages of what was missed, up to the point from which live traffic goes on (docs/contract.md, D6), and history.
//
// Why the end is exact. AttachEnd is sent when every row that changed up to published_seq was paged, and in one order
// with what is published from there on. Two things could break it, and both come from the store being ahead of the
// outcomes that have reached us: a page may show changes that are not published yet (it is held until they are, or until the
// store turns out to have lost them), and a
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
      .limit = std::clamp(history.limit, 1U, context_.limits.history_limit_max),
      .bytes_max = context_.limits.page_bytes_max};
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
  const Conversation* before = find(attach.conversation);
  const bool was_loading = before != nullptr && before->is_loading;
  Conversation* conversation =
      attach_count_ < kAttachesMax ? find_or_load(attach.conversation) : nullptr;
  if (conversation == nullptr) {
    context_.counters.overloaded.add();
    context_.send(attach.to.shard,
                  AttachEnd{attach.to, attach.token, attach.cursor, ErrorCode::kOverloaded});
    return;
  }
  if (conversation->state != Conversation::State::kReady) {
    if (was_loading && attach.joined_at) {  // what is being read may be from before they joined
      conversation->look_again = true;
      conversation->look_blocks = true;
    }
    park(*conversation, attach);
    return;
  }
  if (attach.mode == Attach::Mode::kLeaving) {  // no member, and the store is asked anyway
    begin_attach(*conversation, attach);
    return;
  }
  // Whoever says that somebody has joined is ahead of what is known here, of nobody, or of who has left since: the store has
  // told them, and another node, or a commit whose answer was lost, has not told us.
  const MemberState* known = conversation->find_member(attach.user);
  const bool is_news = attach.joined_at.has_value() &&
                       (known == nullptr || known->joined_seq + 1 < *attach.joined_at);
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
  std::erase_if(conversation->parked, [&](const Conversation::Waiting& x) {
    const auto* attach = std::get_if<Attach>(&x.item);
    const bool is_it =
        attach != nullptr && attach->token == cancel.token && attach->to == cancel.to;
    if (is_it) left_parked(x);
    return is_it;
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
    const bool is_another = attach->request.mode == Attach::Mode::kJoined && member != nullptr &&
                            member->joined_seq > attach->request.seq_floor;
    if (member == nullptr || is_another) {
      end_attach(conversation, to, token, attach->bound, ErrorCode::kNotMember);
      return;
    }
    // Whoever left and came back, and asks, begins at their joining: what was said in between is not theirs to hear, and going
    // live below it would show that.
    const bool is_unread = attach->request.mode == Attach::Mode::kUnread;
    if (!is_unread) attach->bound = std::max(attach->bound, member->joined_seq);
    if (attach->step == Step::kHeld) {
      if (conversation.published_seq < attach->held.upto_seq) {
        if (conversation.is_behind() || conversation.is_unsettled()) return;
        // The store has lost it since: a standby was promoted that had less. What earlier pages left out, because this one would
        // show it as it was changed, is unchanged again: they begin anew.
        const Attach request = attach->request;
        *attach = {
            .request = request, .bound = request.cursor, .rounds = attach->rounds, .held = {}};
        continue;
      }
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
        if (attach->request.joined_at) tell_marks_to(conversation, attach->request);
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

namespace {

bool is_of_session(const Attach& attach) {
  return attach.mode == Attach::Mode::kLive || attach.mode == Attach::Mode::kJoined;
}

}  // namespace

// Those who were shown no row, or that of their own joining alone, lack none.
bool ConversationRole::must_ask(const Conversation& conversation, const AttachState& attach,
                                const MemberState& member) const {
  return !attach.knows_stored && is_of_session(attach.request) &&
         attach.request.cursor > member.joined_seq + 1 &&
         (context_.nodes != nullptr || conversation.is_unsettled());
}

void ConversationRole::send_page(Conversation& conversation, AttachState& attach, Seq joined_seq,
                                 storage::Page page) {
  attach.bound = std::max(attach.bound, page.upto_seq);
  if (page.messages.empty()) return;
  if (attach.request.joined_at) note_senders(conversation, page);
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
