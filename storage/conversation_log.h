#pragma once

// The log of a conversation: each seq above the floor is one entry, of a row that people read (a
// message, or what the system says of members, roles and names) or of an event that changed such a
// row. Seqs are contiguous, so whether a page is whole can be seen by looking at it.
//
// An entry carries a text only where nothing has changed the text since: else it is superseded, and
// the entry that changed it comes later. So nobody is brought a text that was written after the
// seq up to which they read.

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "proto/chat/vocabulary.h"

namespace uproar::storage {

// Stored as these integers.
enum class EventKind : std::uint8_t { kEdit, kDeletion, kReactionAdded, kReactionRemoved };

// One that is no row of history. It refers to the message that it changed.
struct LoggedEvent {
  EventKind kind{};
  UserId actor{};
  Seq message_seq = 0;
  std::string emoji{};    // of a reaction
  std::string content{};  // of an edit
  std::int64_t at_us = 0;
};

struct LogEntry {
  Seq seq = 0;
  // A later entry has set or removed the text: `content` is empty.
  bool is_superseded = false;
  // A message as it was sent, without what later entries say of it: no reactions, no marks,
  // edited_at and deleted_at 0, version as seq. A deleted one has lost its attachments and mentions.
  std::variant<chat::Message, LoggedEvent> what{};
};

struct LogQuery {
  ConversationId conversation{};
  Seq after = 0;  // entries with a higher seq, and above the floor
  std::uint32_t limit = 500;
  // The page ends before the entry that would make it larger; the first always fits. 0: no bound.
  std::size_t bytes_max = 0;
};

struct LogPage {
  std::vector<LogEntry> entries;  // ascending by seq
  Seq floor = 0;                  // up to here the log is not kept
  Seq last_seq = 0;               // of the conversation, when the page was read
  bool has_more = false;
};

}  // namespace uproar::storage
