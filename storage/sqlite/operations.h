#pragma once

// Judges and stores one operation after another inside the writer's transaction. The rules are those of
// storage/README.md, and memory_model.cc is the same thing written for reading.
//
// Every judgement reads before it writes, so a refused operation leaves nothing behind and its neighbours in the
// transaction go on. Only an error of the database itself stops it: then database.ok() is false.

#include <cstdint>
#include <map>
#include <string>

#include "storage/conversation_log.h"
#include "storage/operation.h"
#include "storage/sqlite/database.h"
#include "storage/sqlite/jobs.h"
#include "storage/sqlite/receipts.h"

namespace uproar::storage::sqlite {

class Operations {
 public:
  explicit Operations(Database& database);

  // Before the first apply() of a transaction, also of one that starts again.
  void begin() { heads_.clear(); }
  Outcome apply(const Operation& operation);
  // After the last: writes the heads of the conversations that changed, once each however many rows they got.
  void finish();

  // Within the same transaction.
  [[nodiscard]] Jobs& jobs() { return jobs_; }

 private:
  // A conversation's row, kept while the transaction lasts.
  struct Head {
    bool exists = false;
    bool changed = false;
    chat::ConversationKind kind{};
    std::string name;
    Seq last_seq = 0;
    std::uint64_t last_no = 0;
    Seq last_message_seq = 0;
    std::int64_t last_message_at_us = 0;
    std::int64_t created_at_us = 0;
    std::int64_t member_count = 0;
  };
  struct Marks {
    Seq delivered_seq = 0;
    Seq read_seq = 0;
    std::uint64_t read_no = 0;
    Seq joined_seq = 0;
    // A message from before they have joined is hidden, and not there for what they do either.
    [[nodiscard]] bool may_see(Seq seq) const;
  };
  struct Target {  // the message that an edit, a deletion or a reaction speaks of
    Seq seq = 0;
    Seq version = 0;
    MessageId id;
    UserId sender;
    std::int64_t deleted_at_us = 0;
  };

  Outcome judge(const Operation& operation);
  Head& head_of(ConversationId id);
  void create(Head& head, const Operation& operation, const CreateConversation& op, Outcome& out);
  void judge(Head& head, const Operation& operation, const AppendMessage& op, Outcome& out);
  void judge(Head& head, const Operation& operation, const EditMessage& op, Outcome& out);
  void judge(Head& head, const Operation& operation, const DeleteMessage& op, Outcome& out);
  void judge(Head& head, const Operation& operation, const ChangeReaction& op, Outcome& out);
  void judge(Head& head, const Operation& operation, const AddMember& op, Outcome& out);
  void judge(Head& head, const Operation& operation, const RemoveMember& op, Outcome& out);
  void judge(Head& head, const Operation& operation, const SetRole& op, Outcome& out);
  void judge(Head& head, const Operation& operation, const Rename& op, Outcome& out);
  void judge(Head& head, const Operation& operation, const AdvanceMark& op, Outcome& out);
  void judge(Head& head, const Operation& operation, const SetMute& op, Outcome& out);

  bool find_marks(ConversationId conversation, UserId user, Marks& marks);
  bool is_user(UserId user);
  // False and kNotFound when there is no such message; fills message and message_seq of `out` otherwise.
  bool find_target(ConversationId conversation, const chat::MessageRef& ref, const Marks& marks,
                   Target& target, Outcome& out);
  // True when the actor has used this client_id before; `out` is then the verdict.
  bool find_first_attempt(const Operation& operation, const AppendMessage& op, Outcome& out);
  Seq next_seq(Head& head, Outcome& out);
  // Of a change of the message of `out`; answers its seq.
  Seq append_event(Head& head, const Operation& operation, EventKind kind, std::string_view detail,
                   Outcome& out);
  void append_system_row(Head& head, const Operation& operation, Outcome& out,
                         chat::SystemEvent event, UserId subject, chat::Role role,
                         std::string_view content);
  std::uint64_t number_at(ConversationId conversation, const Head& head, Seq seq);

  Database& database_;
  Receipts receipts_;
  Jobs jobs_;
  std::map<ConversationId, Head> heads_;  // at most a transaction's rows (limits.h)

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
