#include "storage/sqlite/migrations.h"

#include <array>
#include <string>

#include "storage/sqlite/limits.h"

namespace uproar::storage::sqlite {
namespace {

// "Uprr": marks the file as ours in its header (file(1) and this module look at it).
constexpr std::int64_t kApplicationId = 0x55707272;

// Ids are 16-byte blobs, times UTC microseconds (0: not), enums the integers of proto/chat/vocabulary.h.
constexpr const char* kStep1 = R"sql(
CREATE TABLE users(
  id BLOB PRIMARY KEY NOT NULL CHECK(length(id) = 16),
  name TEXT COLLATE NOCASE UNIQUE,               -- NULL: without a name
  password_hash TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  last_online INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE conversations(
  id BLOB PRIMARY KEY NOT NULL CHECK(length(id) = 16),
  kind INTEGER NOT NULL CHECK(kind BETWEEN 0 AND 2),          -- direct, group, channel
  name TEXT NOT NULL,
  is_group INTEGER GENERATED ALWAYS AS (kind <> 0) VIRTUAL,
  last_seq INTEGER NOT NULL,
  last_no INTEGER NOT NULL,
  last_message_seq INTEGER NOT NULL,             -- newest row that is no system row; 0: none
  last_message_at INTEGER NOT NULL,              -- its time, else created_at
  member_count INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE users_conversations(
  conversation_id BLOB NOT NULL REFERENCES conversations(id),
  user_id BLOB NOT NULL REFERENCES users(id),
  role INTEGER NOT NULL CHECK(role BETWEEN 0 AND 2),          -- member, admin, owner
  joined_seq INTEGER NOT NULL,
  delivered_seq INTEGER NOT NULL,
  read_seq INTEGER NOT NULL,
  read_no INTEGER NOT NULL,
  muted_until INTEGER NOT NULL,
  PRIMARY KEY(conversation_id, user_id),
  CHECK(joined_seq <= read_seq AND read_seq <= delivered_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX users_conversations_by_user ON users_conversations(user_id, conversation_id);

-- Clustered by conversation: a page of history is one run of the tree.
CREATE TABLE messages(
  conversation_id BLOB NOT NULL REFERENCES conversations(id),
  seq INTEGER NOT NULL,
  no INTEGER NOT NULL,                           -- messages up to this row; system rows repeat the number before
  version INTEGER NOT NULL,
  id BLOB,                                       -- NULL for system rows
  user_id BLOB NOT NULL,
  client_id TEXT,                                -- NULL: no idempotency asked for
  body_digest BLOB,                              -- of the body as it was sent (storage/body_fingerprint.h)
  type INTEGER NOT NULL CHECK(type BETWEEN 0 AND 6),
  content TEXT NOT NULL,
  attachments TEXT NOT NULL,
  reply_to INTEGER NOT NULL,
  mentions BLOB,                                 -- ids, one after the other
  sent_at INTEGER NOT NULL,
  edited_at INTEGER NOT NULL DEFAULT 0,
  deleted_at INTEGER NOT NULL DEFAULT 0,
  system INTEGER NOT NULL DEFAULT 0,
  subject BLOB,
  role INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(conversation_id, seq),
  CHECK(version >= seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX messages_by_version ON messages(conversation_id, version);
CREATE UNIQUE INDEX messages_by_id ON messages(conversation_id, id) WHERE id IS NOT NULL;
CREATE UNIQUE INDEX messages_by_client_id ON messages(conversation_id, user_id, client_id)
  WHERE client_id IS NOT NULL;

CREATE TABLE reactions(
  conversation_id BLOB NOT NULL,
  message_seq INTEGER NOT NULL,
  seq INTEGER NOT NULL,                          -- of the event: the order they are shown in
  user_id BLOB NOT NULL,
  emoji TEXT NOT NULL,
  PRIMARY KEY(conversation_id, message_seq, seq),
  UNIQUE(conversation_id, message_seq, user_id, emoji),
  FOREIGN KEY(conversation_id, message_seq) REFERENCES messages(conversation_id, seq)
) STRICT, WITHOUT ROWID;

-- What marks have covered, as runs of seqs without gaps from 1 to the highest mark, each with the first two members
-- whose marks covered it (storage/sqlite/receipts.h). NULLs: nobody yet.
CREATE TABLE receipts(
  conversation_id BLOB NOT NULL REFERENCES conversations(id),
  kind INTEGER NOT NULL CHECK(kind BETWEEN 0 AND 1),          -- delivered, seen
  from_seq INTEGER NOT NULL,                     -- covers from_seq < seq <= upto_seq
  upto_seq INTEGER NOT NULL,
  user_id BLOB, at INTEGER,
  second_user_id BLOB, second_at INTEGER,
  PRIMARY KEY(conversation_id, kind, upto_seq),
  CHECK(from_seq < upto_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX receipts_unsettled ON receipts(conversation_id, kind, upto_seq) WHERE second_user_id IS NULL;

CREATE TABLE sessions(
  id BLOB PRIMARY KEY NOT NULL CHECK(length(id) = 16),
  user_id BLOB NOT NULL REFERENCES users(id),
  refresh_digest BLOB NOT NULL,
  generation INTEGER NOT NULL DEFAULT 0,         -- times refreshed
  device TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX sessions_by_digest ON sessions(refresh_digest);
CREATE INDEX sessions_by_user ON sessions(user_id, expires_at);
CREATE INDEX sessions_revoked ON sessions(revoked_at) WHERE revoked_at <> 0;

-- Refresh digests that were swapped: one that comes back was stolen.
CREATE TABLE spent_digests(
  digest BLOB PRIMARY KEY NOT NULL,
  session_id BLOB NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
  generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX spent_digests_by_session ON spent_digests(session_id, generation);

-- delivered_at, seen_at: the first mark, in commit order, of a member other than the sender. Of the two members that
-- a run of receipts keeps at most one is the sender.
CREATE VIEW messages_with_status AS
SELECT m.*,
  CASE WHEN m.system = 0 THEN (
    SELECT CASE WHEN r.user_id <> m.user_id THEN r.at ELSE r.second_at END FROM receipts r
    WHERE r.conversation_id = m.conversation_id AND r.kind = 0 AND r.upto_seq >= m.seq
    ORDER BY r.upto_seq LIMIT 1) END AS delivered_at,
  CASE WHEN m.system = 0 THEN (
    SELECT CASE WHEN r.user_id <> m.user_id THEN r.at ELSE r.second_at END FROM receipts r
    WHERE r.conversation_id = m.conversation_id AND r.kind = 1 AND r.upto_seq >= m.seq
    ORDER BY r.upto_seq LIMIT 1) END AS seen_at
FROM messages m;
)sql";

// What a probe of the disk writes (write_probe_row): nothing that anybody reads.
constexpr const char* kStep2 = R"sql(
CREATE TABLE probe(
  id INTEGER PRIMARY KEY CHECK(id = 0),          -- one row
  ballast BLOB NOT NULL
) STRICT;
)sql";

// The outbox (storage/job_queue.h).
constexpr const char* kStep3 = R"sql(
CREATE TABLE jobs(
  conversation_id BLOB NOT NULL CHECK(length(conversation_id) = 16),
  seq INTEGER NOT NULL,                          -- of the event that caused it
  kind INTEGER NOT NULL,                         -- JobKind of storage/operation.h
  user_id BLOB NOT NULL CHECK(length(user_id) = 16),
  created_at INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  PRIMARY KEY(conversation_id, seq, kind, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_by_due ON jobs(due_at);
CREATE INDEX jobs_by_expiry ON jobs(expires_at);
)sql";

// The log of a conversation (storage/conversation_log.h): messages and events together by seq. What
// changed before this step was not written down: there the log begins above the last change.
constexpr const char* kStep4 = R"sql(
CREATE TABLE events(
  conversation_id BLOB NOT NULL REFERENCES conversations(id),
  seq INTEGER NOT NULL,
  kind INTEGER NOT NULL CHECK(kind BETWEEN 0 AND 3),          -- edit, deletion, reaction added, removed
  actor BLOB NOT NULL CHECK(length(actor) = 16),
  message_seq INTEGER NOT NULL,                  -- the message that it changed
  detail TEXT NOT NULL,                          -- an emoji
  at INTEGER NOT NULL,
  PRIMARY KEY(conversation_id, seq),
  CHECK(message_seq < seq)
) STRICT, WITHOUT ROWID;
ALTER TABLE conversations ADD COLUMN log_floor INTEGER NOT NULL DEFAULT 0;
UPDATE conversations SET log_floor = changed.high
FROM (SELECT conversation_id, max(version) AS high FROM messages WHERE version <> seq
      GROUP BY conversation_id) AS changed
WHERE changed.conversation_id = conversations.id;
-- Kept like member_count: whether somebody is the last owner is judged in the commit.
ALTER TABLE conversations ADD COLUMN owner_count INTEGER NOT NULL DEFAULT 0;
UPDATE conversations SET owner_count = owners.count
FROM (SELECT conversation_id, count(*) AS count FROM users_conversations WHERE role = 2
      GROUP BY conversation_id) AS owners
WHERE owners.conversation_id = conversations.id;
-- Of the event that last set or removed the text; 0: it is the one that was sent.
ALTER TABLE messages ADD COLUMN text_seq INTEGER NOT NULL DEFAULT 0;
UPDATE messages SET text_seq = version WHERE edited_at <> 0 OR deleted_at <> 0;
)sql";

constexpr std::array kSteps = {kStep1, kStep2, kStep3, kStep4};

Result<void, SystemError> refuse(const std::string& path, std::string why, std::string hint) {
  return Err{SystemError{.operation = "open",
                         .subject = path + ": " + std::move(why),
                         .code = 0,
                         .hint = std::move(hint)}};
}

// What the file's header says.
struct Schema {
  std::int64_t application = 0;
  std::int64_t version = 0;
  std::int64_t tables = 0;

  [[nodiscard]] bool is_new() const { return application == 0 && version == 0 && tables == 0; }
};

Schema read_schema(Database& database) {
  return {.application = database.read_int("PRAGMA application_id"),
          .version = database.read_int("PRAGMA user_version"),
          .tables = database.read_int("SELECT count(*) FROM sqlite_schema")};
}

Result<void, SystemError> refuse_unknown(const Schema& found, const std::string& path) {
  if (!found.is_new() && found.application != kApplicationId)
    return refuse(path, "this database belongs to another program", "choose another --data folder");
  if (found.version > newest_schema_version())
    return refuse(path,
                  "schema version " + std::to_string(found.version) +
                      " was written by a newer release; this one knows " +
                      std::to_string(newest_schema_version()),
                  "run the newer release, or restore the backup made before the upgrade");
  return {};
}

}  // namespace

void write_probe_row(Database& database) {
  // Random: pages whose bytes stay the same are not written.
  database.exec(("INSERT INTO probe(id, ballast) VALUES(0, randomblob(" +
                 std::to_string(kProbeRowBytes) +
                 ")) ON CONFLICT(id) DO UPDATE SET ballast=excluded.ballast")
                    .c_str());
}

int newest_schema_version() {
  return static_cast<int>(kSteps.size());
}

Result<void, SystemError> expect_newest_schema(Database& database, const std::string& path) {
  const Schema found = read_schema(database);
  if (!database.ok()) return Err{database.describe_error("open", path)};
  if (found.is_new())
    return refuse(path, "this database has no tables",
                  "name the data folder of a server that kept its data in SQLite; if this is a "
                  "copy, it is not whole");
  if (auto known = refuse_unknown(found, path); !known.ok()) return known;
  if (found.version < newest_schema_version())
    return refuse(path,
                  "schema version " + std::to_string(found.version) +
                      " was written by an older release; this one reads " +
                      std::to_string(newest_schema_version()),
                  "bring it up to date first, or a copy of it: uproar migrate --data FOLDER");
  return {};
}

Result<void, SystemError> migrate(Database& database, const std::string& path) {
  // The write lock comes first: what is read below cannot change before it is acted on.
  database.exec("BEGIN IMMEDIATE");
  const Schema found = read_schema(database);
  if (!database.ok()) return Err{database.describe_error("open", path)};
  if (auto known = refuse_unknown(found, path); !known.ok()) {
    database.exec("ROLLBACK");
    return known;
  }
  for (auto step = static_cast<std::size_t>(found.version); step < kSteps.size(); ++step)
    database.exec(kSteps[step]);
  database.exec(("PRAGMA application_id=" + std::to_string(kApplicationId)).c_str());
  database.exec(("PRAGMA user_version=" + std::to_string(newest_schema_version())).c_str());
  database.exec("COMMIT");
  if (!database.ok()) return Err{database.describe_error("migrate", path)};
  return {};
}

}  // namespace uproar::storage::sqlite
