#pragma once

// The rules of storage/README.md, one operation after another over a BatchState. Pure: no statement is sent from here.
// storage/memory/memory_model.cc is the same thing written for reading.

#include "storage/conversation_log.h"
#include "storage/postgres/batch_state.h"

namespace uproar::storage::postgres {

class Judge {
 public:
  // `state` is changed as the operations pass.
  explicit Judge(BatchState& state) : state_(state) {}

  Outcome apply(const Operation& operation);

 private:
  using Conversation = BatchState::Conversation;
  using Member = BatchState::Member;
  using Message = BatchState::Message;

  Outcome judge(const Operation& operation);
  void add_jobs(const Operation& operation, Seq seq);
  void create(Conversation& where, const Operation& operation, const CreateConversation& op,
              Outcome& out);
  void judge(Conversation& where, const Operation& operation, const AppendMessage& op,
             Outcome& out);
  void judge(Conversation& where, const Operation& operation, const EditMessage& op, Outcome& out);
  void judge(Conversation& where, const Operation& operation, const DeleteMessage& op,
             Outcome& out);
  void judge(Conversation& where, const Operation& operation, const ChangeReaction& op,
             Outcome& out);
  void judge(Conversation& where, const Operation& operation, const AddMember& op, Outcome& out);
  void judge(Conversation& where, const Operation& operation, const RemoveMember& op, Outcome& out);
  void judge(Conversation& where, const Operation& operation, const SetRole& op, Outcome& out);
  void judge(Conversation& where, const Operation& operation, const Rename& op, Outcome& out);
  void judge(Conversation& where, const Operation& operation, const AdvanceMark& op, Outcome& out);
  void judge(Conversation& where, const Operation& operation, const SetMute& op, Outcome& out);

  // Null: no member.
  Member* member(const Conversation& where, UserId user);
  // Null: no such message, or one from before the actor has joined, which is hidden from them.
  Message* find_visible(const Conversation& where, const chat::MessageRef& ref, UserId actor);
  // Null, with kNotFound: none that they may see. Otherwise `out` names it.
  Message* target(const Conversation& where, const chat::MessageRef& ref, UserId actor,
                  Outcome& out);
  void insert(Conversation& where, const Operation& operation, const AppendMessage& op,
              const BodyFingerprint& digest, Outcome& out);
  void append_system_row(Conversation& where, const Operation& operation, Outcome& out,
                         chat::SystemEvent event, UserId subject, chat::Role role,
                         std::string_view content);
  // Of a change of `message`.
  void append_event(Conversation& where, const Operation& operation, Message& message,
                    EventKind kind, std::string_view detail, Outcome& out);
  static Seq next_seq(Conversation& where, Outcome& out);
  static void cover(Conversation& where, chat::MarkKind kind, UserId user, Seq from, Seq upto,
                    std::int64_t at_us);
  [[nodiscard]] std::uint64_t number_at(const Conversation& where, Seq seq) const;

  BatchState& state_;
};

}  // namespace uproar::storage::postgres
