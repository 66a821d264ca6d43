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
#include "storage/body_fingerprint.h"
#include "storage/operation.h"
#include "storage/postgres/receipt_runs.h"
#include "storage/postgres/wire.h"

namespace uproar::storage::postgres {

struct BatchState {
  // Views below point into the batch's operations, which outlive the state.
  template <class B>
  using In = std::pair<ConversationId, B>;

  struct Conversation {
    ConversationId id{};
    bool exists = false;
    bool is_new = false;
    bool is_changed = false;
    bool is_renamed = false;
    chat::ConversationKind kind{};
    std::string_view name{};  // new or renamed
    Seq last_seq = 0;
    std::uint64_t last_no = 0;
    Seq last_message_seq = 0;
    std::int64_t last_message_at_us = 0;
    std::int64_t created_at_us = 0;
    std::uint64_t member_count = 0;
    std::array<Seq, 2> receipts_upto{};  // by MarkKind
    std::array<ReceiptRuns, 2> receipts{};
    std::vector<std::pair<Seq, std::uint64_t>>
        new_numbers{};  // seq and no of this batch's messages
  };
  struct Member {
    enum class Change : std::uint8_t { kNone, kMarks, kAll };
    bool was_there = false;
    bool is_there = false;
    Change change = Change::kNone;
    chat::Role role{};
    Seq joined_seq = 0;
    Seq delivered_seq = 0;
    Seq read_seq = 0;
    std::uint64_t read_no = 0;
    std::int64_t muted_until_us = 0;
  };
  // A message that was there, or was appended by this batch.
  struct Message {
    ConversationId conversation{};
    Seq seq = 0;
    Seq version = 0;
    MessageId id{};
    UserId sender{};
    std::int64_t deleted_at_us = 0;
    bool is_changed = false;
    Seq text_seq = 0;  // of this batch's event that set or removed the text; 0: it stands
    std::string_view content{};
    std::int64_t edited_at_us = 0;  // of this batch
    std::uint64_t reactions = 0;
  };
  struct FirstAttempt {
    Seq seq = 0;
    std::uint64_t no = 0;
    MessageId message{};
    std::int64_t at_us = 0;
    BodyFingerprint digest{};
  };
  struct Reaction {  // seq of its event; 0: not there
    Seq before = 0;
    Seq now = 0;
  };
  using ReactionKey = std::tuple<ConversationId, Seq, UserId, std::string_view>;
  using AttemptKey = std::tuple<ConversationId, UserId, std::string_view>;

  std::vector<Conversation> conversations;  // ascending by id: all that the batch names
  absl::flat_hash_map<ConversationId, std::uint32_t> by_id;
  absl::flat_hash_map<In<UserId>, Member> members;  // missing: no member
  absl::flat_hash_set<UserId> users;                // of those that were asked for
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
  std::vector<Message> messages;
  absl::flat_hash_map<In<Seq>, std::uint32_t> message_by_seq;
  absl::flat_hash_map<In<MessageId>, std::uint32_t> message_by_id;
  absl::flat_hash_set<In<MessageId>> message_ids;  // taken
  absl::flat_hash_map<ReactionKey, Reaction> reactions;
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

  Conversation& conversation(ConversationId id) { return conversations[by_id.at(id)]; }
  // Null: there is none, or it is a system row.
  Message* find(ConversationId conversation, const chat::MessageRef& ref) {
    const auto take = [this](const auto& map, const auto& key) -> Message* {
      const auto found = map.find(key);
      return found == map.end() ? nullptr : &messages[found->second];
    };
    return ref.seq != 0 ? take(message_by_seq, In<Seq>(conversation, ref.seq))
                        : take(message_by_id, In<MessageId>(conversation, ref.id));
  }
  void add(const Message& message) {
    const auto index = static_cast<std::uint32_t>(messages.size());
    if (!message_by_seq.try_emplace({message.conversation, message.seq}, index).second) return;
    message_by_id.try_emplace({message.conversation, message.id}, index);
    messages.push_back(message);
  }
};

}  // namespace uproar::storage::postgres
