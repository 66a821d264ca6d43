#pragma once

// Every question that a reader's connection answers: history, users, lists. Each answer comes from one snapshot of the
// database. kUnavailable when the database failed; database.error() then says how.

#include <vector>

#include "storage/directory.h"
#include "storage/sqlite/database.h"

namespace uproar::storage::sqlite {

class Reads {
 public:
  explicit Reads(Database& database);

  Result<ConversationState, StoreError> load_conversation(ConversationId id);
  Result<Page, StoreError> read_page(const PageQuery& query);
  Result<LogPage, StoreError> read_log(const LogQuery& query);
  Result<Seq, StoreError> read_last_seq(ConversationId id);

  Result<User, StoreError> find_user_by_name(const std::string& name);
  Result<std::vector<User>, StoreError> find_users(const std::vector<UserId>& ids);
  Result<std::vector<UserId>, StoreError> find_companions(UserId of,
                                                          const std::vector<UserId>& users,
                                                          InDoubt in_doubt);
  Result<std::vector<SessionId>, StoreError> revoked_since(std::int64_t since_us);
  Result<std::vector<Audience>, StoreError> load_audiences(const std::vector<UserId>& users,
                                                           const AudienceBounds& bounds);
  Result<ConversationList, StoreError> list_conversations(const ListQuery& query);
  Result<chat::ConversationView, StoreError> view_conversation(ConversationId id, UserId viewer,
                                                               std::uint32_t members_max);
  Result<std::vector<chat::ConversationView>, StoreError> unread_conversations(UserId user,
                                                                               std::uint32_t limit);
  Result<std::vector<ConversationId>, StoreError> find_memberships(
      UserId user, const std::vector<ConversationId>& ids);
  Result<std::vector<Writer>, StoreError> find_writers(const std::vector<Writer>& asked);

 private:
  class Snapshot;

  bool is_in_more_than(std::uint32_t count, UserId user);
  Audience audience_of(UserId user, const AudienceBounds& bounds);
  chat::Message read_message(const Rows& rows, ConversationId conversation);
  void fill_reactions(chat::Message& message);
  // Fills `view.last_message` and `view.members`; `rows` is at a row of the view columns.
  chat::ConversationView read_view(const Rows& rows);
  void complete_view(chat::ConversationView& view, Seq last_message_seq, Seq joined_seq,
                     std::uint32_t members_max);
  template <class... Values>
  std::vector<chat::ConversationView> read_views(Statement& statement, std::uint32_t members_max,
                                                 const Values&... values);

  Database& database_;
  Statement find_conversation_;
  Statement find_members_;
  Statement page_before_;
  Statement page_after_;
  Statement page_changed_;
  Statement log_rows_;
  Statement log_events_;
  Statement find_message_;
  Statement find_reactions_;
  Statement find_user_by_name_;
  Statement find_user_;
  Statement find_shared_;
  Statement count_memberships_;
  Statement find_revoked_;
  Statement find_audience_;
  Statement find_peers_;
  Statement list_views_;
  Statement find_view_;
  Statement unread_views_;
  Statement find_membership_;
  Statement find_writer_;
};

}  // namespace uproar::storage::sqlite
