"""Clients for a cluster, and the end of their story: what they were told against what is stored."""

import json

from talkers import Talkers

# Rows under the names of docs/protocol.md; what is null there is not on the wire.
STORED = """
with shown as (select m.conversation_id, m.seq, json_strip_nulls(json_build_object('seq', m.seq, 'version', m.version, 'message_id', m.id, 'sender_id', m.user_id,
    'client_id', m.client_id, 'content', nullif(m.content, ''), 'no', case when m.system = 0 then m.no end, 'kind', case when m.system <> 0 then 'system' end,
    'event', (array['member.added', 'member.removed', 'conversation.renamed', 'role.changed'])[m.system], 'user_id', nullif(m.subject, '00000000-0000-0000-0000-000000000000'),
    'role', case when m.system in (1, 4) then (array['member', 'admin', 'owner'])[m.role + 1] end, 'reply_to', nullif(m.reply_to, 0),
    'sent_at', {sent_at}, 'edited_at', {edited_at}, 'deleted_at', {deleted_at},
    'reactions', (select json_object_agg(emoji, users) from (select r.emoji, json_agg(r.user_id) as users from reactions r
      where r.conversation_id = m.conversation_id and r.message_seq = m.seq group by r.emoji) as of_emoji))) as row
  from messages m where m.conversation_id in ({ids}))
select coalesce(json_object_agg(c.id, json_build_object('last_seq', c.last_seq,
    'rows', (select json_agg(row order by seq) from shown where conversation_id = c.id),
    'marks', (select json_object_agg(u.user_id, json_build_object('delivered_seq', u.delivered_seq, 'read_seq', u.read_seq)) from users_conversations u where u.conversation_id = c.id))), '{{}}')
from conversations c where c.id in ({ids})"""


def on_the_wire(column):
    return f"""to_char(m.{column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""


def talkers_of(cluster, *, people, pause_ms, seed):
    nodes = [{"name": node.name, "url": node.url()} for node in cluster.nodes]
    return Talkers({"nodes": nodes, "auth_key": cluster.auth_key_file.read_text().strip(), "seed": seed, "people": people, "groups": 4, "pause_ms": pause_ms})


def verdict_of(cluster, talkers, level_seconds):
    """As talk.mjs judges; who lacks something `level_seconds` after the last message is a fault, too."""
    read = talkers.finish(level_seconds)
    ids = ",".join(f"'{each}'" for each in read["conversations"])
    verdict = talkers.judge(json.loads(cluster.sql(STORED.format(ids=ids, **{column: on_the_wire(column) for column in ("sent_at", "edited_at", "deleted_at")}))))
    verdict["faults"] += [{"fault": "behind", "text": text} for text in read["behind"]]
    return verdict
