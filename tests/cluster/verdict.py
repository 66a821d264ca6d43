"""Clients for a cluster, and the end of their story: what they were told against what is stored."""

import json

from talkers import Talkers

STORED = """select coalesce(json_object_agg(conversation_id, rows), '{{}}') from (
  select conversation_id, json_agg(json_build_object('seq', seq, 'message_id', id, 'sender_id', user_id, 'client_id', client_id,
    'content', case when system = 0 then content end, 'no', no, 'kind', case when system = 0 then 'text' else 'system' end) order by seq) as rows
  from messages where conversation_id in ({ids}) group by conversation_id) as each"""


def talkers_of(cluster, *, people, pause_ms, seed):
    nodes = [{"name": node.name, "url": node.url()} for node in cluster.nodes]
    return Talkers({"nodes": nodes, "auth_key": cluster.auth_key_file.read_text().strip(), "seed": seed, "people": people, "groups": 4, "pause_ms": pause_ms})


def verdict_of(cluster, talkers, level_seconds):
    """As talk.mjs judges; who lacks something `level_seconds` after the last message is a fault, too."""
    read = talkers.finish(level_seconds)
    ids = ",".join(f"'{each}'" for each in read["conversations"])
    verdict = talkers.judge(json.loads(cluster.sql(STORED.format(ids=ids))))
    verdict["faults"] += [{"fault": "behind", "text": text} for text in read["behind"]]
    return verdict
