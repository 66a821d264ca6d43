#include "storage/postgres/schema.h"

#include <array>

#include "storage/postgres/limits.h"

namespace uproar::storage::postgres {
namespace {

static_assert(kMessagePartitions == 16, "step 1 says it, too");

// Enums are the integers of proto/chat/vocabulary.h, times that never came are NULL. What grows with messages has no
// foreign keys: a check of one costs as much as the row, every write holds its conversation's row locked, and the
// writer has judged by then what a foreign key would.
constexpr const char* kStep1 = R"sql(
create table users(
  id uuid primary key,
  name text,                                       -- NULL: without a name
  password_hash text not null,
  created_at timestamptz not null,
  last_online timestamptz
) with (fillfactor = 80);
-- The case of ASCII letters alone is folded: which letters are the same beyond them depends on the language.
create unique index users_by_name on users (lower(name collate "C"));

-- Updated by every batch that speaks to it. The room left in its pages keeps a new version beside the old one (HOT).
create table conversations(
  id uuid primary key,
  kind smallint not null check (kind between 0 and 2),          -- direct, group, channel
  name text not null,
  is_group boolean generated always as (kind <> 0) stored,
  last_seq bigint not null,
  last_no bigint not null,
  last_message_seq bigint not null,                -- newest row that is no system row; 0: none
  last_message_at timestamptz not null,            -- its time, else created_at
  member_count bigint not null,
  delivered_upto bigint not null,                  -- where the runs of receipts end
  seen_upto bigint not null,
  created_at timestamptz not null
) with (fillfactor = 50);

create table users_conversations(
  conversation_id uuid not null,
  user_id uuid not null,
  role smallint not null check (role between 0 and 2),          -- member, admin, owner
  joined_seq bigint not null,
  delivered_seq bigint not null,
  read_seq bigint not null,
  read_no bigint not null,
  muted_until timestamptz,
  primary key (conversation_id, user_id),
  check (joined_seq <= read_seq and read_seq <= delivered_seq)
) with (fillfactor = 70);
create index users_conversations_by_user on users_conversations (user_id, conversation_id);

create table messages(
  conversation_id uuid not null,
  seq bigint not null,
  no bigint not null,                              -- messages up to this row; system rows repeat the number before
  version bigint not null,
  id uuid,                                         -- NULL for system rows
  user_id uuid not null,
  client_id text,                                  -- NULL: no idempotency asked for
  body_digest bytea,                               -- of the body as it was sent (storage/body_fingerprint.h)
  type smallint not null check (type between 0 and 6),
  content text not null,
  attachments text not null,
  reply_to bigint not null,
  mentions uuid[],
  sent_at timestamptz not null,
  edited_at timestamptz,
  deleted_at timestamptz,
  system smallint not null default 0,
  subject uuid,
  role smallint not null default 0,
  primary key (conversation_id, seq),
  check (version >= seq)
) partition by hash (conversation_id);
do $$ begin
  for i in 0..15 loop
    execute format('create table messages_%s partition of messages for values with (modulus 16, remainder %s)', i, i);
  end loop;
end $$;
-- Rows that were changed alone: a fresh row is found by its seq, and costs this index nothing.
create unique index messages_by_version on messages (conversation_id, version) where version <> seq;
create unique index messages_by_id on messages (conversation_id, id);
create unique index messages_by_client_id on messages (conversation_id, user_id, client_id)
  where client_id is not null;

create table reactions(
  conversation_id uuid not null,
  message_seq bigint not null,
  seq bigint not null,                             -- of the event: the order they are shown in
  user_id uuid not null,
  emoji text not null,
  primary key (conversation_id, message_seq, seq),
  unique (conversation_id, message_seq, user_id, emoji)
);

-- What marks have covered, as runs of seqs without gaps from 1 to the highest mark, each with the first two members
-- whose marks covered it (docs/decisions/0013-receipts-as-runs.md). NULLs: nobody yet.
create table receipts(
  conversation_id uuid not null,
  kind smallint not null check (kind between 0 and 1),          -- delivered, seen
  from_seq bigint not null,                        -- covers from_seq < seq <= upto_seq
  upto_seq bigint not null,
  user_id uuid, at timestamptz,
  second_user_id uuid, second_at timestamptz,
  primary key (conversation_id, kind, upto_seq),
  check (from_seq < upto_seq)
);
create index receipts_unsettled on receipts (conversation_id, kind, upto_seq) where second_user_id is null;

create table sessions(
  id uuid primary key,
  user_id uuid not null,
  refresh_digest bytea not null unique,
  generation bigint not null default 0,            -- times refreshed
  device text not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  revoked_at timestamptz
);
create index sessions_by_user on sessions (user_id, expires_at);
create index sessions_revoked on sessions (revoked_at, id) where revoked_at is not null;

-- Refresh digests that were swapped: one that comes back was stolen.
create table spent_digests(
  digest bytea primary key,
  session_id uuid not null references sessions(id) on delete cascade,
  generation bigint not null
);
create index spent_digests_by_session on spent_digests (session_id, generation);

-- What a probe of the disk writes: nothing that anybody reads.
create table probe(
  id smallint primary key check (id = 0),          -- one row
  ballast bytea not null
);

-- delivered_at, seen_at: the first mark, in commit order, of a member other than the sender. Of the two members that
-- a run of receipts keeps at most one is the sender.
create view messages_with_status as
select m.*,
  case when m.system = 0 then (
    select case when r.user_id <> m.user_id then r.at else r.second_at end from receipts r
    where r.conversation_id = m.conversation_id and r.kind = 0 and r.upto_seq >= m.seq
    order by r.upto_seq limit 1) end as delivered_at,
  case when m.system = 0 then (
    select case when r.user_id <> m.user_id then r.at else r.second_at end from receipts r
    where r.conversation_id = m.conversation_id and r.kind = 1 and r.upto_seq >= m.seq
    order by r.upto_seq limit 1) end as seen_at
from messages m;
)sql";

// The outbox (storage/job_queue.h). Distributed like the messages that its rows speak of.
constexpr const char* kStep2 = R"sql(
create table jobs(
  conversation_id uuid not null,
  seq bigint not null,                             -- of the event that caused it
  kind smallint not null,                          -- JobKind of storage/operation.h
  user_id uuid not null,                           -- nil: the event as a whole
  created_at timestamptz not null,
  due_at timestamptz not null,
  expires_at timestamptz not null,
  attempts bigint not null,
  primary key (conversation_id, seq, kind, user_id)
);
create index jobs_by_due on jobs (due_at);
create index jobs_by_expiry on jobs (expires_at);
)sql";

