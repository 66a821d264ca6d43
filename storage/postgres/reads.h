#pragma once

// What is read, for one client: on a connection of its own, so that no history waits behind a batch. Each call is one
// round trip and sees one state of the database.

#include <cstdint>
#include <string>
#include <vector>

#include "storage/directory.h"
#include "storage/nodes_at_work.h"
#include "storage/postgres/connection.h"

namespace uproar::storage::postgres {

struct LastSeq {
  ConversationId id;
  Seq last_seq = 0;
};

class Reads {
 public:
  // `connection` is of Purpose::kRead and outlives it.
  explicit Reads(Connection& connection) : connection_(connection) {}

  void load_conversation(ConversationId id, Done<ConversationState> done);
  void read_page(const PageQuery& query, Done<Page> done);
  void read_log(const LogQuery& query, Done<LogPage> done);
  void find_last_seqs(const std::vector<ConversationId>& ids, Done<std::vector<LastSeq>> done);
  void find_user_by_name(const std::string& name, Done<User> done);
  void find_users(const std::vector<UserId>& ids, Done<std::vector<User>> done);
  void find_companions(UserId of, const std::vector<UserId>& users, InDoubt in_doubt,
                       Done<std::vector<UserId>> done);
  void revoked_since(std::int64_t since_us, Done<std::vector<SessionId>> done);
  void load_audiences(const std::vector<UserId>& users, const AudienceBounds& bounds,
                      Done<std::vector<Audience>> done);
  void list_conversations(const ListQuery& query, Done<ConversationList> done);
  void view_conversation(ConversationId id, UserId viewer, std::uint32_t members_max,
                         Done<chat::ConversationView> done);
  void unread_conversations(UserId user, std::uint32_t limit,
                            Done<std::vector<chat::ConversationView>> done);
  void find_memberships(UserId user, const std::vector<ConversationId>& ids,
                        Done<std::vector<ConversationId>> done);
  void find_writers(const std::vector<Writer>& asked, Done<std::vector<Writer>> done);
  void find_nodes_at_work(Done<std::vector<NodeDigest>> done);

 private:
  // `build(rows)` makes the answer of what the statements found.
  template <class T, class Build>
  void ask(std::vector<Call> calls, Done<T> done, Build build);

  Connection& connection_;
};

// Shared with the account work.
[[nodiscard]] User read_user(const Rows& rows, int row);

}  // namespace uproar::storage::postgres
