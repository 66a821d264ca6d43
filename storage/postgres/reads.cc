#include "storage/postgres/reads.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "storage/limits.h"
#include "storage/log_page.h"
#include "storage/page_bytes.h"
#include "storage/postgres/limits.h"
#include "storage/postgres/statements.h"

namespace uproar::storage::postgres {
namespace {

using Answers = std::vector<Rows>;
constexpr std::uint64_t kNoBound = std::numeric_limits<std::int64_t>::max();
constexpr int kMessageColumns = 22;

Call call(Read statement, Params params) {
  return {.statement = static_cast<std::uint8_t>(statement), .params = std::move(params)};
}

template <class... Calls>
std::vector<Call> unit(Calls&&... calls) {
  std::vector<Call> out;
  (out.push_back(std::forward<Calls>(calls)), ...);
  return out;
}

chat::Message read_message(const Rows& rows, int row) {
  chat::Message message;
  message.conversation = rows.id<ConversationId>(row, 0);
  message.seq = rows.int8(row, 1);
  message.version = rows.int8(row, 3);
  message.id = rows.id<MessageId>(row, 4);
  message.sender = rows.id<UserId>(row, 5);
  message.client_id = rows.text(row, 6);
  message.type = rows.as<chat::MessageType>(row, 7);
  message.content = rows.text(row, 8);
  message.attachments = rows.text(row, 9);
  message.reply_to = rows.int8(row, 10);
  for (const std::string_view user : rows.array(row, 11))
    message.mentions.emplace_back(Uuid::from_bytes(user.data()));
  message.sent_at_us = rows.time(row, 12);
  message.edited_at_us = rows.time(row, 13);
  message.deleted_at_us = rows.time(row, 14);
  message.delivered_at_us = rows.time(row, 15);
  message.seen_at_us = rows.time(row, 16);
  message.system = rows.as<chat::SystemEvent>(row, 17);
  message.subject = rows.id<UserId>(row, 18);
  message.role = rows.as<chat::Role>(row, 19);
  if (message.system == chat::SystemEvent::kNone) message.no = rows.int8(row, 2);
  const std::vector<std::string_view> emojis = rows.array(row, 20);
  const std::vector<std::string_view> users = rows.array(row, 21);
  for (std::size_t i = 0; i < emojis.size(); ++i) {
    message.reactions.push_back(
        {.emoji = std::string(emojis[i]), .user = UserId(Uuid::from_bytes(users[i].data()))});
  }
  return message;
}

// kLogRows
LogEntry row_entry(const Rows& rows, int row) {
  return {.seq = rows.int8(row, 1),
          .is_superseded = rows.int8(row, kMessageColumns) != 0,
          .what = read_message(rows, row)};
}

// kLogEvents
LogEntry event_entry(const Rows& rows, int row) {
  const Seq seq = rows.int8(row, 0);
  const auto kind = rows.as<EventKind>(row, 1);
  return {.seq = seq,
          .is_superseded = kind == EventKind::kEdit && rows.int8(row, 6) != seq,
          .what = LoggedEvent{.kind = kind,
                              .actor = rows.id<UserId>(row, 2),
                              .message_seq = rows.int8(row, 3),
                              .emoji = rows.text(row, 4),
                              .content = rows.text(row, 7),
                              .at_us = rows.time(row, 5)}};
}

// kMembers and kListMembers: the conversation comes first.
chat::Member read_member(const Rows& rows, int row) {
  return {.user = rows.id<UserId>(row, 1),
          .name = rows.text(row, 2),
          .role = rows.as<chat::Role>(row, 3),
          .joined_seq = rows.int8(row, 4),
          .delivered_seq = rows.int8(row, 5),
          .read_seq = rows.int8(row, 6),
          .read_no = rows.int8(row, 7)};
}

chat::ConversationView read_view(const Rows& rows, int row) {
  constexpr int kFirst = kMessageColumns;
  chat::ConversationView view;
  view.id = rows.id<ConversationId>(row, kFirst);
  view.kind = rows.as<chat::ConversationKind>(row, kFirst + 1);
  view.name = rows.text(row, kFirst + 2);
  view.role = rows.as<chat::Role>(row, kFirst + 3);
  view.last_seq = rows.int8(row, kFirst + 4);
  view.last_no = rows.int8(row, kFirst + 5);
  view.read_seq = rows.int8(row, kFirst + 6);
  view.delivered_seq = rows.int8(row, kFirst + 7);
  view.unread = view.last_no - rows.int8(row, kFirst + 8);
  view.member_count = static_cast<std::uint32_t>(rows.int8(row, kFirst + 9));
  view.muted_until_us = rows.time(row, kFirst + 10);
  view.created_at_us = rows.time(row, kFirst + 11);
  view.joined_seq = rows.int8(row, kFirst + 12);
  if (!rows.is_null(row, 0)) view.last_message = read_message(rows, row);
  return view;
}

std::vector<chat::ConversationView> read_views(const Rows& rows) {
  std::vector<chat::ConversationView> views;
  for (int i = 0; i < rows.count(); ++i) views.push_back(read_view(rows, i));
  return views;
}

}  // namespace

User read_user(const Rows& rows, int row) {
  return {.id = rows.id<UserId>(row, 0),
          .name = rows.text(row, 1),
          .password_hash = rows.text(row, 2),
          .created_at_us = rows.time(row, 3),
          .last_online_us = rows.time(row, 4)};
}

template <class T, class Build>
void Reads::ask(std::vector<Call> calls, Done<T> done, Build build) {
  if (connection_.waiting() >= kUnitsWaitingMax) {
    connection_.later([done = std::move(done)] { done(Err{StoreError::kOverloaded}); });
    return;
  }
  connection_.send(std::move(calls),
                   [done = std::move(done), build = std::move(build)](Answer answer) {
                     if (answer.end != Answer::End::kDone)
                       return done(Err{StoreError::kUnavailable});
                     done(build(answer.rows));
                   });
}

void Reads::load_conversation(ConversationId id, Done<ConversationState> done) {
  ask(unit(call(Read::kConversation, std::move(Params().add(id))),
           call(Read::kMembers, std::move(Params().add(id).add_int8(kNoBound)))),
      std::move(done), [id](const Answers& found) -> Result<ConversationState, StoreError> {
        const Rows& head = found[0];
        if (head.count() == 0) return Err{StoreError::kNotFound};
        ConversationState state{.id = id,
                                .kind = head.as<chat::ConversationKind>(0, 0),
                                .name = head.text(0, 1),
                                .last_seq = head.int8(0, 2),
                                .last_no = head.int8(0, 3),
                                .created_at_us = head.time(0, 4)};
        for (int i = 0; i < found[1].count(); ++i) {
          state.members.push_back(read_member(found[1], i));
          state.members.back().name.clear();
        }
        return state;
      });
}

void Reads::read_page(const PageQuery& query, Done<Page> done) {
  using Order = PageQuery::Order;
  const std::uint32_t limit = std::clamp<std::uint32_t>(query.limit, 1, kPageRowsMax);
  // Versions are never below seqs, so rows above the floor have versions above it, too: start there, or a newcomer
  // with an old cursor would read the whole past only to be shown none of it.
  const Seq bound = std::max(query.bound, query.seq_floor);
  Params params;
  params.add(query.conversation);
  Read statement = Read::kPageBefore;
  switch (query.order) {
    case Order::kBefore:
      params.add_int8(query.bound == 0 ? kNoBound : query.bound).add_int8(query.seq_floor);
      break;
    case Order::kAfter:
      statement = Read::kPageAfter;
      params.add_int8(bound);
      break;
    case Order::kChangedAfter:
      statement = Read::kPageChanged;
      params.add_int8(bound).add_int8(query.seq_floor);
      break;
  }
  params.add_int8(limit + 1);
  ask(unit(call(Read::kConversation, std::move(Params().add(query.conversation))),
           call(statement, std::move(params))),
      std::move(done),
      [order = query.order, limit,
       bytes_max = query.bytes_max](const Answers& found) -> Result<Page, StoreError> {
        if (found[0].count() == 0) return Err{StoreError::kNotFound};
        const int count = found[1].count();
        Page page;
        page.has_more = count > static_cast<int>(limit);
        PageBytes bytes(bytes_max);
        for (int i = 0; i < std::min(count, static_cast<int>(limit)); ++i) {
          chat::Message message = read_message(found[1], i);
          if (!bytes.take(message)) {
            page.has_more = true;
            break;
          }
          page.messages.push_back(std::move(message));
        }
        if (order == Order::kBefore) std::reverse(page.messages.begin(), page.messages.end());
        if (order == Order::kChangedAfter)
          page.upto_seq = page.has_more ? page.messages.back().version : found[0].int8(0, 2);
        return page;
      });
}

// Two runs that are sorted, of which the lower seq is always next.
void Reads::read_log(const LogQuery& query, Done<LogPage> done) {
  LogPageBuilder empty(query);
  Params rows_after, events_after;
  const std::uint64_t after = std::min(query.after, kNoBound);
  rows_after.add(query.conversation).add_int8(after).add_int8(empty.limit() + 1);
  events_after.add(query.conversation).add_int8(after).add_int8(empty.limit() + 1);
  ask(unit(call(Read::kConversation, std::move(Params().add(query.conversation))),
           call(Read::kLogRows, std::move(rows_after)),
           call(Read::kLogEvents, std::move(events_after))),
      std::move(done), [empty](const Answers& found) -> Result<LogPage, StoreError> {
        if (found[0].count() == 0) return Err{StoreError::kNotFound};
        const Rows& rows = found[1];
        const Rows& events = found[2];
        LogPageBuilder page = empty;
        int row = 0;
        int event = 0;
        for (bool has_room = true; has_room && (row < rows.count() || event < events.count());) {
          const bool is_row = row < rows.count() && (event == events.count() ||
                                                     rows.int8(row, 1) < events.int8(event, 0));
          has_room = page.take(is_row ? row_entry(rows, row++) : event_entry(events, event++));
        }
        return std::move(page).finish(found[0].int8(0, 5), found[0].int8(0, 2));
      });
}

void Reads::find_last_seqs(const std::vector<ConversationId>& ids,
                           Done<std::vector<LastSeq>> done) {
  Column column(Type::kUuid);
  for (const ConversationId id : ids) column.add(id);
  ask(unit(call(Read::kLastSeqs, std::move(Params().add(std::move(column))))), std::move(done),
      [](const Answers& found) -> Result<std::vector<LastSeq>, StoreError> {
        std::vector<LastSeq> seqs;
        for (int i = 0; i < found[0].count(); ++i)
          seqs.push_back({found[0].id<ConversationId>(i, 0), found[0].int8(i, 1)});
        return seqs;
      });
}

void Reads::find_user_by_name(const std::string& name, Done<User> done) {
  ask(unit(call(Read::kUserByName, std::move(Params().add_text(name)))), std::move(done),
      [](const Answers& found) -> Result<User, StoreError> {
        if (found[0].count() == 0) return Err{StoreError::kNotFound};
        return read_user(found[0], 0);
      });
}

void Reads::find_companions(UserId of, const std::vector<UserId>& users, InDoubt in_doubt,
                            Done<std::vector<UserId>> done) {
  if (users.size() > kFindUsersMax) {
    connection_.later([done = std::move(done)] { done(Err{StoreError::kOverloaded}); });
    return;
  }
  Column column(Type::kUuid);
  for (const UserId user : users) column.add(user);
  Params params;
  params.add(of).add(std::move(column)).add_int8(kCompanionProbesMax).add_int8(kCompanionScanMax);
  params.add_int8(in_doubt == InDoubt::kCompanion ? 1 : 0);
  ask(unit(call(Read::kCompanions, std::move(params))), std::move(done),
      [](const Answers& found) -> Result<std::vector<UserId>, StoreError> {
        std::vector<UserId> companions;
        for (int i = 0; i < found[0].count(); ++i) companions.push_back(found[0].id<UserId>(i, 0));
        return companions;
      });
}

void Reads::find_users(const std::vector<UserId>& ids, Done<std::vector<User>> done) {
  if (ids.size() > kFindUsersMax) {
    connection_.later([done = std::move(done)] { done(Err{StoreError::kOverloaded}); });
    return;
  }
  Column column(Type::kUuid);
  for (const UserId id : ids) column.add(id);
  ask(unit(call(Read::kUsers, std::move(Params().add(std::move(column))))), std::move(done),
      [](const Answers& found) -> Result<std::vector<User>, StoreError> {
        std::vector<User> users;
        for (int i = 0; i < found[0].count(); ++i) users.push_back(read_user(found[0], i));
        return users;
      });
}

void Reads::revoked_since(std::int64_t since_us, Done<std::vector<SessionId>> done) {
  ask(unit(call(Read::kRevoked, std::move(Params().add_time(since_us).add_int8(kRevokedReadMax)))),
      std::move(done), [](const Answers& found) -> Result<std::vector<SessionId>, StoreError> {
        std::vector<SessionId> revoked;
        for (int i = found[0].count() - 1; i >= 0; --i)
          revoked.push_back(found[0].id<SessionId>(i, 0));
        return revoked;
      });
}

void Reads::load_audiences(const std::vector<UserId>& users, const AudienceBounds& bounds,
                           Done<std::vector<Audience>> done) {
  if (users.size() > kAudienceUsersMax) {
    connection_.later([done = std::move(done)] { done(Err{StoreError::kOverloaded}); });
    return;
  }
  Column asked(Type::kUuid);
  for (const UserId user : users) asked.add(user);
  Column again = asked;
  ask(unit(call(Read::kAudiences,
                std::move(Params().add(std::move(asked)).add_int8(bounds.conversations_max))),
           call(Read::kPeers, std::move(Params()
                                            .add(std::move(again))
                                            .add_int8(bounds.conversations_max)
                                            .add_int8(bounds.small_group_max)
                                            .add_int8(bounds.peers_max)))),
      std::move(done),
      [count = users.size()](const Answers& found) -> Result<std::vector<Audience>, StoreError> {
        std::vector<Audience> audiences(count);
        const auto of = [&](const Rows& rows, int row) -> Audience& {  // ordinality is from 1
          return audiences[static_cast<std::size_t>(rows.int8(row, 0)) - 1];
        };
        for (int i = 0; i < found[0].count(); ++i) {
          of(found[0], i)
              .conversations.push_back({.conversation = found[0].id<ConversationId>(i, 1),
                                        .last_seq = found[0].int8(i, 2),
                                        .joined_seq = found[0].int8(i, 3)});
        }
        for (int i = 0; i < found[1].count(); ++i)
          of(found[1], i).peers.push_back(found[1].id<UserId>(i, 1));
        return audiences;
      });
}

void Reads::list_conversations(const ListQuery& query, Done<ConversationList> done) {
  const std::uint32_t limit = std::clamp<std::uint32_t>(query.limit, 1, kListRowsMax);
  Params views, members;
  views.add(query.user).add(query.after).add_int8(limit + 1);
  members.add(query.user).add(query.after).add_int8(limit).add_int8(query.members_shown_max);
  ask(unit(call(Read::kListViews, std::move(views)), call(Read::kListMembers, std::move(members))),
      std::move(done), [limit](const Answers& found) -> Result<ConversationList, StoreError> {
        ConversationList list{.conversations = read_views(found[0])};
        list.has_more = list.conversations.size() > limit;
        if (list.has_more) list.conversations.pop_back();
        // Both come in the order of the conversations' ids.
        auto view = list.conversations.begin();
        for (int i = 0; i < found[1].count(); ++i) {
          const auto id = found[1].id<ConversationId>(i, 0);
          while (view->id != id) ++view;
          view->members.push_back(read_member(found[1], i));
        }
        return list;
      });
}

void Reads::view_conversation(ConversationId id, UserId viewer, std::uint32_t members_max,
                              Done<chat::ConversationView> done) {
  ask(unit(call(Read::kView, std::move(Params().add(viewer).add(id))),
           call(Read::kMembers, std::move(Params().add(id).add_int8(members_max)))),
      std::move(done), [](const Answers& found) -> Result<chat::ConversationView, StoreError> {
        if (found[0].count() == 0) return Err{StoreError::kNotFound};
        chat::ConversationView view = read_view(found[0], 0);
        for (int i = 0; i < found[1].count(); ++i) view.members.push_back(read_member(found[1], i));
        return view;
      });
}

void Reads::unread_conversations(UserId user, std::uint32_t limit,
                                 Done<std::vector<chat::ConversationView>> done) {
  const std::uint32_t rows_max = std::clamp<std::uint32_t>(limit, 1, kListRowsMax);
  ask(unit(call(Read::kUnreadViews, std::move(Params().add(user).add_int8(rows_max)))),
      std::move(done),
      [](const Answers& found) -> Result<std::vector<chat::ConversationView>, StoreError> {
        return read_views(found[0]);
      });
}

namespace {

// Of what was asked for, what the rows name by its place, from 1.
template <class T>
std::vector<T> picked(const Rows& places, const std::vector<T>& asked) {
  std::vector<T> found;
  for (int i = 0; i < places.count(); ++i)
    found.push_back(asked[static_cast<std::size_t>(places.int8(i, 0)) - 1]);
  return found;
}

}  // namespace

void Reads::find_memberships(UserId user, const std::vector<ConversationId>& ids,
                             Done<std::vector<ConversationId>> done) {
  if (ids.size() > kLookedUpMax) {
    connection_.later([done = std::move(done)] { done(Err{StoreError::kOverloaded}); });
    return;
  }
  Column column(Type::kUuid);
  for (const ConversationId id : ids) column.add(id);
  ask(unit(call(Read::kMemberships, std::move(Params().add(user).add(std::move(column))))),
      std::move(done),
      [ids](const Answers& found) -> Result<std::vector<ConversationId>, StoreError> {
        return picked(found[0], ids);
      });
}

void Reads::find_writers(const std::vector<Writer>& asked, Done<std::vector<Writer>> done) {
  if (asked.size() > kLookedUpMax) {
    connection_.later([done = std::move(done)] { done(Err{StoreError::kOverloaded}); });
    return;
  }
  Column conversations(Type::kUuid);
  Column users(Type::kUuid);
  for (const Writer& writer : asked) {
    conversations.add(writer.conversation);
    users.add(writer.user);
  }
  ask(unit(call(Read::kWriters,
                std::move(Params().add(std::move(conversations)).add(std::move(users))))),
      std::move(done), [asked](const Answers& found) -> Result<std::vector<Writer>, StoreError> {
        return picked(found[0], asked);
      });
}

void Reads::find_nodes_at_work(Done<std::vector<NodeDigest>> done) {
  ask(unit(call(Read::kNodesAtWork, Params())), std::move(done),
      [](const Answers& found) -> Result<std::vector<NodeDigest>, StoreError> {
        std::vector<NodeDigest> digests;
        for (int i = 0; i < found[0].count(); ++i)
          digests.push_back(static_cast<NodeDigest>(found[0].int8(i, 0)));
        return digests;
      });
}

}  // namespace uproar::storage::postgres
