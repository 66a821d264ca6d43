#include <array>

#include "storage/postgres/node_lock.h"
#include "storage/postgres/statements.h"

namespace uproar::storage::postgres {
namespace {

// read_message() in reads.cc takes them in this order. Every reaction moves the version: a message at its first has none.
#define MESSAGE_COLUMNS                                                                           \
  "m.conversation_id, m.seq, m.no, m.version, m.id, m.user_id, m.client_id, m.type, m.content, "  \
  "m.attachments, m.reply_to, m.mentions, m.sent_at, m.edited_at, m.deleted_at, m.delivered_at, " \
  "m.seen_at, m.system, m.subject, m.role, "                                                      \
  "case when m.version <> m.seq and m.deleted_at is null then array(select r.emoji from "         \
  "reactions r where r.conversation_id = m.conversation_id and r.message_seq = m.seq order by "   \
  "r.seq) end, "                                                                                  \
  "case when m.version <> m.seq and m.deleted_at is null then array(select r.user_id from "       \
  "reactions r where r.conversation_id = m.conversation_id and r.message_seq = m.seq order by "   \
  "r.seq) end "

// read_view() in reads.cc: the message's columns come first.
#define SELECT_VIEW                                                                         \
  "select " MESSAGE_COLUMNS                                                                 \
  ", c.id, c.kind, c.name, v.role, c.last_seq, c.last_no, v.read_seq, v.delivered_seq, "    \
  "v.read_no, c.member_count, v.muted_until, c.created_at, v.joined_seq "                   \
  "from users_conversations v join conversations c on c.id = v.conversation_id "            \
  "left join lateral (select * from messages_with_status x where x.conversation_id = c.id " \
  "and x.seq = c.last_message_seq and c.last_message_seq > v.joined_seq) m on true "        \
  "where v.user_id = $1 "

// Of each user asked, the conversations that load_audiences() tells of; r counts them, in the order of Audience.
#define AUDIENCE_ORDER "order by v.read_seq > v.joined_seq desc, c.last_message_at desc, c.id"
#define AUDIENCES                                                                         \
  "select k.n, k.id as user_id, a.* from unnest($1::uuid[]) with ordinality as k(id, n) " \
  "cross join lateral (select c.id, c.last_seq, v.joined_seq, c.kind, c.member_count, "   \
  "row_number() over (" AUDIENCE_ORDER                                                    \
  ") as r "                                                                               \
  "from users_conversations v join conversations c on c.id = v.conversation_id "          \
  "where v.user_id = k.id " AUDIENCE_ORDER " limit $2) a"

#define LOG_FLOOR "(select c.log_floor from conversations c where c.id = $1)"
#define USER_COLUMNS "u.id, u.name, u.password_hash, u.created_at, u.last_online"
#define MEMBER_COLUMNS                                                                        \
  "p.conversation_id, p.user_id, u.name, p.role, p.joined_seq, p.delivered_seq, p.read_seq, " \
  "p.read_no"

constexpr std::array<const char*, static_cast<std::size_t>(Read::kCount)> kTexts = {
    // kConversation
    "select kind, name, last_seq, last_no, created_at, log_floor from conversations where id = $1",
    // kLastSeqs
    "select id, last_seq from conversations where id = any($1::uuid[])",
    // kMembers: none when there are more than $2.
    "select " MEMBER_COLUMNS
    " from conversations c join users_conversations p on p.conversation_id = c.id "
    "join users u on u.id = p.user_id where c.id = $1 and c.member_count <= $2 "
    "order by p.joined_seq, p.user_id",
    // kPageBefore
    "select " MESSAGE_COLUMNS
    "from messages_with_status m where m.conversation_id = $1 and m.seq < $2 and m.seq > $3 "
    "order by m.seq desc limit $4",
    // kPageAfter
    "select " MESSAGE_COLUMNS
    "from messages_with_status m where m.conversation_id = $1 and m.seq > $2 "
    "order by m.seq limit $3",
    // kPageChanged: fresh rows are found by their seq, changed ones by their version; $2 is not below the floor $3.
    "select " MESSAGE_COLUMNS
    "from ((select * from messages_with_status where conversation_id = $1 and seq > $2 and "
    "version = seq order by seq limit $4) union all "
    "(select * from messages_with_status where conversation_id = $1 and version > $2 and "
    "version <> seq and seq > $3 order by version limit $4)) m order by m.version limit $4",
    // kLogRows: read_message() takes them. What later entries say of a message is not looked up.
    // The floor is asked for by itself, so that the page begins in the index where it is.
    "select m.conversation_id, m.seq, m.no, m.seq, m.id, m.user_id, m.client_id, m.type, "
    "case when m.text_seq = 0 then m.content else '' end, m.attachments, m.reply_to, m.mentions, "
    "m.sent_at, null::timestamptz, null::timestamptz, null::timestamptz, null::timestamptz, "
    "m.system, m.subject, m.role, null::text[], null::uuid[], m.text_seq "
    "from messages m where m.conversation_id = $1 and m.seq > greatest($2, " LOG_FLOOR
    ") order by m.seq limit $3",
    // kLogEvents
    "select e.seq, e.kind, e.actor, e.message_seq, e.detail, e.at, m.text_seq, "
    "case when m.text_seq = e.seq then m.content else '' end "
    "from events e join messages m on m.conversation_id = e.conversation_id and "
    "m.seq = e.message_seq "
    "where e.conversation_id = $1 and e.seq > greatest($2, " LOG_FLOOR ") order by e.seq limit $3",
    // kUserByName
    "select " USER_COLUMNS
    " from users u where lower(u.name collate \"C\") = lower($1::text collate \"C\")",
    // kUsers: in the order asked.
    "select " USER_COLUMNS
    " from unnest($1::uuid[]) with ordinality as k(id, n) join users u on u.id = k.id order by k.n",
    // kCompanions: "offset 0" has each conversation of the bounded list looked at by itself,
    // instead of all memberships of the other. $3: kCompanionProbesMax, $4: kCompanionScanMax, $5:
    // 1 for InDoubt::kCompanion.
    "select k.id from (select distinct unnest($2::uuid[]) as id) k where case when "
    "(select count(*) from (select 1 from users_conversations where user_id = $1 "
    "limit $3::bigint + 1) n) <= $3::bigint "
    "then exists (select 1 from (select conversation_id from users_conversations where "
    "user_id = $1) x where exists (select 1 from users_conversations y where "
    "y.conversation_id = x.conversation_id and y.user_id = k.id offset 0)) "
    "else exists (select 1 from (select conversation_id from users_conversations where "
    "user_id = k.id order by conversation_id limit $4::bigint) x where exists (select 1 from "
    "users_conversations y where y.conversation_id = x.conversation_id and y.user_id = $1 "
    "offset 0)) or ($5::bigint = 1 and (select count(*) from (select 1 from users_conversations "
    "where user_id = k.id limit $4::bigint + 1) n) > $4::bigint) end order by k.id",
    // kRevoked
    "select id from sessions where revoked_at >= $1 order by revoked_at desc, id desc limit $2",
    // kAudiences: of the users in the order asked.
    "select n, id, last_seq, joined_seq from (" AUDIENCES ") t order by n, r",
    // kPeers: in the order in which somebody who reads the conversations one by one meets them.
    "select n, user_id from (select met.*, row_number() over (partition by n order by r, user_id) "
    "as place from (select a.n, p.user_id, min(a.r) as r from (" AUDIENCES
    ") a join users_conversations p on p.conversation_id = a.id "
    "where (a.kind = 0 or (a.kind = 1 and a.member_count <= $3)) and p.user_id <> a.user_id "
    "group by a.n, p.user_id) met) placed where place <= $4 order by n, place",
    // kListViews
    SELECT_VIEW "and v.conversation_id > $2 order by v.conversation_id limit $3",
    // kListMembers
    "select " MEMBER_COLUMNS
    " from (select v.conversation_id from users_conversations v where v.user_id = $1 and "
    "v.conversation_id > $2 order by v.conversation_id limit $3) l "
    "join conversations c on c.id = l.conversation_id and c.member_count <= $4 "
    "join users_conversations p on p.conversation_id = c.id join users u on u.id = p.user_id "
    "order by p.conversation_id, p.joined_seq, p.user_id",
    // kView
    SELECT_VIEW "and v.conversation_id = $2",
    // kUnreadViews
    SELECT_VIEW "and c.last_no > v.read_no order by c.last_message_at desc, c.id limit $2",
    // kMemberships
    "select t.n from unnest($2::uuid[]) with ordinality as t(id, n) where exists (select from "
    "users_conversations p where p.conversation_id = t.id and p.user_id = $1) order by t.n",
    // kWriters: what a client wrote has a client_id, and rows of the system have none.
    "select t.n from unnest($1::uuid[], $2::uuid[]) with ordinality as t(id, writer, n) where "
    "exists (select from messages m where m.conversation_id = t.id and m.user_id = t.writer and "
    "m.client_id is not null) order by t.n",
    // kNodesAtWork: objsubid 2 is a lock of two keys.
    "select distinct l.objid::bigint from pg_locks l where l.locktype = 'advisory' and l.granted "
    "and l.objsubid = 2 and l.database = (select d.oid from pg_database d where d.datname = "
    "current_database()) and l.classid = (" UPROAR_NODES_OF_SCHEMA "::bigint & 4294967295)::oid",
};

constexpr bool all_set() {
  for (const char* text : kTexts)
    if (text == nullptr) return false;
  return true;
}
static_assert(all_set(), "a text for every name");

}  // namespace

std::span<const char* const> read_statements() {
  return kTexts;
}

}  // namespace uproar::storage::postgres
