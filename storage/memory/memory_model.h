#pragma once

// What every backend must do, written the plainest way: maps, and loops over all rows. No index, no cleverness, no
// threads; the contract tests take its answers for the truth. Bodies of the operations: memory_model.cc; of users,
// sessions and lists: memory_directory.cc; of jobs: memory_jobs.cc.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/directory.h"
#include "storage/job_queue.h"
#include "storage/operation.h"

namespace uproar::storage {

class MemoryModel {
 public:
  Outcome apply(const Operation& operation);

  [[nodiscard]] Result<ConversationState, StoreError> load_conversation(ConversationId id) const;
  [[nodiscard]] Result<Page, StoreError> read_page(const PageQuery& query) const;
  [[nodiscard]] Result<LogPage, StoreError> read_log(const LogQuery& query) const;
  [[nodiscard]] Result<Seq, StoreError> read_last_seq(ConversationId id) const;

  Result<UserId, StoreError> create_user(User user);
  [[nodiscard]] Result<User, StoreError> find_user_by_name(const std::string& name) const;
  [[nodiscard]] Result<std::vector<User>, StoreError> find_users(
      const std::vector<UserId>& ids) const;
  [[nodiscard]] Result<std::vector<UserId>, StoreError> find_companions(
      UserId of, const std::vector<UserId>& users) const;
  Result<User, StoreError> ensure_user(UserId id, std::string name, std::int64_t at_us);
  void set_last_online(UserId id, std::int64_t at_us);
  Result<SessionId, StoreError> create_session(SessionRecord session);
  Result<Rotation, StoreError> rotate_session(const std::string& old_digest,
                                              const std::string& new_digest, std::int64_t now_us,
                                              std::int64_t expires_at_us);
  Result<bool, StoreError> revoke_session(SessionId id, std::int64_t at_us);
  [[nodiscard]] Result<std::vector<SessionId>, StoreError> revoked_since(
      std::int64_t since_us) const;
  [[nodiscard]] Result<std::vector<Audience>, StoreError> load_audiences(
      const std::vector<UserId>& users, const AudienceBounds& bounds) const;
  [[nodiscard]] Result<ConversationList, StoreError> list_conversations(
      const ListQuery& query) const;
  [[nodiscard]] Result<chat::ConversationView, StoreError> view_conversation(
      ConversationId id, UserId viewer, std::uint32_t members_max) const;
  [[nodiscard]] Result<std::vector<chat::ConversationView>, StoreError> unread_conversations(
      UserId user, std::uint32_t limit) const;

  [[nodiscard]] Result<std::vector<ConversationId>, StoreError> find_memberships(
      UserId user, const std::vector<ConversationId>& ids) const;
  [[nodiscard]] Result<std::vector<Writer>, StoreError> find_writers(
      const std::vector<Writer>& asked) const;

  Result<std::vector<Job>, StoreError> take_jobs(std::int64_t now_us, std::int64_t until_us,
                                                 std::uint32_t limit);
  Result<std::uint64_t, StoreError> finish_jobs(const std::vector<JobKey>& jobs);

 private:
  struct WaitingJob {
    Job job;
    std::int64_t due_at_us = 0;
  };
  struct Member {
    chat::Member marks;
    std::int64_t muted_until_us = 0;
  };
  struct Row {
    chat::Message message;
    std::uint64_t last_no = 0;  // messages up to and including this row
    Seq text_seq = 0;           // of the entry that last set or removed the text
    AppendMessage sent;         // as it came, for kKeyReused
  };
  struct Conversation {
    ConversationId id;
    chat::ConversationKind kind{};
    std::string name;
    Seq last_seq = 0;
    std::uint64_t last_no = 0;
    std::int64_t created_at_us = 0;
    std::int64_t active_at_us = 0;  // newest message, else creation
    std::map<UserId, Member> members;
    std::map<Seq, Row> rows;            // by the seq that made them
    std::map<Seq, LoggedEvent> events;  // the seqs between
  };
  struct Session {
    SessionRecord record;
    std::vector<std::string> spent_digests;  // oldest first
  };

  Outcome judge(const Operation& operation);
  void add_jobs(const Operation& operation, Seq seq);
  Outcome create(const Operation& operation, const CreateConversation& create);
  void judge(Conversation& conversation, const Operation& operation, const AppendMessage& op,
             Outcome& out);
  void judge(Conversation& conversation, const Operation& operation, const EditMessage& op,
             Outcome& out);
  void judge(Conversation& conversation, const Operation& operation, const DeleteMessage& op,
             Outcome& out);
  void judge(Conversation& conversation, const Operation& operation, const ChangeReaction& op,
             Outcome& out);
  void judge(Conversation& conversation, const Operation& operation, const AddMember& op,
             Outcome& out);
  void judge(Conversation& conversation, const Operation& operation, const RemoveMember& op,
             Outcome& out);
  void judge(Conversation& conversation, const Operation& operation, const SetRole& op,
             Outcome& out);
  void judge(Conversation& conversation, const Operation& operation, const Rename& op,
             Outcome& out);
  void judge(Conversation& conversation, const Operation& operation, const AdvanceMark& op,
             Outcome& out);
  void judge(Conversation& conversation, const Operation& operation, const SetMute& op,
             Outcome& out);

  // The message that a reference names; null for system rows, for what does not exist, and for what a member may not read,
  // as they have joined after it.
  static Row* find_message(Conversation& conversation, const chat::MessageRef& ref, UserId viewer);
  static bool is_last_owner(const Conversation& conversation, UserId user);
  static Row& append_row(Conversation& conversation, const Operation& operation, Outcome& out);
  // Of a change of `row`.
  static void append_event(Conversation& conversation, const Operation& operation, Row& row,
                           EventKind kind, std::string emoji, Outcome& out);
  static void append_system_row(Conversation& conversation, const Operation& operation,
                                Outcome& out, chat::SystemEvent event, UserId subject,
                                chat::Role role, std::string content);
  // Raises a mark and gives every message that it is the first to cover its time.
  static void raise_mark(Conversation& conversation, Member& member, chat::MarkKind kind, Seq seq,
                         std::int64_t at_us);

  [[nodiscard]] Audience audience_of(UserId user, const AudienceBounds& bounds) const;
  [[nodiscard]] chat::ConversationView view(const Conversation& conversation, UserId viewer,
                                            std::uint32_t members_max) const;
  [[nodiscard]] std::vector<const Conversation*> most_recently_active(UserId user) const;
  [[nodiscard]] bool is_name_taken(const std::string& name) const;

  std::map<ConversationId, Conversation> conversations_;
  std::map<UserId, User> users_;
  std::map<SessionId, Session> sessions_;
  std::map<JobKey, WaitingJob> jobs_;
};

}  // namespace uproar::storage
