"""READ FIRST. Every way in which this test makes a process, a service or a link fail, and how long.

A fault begins, lasts, and ends. Recovery counts from `counts_from`: its end, or its beginning where nothing has to come back (a dead node's clients go
elsewhere). `proof`, where a fault may miss (a signal and a restart cannot), says whether it happened: a round in which nothing happened shows
nothing."""

import dataclasses
import re
import time
import typing

from redis_commands import Command, number_of, redis_says

SERVICES = ("redis", "postgres", "etcd")
# Twice what is measured where it takes longest (docs/cluster.md: a crash of PostgreSQL and a drain take up to 2.6 s, on a busy machine), and much below
# what would pass for an outage.
SERVED_SECONDS = 5
LOOK_SECONDS = 15   # several leases: it is a fault of ours when no node has looked, or come back to the list, by then


def nothing(world):
    pass


@dataclasses.dataclass(frozen=True)
class Fault:
    name: str
    what: str                                     # happens, in words
    begin: typing.Callable
    end: typing.Callable = nothing
    seconds: float = 0                            # between the two
    brief_seconds: float = 0                      # the same in the short run of ctest
    leases: float = 0                             # instead of both: so many node leases, and a second
    counts_from: str = "end"
    served_seconds: float = SERVED_SECONDS        # until everybody is acked, hears the other nodes and has caught up; from there
    proof: typing.Callable | None = None          # world -> a number that must have grown
    until_proven: bool = False                    # it lasts longer where that takes longer: a busy machine counts its beats late

    def lasts(self, lease_seconds, is_brief):
        if self.leases:
            return self.leases * lease_seconds + 1
        return self.brief_seconds if is_brief else self.seconds


def restart(part):
    part.stop()
    part.start()


def finish_drain(world):
    world.victim.wait_until_it_ended()
    world.victim.start()


def struck(world):
    return world.struck


def kill_subscribers(world):
    world.struck += number_of(redis_says(world.cluster.redis.port, "CLIENT", "KILL", "TYPE", "pubsub"))


def flush(world):
    world.struck += number_of(redis_says(world.cluster.redis.port, "DBSIZE"))
    redis_says(world.cluster.redis.port, "FLUSHALL")


def end_database_sessions(world):
    ended = "select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity where datname = 'uproar' and pid <> pg_backend_pid()"
    world.struck += int(world.cluster.postgres.sql(ended))


def deaths_seen_by_others(world):
    return sum(node.metric("uproar_nodes_deaths_total") for node in world.cluster.nodes if node is not world.victim)


def second_looks(world):
    """Since one ended that had worked on PostgreSQL without being in the list."""
    return sum(node.metric("uproar_nodes_second_looks_total") for node in world.cluster.nodes if node is not world.victim)


def leases_lost(world):
    return world.victim.metric("uproar_nodes_leases_lost_total")


def begin_sleep(world):
    world.pending = Command(world.cluster.redis.port, "DEBUG", "SLEEP", world.seconds)


def end_sleep(world):
    world.pending.answer()


def begin_client_pause(world):
    redis_says(world.cluster.redis.port, "CLIENT", "PAUSE", int(world.seconds * 1000), "ALL")


def limit_buffers(world):
    """What no longer fits into the reply buffer that each client has (16 KiB) ends its connection: a large message does it."""
    redis_says(world.cluster.redis.port, "CONFIG", "SET", "client-output-buffer-limit", "pubsub 1024 0 0")


def unlimit_buffers(world):
    redis_says(world.cluster.redis.port, "CONFIG", "SET", "client-output-buffer-limit", "pubsub 33554432 8388608 60")


def buffer_kills(world):
    return len(re.findall("overcoming of output buffer limits", (world.cluster.redis.folder / "log").read_text(errors="replace")))


def wait_until(is_so):
    """Whether it became so."""
    deadline = time.monotonic() + LOOK_SECONDS
    while not is_so():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return True


def wait_until_more(number, before):
    wait_until(lambda: number() != before)


def kill_the_lost(world):
    """What it said to Redis and nobody heard dies with it: the relays hold bytes that a network would have dropped."""
    before = second_looks(world)
    world.victim.kill()
    world.links.cut(world.victim.name, "redis", "etcd")
    world.links.release(world.victim.name, "redis", "etcd")
    wait_until_more(lambda: second_looks(world), before)
    world.victim.start()


