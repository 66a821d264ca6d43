"""What a database can do by itself, to hold stored messages against: the store without a server around it, one message a commit; and
pgbench with the bare insert of as many rows a commit as the server's batches had. Each has one connection, as a shard has."""

import json
import os
import subprocess
import time

from runner.database import services


ONE_ROW, SAME_KEYS, KEY_ALONE = "one-row-per-commit", "pgbench-same-keys", "pgbench-key-alone"
NAMES = (ONE_ROW, SAME_KEYS, KEY_ALONE)
PROGRAMS = ("bench/storage/bench_storage_postgres",)   # of a build
WAITS_SECONDS = 60       # beyond what it was told to take
COLUMNS = "conversation_id, seq, no, version, id, user_id, client_id, body_digest, type, content, attachments, reply_to, sent_at"

# The columns of as many rows as a batch, once; then the same statement again and again, as prepared, with arrays as parameters. `id` and `client_id`
# are new in each transaction where an index wants it.
SCRIPT = """\\if :first
select array_agg(md5((s % :rooms)::text)::uuid)::text as conversations, array_agg(s)::text as seqs, array_agg(md5(s::text)::uuid)::text as ids,
  array_agg(md5((s % 997)::text)::uuid)::text as users, array_agg('client-' || s)::text as keys, array_agg(decode(md5(s::text), 'hex'))::text as digests,
  array_agg(repeat('m', 128))::text as contents, array_agg(now())::text as times from generate_series(1, :rows) s \\gset
\\set base 0
\\set first 0
\\endif
\\set base :base + :rows
insert into TABLE(COLUMNS)
select c, s + :base::int8, s + :base::int8, s + :base::int8, ID, u, k || '-' || :base::text, d, 0, t, '', 0, a
from unnest(:conversations::uuid[], :seqs::int8[], :ids::uuid[], :users::uuid[], :keys::text[], :digests::bytea[], :contents::text[],
  :times::timestamptz[]) as r(c, s, i, u, k, d, t, a);
"""

TABLES = {
    SAME_KEYS: ("bare_messages", "gen_random_uuid()",
                "create table bare_messages(like messages including all) partition by hash (conversation_id);"
                "do $$ begin for i in 0..15 loop execute format("
                "'create table bare_messages_%s partition of bare_messages for values with (modulus 16, remainder %s)', i, i); end loop; end $$"),
    KEY_ALONE: ("bare_key", "i", "create table bare_key(like messages including defaults, primary key (conversation_id, seq))"),
}


class Failed(Exception):
    """The text is the program's own."""


def asked(command, seconds, environment=None):
    """What a program writes that measures for so long."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + WAITS_SECONDS, env=environment, check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f"{command[0].rpartition('/')[2]} did not end within {seconds + WAITS_SECONDS:g} s") from None
    if done.returncode != 0:
        raise Failed(f"{command[0].rpartition('/')[2]} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    return done.stdout


def script_of(name):
    table, ids, _ = TABLES[name]
    return SCRIPT.replace("TABLE", table).replace("COLUMNS", COLUMNS).replace(" ID,", f" {ids},")


def transactions_per_second(said):
    """Of pgbench: "tps = 123.4 (without initial connection time)"."""
    for line in said.splitlines():
        if line.startswith("tps = "):
            return float(line.split()[2])
    raise Failed("pgbench told no tps")


def rows_per_second(said):
    """Of Google Benchmark's JSON."""
    try:
        return json.loads(said)["benchmarks"][0]["items_per_second"]
    except (ValueError, LookupError):
        raise Failed("the store's bench told no items_per_second") from None


def migrate(database, build):
    asked([str(build / "tools/uproar"), "migrate", "--postgres", database.url], WAITS_SECONDS)


def measure(name, database, build, folder, seconds, rows, rooms):
    """Rows a second of a yardstick on an empty database, and when it began and how long it took: nanoseconds by the monotonic clock, seconds.
    `rows`: of a commit; `rooms`: conversations that they are spread over."""
    if name == ONE_ROW:
        command = [str(build / PROGRAMS[0]), "--benchmark_filter=^store_commit/1/", f"--benchmark_min_time={seconds:g}", "--benchmark_format=json"]
        began = time.monotonic_ns()
        rate = rows_per_second(asked(command, 10 * seconds, {**os.environ, "BENCH_POSTGRES_URL": database.url}))
        return rate, began, (time.monotonic_ns() - began) / 1e9
    migrate(database, build)
    database.server.sql(TABLES[name][2], database.url.rpartition("/")[2])
    script = folder / "script.sql"
    script.write_text(script_of(name), encoding="utf-8")
    command = [services.program("pgbench", "postgresql", database.server.bin), "-n", "-M", "prepared", "-c", "1", "-T", str(max(round(seconds), 1)),
               "-f", str(script), "-D", f"rows={rows}", "-D", f"rooms={rooms}", "-D", "first=1", database.url]
    began = time.monotonic_ns()
    return rows * transactions_per_second(asked(command, seconds)), began, (time.monotonic_ns() - began) / 1e9