// The log of a conversation (storage/conversation_log.h): messages and events together by seq. What
// changed before this step was not written down: there the log begins above the last change.
constexpr const char* kStep3 = R"sql(
create table events(
  conversation_id uuid not null,
  seq bigint not null,
  kind smallint not null check (kind between 0 and 3),          -- edit, deletion, reaction added, removed
  actor uuid not null,
  message_seq bigint not null,                     -- the message that it changed
  detail text not null,                            -- an emoji
  at timestamptz not null,
  primary key (conversation_id, seq),
  check (message_seq < seq)
);
alter table conversations add column log_floor bigint not null default 0;
update conversations c set log_floor = changed.high
from (select conversation_id, max(version) as high from messages where version <> seq group by conversation_id) changed
where changed.conversation_id = c.id;
-- Kept like member_count: whether somebody is the last owner is judged in the commit.
alter table conversations add column owner_count bigint not null default 0;
update conversations c set owner_count = owners.count
from (select conversation_id, count(*) as count from users_conversations where role = 2 group by conversation_id) owners
where owners.conversation_id = c.id;
-- Of the event that last set or removed the text; 0: it is the one that was sent.
alter table messages add column text_seq bigint not null default 0;
update messages set text_seq = version where version <> seq and (edited_at is not null or deleted_at is not null);
)sql";

constexpr std::array kSteps =
    std::to_array<SchemaStep>({{.sql = kStep1, .wants_nobody_at_work = false},
                               {.sql = kStep2, .wants_nobody_at_work = false},
                               {.sql = kStep3, .wants_nobody_at_work = true}});

}  // namespace

std::span<const SchemaStep> schema_steps() {
  return kSteps;
}

int newest_schema_version() {
  return static_cast<int>(kSteps.size());
}

}  // namespace uproar::storage::postgres
