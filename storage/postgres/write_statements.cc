#include <array>

#include "proto/chat/vocabulary.h"
#include "storage/limits.h"
#include "storage/postgres/statements.h"

namespace uproar::storage::postgres {
namespace {

static_assert(static_cast<int>(chat::MessageType::kSystem) == 6, "kInsertSystemRows says it, too");
static_assert(kSpentDigestsPerSessionMax == 16, "kRotateSession says it, too");
static_assert(kRefreshGraceUs == 30'000'000, "kRotateSession says it, too");

constexpr std::array<const char*, static_cast<std::size_t>(Write::kCount)> kTexts = {
    // kBegin
    "begin",
    // kLockConversations: in the order of ids, so that nodes that collide wait for each other and never in a ring.
    R"sql(
select id, kind, last_seq, last_no, last_message_seq, last_message_at, member_count, delivered_upto, seen_upto,
       created_at, owner_count
from conversations where id = any($1::uuid[]) order by id for no key update)sql",
    // kFindMembers
    R"sql(
select conversation_id, user_id, role, joined_seq, delivered_seq, read_seq, read_no, muted_until
from unnest($1::uuid[], $2::uuid[]) as k(conversation_id, user_id)
join users_conversations using (conversation_id, user_id))sql",
    // kFindUsers
    "select id from users where id = any($1::uuid[])",
    // kFindFirstAttempts
    R"sql(
select conversation_id, user_id, client_id, m.seq, m.no, m.id, m.sent_at, m.body_digest
from unnest($1::uuid[], $2::uuid[], $3::text[]) as k(conversation_id, user_id, client_id)
join messages m using (conversation_id, user_id, client_id))sql",
    // kFindMessageIds
    R"sql(
select conversation_id, id
from unnest($1::uuid[], $2::uuid[]) as k(conversation_id, id) join messages m using (conversation_id, id))sql",
    // kFindTargets: by seq where there is one, else by id.
    R"sql(
select m.conversation_id, m.seq, m.version, m.id, m.user_id, m.deleted_at
from unnest($1::uuid[], $2::int8[], $3::uuid[]) as k(conversation_id, seq, id)
join messages m on m.conversation_id = k.conversation_id and m.seq = case when k.seq <> 0 then k.seq else
  (select x.seq from messages x where x.conversation_id = k.conversation_id and x.id = k.id) end
where m.system = 0)sql",
    // kFindReactions
    R"sql(
select m.conversation_id, m.seq, k.user_id, k.emoji,
  (select count(*) from reactions r where r.conversation_id = m.conversation_id and r.message_seq = m.seq),
  (select r.seq from reactions r where r.conversation_id = m.conversation_id and r.message_seq = m.seq
     and r.user_id = k.user_id and r.emoji = k.emoji)
from unnest($1::uuid[], $2::int8[], $3::uuid[], $4::uuid[], $5::text[])
  as k(conversation_id, seq, id, user_id, emoji)
join messages m on m.conversation_id = k.conversation_id and m.seq = case when k.seq <> 0 then k.seq else
  (select x.seq from messages x where x.conversation_id = k.conversation_id and x.id = k.id) end)sql",
    // kFindNumbers: how many messages there are up to a seq.
    R"sql(
select k.conversation_id, k.seq,
  (select m.no from messages m where m.conversation_id = k.conversation_id and m.seq <= k.seq
   order by m.seq desc limit 1)
from unnest($1::uuid[], $2::int8[]) as k(conversation_id, seq))sql",
    // kFindReceipts: unsettled runs that a mark, or a message of somebody with unread ones ($3 false), can touch.
    R"sql(
select r.conversation_id, r.kind, r.from_seq, r.upto_seq, r.user_id, r.at
from (select conversation_id, min(m.delivered_seq) as delivered_seq, min(m.read_seq) as read_seq
      from unnest($1::uuid[], $2::uuid[], $3::bool[]) as k(conversation_id, user_id, marks)
      join users_conversations m using (conversation_id, user_id)
      join conversations c on c.id = conversation_id
      where k.marks or m.read_no < c.last_no
      group by conversation_id) as w
cross join (values (0::int2), (1::int2)) as kinds(kind)
join receipts r on r.conversation_id = w.conversation_id and r.kind = kinds.kind and r.second_user_id is null
  and r.upto_seq > case kinds.kind when 0 then w.delivered_seq else w.read_seq end)sql",
    // kInsertConversations
    R"sql(
