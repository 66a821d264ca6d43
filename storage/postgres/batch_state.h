#pragma once

// What one batch knows of the database while its conversations are locked, and what it has done to it so far. Loaded by
// BatchLook, changed by Judge, written back by batch_writes(): each row once, however many operations touched it.

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "storage/batch_rows.h"
#include "storage/postgres/wire.h"
#include "storage/receipt_runs.h"

namespace uproar::storage::postgres {

struct BatchState final : BatchRows {
  // Views below point into the batch's operations, which outlive the state.
  template <class B>
  using In = std::pair<ConversationId, B>;

  struct KnownConversation : Conversation {
    std::array<Seq, 2> receipts_upto{};  // by MarkKind
    std::array<ReceiptRuns, 2> receipts{};
    // seq and no of this batch's messages
    std::vector<std::pair<Seq, std::uint64_t>> new_numbers{};
  };
  struct KnownMember {
    enum class Change : std::uint8_t { kNone, kMarks, kAll };
    bool was_there = false;
    bool is_there = false;
    Change change = Change::kNone;
    Member row{};
    std::int64_t muted_until_us = 0;
  };
  // A message that was there, or was appended by this batch.
  struct KnownMessage : Message {
    ConversationId conversation{};
    bool is_changed = false;
    Seq text_seq = 0;  // of this batch's event that set or removed the text; 0: it stands
    std::string_view content{};
    std::int64_t edited_at_us = 0;  // of this batch
    std::uint64_t reactions = 0;
  };
  struct KnownReaction {  // seq of its event; 0: not there
    Seq before = 0;
    Seq now = 0;
  };
  using ReactionKey = std::tuple<ConversationId, Seq, UserId, std::string_view>;
  using AttemptKey = std::tuple<ConversationId, UserId, std::string_view>;

  std::vector<KnownConversation> conversations;  // ascending by id: all that the batch names
  absl::flat_hash_map<ConversationId, std::uint32_t> by_id;
  absl::flat_hash_map<In<UserId>, KnownMember> members;  // missing: no member
  absl::flat_hash_set<UserId> users;                     // of those that were asked for
  absl::flat_hash_map<AttemptKey, FirstAttempt> first_attempts;
  bool is_careful = false;
  // Whether what was stored with the message's client_id is above, not only what this batch stores: on a careful look, of
  // a reply, and of a retry that may be nothing else. What it replies to may be missing, and nothing may be stored with
  // the key of a retry: both the client decides, and nobody else's batch is to start again for that.
  static bool knows_first_attempt(bool is_careful, const AppendMessage& op) {
    return is_careful || op.reply_to != 0 || op.retry_only;
  }
  bool wants_first_attempts =
      false;  // a verdict depends on what is not known: start again, and look
  std::vector<KnownMessage> messages;
  absl::flat_hash_map<In<Seq>, std::uint32_t> message_by_seq;
  absl::flat_hash_map<In<MessageId>, std::uint32_t> message_by_id;
  absl::flat_hash_set<In<MessageId>> message_ids;  // taken
  absl::flat_hash_map<ReactionKey, KnownReaction> reactions;
  std::deque<std::string> texts;  // what keys above that came from the database point to
  absl::flat_hash_map<In<Seq>, std::uint64_t> numbers;  // messages up to a seq, before this batch

  // Columns of kInsertMessages; below those of kInsertSystemRows, kInsertEvents and kPutJobs.
  struct NewMessages {
    Column conversation{Type::kUuid}, seq{Type::kInt8}, no{Type::kInt8}, id{Type::kUuid},
        user{Type::kUuid}, client_id{Type::kText}, digest{Type::kBytes}, type{Type::kInt2},
        content{Type::kText}, attachments{Type::kText}, reply_to{Type::kInt8},
        mentions{Type::kText}, sent_at{Type::kTime};
  } new_messages;
  struct NewSystemRows {
    Column conversation{Type::kUuid}, seq{Type::kInt8}, no{Type::kInt8}, user{Type::kUuid},
        content{Type::kText}, sent_at{Type::kTime}, system{Type::kInt2}, subject{Type::kUuid},
        role{Type::kInt2};
  } new_system_rows;
  struct NewEvents {
    Column conversation{Type::kUuid}, seq{Type::kInt8}, kind{Type::kInt2}, actor{Type::kUuid},
        message_seq{Type::kInt8}, detail{Type::kText}, at{Type::kTime};
  } new_events;
  struct NewJobs {
    Column conversation{Type::kUuid}, seq{Type::kInt8}, kind{Type::kInt2}, user{Type::kUuid},
        at{Type::kTime}, expires_at{Type::kTime};
    std::int64_t newest_us = 0;
  } new_jobs;

  // Null: there is none, or it is a system row.
  KnownMessage* find(ConversationId where, const chat::MessageRef& ref);
  void add(const KnownMessage& message);

  KnownConversation& conversation(ConversationId id) override {
    return conversations[by_id.at(id)];
  }
  std::optional<Member> find_member(const Conversation& where, UserId user) override;
  bool is_user(UserId user) override { return users.contains(user); }
  std::optional<Message> find_message(const Conversation& where,
                                      const chat::MessageRef& ref) override;
  bool has_reaction(const Conversation& where, const Message& message, UserId user,
                    std::string_view emoji) override;
  std::uint64_t count_reactions(const Conversation& where, const Message& message) override;
  std::uint64_t number_at(const Conversation& where, Seq seq) override;
  std::optional<FirstAttempt> known_first_attempt(const Operation& operation,
                                                  const AppendMessage& op) override;
  std::optional<FirstAttempt> find_first_attempt(const Operation& operation,
                                                 const AppendMessage& op) override;
  void insert_conversation(const Conversation& /*where*/) override {}
  bool insert_message(Conversation& where, const NewMessage& row) override;
  void insert_system_row(const Conversation& where, const NewSystemRow& row) override;
  void insert_event(const NewEvent& row) override;
  void insert_jobs(const Operation& operation, Seq seq) override;
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

 private:
  // Judge has no conversation but those of conversation().
  static KnownConversation& known(Conversation& where) {
    return static_cast<KnownConversation&>(where);
  }
  static const KnownConversation& known(const Conversation& where) {
    return static_cast<const KnownConversation&>(where);
  }
  // Null: no member.
  KnownMember* member(const Conversation& where, UserId user);
  // REQUIRES: a member.
  KnownMember& known_member(const Conversation& where, UserId user);
  // REQUIRES, of these: the message was found here.
  KnownMessage& known_message(const Conversation& where, const Message& message);
  KnownMessage& changed(const Conversation& where, const Message& message, Seq seq);
};

}  // namespace uproar::storage::postgres
