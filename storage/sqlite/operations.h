#pragma once

// Judges (storage/judge.h) and stores one operation after another inside the writer's transaction:
// each row is written as soon as it is judged, but for the heads of conversations.
//
// Every judgement reads before it writes, so a refused operation leaves nothing behind and its neighbours in the
// transaction go on. Only an error of the database itself stops it: then database.ok() is false.

#include <cstdint>
#include <map>
#include <string>

#include "storage/batch_rows.h"
#include "storage/judge.h"
#include "storage/sqlite/database.h"
#include "storage/sqlite/jobs.h"
#include "storage/sqlite/receipts.h"

namespace uproar::storage::sqlite {

class Operations final : BatchRows {
 public:
  explicit Operations(Database& database);

  // Before the first apply() of a transaction, also of one that starts again.
  void begin() { heads_.clear(); }
  // `operation` outlives the transaction.
  Outcome apply(const Operation& operation) { return judge_.apply(operation); }
  // After the last: writes the heads of the conversations that changed, once each however many rows they got.
  void finish();

  // Within the same transaction.
  [[nodiscard]] Jobs& jobs() { return jobs_; }

 private:
  Conversation& conversation(ConversationId id) override;
  std::optional<Member> find_member(const Conversation& where, UserId user) override;
  bool is_user(UserId user) override;
  std::optional<Message> find_message(const Conversation& where,
                                      const chat::MessageRef& ref) override;
  bool has_reaction(const Conversation& where, const Message& message, UserId user,
                    std::string_view emoji) override;
  std::uint64_t count_reactions(const Conversation& where, const Message& message) override;
  std::uint64_t number_at(const Conversation& where, Seq seq) override;
  // A retry is rare, so the unique index is asked by the insert itself, not by a look-up before it.
  std::optional<FirstAttempt> known_first_attempt(const Operation& /*operation*/,
                                                  const AppendMessage& /*op*/) override {
    return std::nullopt;
  }
  std::optional<FirstAttempt> find_first_attempt(const Operation& operation,
                                                 const AppendMessage& op) override;
  void insert_conversation(const Conversation& where) override;
  bool insert_message(Conversation& where, const NewMessage& row) override;
  void insert_system_row(const Conversation& where, const NewSystemRow& row) override;
  void insert_event(const NewEvent& row) override;
  void insert_jobs(const Operation& operation, Seq seq) override { jobs_.add(operation, seq); }
  void set_text(const Conversation& where, const Message& message, Seq seq,
                std::string_view content, std::int64_t edited_at_us) override;
  void delete_message(const Conversation& where, const Message& message, Seq seq,
                      std::int64_t deleted_at_us) override;
  void insert_reaction(const Conversation& where, const Message& message, Seq seq, UserId user,
                       std::string_view emoji) override;
  void delete_reaction(const Conversation& where, const Message& message, Seq seq, UserId user,
                       std::string_view emoji) override;
  bool insert_member(const Conversation& where, UserId user, const Member& member) override;
  void delete_member(const Conversation& where, UserId user) override;
  void set_role(const Conversation& where, UserId user, chat::Role role) override;
  bool set_mute(const Conversation& where, UserId user, std::int64_t until_us) override;
  void set_marks(const Conversation& where, UserId user, const Member& marks) override;
  void cover(Conversation& where, chat::MarkKind kind, UserId user, Seq from, Seq upto,
             std::int64_t at_us) override;

  Database& database_;
  Judge judge_;
  Receipts receipts_;
  Jobs jobs_;
  // At most a transaction's rows (limits.h).
  std::map<ConversationId, Conversation> heads_;

  Statement find_conversation_;
  Statement insert_conversation_;
  Statement update_conversation_;
  Statement find_member_;
  Statement insert_member_;
  Statement delete_member_;
  Statement set_role_;
  Statement set_marks_;
  Statement set_mute_;
  Statement find_user_;
  Statement find_by_client_id_;
  Statement find_by_seq_;
  Statement find_by_id_;
  Statement insert_message_;
  Statement insert_system_row_;
  Statement insert_event_;
  Statement edit_message_;
  Statement delete_message_;
  Statement touch_message_;
  Statement find_reaction_;
  Statement count_reactions_;
  Statement insert_reaction_;
  Statement delete_reaction_;
  Statement delete_reactions_;
  Statement number_at_;
};

}  // namespace uproar::storage::sqlite