insert into conversations(id, kind, name, last_seq, last_no, last_message_seq, last_message_at, member_count,
  owner_count, delivered_upto, seen_upto, created_at)
select * from unnest($1::uuid[], $2::int2[], $3::text[], $4::int8[], $5::int8[], $6::int8[], $7::timestamptz[],
  $8::int8[], $9::int8[], $10::int8[], $11::int8[], $12::timestamptz[]))sql",
    // kPutMembers
    R"sql(
insert into users_conversations(conversation_id, user_id, role, joined_seq, delivered_seq, read_seq, read_no,
  muted_until)
select * from unnest($1::uuid[], $2::uuid[], $3::int2[], $4::int8[], $5::int8[], $6::int8[], $7::int8[],
  $8::timestamptz[])
on conflict (conversation_id, user_id) do update set role = excluded.role, joined_seq = excluded.joined_seq,
  delivered_seq = excluded.delivered_seq, read_seq = excluded.read_seq, read_no = excluded.read_no,
  muted_until = excluded.muted_until)sql",
    // kDeleteMembers
    R"sql(
delete from users_conversations m using unnest($1::uuid[], $2::uuid[]) as k(conversation_id, user_id)
where m.conversation_id = k.conversation_id and m.user_id = k.user_id)sql",
    // kSetMarks
    R"sql(
update users_conversations m set delivered_seq = k.delivered_seq, read_seq = k.read_seq, read_no = k.read_no
from unnest($1::uuid[], $2::uuid[], $3::int8[], $4::int8[], $5::int8[])
  as k(conversation_id, user_id, delivered_seq, read_seq, read_no)
where m.conversation_id = k.conversation_id and m.user_id = k.user_id)sql",
    // kInsertMessages: unnest() beside each other and not in a FROM, which would put every column into a store of its own
    // before the first row is made.
    R"sql(
insert into messages(conversation_id, seq, no, version, id, user_id, client_id, body_digest, type, content,
  attachments, reply_to, mentions, sent_at)
select conversation_id, seq, no, seq, id, user_id, client_id, body_digest, type, content, attachments, reply_to,
  mentions::uuid[], sent_at
from (select unnest($1::uuid[]) as conversation_id, unnest($2::int8[]) as seq, unnest($3::int8[]) as no,
  unnest($4::uuid[]) as id, unnest($5::uuid[]) as user_id, unnest($6::text[]) as client_id,
  unnest($7::bytea[]) as body_digest, unnest($8::int2[]) as type, unnest($9::text[]) as content,
  unnest($10::text[]) as attachments, unnest($11::int8[]) as reply_to, unnest($12::text[]) as mentions,
  unnest($13::timestamptz[]) as sent_at) as k)sql",
    // kInsertSystemRows: 6 is MessageType::kSystem.
    R"sql(
insert into messages(conversation_id, seq, no, version, user_id, type, content, attachments, reply_to, sent_at,
  system, subject, role)
select conversation_id, seq, no, seq, user_id, 6, content, '', 0, sent_at, system, subject, role
from unnest($1::uuid[], $2::int8[], $3::int8[], $4::uuid[], $5::text[], $6::timestamptz[], $7::int2[],
  $8::uuid[], $9::int2[])
  as k(conversation_id, seq, no, user_id, content, sent_at, system, subject, role))sql",
    // kInsertEvents
    R"sql(
insert into events(conversation_id, seq, kind, actor, message_seq, detail, at)
select * from unnest($1::uuid[], $2::int8[], $3::int2[], $4::uuid[], $5::int8[], $6::text[], $7::timestamptz[]))sql",
    // kChangeMessages: NULL text_seq: the text is as it was.
    R"sql(
update messages m set version = k.version, text_seq = coalesce(k.text_seq, m.text_seq),
  content = case when k.text_seq is null then m.content else k.content end,
  edited_at = coalesce(k.edited_at, m.edited_at), deleted_at = k.deleted_at,
  attachments = case when k.deleted_at is null then m.attachments else '' end,
  mentions = case when k.deleted_at is null then m.mentions end
from unnest($1::uuid[], $2::int8[], $3::int8[], $4::int8[], $5::text[], $6::timestamptz[], $7::timestamptz[])
  as k(conversation_id, seq, version, text_seq, content, edited_at, deleted_at)
where m.conversation_id = k.conversation_id and m.seq = k.seq)sql",
    // kDeleteReactionsOf
    R"sql(