def leave_unheard(world):
    """Asked to stop while it is held from Redis, and etcd has it still: what it said to Redis goes with it, and nothing is to be missing."""
    before = deaths_seen_by_others(world)
    world.victim.ask_to_stop()
    world.victim.wait_until_it_ended()
    world.links.cut(world.victim.name, "redis")
    world.links.release(world.victim.name, "redis")
    wait_until_more(lambda: deaths_seen_by_others(world), before)
    world.victim.start()


def hold(*services):
    def begin(world):
        world.struck += world.links.hold(world.victim.name, *services)
    return begin


def cut(*services):
    def begin(world):
        world.struck += world.links.cut(world.victim.name, *services)
    return begin


def release(*services):
    return lambda world: world.links.release(world.victim.name, *services)


FAULTS = (
    Fault("node-kill", "kill -9 of a node, which is started again", lambda world: world.victim.kill(), lambda world: world.victim.start(), 2, 0.5, counts_from="begin"),
    Fault("node-drain", "SIGTERM to a node, which is started again", lambda world: world.victim.ask_to_stop(), finish_drain, counts_from="begin"),
    Fault("node-pause", "SIGSTOP of a node, shorter than its lease", lambda world: world.victim.pause(), lambda world: world.victim.resume(), 1.5, 1),
    Fault("node-long-pause", "SIGSTOP of a node that is declared dead meanwhile", lambda world: world.victim.pause(), lambda world: world.victim.resume(), leases=1, proof=deaths_seen_by_others, until_proven=True),
    Fault("node-isolated", "a node without all of its services", hold(*SERVICES), release(*SERVICES), 6, 3, proof=struck),
    Fault("node-cut", "the connections of a node to all of its services are reset", cut(*SERVICES), proof=struck),
    Fault("redis-kill", "kill -9 of Redis, which is started again, empty", lambda world: world.cluster.redis.kill(), lambda world: world.cluster.redis.start(), 2, 0.5),
    Fault("redis-restart", "Redis is stopped and started, empty", lambda world: restart(world.cluster.redis)),
    Fault("redis-pause", "SIGSTOP of Redis", lambda world: world.cluster.redis.pause(), lambda world: world.cluster.redis.resume(), 4, 1),
    Fault("redis-sleep", "DEBUG SLEEP", begin_sleep, end_sleep, 2, 1),
    Fault("redis-client-pause", "CLIENT PAUSE of all", begin_client_pause, nothing, 2, 1),
    Fault("redis-flush", "FLUSHALL", flush, proof=struck),
    Fault("redis-drop-subscribers", "CLIENT KILL TYPE pubsub", kill_subscribers, proof=struck),
    Fault("redis-buffer-kill", "subscribers are cut by their output buffer's limit", limit_buffers, unlimit_buffers, 4, 2.5, proof=buffer_kills, until_proven=True),
    Fault("postgres-kill", "kill -9 of PostgreSQL, which is started again", lambda world: world.cluster.postgres.kill(), lambda world: world.cluster.postgres.start(), 2, 0.5),
    Fault("postgres-restart", "PostgreSQL is stopped and started", lambda world: restart(world.cluster.postgres)),
    Fault("postgres-stall", "SIGSTOP of PostgreSQL and all its backends", lambda world: world.cluster.postgres.pause(), lambda world: world.cluster.postgres.resume(), 10, 3),
    Fault("postgres-end-sessions", "pg_terminate_backend of every session", end_database_sessions, proof=struck),
    Fault("etcd-kill", "kill -9 of etcd, which is started again", lambda world: world.cluster.etcd.kill(), lambda world: world.cluster.etcd.start(), 2, 0.5),
    Fault("etcd-restart", "etcd is stopped and started", lambda world: restart(world.cluster.etcd)),
    Fault("etcd-pause", "SIGSTOP of etcd, longer than every lease", lambda world: world.cluster.etcd.pause(), lambda world: world.cluster.etcd.resume(), leases=1, proof=leases_lost, until_proven=True),
    Fault("split-redis", "the link from one node to Redis is held", hold("redis"), release("redis"), 5, 2, proof=struck),
    Fault("split-postgres", "the link from one node to PostgreSQL is held", hold("postgres"), release("postgres"), 5, 2, proof=struck),
    Fault("split-etcd", "the link from one node to etcd is held, longer than its lease", hold("etcd"), release("etcd"), leases=1, proof=leases_lost, until_proven=True),
    Fault("split-then-drain", "SIGTERM to a node that is held from Redis: it does not leave the list as if all had heard it", hold("redis"), leave_unheard, 2, 1, proof=deaths_seen_by_others),
    Fault("split-then-kill", "a node held from Redis and etcd, dead by the list and at work, is killed", hold("redis", "etcd"), kill_the_lost, leases=1, proof=second_looks),
)
