#include "storage/sqlite/audit.h"

#include <array>
#include <utility>

#include "proto/chat/ids.h"

namespace uproar::storage::sqlite {
namespace {

// At most one row: the id of what is broken, how (for people), and whose user it is about (NULL: nobody's).
struct Rule {
  const char* of;  // what the id is one of
  const char* sql;
};

constexpr std::array kRules = std::to_array<Rule>({
    {"conversation", R"sql(
SELECT conversation_id, 'has a member who is no user', user_id FROM users_conversations m
WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = m.user_id) LIMIT 1)sql"},
    {"conversation", R"sql(
SELECT conversation_id, 'has members, and is not there itself', NULL FROM users_conversations m
WHERE NOT EXISTS (SELECT 1 FROM conversations c WHERE c.id = m.conversation_id) LIMIT 1)sql"},
    {"conversation", R"sql(
SELECT conversation_id, 'has messages, and is not there itself', NULL
FROM (SELECT DISTINCT conversation_id FROM messages) m
WHERE NOT EXISTS (SELECT 1 FROM conversations c WHERE c.id = m.conversation_id) LIMIT 1)sql"},
    {"conversation", R"sql(
SELECT conversation_id, 'has receipts, and is not there itself', NULL
FROM (SELECT DISTINCT conversation_id FROM receipts) r
WHERE NOT EXISTS (SELECT 1 FROM conversations c WHERE c.id = r.conversation_id) LIMIT 1)sql"},
    {"conversation", R"sql(
SELECT conversation_id, 'has a reaction to seq ' || message_seq || ', which is not there', user_id
FROM reactions r WHERE NOT EXISTS (
  SELECT 1 FROM messages m WHERE m.conversation_id = r.conversation_id AND m.seq = r.message_seq)
LIMIT 1)sql"},
    {"session", R"sql(
SELECT id, 'is of somebody who is no user', user_id FROM sessions s
WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = s.user_id) LIMIT 1)sql"},
    {"conversation", R"sql(
SELECT conversation_id, 'has an event of message ' || message_seq || ', which is not there', actor
FROM events e WHERE NOT EXISTS (
  SELECT 1 FROM messages m WHERE m.conversation_id = e.conversation_id AND m.seq = e.message_seq
    AND m.system = 0)
LIMIT 1)sql"},
    // Messages and events together are the log: each seq above the floor once.
    {"conversation", R"sql(
SELECT id, CASE WHEN seq <= before
  THEN 'has seq ' || seq || ' twice'
  ELSE 'has a hole: seq ' || (before + 1) || ' is missing before seq ' || seq END, NULL
FROM (
  SELECT c.id, l.seq, lag(l.seq, 1, c.log_floor) OVER (PARTITION BY c.id ORDER BY l.seq) AS before
  FROM (SELECT conversation_id, seq FROM messages
        UNION ALL SELECT conversation_id, seq FROM events) l
  JOIN conversations c ON c.id = l.conversation_id AND l.seq > c.log_floor)
WHERE seq <> before + 1 LIMIT 1)sql"},
    // Below the floor changes have no rows: a seq that no row has was the change of a row before it,
    // so a version so far is as high.
    {"conversation", R"sql(
SELECT conversation_id, 'has a hole: seq ' || (high + 1) || ' is missing before seq ' || seq, NULL
FROM (
  SELECT m.conversation_id, seq, log_floor,
    coalesce(max(version) OVER (PARTITION BY m.conversation_id ORDER BY seq
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS high
  FROM messages m JOIN conversations c ON c.id = m.conversation_id)
WHERE seq <= log_floor AND seq - 1 > high LIMIT 1)sql"},
    {"conversation", R"sql(
SELECT m.conversation_id, 'has a text of seq ' || m.seq || ' that no event has set', m.user_id
FROM messages m JOIN conversations c ON c.id = m.conversation_id
WHERE (m.text_seq > c.log_floor AND NOT EXISTS (
    SELECT 1 FROM events e WHERE e.conversation_id = m.conversation_id AND e.seq = m.text_seq
      AND e.message_seq = m.seq AND e.kind IN (0, 1)))
  OR EXISTS (
    SELECT 1 FROM events e WHERE e.conversation_id = m.conversation_id AND e.message_seq = m.seq
      AND e.kind IN (0, 1) AND e.seq > m.text_seq)
LIMIT 1)sql"},
    {"conversation", R"sql(
SELECT conversation_id, 'has a hole: message ' || (before + 1) || ' is missing before seq ' || seq ||
  ', which has number ' || no, NULL
FROM (
  SELECT conversation_id, seq, no, system, lag(no, 1, 0) OVER earlier AS before
  FROM messages WINDOW earlier AS (PARTITION BY conversation_id ORDER BY seq))
WHERE no <> before + (system = 0) LIMIT 1)sql"},
    {"conversation", R"sql(
SELECT id, 'says that its last seq is ' || last_seq || ' and its last message number ' || last_no ||
  ', and its log ends at ' || high || ' and ' || count, NULL
FROM (
  SELECT c.id, c.last_seq, c.last_no, max(c.log_floor,
      coalesce((SELECT max(seq) FROM messages m WHERE m.conversation_id = c.id), 0),
      coalesce((SELECT max(seq) FROM events e WHERE e.conversation_id = c.id), 0)) AS high,
    coalesce((SELECT no FROM messages m WHERE m.conversation_id = c.id
              ORDER BY seq DESC LIMIT 1), 0) AS count
  FROM conversations c)
WHERE last_seq <> high OR last_no <> count LIMIT 1)sql"},
    {"conversation", R"sql(
SELECT c.id, 'has a mark above its last seq ' || c.last_seq, m.user_id
FROM users_conversations m JOIN conversations c ON c.id = m.conversation_id
WHERE m.delivered_seq > c.last_seq OR m.read_no > c.last_no LIMIT 1)sql"},
    {"conversation", R"sql(
SELECT id, 'says that it has ' || member_count || ' members, and has ' || members, NULL
FROM (
  SELECT c.id, c.member_count, count(m.user_id) AS members
  FROM conversations c LEFT JOIN users_conversations m ON m.conversation_id = c.id GROUP BY c.id)
WHERE member_count <> members LIMIT 1)sql"},
    {"conversation", R"sql(
SELECT id, 'says that it has ' || owner_count || ' owners, and has ' || owners, NULL
FROM (
  SELECT c.id, c.owner_count, count(m.user_id) AS owners FROM conversations c
  LEFT JOIN users_conversations m ON m.conversation_id = c.id AND m.role = 2 GROUP BY c.id)
WHERE owner_count <> owners LIMIT 1)sql"},
});

Result<void, SystemError> refuse(const std::string& path, const std::string& what) {
  return Err{SystemError{
      .operation = "check",
      .subject = path + ": " + what,
      .code = 0,
      .hint = "restore a folder that is whole from a backup, or mend this in a copy of it (sqlite3 "
              "uproar.db); nothing was copied"}};
}

}  // namespace

Result<void, SystemError> audit(Database& database, const std::string& path) {
  {
    Statement check(database, "PRAGMA quick_check(1)");
    Rows rows = check.query();
    if (rows.next() && rows.bytes(0) != "ok") return refuse(path, "it is damaged: " + rows.text(0));
  }
  for (const Rule& rule : kRules) {
    Statement statement(database, rule.sql);
    Rows rows = statement.query();
    if (!rows.next()) continue;
    std::string what = std::string(rule.of) + " " + rows.id<ConversationId>(0).text() + " ";
    what += rows.bytes(1);
    if (!rows.is_null(2)) what += " (user " + rows.id<UserId>(2).text() + ")";
    return refuse(path, what);
  }
  if (!database.ok()) return Err{database.describe_error("check", path)};
  return {};
}

}  // namespace uproar::storage::sqlite