delete from reactions r using unnest($1::uuid[], $2::int8[]) as k(conversation_id, message_seq)
where r.conversation_id = k.conversation_id and r.message_seq = k.message_seq)sql",
    // kDeleteReactions
    R"sql(
delete from reactions r using unnest($1::uuid[], $2::int8[], $3::int8[]) as k(conversation_id, message_seq, seq)
where r.conversation_id = k.conversation_id and r.message_seq = k.message_seq and r.seq = k.seq)sql",
    // kInsertReactions
    R"sql(
insert into reactions(conversation_id, message_seq, seq, user_id, emoji)
select * from unnest($1::uuid[], $2::int8[], $3::int8[], $4::uuid[], $5::text[]))sql",
    // kPutReceipts
    R"sql(
insert into receipts(conversation_id, kind, upto_seq, from_seq, user_id, at, second_user_id, second_at)
select * from unnest($1::uuid[], $2::int2[], $3::int8[], $4::int8[], $5::uuid[], $6::timestamptz[], $7::uuid[],
  $8::timestamptz[])
on conflict (conversation_id, kind, upto_seq) do update set from_seq = excluded.from_seq,
  user_id = excluded.user_id, at = excluded.at, second_user_id = excluded.second_user_id,
  second_at = excluded.second_at)sql",
    // kUpdateConversations: NULL name: as it was.
    R"sql(
update conversations c set name = coalesce(k.name, c.name), last_seq = k.last_seq, last_no = k.last_no,
  last_message_seq = k.last_message_seq, last_message_at = k.last_message_at, member_count = k.member_count,
  owner_count = k.owner_count, delivered_upto = k.delivered_upto, seen_upto = k.seen_upto
from unnest($1::uuid[], $2::text[], $3::int8[], $4::int8[], $5::int8[], $6::timestamptz[], $7::int8[], $8::int8[],
  $9::int8[], $10::int8[])
  as k(id, name, last_seq, last_no, last_message_seq, last_message_at, member_count, owner_count, delivered_upto,
    seen_upto)
where c.id = k.id)sql",
    // kPutJobs: two of one kind for one user are one.
    R"sql(
insert into jobs(conversation_id, seq, kind, user_id, created_at, due_at, expires_at, attempts)
select conversation_id, seq, kind, user_id, at, at, expires_at, 0
from unnest($1::uuid[], $2::int8[], $3::int2[], $4::uuid[], $5::timestamptz[], $6::timestamptz[])
  as k(conversation_id, seq, kind, user_id, at, expires_at)
on conflict do nothing)sql",
    // kForgetJobs ($1 now, $2 how many): nobody waits for those that somebody else is just taking.
    R"sql(
with expired as (
  select conversation_id, seq, kind, user_id from jobs where expires_at <= $1 order by expires_at limit $2
  for update skip locked)
delete from jobs j using expired e where j.conversation_id = e.conversation_id and j.seq = e.seq and j.kind = e.kind
  and j.user_id = e.user_id)sql",
    // kCommit
    "commit",
    // kRollback
    "rollback",
    // kCreateUser: the id or the name may be taken; which of them makes no difference to anybody who asks.
    R"sql(
insert into users(id, name, password_hash, created_at, last_online) values ($1, $2, $3, $4, $5)
on conflict do nothing returning id)sql",
    // kEnsureUser: run twice, with the name and without it, and answered by kGetUser.
    R"sql(
insert into users(id, name, password_hash, created_at) values ($1, $2, '', $3) on conflict do nothing)sql",
    // kGetUser
    "select id, name, password_hash, created_at, last_online from users where id = $1",
    // kSetLastOnline: comes sorted by id, so that nodes lock in one order.
    R"sql(
update users u set last_online = k.at from unnest($1::uuid[], $2::timestamptz[]) as k(id, at)
where u.id = k.id and (u.last_online is null or u.last_online < k.at))sql",
    // kForgetSessions
    "delete from sessions where user_id = $1 and expires_at <= $2",
    // kCreateSession
    R"sql(
insert into sessions(id, user_id, refresh_digest, device, created_at, expires_at, revoked_at)
select $1::uuid, id, $3::bytea, $4::text, $5::timestamptz, $6::timestamptz, $7::timestamptz from users where id = $2
on conflict (id) do update set user_id = excluded.user_id, refresh_digest = excluded.refresh_digest,
  device = excluded.device, created_at = excluded.created_at, expires_at = excluded.expires_at,
  revoked_at = excluded.revoked_at
