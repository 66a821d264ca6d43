#include "tests/sim/committed_events.h"

#include <type_traits>

namespace uproar::chat::testing {
namespace {

constexpr std::int64_t kMillisecondUs = 1'000;

// Collects what differs, by name.
class Difference {
 public:
  template <typename T>
  Difference& of(const char* name, const T& told, const T& committed) {
    if (told != committed) text_ += std::string(text_.empty() ? "" : ", ") + name;
    return *this;
  }
  Difference& at(const char* name, std::int64_t told_us, std::int64_t committed_us) {
    return of(name, told_us / kMillisecondUs, committed_us / kMillisecondUs);
  }
  [[nodiscard]] std::string text() const { return text_; }

 private:
  std::string text_;
};

template <typename Body, typename Compare>
std::string with(const storage::Operation& operation, Compare&& compare) {
  const auto* body = std::get_if<Body>(&operation.body);
  if (body == nullptr) return "kind";
  Difference difference;
  compare(*body, difference);
  return difference.text();
}

}  // namespace

void CommittedEvents::add(const storage::Operation& operation, const storage::Outcome& outcome) {
  entries_[operation.conversation].try_emplace(outcome.seq, Entry{operation, outcome});
}

const CommittedEvents::Entry* CommittedEvents::find(ConversationId conversation, Seq seq) const {
  const auto log = entries_.find(conversation);
  if (log == entries_.end()) return nullptr;
  const auto entry = log->second.find(seq);
  return entry == log->second.end() ? nullptr : &entry->second;
}

std::string CommittedEvents::difference(const ServerEvent& event) const {
  const auto judge = [this](const auto& told) -> std::string {
    using Told = std::decay_t<decltype(told)>;
    if constexpr (std::is_same_v<Told, MessageNew>) {
      return difference(told.message.conversation, told.message);
    } else if constexpr (requires {
                           told.conversation;
                           told.seq;
                         }) {
      const Entry* entry = find(told.conversation, told.seq);
      if (entry == nullptr) return {};  // D1 is asked elsewhere
      const storage::Operation& operation = entry->operation;
      const storage::Outcome& outcome = entry->outcome;
      if constexpr (std::is_same_v<Told, MessageSent>) {
        return with<storage::AppendMessage>(operation, [&](const auto& op, Difference& other) {
          other.of("message_id", told.message, op.id).at("sent_at", told.sent_at_us, outcome.at_us);
        });
      } else if constexpr (std::is_same_v<Told, MessageUpdated>) {
        return with<storage::EditMessage>(operation, [&](const auto& op, Difference& other) {
          other.of("content", told.content, op.content)
              .of("sender_id", told.sender, operation.actor);
          other.of("message_seq", told.message_seq, outcome.message_seq);
          other.of("message_id", told.message, outcome.message);
          other.at("edited_at", told.edited_at_us, outcome.at_us);
        });
      } else if constexpr (std::is_same_v<Told, MessageDeleted>) {
        return with<storage::DeleteMessage>(operation, [&](const auto&, Difference& other) {
          other.of("by", told.by, operation.actor).of("message_id", told.message, outcome.message);
          other.of("message_seq", told.message_seq, outcome.message_seq);
          other.at("deleted_at", told.deleted_at_us, outcome.at_us);
        });
      } else if constexpr (std::is_same_v<Told, ReactionUpdated>) {
        return with<storage::ChangeReaction>(operation, [&](const auto& op, Difference& other) {
          other.of("user_id", told.user, operation.actor).of("emoji", told.emoji, op.emoji);
          other.of("added", told.added, op.add).of("message_id", told.message, outcome.message);
          other.of("message_seq", told.message_seq, outcome.message_seq);
        });
      } else if constexpr (std::is_same_v<Told, MemberAdded>) {
        return with<storage::AddMember>(operation, [&](const auto& op, Difference& other) {
          other.of("user_id", told.user, op.user).of("role", told.role, op.role);
          other.of("by", told.by, operation.actor).at("at", told.at_us, outcome.at_us);
        });
      } else if constexpr (std::is_same_v<Told, MemberRemoved>) {
        return with<storage::RemoveMember>(operation, [&](const auto& op, Difference& other) {
          other.of("user_id", told.user, op.user).of("by", told.by, operation.actor);
          other.at("at", told.at_us, outcome.at_us);
        });
      } else if constexpr (std::is_same_v<Told, ConversationUpdated>) {
        if (std::holds_alternative<storage::Rename>(operation.body)) {
          return with<storage::Rename>(operation, [&](const auto& op, Difference& other) {
            other.of("name", told.name, op.name).of("by", told.by, operation.actor);
            other.at("at", told.at_us, outcome.at_us);
          });
        }
        return with<storage::SetRole>(operation, [&](const auto& op, Difference& other) {
          other.of("user_id", told.user, op.user).of("role", told.role, op.role);
          other.of("by", told.by, operation.actor).at("at", told.at_us, outcome.at_us);
        });
      }
    }
    return {};
  };
  return std::visit(judge, event);
}

std::string CommittedEvents::difference(ConversationId conversation, const Message& row) const {
  const Entry* entry = find(conversation, row.seq);
  if (entry == nullptr) return {};
  const storage::Operation& operation = entry->operation;
  const storage::Outcome& outcome = entry->outcome;
  Difference other;
  other.of("sender_id", row.sender, operation.actor).at("sent_at", row.sent_at_us, outcome.at_us);
  switch (row.system) {
    case SystemEvent::kNone: {
      const auto* op = std::get_if<storage::AppendMessage>(&operation.body);
      if (op == nullptr) return "kind";
      other.of("message_id", row.id, op->id).of("no", row.no, outcome.no);
      other.of("reply_to", row.reply_to, op->reply_to)
          .of("client_id", row.client_id, op->client_id);
      if (row.edited_at_us == 0 && row.deleted_at_us == 0)
        other.of("content", row.content, op->content);
      return other.text();
    }
    case SystemEvent::kMemberAdded: {
      const auto* op = std::get_if<storage::AddMember>(&operation.body);
      if (op == nullptr) return "kind";
      return other.of("user_id", row.subject, op->user).of("role", row.role, op->role).text();
    }
    case SystemEvent::kMemberRemoved: {
      const auto* op = std::get_if<storage::RemoveMember>(&operation.body);
      return op == nullptr ? "kind" : other.of("user_id", row.subject, op->user).text();
    }
    case SystemEvent::kRenamed: {
      const auto* op = std::get_if<storage::Rename>(&operation.body);
      return op == nullptr ? "kind" : other.of("name", row.content, op->name).text();
    }
    case SystemEvent::kRoleChanged: {
      const auto* op = std::get_if<storage::SetRole>(&operation.body);
      if (op == nullptr) return "kind";
      return other.of("user_id", row.subject, op->user).of("role", row.role, op->role).text();
    }
  }
  return "kind";
}

}  // namespace uproar::chat::testing
