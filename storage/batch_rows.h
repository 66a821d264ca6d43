#pragma once

// The rows that a batch of operations reads and changes, as Judge sees them: whichever database they
// are in, nobody else writes to the conversations of the batch meanwhile. A wide interface, because
// it has one user, and because each rule written once is worth more than few functions.
//
// What is written is read back by what follows in the same batch. Nothing here refuses: an error of
// the database itself is for whoever began the transaction to find.

#include <cstdint>
#include <optional>
#include <string_view>

#include "storage/body_fingerprint.h"
#include "storage/conversation_log.h"
#include "storage/operation.h"

namespace uproar::storage {

class BatchRows {
 public:
  // Changed in place; written once, when the batch has been judged.
  struct Conversation {
    ConversationId id{};
    bool exists = false;
    bool is_new = false;
    bool is_changed = false;
    bool is_renamed = false;
    chat::ConversationKind kind{};
    std::string_view name{};  // new or renamed; of an operation, which outlives the batch
    Seq last_seq = 0;
    std::uint64_t last_no = 0;
    Seq last_message_seq = 0;
    std::int64_t last_message_at_us = 0;
    std::int64_t created_at_us = 0;
    std::uint64_t member_count = 0;
    std::uint64_t owner_count = 0;
  };
  struct Member {
    chat::Role role{};
    Seq joined_seq = 0;
    Seq delivered_seq = 0;
    Seq read_seq = 0;
    std::uint64_t read_no = 0;
  };
  struct Message {
    Seq seq = 0;
    Seq version = 0;  // of its last change
    MessageId id{};
    UserId sender{};
    std::int64_t deleted_at_us = 0;
  };
  // What is stored with a client_id.
  struct FirstAttempt {
    Seq seq = 0;
    std::uint64_t no = 0;
    MessageId message{};
    std::int64_t at_us = 0;
    BodyFingerprint digest{};
  };
  struct NewMessage {
    const Operation& operation;
    const AppendMessage& body;  // of the operation
    Seq seq = 0;
    std::uint64_t no = 0;
    BodyFingerprint digest{};
  };
  struct NewSystemRow {
    const Operation& operation;
    Seq seq = 0;
    chat::SystemEvent event{};
    UserId subject{};
    chat::Role role{};
    std::string_view content{};  // of the operation
  };
  struct NewEvent {
    const Operation& operation;
    Seq seq = 0;
    EventKind kind{};
    Seq message_seq = 0;
    std::string_view detail{};  // of the operation
  };

  virtual ~BatchRows() = default;

  // Stays where it is until the batch is judged.
  virtual Conversation& conversation(ConversationId id) = 0;
  virtual std::optional<Member> find_member(const Conversation& where, UserId user) = 0;
  virtual bool is_user(UserId user) = 0;
  // No rows of the system.
  virtual std::optional<Message> find_message(const Conversation& where,
                                              const chat::MessageRef& ref) = 0;
  virtual bool has_reaction(const Conversation& where, const Message& message, UserId user,
                            std::string_view emoji) = 0;
  virtual std::uint64_t count_reactions(const Conversation& where, const Message& message) = 0;
  // How many messages there are up to `seq`, which is below the last.
  virtual std::uint64_t number_at(const Conversation& where, Seq seq) = 0;

  // What is stored with the client_id of a message. Retries are rare, so the first asks only what is
  // known without a look at the database. The second comes before a refusal, and answers for what
  // is stored, too; rows that were loaded without such a look may say that there is nothing, if
  // they then have the whole batch judged again with one.
  virtual std::optional<FirstAttempt> known_first_attempt(const Operation& operation,
                                                          const AppendMessage& op) = 0;
  virtual std::optional<FirstAttempt> find_first_attempt(const Operation& operation,
                                                         const AppendMessage& op) = 0;

  virtual void insert_conversation(const Conversation& where) = 0;
  // False: its id or its client_id is taken, and nothing is written.
  virtual bool insert_message(Conversation& where, const NewMessage& row) = 0;
  virtual void insert_system_row(const Conversation& where, const NewSystemRow& row) = 0;
  virtual void insert_event(const NewEvent& row) = 0;
  virtual void insert_jobs(const Operation& operation, Seq seq) = 0;

  // Changes of a message, by the event of that seq.
  virtual void set_text(const Conversation& where, const Message& message, Seq seq,
                        std::string_view content, std::int64_t edited_at_us) = 0;
  virtual void delete_message(const Conversation& where, const Message& message, Seq seq,
                              std::int64_t deleted_at_us) = 0;
  virtual void insert_reaction(const Conversation& where, const Message& message, Seq seq,
                               UserId user, std::string_view emoji) = 0;
  virtual void delete_reaction(const Conversation& where, const Message& message, Seq seq,
                               UserId user, std::string_view emoji) = 0;

  // False: a member already.
  virtual bool insert_member(const Conversation& where, UserId user, const Member& member) = 0;
  // False: not a member.
  virtual bool set_mute(const Conversation& where, UserId user, std::int64_t until_us) = 0;
  // REQUIRES, of these: a member.
  virtual void delete_member(const Conversation& where, UserId user) = 0;
  virtual void set_role(const Conversation& where, UserId user, chat::Role role) = 0;
  // delivered_seq, read_seq and read_no.
  virtual void set_marks(const Conversation& where, UserId user, const Member& marks) = 0;
  // A receipt: the user's mark moved from `from` to `upto`.
  virtual void cover(Conversation& where, chat::MarkKind kind, UserId user, Seq from, Seq upto,
                     std::int64_t at_us) = 0;
};

}  // namespace uproar::storage