returning id)sql",
    // kLockDigest: before kRotateSession, which then sees what the one before it did with the same token.
    "select pg_advisory_xact_lock(hashtextextended(encode($1::bytea, 'hex'), 0))",
    // kRotateSession ($1 old digest, $2 new digest, $3 now, $4 expiry): no row: unknown. The last column says what
    // became of it: 0 swapped, 1 revoked before, 2 expired, 3 stolen and revoked by this, 4 spent just now.
    R"sql(
with live as (
  select *, case when revoked_at is not null then 1 when expires_at <= $3::timestamptz then 2 else 0 end as fate
  from sessions where refresh_digest = $1::bytea),
swapped as (
  update sessions s set refresh_digest = $2::bytea, expires_at = $4::timestamptz, generation = s.generation + 1
  from live where s.id = live.id and live.fate = 0 and s.revoked_at is null
  returning s.id, s.user_id, s.refresh_digest, s.device, s.created_at, s.expires_at, s.generation),
spent as (
  insert into spent_digests(digest, session_id, generation) select $1::bytea, id, generation - 1 from swapped
  on conflict (digest) do update set session_id = excluded.session_id, generation = excluded.generation),
forgotten as (
  delete from spent_digests d using swapped where d.session_id = swapped.id
  and d.generation < swapped.generation - 16),
returned as (
  select s.id, s.user_id, case when d.generation = s.generation - 1 and s.revoked_at is null and s.expires_at > $3::timestamptz
    and s.expires_at between $4::timestamptz - interval '30 seconds' and $4::timestamptz + interval '30 seconds' then 4 else 3 end as fate
  from spent_digests d join sessions s on s.id = d.session_id
  where d.digest = $1::bytea and not exists (select 1 from live)),
stolen as (
  update sessions s set revoked_at = coalesce(s.revoked_at, $3::timestamptz) from returned
  where s.id = returned.id and returned.fate = 3
  returning s.id, s.user_id)
select id, user_id, refresh_digest, device, created_at, expires_at, null::timestamptz, 0::int2 from swapped
union all
select id, user_id, null, null, null, null, null, fate::int2 from live where fate <> 0
union all
select id, user_id, null, null, null, null, $3::timestamptz, 3::int2 from stolen
union all
select id, user_id, null, null, null, null, null, 4::int2 from returned where fate = 4)sql",
    // kRevokeSession: whether this call ended it; no row: no such session.
    R"sql(
with ended as (update sessions set revoked_at = $2 where id = $1 and revoked_at is null returning id)
select exists (select 1 from ended) from sessions where id = $1)sql",
    // kTakeJobs ($1 now, $2 until, $3 limit)
    R"sql(
with due as (
  select conversation_id, seq, kind, user_id, due_at from jobs where due_at <= $1 and expires_at > $1
  order by due_at, conversation_id, seq, kind, user_id limit $3 for update skip locked)
update jobs j set due_at = $2, attempts = j.attempts + 1 from due d
where j.conversation_id = d.conversation_id and j.seq = d.seq and j.kind = d.kind and j.user_id = d.user_id
returning j.conversation_id, j.seq, j.kind, j.user_id, j.created_at, j.expires_at, j.attempts, d.due_at)sql",
    // kFinishJobs
    R"sql(
with finished as (
  delete from jobs j using unnest($1::uuid[], $2::int8[], $3::int2[], $4::uuid[]) as k(conversation_id, seq, kind, user_id)
  where j.conversation_id = k.conversation_id and j.seq = k.seq and j.kind = k.kind and j.user_id = k.user_id
  returning 1)
select count(*) from finished)sql",
    // kProbeSettings, until the transaction ends: what follows spills at once, and to where the tables are.
    "select set_config('work_mem', '64kB', true), set_config('temp_tablespaces', '', true)",
    // kProbeRoom: 112 KiB of a temporary file, so blocks that the server's disk must have free. Rows that are written
    // again and again, as kProbe's, find room in their own table when no message does.
    "select count(*) from generate_series(1, 8192)",
    // kProbe
    R"sql(
insert into probe(id, ballast) values (0, $1::bytea) on conflict (id) do update set ballast = excluded.ballast)sql",
};

constexpr bool all_set() {
  for (const char* text : kTexts)
    if (text == nullptr) return false;
  return true;
}
static_assert(all_set(), "a text for every name");

}  // namespace

std::span<const char* const> write_statements() {
  return kTexts;
}

}  // namespace uproar::storage::postgres
