#include "storage/transfer.h"

#include <array>
#include <string>
#include <utility>

#include "storage/row_check.h"

namespace uproar::storage {
namespace {

using enum CellType;

// Whoever changes a schema changes these: a column that is missing here is lost on the way.
constexpr std::array kUsers = std::to_array<TransferColumn>({{"id", kId},
                                                             {"name", kText},
                                                             {"password_hash", kText},
                                                             {"created_at", kTime},
                                                             {"last_online", kTimeOrNever}});
constexpr std::array kConversations = std::to_array<TransferColumn>({{"id", kId},
                                                                     {"kind", kSmall},
                                                                     {"name", kText},
                                                                     {"last_seq", kNumber},
                                                                     {"last_no", kNumber},
                                                                     {"last_message_seq", kNumber},
                                                                     {"last_message_at", kTime},
                                                                     {"member_count", kNumber},
                                                                     {"owner_count", kNumber},
                                                                     {"log_floor", kNumber},
                                                                     {"delivered_upto", kNumber},
                                                                     {"seen_upto", kNumber},
                                                                     {"created_at", kTime}});
constexpr std::array kMembers = std::to_array<TransferColumn>({{"conversation_id", kId},
                                                               {"user_id", kId},
                                                               {"role", kSmall},
                                                               {"joined_seq", kNumber},
                                                               {"delivered_seq", kNumber},
                                                               {"read_seq", kNumber},
                                                               {"read_no", kNumber},
                                                               {"muted_until", kTimeOrNever}});
constexpr std::array kMessages = std::to_array<TransferColumn>({{"conversation_id", kId},
                                                                {"seq", kNumber},
                                                                {"no", kNumber},
                                                                {"version", kNumber},
                                                                {"id", kId},
                                                                {"user_id", kId},
                                                                {"client_id", kText},
                                                                {"body_digest", kBytes},
                                                                {"type", kSmall},
                                                                {"content", kText},
                                                                {"attachments", kText},
                                                                {"reply_to", kNumber},
                                                                {"mentions", kIds},
                                                                {"sent_at", kTime},
                                                                {"edited_at", kTimeOrNever},
                                                                {"deleted_at", kTimeOrNever},
                                                                {"text_seq", kNumber},
                                                                {"system", kSmall},
                                                                {"subject", kId},
                                                                {"role", kSmall}});
constexpr std::array kReactions = std::to_array<TransferColumn>({{"conversation_id", kId},
                                                                 {"message_seq", kNumber},
                                                                 {"seq", kNumber},
                                                                 {"user_id", kId},
                                                                 {"emoji", kText}});
constexpr std::array kEvents = std::to_array<TransferColumn>({{"conversation_id", kId},
                                                              {"seq", kNumber},
                                                              {"kind", kSmall},
                                                              {"actor", kId},
                                                              {"message_seq", kNumber},
                                                              {"detail", kText},
                                                              {"at", kTime}});
constexpr std::array kReceipts = std::to_array<TransferColumn>({{"conversation_id", kId},
                                                                {"kind", kSmall},
                                                                {"from_seq", kNumber},
                                                                {"upto_seq", kNumber},
                                                                {"user_id", kId},
                                                                {"at", kTime},
                                                                {"second_user_id", kId},
                                                                {"second_at", kTime}});
constexpr std::array kSessions = std::to_array<TransferColumn>({{"id", kId},
                                                                {"user_id", kId},
                                                                {"refresh_digest", kBytes},
                                                                {"generation", kNumber},
                                                                {"device", kText},
                                                                {"created_at", kTime},
                                                                {"expires_at", kTime},
                                                                {"revoked_at", kTimeOrNever}});
constexpr std::array kSpentDigests = std::to_array<TransferColumn>(
    {{"digest", kBytes}, {"session_id", kId}, {"generation", kNumber}});

constexpr std::array kJobs = std::to_array<TransferColumn>({{"conversation_id", kId},
                                                            {"seq", kNumber},
                                                            {"kind", kSmall},
                                                            {"user_id", kId},
                                                            {"created_at", kTime},
                                                            {"due_at", kTime},
                                                            {"expires_at", kTime},
                                                            {"attempts", kNumber}});

constexpr std::array kTables = std::to_array<TransferTable>({{"users", kUsers},
                                                             {"conversations", kConversations},
                                                             {"users_conversations", kMembers},
                                                             {"messages", kMessages},
                                                             {"events", kEvents},
                                                             {"reactions", kReactions},
                                                             {"receipts", kReceipts},
                                                             {"sessions", kSessions},
                                                             {"spent_digests", kSpentDigests},
                                                             {"jobs", kJobs}});

constexpr std::uint64_t kRowsPerWord = 4096;
constexpr std::uint32_t kSummariesAtOnce = 4096;

using Tell = std::function<void(const TransferProgress&)>;

Err<SystemError> differs(std::string what) {
  return Err{SystemError{.operation = "compare",
                         .subject = std::move(what),
                         .code = 0,
                         .hint = "nothing was kept; report this as a fault of the program"}};
}

Result<std::uint64_t, SystemError> copy(TransferSource& source, TransferTarget& target,
                                        const TransferTable& table, const Tell& tell) {
  const auto total = source.count(table);
  if (!total.ok()) return Err{total.error()};
  if (const auto begun = target.begin_table(table); !begun.ok()) return Err{begun.error()};
  TransferProgress progress{.doing = table.name, .done = 0, .total = *total};
  std::string fault;
  const auto read = source.read(table, [&](Row row) {
    fault = fault_of(table, row);
    if (!fault.empty() || !target.put(row)) return false;
    if (++progress.done % kRowsPerWord == 0) tell(progress);
    return true;
  });
  if (!read.ok()) return Err{read.error()};
  if (!fault.empty())
    return Err{SystemError{.operation = "copy",
                           .subject = std::move(fault),
                           .code = 0,
                           .hint = "nothing was kept; mend that row in a copy of the folder "
                                   "(sqlite3 uproar.db), or restore one that is whole"}};
  if (const auto ended = target.end_table(); !ended.ok()) return Err{ended.error()};
  tell(progress);
  if (progress.done != *total)
    return differs(std::string(table.name) + ": " + std::to_string(*total) + " rows counted, " +
                   std::to_string(progress.done) + " read");
  return progress.done;
}

Result<void, SystemError> compare_tables(TransferTarget& target, const TransferReport& report) {
  for (const TransferTable& table : transfer_tables()) {
    const auto stored = target.count(table);
    if (!stored.ok()) return Err{stored.error()};
    const std::uint64_t copied =
        report.tables[static_cast<std::size_t>(&table - kTables.data())].rows;
    if (*stored != copied)
      return differs(std::string(table.name) + ": " + std::to_string(copied) +
                     " rows were copied, " + std::to_string(*stored) + " are there");
  }
  return {};
}

Result<void, SystemError> compare_conversations(TransferSource& source, TransferTarget& target,
                                                std::uint64_t total, const Tell& tell) {
  TransferProgress progress{.doing = "comparing", .done = 0, .total = total};
  ConversationId after{};
  while (true) {
    const auto ours = source.summaries(after, kSummariesAtOnce);
    if (!ours.ok()) return Err{ours.error()};
    const auto theirs = target.summaries(after, kSummariesAtOnce);
    if (!theirs.ok()) return Err{theirs.error()};
    for (std::size_t i = 0; i < ours->size(); ++i) {
      if (i < theirs->size() && (*ours)[i] == (*theirs)[i]) continue;
      return differs("conversation " + (*ours)[i].id.text() + " is not what it was");
    }
    if (theirs->size() != ours->size()) return differs("there are more conversations than before");
    if (ours->empty()) return {};
    after = ours->back().id;
    progress.done += ours->size();
    tell(progress);
  }
}

}  // namespace

std::span<const TransferTable> transfer_tables() {
  return kTables;
}

Result<TransferReport, SystemError> transfer(TransferSource& source, TransferTarget& target,
                                             const Tell& tell) {
  TransferReport report;
  std::uint64_t conversations = 0;
  for (const TransferTable& table : transfer_tables()) {
    const auto rows = copy(source, target, table, tell);
    if (!rows.ok()) return Err{rows.error()};
    report.tables.push_back({.name = table.name, .rows = *rows});
    if (std::string_view(table.name) == "conversations") conversations = *rows;
  }
  if (const auto same = compare_tables(target, report); !same.ok()) return Err{same.error()};
  if (const auto same = compare_conversations(source, target, conversations, tell); !same.ok())
    return Err{same.error()};
  if (const auto kept = target.finish(); !kept.ok()) return Err{kept.error()};
  return report;
}

}  // namespace uproar::storage
