#include "tests/sim/oracle.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>

namespace uproar::chat::testing {

Seq seq_of(const ServerEvent& event) {
  return std::visit(
      [](const auto& x) -> Seq {
        if constexpr (std::is_same_v<std::decay_t<decltype(x)>, MessageNew>) {
          return x.message.seq;
        } else if constexpr (std::is_same_v<std::decay_t<decltype(x)>, MessageSent>) {
          return x.seq;
        } else if constexpr (requires {
                               x.seq;
                               x.conversation;
                             }) {
          return x.seq;
        } else {
          return 0;
        }
      },
      event);
}

bool is_logging() {
  static const bool is_on = std::getenv("UPROAR_SIM_LOG") != nullptr;
  return is_on;
}

void Oracle::connects(Client& client, bool resumes,
                      const std::vector<ConversationId>& conversations) {
  if (!resumes) client.known.clear();  // starts anew: it knows nothing
  for (auto& [conversation, known] : client.known) known.live_since = kNotLive;
  client.is_ready = false;
  client.is_syncing = false;
  client.left_while_syncing.clear();
  client.told_left.clear();
  client.left_at.clear();
  client.refused.clear();
  client.resyncs = false;
  client.must_reconnect = false;
  client.presence.clear();
  client.published_at_ready.clear();
  client.was_member_at_ready.clear();
  client.committed_at_connect.clear();
  for (const auto& [conversation, log] : log_) {
    if (!log.empty()) client.committed_at_connect[conversation] = log.rbegin()->first;
  }
  for (const ConversationId conversation : conversations) {
    if (is_member(client.user, conversation)) client.was_member_at_ready.insert(conversation);
  }
}

void Oracle::committed(const storage::Operation& operation, const storage::Outcome& outcome) {
  if (is_logging()) {
    std::fprintf(stderr, "commits  %s by %s %s kind %zu seq %llu\n", "",
                 operation.actor.text().substr(14, 4).c_str(),
                 operation.conversation.text().c_str() + 9, operation.body.index(),
                 static_cast<unsigned long long>(outcome.seq));
  }
  if (outcome.seq > 0 && !std::holds_alternative<storage::AdvanceMark>(operation.body)) {
    log_[operation.conversation][outcome.seq] = operation;
    events_.add(operation, outcome);
  }
  if (const auto* mark = std::get_if<storage::AdvanceMark>(&operation.body);
      mark != nullptr && outcome.status == storage::OutcomeStatus::kCommitted) {
    CommittedMarks& marks = marks_[operation.conversation][operation.actor];
    CommittedMark& committed = mark->kind == MarkKind::kSeen ? marks.read : marks.delivered;
    committed = {outcome.seq, ++marks_committed_};
  }
  count_unread(operation, outcome);
}

void Oracle::published(const TopicId& topic, const ServerEvent& event) {
  Seq seq = seq_of(event);
  if (const auto* page = std::get_if<HistoryPage>(&event)) seq = page->upto_seq;
  note("publish", "", ConversationId(topic.uuid()), event);
  Seq& published = published_[ConversationId(topic.uuid())];
  published = std::max(published, seq);
}

void Oracle::said_ready(Client& client) {
  if (is_logging())
    std::fprintf(stderr, "ready    %s/%u\n", client.user.text().substr(14, 4).c_str(),
                 client.connection);
  client.published_at_ready = published_;
  if (nodes_ == 1 && sees_publishes_) return;
  // What another node has committed may be known here before it is published anywhere.
  for (const auto& [conversation, log] : log_) {
    if (!log.empty()) client.published_at_ready[conversation] = log.rbegin()->first;
  }
}

void Oracle::note(const char* what, const std::string& who, ConversationId conversation,
                  const ServerEvent& event) {
  if (!is_logging()) return;
  Seq seq = seq_of(event);
  std::size_t rows = 0;
  if (const auto* page = std::get_if<HistoryPage>(&event)) {
    seq = page->upto_seq;
    rows = page->messages.size();
    conversation = page->conversation;
  }
  if (const auto* fresh = std::get_if<MessageNew>(&event))
    conversation = fresh->message.conversation;
  if (const auto* joined = std::get_if<ConversationJoined>(&event)) {
    conversation = joined->conversation.id;
    seq = joined->conversation.last_seq;
  }
  if (const auto* presence = std::get_if<PresenceUpdate>(&event)) {
    std::fprintf(stderr, "%-8s %s presence of %s: %s%s\n", what, who.c_str(),
                 presence->state.user.text().substr(14, 4).c_str(),
                 presence->state.online ? "online" : "offline",
                 presence->state.uncertain ? ", uncertain" : "");
    return;
  }
  if (const auto* receipt = std::get_if<ReceiptUpdate>(&event)) {
    std::fprintf(stderr, "%-8s %s %s of %s: delivered %llu read %llu\n", what, who.c_str(),
                 receipt->conversation.text().c_str() + 9,
                 receipt->user.text().substr(14, 4).c_str(),
                 static_cast<unsigned long long>(receipt->delivered_seq),
                 static_cast<unsigned long long>(receipt->read_seq));
    return;
  }
  std::fprintf(stderr, "%-8s %s %s kind %zu seq %llu rows %zu", what, who.c_str(),
               conversation.text().c_str() + 9, event.index(), static_cast<unsigned long long>(seq),
               rows);
  if (const auto* page = std::get_if<HistoryPage>(&event)) {
    for (const Message& row : page->messages) {
      std::fprintf(stderr, " %llu@%llu", static_cast<unsigned long long>(row.seq),
                   static_cast<unsigned long long>(row.version));
    }
  }
  if (const auto* error = std::get_if<Error>(&event))
    std::fprintf(stderr, " error %d", static_cast<int>(error->code));
  if (const auto* done = std::get_if<SyncDone>(&event)) {
    for (const auto& [id, cursor] : done->cursors) {
      std::fprintf(stderr, " %s=%llu", id.text().c_str() + 9,
                   static_cast<unsigned long long>(cursor));
    }
    for (const auto& [id, code] : done->refused)
      std::fprintf(stderr, " %s refused %d", id.text().c_str() + 9, static_cast<int>(code));
  }
  std::fputc('\n', stderr);
}

void Oracle::fail(const Client& client, const std::string& what, ConversationId conversation,
                  Seq seq) {
  std::string text = what + " user " + client.user.text().substr(0, 18) + " conversation " +
                     conversation.text().substr(0, 13) + " seq " + std::to_string(seq);
  const auto it = client.known.find(conversation);
  if (it != client.known.end()) text += " cursor " + std::to_string(it->second.cursor);
  violations_.push_back(std::move(text));
}

// --- what is unread ------------------------------------------------------------------------------------------------

std::uint64_t Oracle::Reading::number_at(Seq seq) const {
  const auto above = numbers.upper_bound(seq);
  return above == numbers.begin() ? 0 : std::prev(above)->second;
}

void Oracle::count_unread(const storage::Operation& operation, const storage::Outcome& outcome) {
  Reading& reading = readings_[operation.conversation];
  if (std::holds_alternative<storage::AppendMessage>(operation.body)) {
    const std::uint64_t no = reading.last_no() + 1;
    reading.numbers.emplace(outcome.seq, no);
    reading.read_no[operation.actor] = no;
  } else if (const auto* added = std::get_if<storage::AddMember>(&operation.body)) {
    reading.read_no[added->user] = reading.last_no();
  } else if (const auto* mark = std::get_if<storage::AdvanceMark>(&operation.body)) {
    std::uint64_t& read_no = reading.read_no[operation.actor];
    if (mark->kind == MarkKind::kSeen) read_no = std::max(read_no, reading.number_at(mark->seq));
  }
}

void Oracle::check_view(UserId user, const ConversationView& view, const char* who) {
  ++checked_;
  Reading& reading = readings_[view.id];
  const std::uint64_t unread = reading.last_no() - reading.read_no[user];
  const bool knows_last = view.last_no == kNotSaid || view.last_no == reading.last_no();
  if (knows_last && view.unread == unread) return;
  violations_.push_back("U " + std::string(who) + " says " + std::to_string(view.unread) + " of " +
                        std::to_string(view.last_no) + " unread, and it is " +
                        std::to_string(unread) + " of " + std::to_string(reading.last_no()) +
                        " conversation " + view.id.text().substr(0, 13));
}

void Oracle::check_unread(const std::vector<UserId>& users, const Ask& ask) {
  constexpr std::uint32_t kAll = 100;
  for (const UserId user : users) {
    const auto listed = ask(user, ConversationList{.limit = kAll, .after = {}});
    for (const Heard& heard : listed) {
      const auto* list = std::get_if<ConversationPage>(&heard.event);
      if (list == nullptr) {
        violations_.emplace_back("U conversation.list is refused");
        continue;
      }
      for (const ConversationView& view : list->conversations) {
        check_view(user, view, "the store");
        if (view.kind == ConversationKind::kDirect) continue;  // nobody joins it
        for (const Heard& joined :
             ask(user, ConversationJoin{view.id})) {  // a member is told how it stands
          const auto* info = std::get_if<ConversationInfo>(&joined.event);
          if (info != nullptr) check_view(user, info->conversation, "the owner");
          if (info == nullptr) violations_.emplace_back("U a member's join is refused");
        }
      }
    }
    for (const Heard& heard : ask(user, UnreadFetch{.limit = kAll})) {
      const auto* page = std::get_if<HistoryPage>(&heard.event);
      if (page == nullptr) continue;
      Reading& reading = readings_[page->conversation];
      const std::uint64_t unread = reading.last_no() - reading.read_no[user];
      std::uint64_t shown = 0;
      for (const Message& message : page->messages) {
        if (message.system != SystemEvent::kNone) continue;
        ++shown;
        if (message.sender == user) violations_.emplace_back("U an own message is unread");
      }
      if (page->has_more ? shown > unread : shown != unread) {
        violations_.push_back("U unread.fetch shows " + std::to_string(shown) + " of " +
                              std::to_string(unread));
      }
    }
  }
}

// --- what is heard -------------------------------------------------------------------------------------------------

bool Oracle::is_member(UserId user, ConversationId conversation) const {
  const auto state = model_.load_conversation(conversation);
  return state.ok() && std::any_of(state->members.begin(), state->members.end(),
                                   [&](const Member& member) { return member.user == user; });
}

Seq Oracle::joined_seq(const Client& client, ConversationId conversation) {
  const auto state = model_.load_conversation(conversation);
  if (!state.ok()) return 0;
  for (const Member& member : state->members) {
    if (member.user == client.user) return member.joined_seq;
  }
  return 0;
}

Seq Oracle::added_seq(UserId user, ConversationId conversation, Seq upto) const {
  const auto log = log_.find(conversation);
  if (log == log_.end()) return 0;
  for (auto it = log->second.upper_bound(upto); it != log->second.begin();) {
    --it;
    const auto* added = std::get_if<storage::AddMember>(&it->second.body);
    if (added != nullptr && added->user == user) return it->first;
  }
  return 0;
}

bool Oracle::had_left(UserId user, ConversationId conversation, Seq seq) const {
  const auto log = log_.find(conversation);
  if (log == log_.end()) return false;
  for (auto it = log->second.upper_bound(seq); it != log->second.begin();) {
    --it;
    const auto* added = std::get_if<storage::AddMember>(&it->second.body);
    if (added != nullptr && added->user == user) return false;
    const auto* removed = std::get_if<storage::RemoveMember>(&it->second.body);
    if (removed != nullptr && removed->user == user && it->first < seq) return true;
  }
  return false;
}

void Oracle::check_leak(const Client& client, ConversationId conversation, Seq seq) {
  if (had_left(client.user, conversation, seq))
    fail(client, "D4 told of what came after it had left:", conversation, seq);
}

void Oracle::check_told_of_leaving(const Client& client, const Known& known,
                                   ConversationId conversation, Seq seq) {
  if (client.resyncs || client.is_syncing || client.must_reconnect || known.joined_by_answer)
    return;
  const auto& log = log_[conversation];
  for (auto it = log.upper_bound(known.cursor); it != log.end() && it->first <= seq; ++it) {
    const auto* removed = std::get_if<storage::RemoveMember>(&it->second.body);
    if (removed != nullptr && removed->user == client.user)
      fail(client, "D4 was not told that it had left before:", conversation, seq);
  }
}

bool Oracle::hear(Client& client, ConversationId conversation, Seq seq) {
  ++checked_;
  const auto log = log_.find(conversation);
  if (log == log_.end() || !log->second.contains(seq))
    fail(client, "D1 not committed:", conversation, seq);
  check_leak(client, conversation, seq);
  const auto it = client.known.find(conversation);
  if (it == client.known.end()) {
    const auto at_ready = client.published_at_ready.find(conversation);
    Seq before = at_ready == client.published_at_ready.end() ? 0 : at_ready->second;
    before = std::max(before, joined_seq(client, conversation));  // it may have been away meanwhile
    if (seq > before + 1 && client.was_member_at_ready.contains(conversation)) {
      fail(client, "D4 gap after ready:", conversation, seq);
    }
    client.known[conversation] = {
        .cursor = seq, .base = seq - 1, .rows = {}, .live_since = marks_committed_};
    return true;
  }
  Known& known = it->second;
  const bool may_repeat = client.resyncs || known.joined_by_answer;
  if (seq <= known.cursor && may_repeat) return false;
  if (seq <= known.cursor) {
    fail(client, "D6 repeat:", conversation, seq);
    return false;
  }
  if (seq != known.cursor + 1) fail(client, "D4 gap:", conversation, seq);
  known.cursor = seq;
  if (!client.is_syncing && known.live_since == kNotLive) known.live_since = marks_committed_;
  return true;
}

void Oracle::show(Known& known, const Message& message) {
  if (message.system == SystemEvent::kNone) {  // sending is reading, and nobody says so
    Marks& told = known.told[message.sender];
    told.read = std::max(told.read, message.seq);
    told.delivered = std::max(told.delivered, told.read);
  }
  known.rows[message.seq] = {.version = message.version,
                             .content = message.content,
                             .is_deleted = message.deleted_at_us != 0,
                             .reactions = message.reactions.size()};
}

void Oracle::page(Client& client, const HistoryPage& page, bool is_sync) {
  ++checked_;
  const auto log = log_.find(page.conversation);
  const Seq last = log == log_.end() || log->second.empty() ? 0 : log->second.rbegin()->first;
  if (page.upto_seq > last)
    fail(client, "D1 page not committed:", page.conversation, page.upto_seq);
  if (!client.known.contains(page.conversation)) {
    if (is_sync && !client.left_while_syncing.contains(page.conversation)) {
      fail(client, "page nobody asked for:", page.conversation, page.upto_seq);
      return;
    }
    client.known[page.conversation] = {.cursor = page.upto_seq, .base = page.upto_seq, .rows = {}};
    return;
  }
  Known& known = client.known[page.conversation];
  const bool may_repeat = client.resyncs || (known.joined_by_answer && !is_sync);
  if (page.upto_seq <= known.cursor && may_repeat) return;
  if (page.upto_seq <= known.cursor)
    fail(client, "D6 repeated page:", page.conversation, page.upto_seq);
  if (!is_sync) check_told_of_leaving(client, known, page.conversation, page.upto_seq);
  Seq before = known.cursor;
  for (const Message& message : page.messages) {
    if (message.version <= before && !may_repeat)
      fail(client, "D6 row out of order:", page.conversation, message.version);
    if (message.version > page.upto_seq)
      fail(client, "row above its page:", page.conversation, message.version);
    check_leak(client, page.conversation, message.version);
    if (const Seq joined = joined_seq(client, page.conversation);
        message.seq <= joined && message.version > joined)
      fail(client, "D4 a row of before it joined:", page.conversation, message.seq);
    before = message.version;
    if (const std::string other = events_.difference(page.conversation, message); !other.empty())
      fail(client, "D2 a page has another " + other + " than was committed:", page.conversation,
           message.seq);
    show(known, message);
  }
  known.cursor = std::max(known.cursor, page.upto_seq);
}

void Oracle::receive(Client& client, const Heard& heard) {
  const ServerEvent& event = heard.event;
  note("hears",
       client.user.text().substr(14, 4) + "/" + std::to_string(client.connection) +
           (heard.id.empty() ? " live" : " to " + heard.id),
       {}, event);
  // An answer that tells of a change that was there already tells of the first one, with the name of who asks.
  const bool is_told_to_all = heard.id.empty() || std::holds_alternative<MessageSent>(event);
  if (const std::string other = events_.difference(event); is_told_to_all && !other.empty()) {
    violations_.push_back("D2 told of another " + other + " than was committed, kind " +
                          std::to_string(event.index()) + " seq " + std::to_string(seq_of(event)) +
                          " to " + client.user.text().substr(14, 4));
  }
  const auto change = [&](ConversationId conversation, Seq seq, Seq message_seq, auto&& apply) {
    if (!heard.id.empty() || seq == 0) return;  // the answer, not the event
    if (!hear(client, conversation, seq)) return;
    Known& known = client.known[conversation];
    const auto row = known.rows.find(message_seq);
    if (row == known.rows.end()) {
      // Bytes take their time: who is no member any more was one when this was said.
      const Seq joined = is_member(client.user, conversation)
                             ? joined_seq(client, conversation)
                             : added_seq(client.user, conversation, seq);
      const Seq floor = std::max(known.base, joined);
      if (message_seq > floor)
        fail(client, "D6 change of a row that was never shown:", conversation, message_seq);
      return;
    }
    row->second.version = seq;
    apply(row->second);
  };

  if (const auto* ready = std::get_if<SessionReady>(&event)) {
    (void)ready;
    client.is_ready = true;
  } else if (const auto* fresh = std::get_if<MessageNew>(&event)) {
    const Message& message = fresh->message;
    if (!hear(client, message.conversation, message.seq)) return;
    const auto it = log_[message.conversation].find(message.seq);
    const auto* op = it == log_[message.conversation].end()
                         ? nullptr
                         : std::get_if<storage::AppendMessage>(&it->second.body);
    if (op == nullptr || op->id != message.id || op->content != message.content ||
        it->second.actor != message.sender) {
      fail(client, "D2 another message than was committed:", message.conversation, message.seq);
    }
    show(client.known[message.conversation], message);
  } else if (const auto* updated = std::get_if<MessageUpdated>(&event)) {
    change(updated->conversation, updated->seq, updated->message_seq,
           [&](Row& row) { row.content = updated->content; });
  } else if (const auto* deleted = std::get_if<MessageDeleted>(&event)) {
    change(deleted->conversation, deleted->seq, deleted->message_seq, [&](Row& row) {
      row.content.clear();
      row.is_deleted = true;
      row.reactions = 0;
    });
  } else if (const auto* reacted = std::get_if<ReactionUpdated>(&event)) {
    change(reacted->conversation, reacted->seq, reacted->message_seq,
           [&](Row& row) { row.reactions += reacted->added ? 1 : -1; });
  } else if (const auto* added = std::get_if<MemberAdded>(&event)) {
    if (!heard.id.empty()) return;
    if (hear(client, added->conversation, added->seq))
      client.known[added->conversation].rows[added->seq].version = added->seq;
  } else if (const auto* removed = std::get_if<MemberRemoved>(&event)) {
    if (!heard.id.empty()) return;
    if (hear(client, removed->conversation, removed->seq)) {
      client.known[removed->conversation].rows[removed->seq].version = removed->seq;
    }
    if (removed->user == client.user) {
      if (client.is_syncing) client.left_while_syncing.insert(removed->conversation);
      client.told_left.insert(removed->conversation);
      client.left_at[removed->conversation] = removed->seq;
      client.known.erase(removed->conversation);
      client.was_member_at_ready.erase(
          removed->conversation);  // what it hears for a moment longer begins anywhere
    }
  } else if (const auto* changed = std::get_if<ConversationUpdated>(&event)) {
    if (!heard.id.empty()) return;
    if (hear(client, changed->conversation, changed->seq)) {
      Row& row = client.known[changed->conversation].rows[changed->seq];
      row.version = changed->seq;
      row.content = changed->name;
    }
  } else if (const auto* joined = std::get_if<ConversationJoined>(&event)) {
    client.told_left.erase(joined->conversation.id);
    const Seq seq = joined->conversation.last_seq;
    // With several nodes it may be told of an earlier membership than the one it hears by now: older rows stay hidden.
    const Seq base = std::max(seq, joined_seq(client, joined->conversation.id));
    if (const auto left = client.left_at.find(joined->conversation.id);
        left != client.left_at.end() && seq < left->second)
      fail(client, "D4 told again of a membership that has ended:", joined->conversation.id, seq);
    // It would be told once more what it has.
    const auto it = client.known.find(joined->conversation.id);
    if (it != client.known.end() && seq + 1 < it->second.cursor && heard.id.empty() &&
        !client.resyncs)
      fail(client, "D6 joined again:", joined->conversation.id, seq);
    if (it != client.known.end() && heard.id.empty())
      check_told_of_leaving(client, it->second, joined->conversation.id, seq);
    client.known[joined->conversation.id] = {.cursor = seq,
                                             .base = base,
                                             .joined_by_answer = !heard.id.empty(),
                                             .rows = {},
                                             .live_since = marks_committed_,
                                             .marked_above = seq};
  } else if (std::holds_alternative<ConversationNotLive>(event)) {
    client.must_reconnect = true;  // and syncs: until then it hears nothing of them
  } else if (const auto* created = std::get_if<ConversationCreated>(&event)) {
    if (!created->duplicate && !client.known.contains(created->conversation.id)) {
      client.known[created->conversation.id] = {.cursor = 0, .base = 0, .rows = {}};
    }
  } else if (const auto* history = std::get_if<HistoryPage>(&event)) {
    if (history->upto_seq > 0) page(client, *history, !heard.id.empty());
  } else if (const auto* done = std::get_if<SyncDone>(&event)) {
    if (heard.id != "sync") return;  // the end of an unread.fetch says nothing about cursors
    client.is_syncing = false;
    client.left_while_syncing.clear();
    for (const auto& [conversation, cursor] : done->cursors) {
      const auto it = client.known.find(conversation);
      if (it == client.known.end()) continue;
      it->second.cursor = std::max(it->second.cursor, cursor);
      it->second.live_since = marks_committed_;
    }
    for (const auto& [conversation, code] : done->refused) {
      if (code == ErrorCode::kNotMember || code == ErrorCode::kNotFound) {
        // A node that does not know of the joining yet refuses, and tells of it as soon as it does.
        const auto it = client.known.find(conversation);
        if (it != client.known.end() && !is_member(client.user, conversation)) {
          Seq& left_at = client.left_at[conversation];
          left_at = std::max(left_at, it->second.cursor);
        }
        client.known.erase(conversation);
        client.was_member_at_ready.erase(conversation);
        client.refused.insert(conversation);
      } else {
        client.must_reconnect = true;
      }
    }
  } else if (const auto* sent = std::get_if<MessageSent>(&event)) {
    const auto it = client.unacked.find(heard.id);
    if (it == client.unacked.end()) return;
    const auto& log = log_[sent->conversation];
    const auto row = log.find(sent->seq);
    const auto* op =
        row == log.end() ? nullptr : std::get_if<storage::AppendMessage>(&row->second.body);
    if (op == nullptr || op->client_id != it->first || row->second.actor != client.user) {
      fail(client, "D1 acked and not stored:", sent->conversation, sent->seq);
    }
    const auto before = client.committed_at_connect.find(sent->conversation);
    const bool was_there =
        before != client.committed_at_connect.end() && sent->seq <= before->second;
    if (was_there && !sent->duplicate)
      fail(client, "D3 a retry that is not called a duplicate:", sent->conversation, sent->seq);
    client.unacked.erase(it);
  } else if (const auto* receipt = std::get_if<ReceiptUpdate>(&event)) {
    if (const auto it = client.known.find(receipt->conversation); it != client.known.end()) {
      Marks& told = it->second.told[receipt->user];
      told.read = std::max(told.read, receipt->read_seq);
      told.delivered = std::max({told.delivered, told.read, receipt->delivered_seq});
    }
  } else if (const auto* presence = std::get_if<PresenceUpdate>(&event)) {
    client.presence[presence->state.user] = presence->state;
  } else if (const auto* states = std::get_if<PresenceList>(&event)) {
    for (const PresenceState& state : states->users) client.presence[state.user] = state;
  } else if (const auto* error = std::get_if<Error>(&event)) {
    const bool is_final = error->code != ErrorCode::kUnavailable &&
                          error->code != ErrorCode::kOverloaded &&
                          error->code != ErrorCode::kRateLimited;
    if (is_final) client.unacked.erase(heard.id);  // others are sent again with the same client_id
  }
}

void Oracle::final_check(const std::vector<Client*>& clients, bool compares_presence) {
  std::set<std::pair<UserId, std::string>> keys;
  for (const auto& [conversation, log] : log_) {
    Seq expected = 1;
    std::set<std::pair<UserId, std::string>> seen;
    for (const auto& [seq, operation] : log) {
      if (seq != expected++) violations_.push_back("D2 hole in the log at " + std::to_string(seq));
      const auto* op = std::get_if<storage::AppendMessage>(&operation.body);
      if (op != nullptr && !seen.emplace(operation.actor, op->client_id).second) {
        violations_.push_back("D3 stored twice: " + op->client_id);
      }
    }
  }
  for (Client* client : clients) {
    if (client->connection == 0 || !client->is_ready) continue;
    for (auto& [conversation, log] : log_) {
      const auto state = model_.load_conversation(conversation);
      if (!state.ok()) continue;
      const auto me = std::find_if(state->members.begin(), state->members.end(),
                                   [&](const Member& m) { return m.user == client->user; });
      if (me == state->members.end()) {
        const auto it = client->known.find(conversation);
        const bool heard_of_it = it != client->known.end();
        if (heard_of_it && !client->told_left.contains(conversation))
          fail(*client, "D4 was not told that it had left:", conversation, state->last_seq);
        continue;
      }
      const auto it = client->known.find(conversation);
      if (it == client->known.end()) {
        const auto at_ready = client->published_at_ready.find(conversation);
        const Seq before = at_ready == client->published_at_ready.end() ? 0 : at_ready->second;
        // Who became a member since was told so, wherever that was.
        const bool should_know = !client->refused.contains(conversation);
        if (before < state->last_seq && should_know) {
          fail(*client, "D4 heard nothing:", conversation, state->last_seq);
        }
        continue;
      }
      Known& known = it->second;
      if (known.cursor != state->last_seq) {
        fail(*client, "D4 not all was heard:", conversation, state->last_seq);
        continue;
      }
      const Seq floor = std::max(known.base, me->joined_seq);
      const auto all = model_.read_page({.conversation = conversation,
                                         .order = storage::PageQuery::Order::kAfter,
                                         .bound = floor,
                                         .seq_floor = floor,
                                         .limit = 500});
      for (const Message& message : all->messages) {
        const auto row = known.rows.find(message.seq);
        if (row == known.rows.end()) {
          fail(*client, "D6 row missing:", conversation, message.seq);
        } else if (message.system == SystemEvent::kNone &&
                   (row->second.content != message.content ||
                    row->second.is_deleted != (message.deleted_at_us != 0) ||
                    row->second.reactions != message.reactions.size())) {
          fail(*client,
               "D6 row differs: " + row->second.content + "/" + message.content + " " +
                   std::to_string(row->second.reactions) + "/" +
                   std::to_string(message.reactions.size()) + " version " +
                   std::to_string(row->second.version) + "/" + std::to_string(message.version),
               conversation, message.seq);
        }
      }
    }
  }
  if (compares_presence) check_presence(clients);
}

void Oracle::check_presence(const std::vector<Client*>& clients) {
  for (const Client* client : clients) {
    if (client->connection == 0 || !client->is_ready) continue;
    for (const auto& [user, seen] : client->presence) {
      const bool is_online =
          std::any_of(clients.begin(), clients.end(), [&, u = user](const Client* other) {
            return other->user == u && other->connection != 0;
          });
      if (presence_is_hidden_ && !seen.online && !seen.uncertain) continue;
      if (seen.online != is_online || seen.uncertain) {
        violations_.push_back("D8 presence of " + user.text().substr(14, 4) + " seen by " +
                              client->user.text().substr(14, 4) + " as " +
                              (seen.online ? "online" : "offline") +
                              (seen.uncertain ? ", uncertain" : ""));
      }
    }
  }
}

void Oracle::check_marks(const std::vector<Client*>& clients) {
  for (Client* client : clients) {
    if (client->connection == 0 || !client->is_ready) continue;
    for (auto& [conversation, of_conversation] : client->known) {
      Known& known = of_conversation;  // a lambda below takes it
      const auto state = model_.load_conversation(conversation);
      if (known.live_since == kNotLive || !state.ok() || !is_member(client->user, conversation))
        continue;
      for (const auto& [user, marks] : marks_[conversation]) {
        const auto member = std::find_if(state->members.begin(), state->members.end(),
                                         [&, u = user](const Member& m) { return m.user == u; });
        const auto is_untold = [&](const CommittedMark& mark, Seq told) {
          ++checked_;
          return mark.number > known.live_since && member != state->members.end() &&
                 std::max(member->joined_seq, known.marked_above) < mark.seq && told < mark.seq;
        };
        const Marks& told = known.told[user];
        if (is_untold(marks.read, told.read) || is_untold(marks.delivered, told.delivered))
          fail(*client,
               "D8 was not told how far " + user.text().substr(14, 4) + " is:", conversation,
               std::max(marks.delivered.seq, marks.read.seq));
      }
    }
  }
}

}  // namespace uproar::chat::testing
