#pragma once

// The rules of storage/README.md, one operation after another over the rows of a batch. Whoever may
// not, or speaks of what is not there, is refused before anything is written, so neighbours in the
// transaction go on. storage/memory/memory_model.cc is the same thing written for reading.

#include "storage/batch_rows.h"

namespace uproar::storage {

class Judge {
 public:
  // `rows` outlive it.
  explicit Judge(BatchRows& rows) : rows_(rows) {}

  Outcome apply(const Operation& operation);

 private:
  using Conversation = BatchRows::Conversation;
  using Member = BatchRows::Member;
  using Message = BatchRows::Message;
  // The message that an operation speaks of, and who acts.
  struct Target {
    std::optional<Message> message;  // none: kNotFound is said
    std::optional<Member> actor;
  };

  Outcome judge(const Operation& operation);
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

  // None: no such message, or one from before the actor has joined, which is hidden from them.
  std::optional<Message> find_visible(const Conversation& where, const chat::MessageRef& ref,
                                      const std::optional<Member>& actor);
  Target target(const Conversation& where, const chat::MessageRef& ref, UserId actor, Outcome& out);
  // What was stored with the client_id before anything is refused.
  void refuse(const Operation& operation, const AppendMessage& op, const BodyFingerprint& digest,
              OutcomeStatus status, Outcome& out);
  Seq append_event(Conversation& where, const Operation& operation, const Message& message,
                   EventKind kind, std::string_view detail, Outcome& out);
  void append_system_row(Conversation& where, const Operation& operation, Outcome& out,
                         chat::SystemEvent event, UserId subject, chat::Role role,
                         std::string_view content);
  // `member` is the only owner.
  static bool is_last_owner(const Conversation& where, const Member& member);
  static Seq next_seq(Conversation& where, Outcome& out);

  BatchRows& rows_;
};

}  // namespace uproar::storage
