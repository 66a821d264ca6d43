#!/usr/bin/env python3
"""`tools/dev faults`: three real nodes, PostgreSQL, Redis and etcd; clients who talk; everything fails in turn; then what the clients were told is
compared with what is stored."""

import argparse
import os
import pathlib
import random
import signal
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tools" / "cluster"))

from cluster import Cluster  # noqa: E402  the path comes first
from fault_list import FAULTS, LOOK_SECONDS, wait_until, wait_until_more  # noqa: E402
from links import Links  # noqa: E402
from report import Report  # noqa: E402
from services import Unavailable  # noqa: E402
from talkers import Broken  # noqa: E402
from verdict import talkers_of, verdict_of  # noqa: E402

LEASE_SECONDS = 3
RECOVERY_SECONDS = 45   # then nobody waits any more; that it took longer than the fault's own bound (fault_list.py) is a violation long before
LEVEL_SECONDS = 10      # it is one to lack something, or not to have heard of a mark, so long after the last message
LIST_IS_UP = 2          # uproar_nodes_state
TALK_SECONDS = 1.0      # before a fault and after the recovery: load on both sides of it
EXAMPLE = """examples:
  tools/dev faults --rounds 5
  tools/dev faults --rounds 20 --fault node-kill --fault split-redis
  tools/dev faults --rounds 1 --fault redis-flush --seed 7     the choices of an earlier run: who fails, who says what

Exit status: 0 all is well, 1 something was lost, repeated, reordered or never came back, 2 it could not run. --list names the faults."""


class World:
    """What a fault may touch: the cluster, its links, the node that was chosen, how long it lasts. `struck` counts what faults met when they began."""

    def __init__(self, cluster, links):
        self.cluster, self.links = cluster, links
        self.victim, self.seconds, self.pending, self.struck = None, 0, None, 0


def wait_until_listed(world):
    """All nodes, at every node: whose lease has ended by the fault before cannot lose it, and nobody would see them die."""
    def deaf():
        return [node.name for node in world.cluster.nodes
                if node.values("uproar_nodes", "uproar_nodes_state") != [len(world.cluster.nodes), LIST_IS_UP]]
    if not wait_until(lambda: not deaf()):
        raise Broken(f"the list of nodes is not whole again {LOOK_SECONDS} s after the fault before, at {', '.join(deaf())}")


def strike(world, fault, talkers, lease_seconds, is_brief):
    """The fault from its beginning to recovery. Returns what talk.mjs says of the recovery."""
    world.seconds = fault.lasts(lease_seconds, is_brief)
    before = fault.proof(world) if fault.proof else None
    began = time.monotonic_ns()
    fault.begin(world)
    if fault.counts_from == "begin":
        talkers.count(began, fresh_only=True)
    time.sleep(max(0.0, world.seconds - (time.monotonic_ns() - began) / 1e9))
    if fault.until_proven:
        wait_until_more(lambda: fault.proof(world), before)
    fault.end(world)
    over = time.monotonic_ns()
    if fault.counts_from == "end":
        talkers.count(over, fresh_only=False)
    answer = talkers.recover(RECOVERY_SECONDS)
    answer["lasted_ms"] = round((over - began) / 1e6)
    if fault.proof and not fault.proof(world) > before:
        raise Broken(f"{fault.name} did not happen: {fault.what}")
    return answer


def run_round(world, faults, chosen, seed, report):
    """One history: everybody connects, the faults come one after the other, then it is judged."""
    dice = random.Random(seed)
    talkers = talkers_of(world.cluster, people=chosen.people, pause_ms=chosen.pause_ms, seed=seed)
    try:
        for i, fault in enumerate(faults):
            if i > 0:
                talkers.gather()
            world.victim = dice.choice(world.cluster.nodes)
            time.sleep(TALK_SECONDS * (0.3 if chosen.brief else 1))
            wait_until_listed(world)
            answer = strike(world, fault, talkers, LEASE_SECONDS, chosen.brief)
            report.struck(fault, world.victim.name, answer)
            report.judged([fault], seed, {"faults": late(fault, answer)})
        time.sleep(TALK_SECONDS)
        report.judged(faults, seed, verdict_of(world.cluster, talkers, LEVEL_SECONDS))
    except Broken as error:
        report.judged(faults, seed, {"faults": [{"fault": "broken", "text": str(error)}]})
    finally:
        talkers.close()
    dead = [part.name for part in world.cluster.parts() if not part.is_running()]
    if dead:
        report.judged(faults, seed, {"faults": [{"fault": "dead", "text": f"{name} has ended: {last_words(world, name)}"} for name in dead]})
    return not dead


def late(fault, answer):
    """What took longer than the fault allows: its text says of whom and how long."""
    waits = {"acked again": answer.get("ack"), "heard across nodes": answer.get("cross"), "caught up": answer.get("level")}
    return [{"fault": "late", "text": f"all {what} after {span['last']:.0f} ms, the bound is {fault.served_seconds} s"}
            for what, span in waits.items() if span and span["last"] > fault.served_seconds * 1000]


def last_words(world, name):
    return next(part for part in world.cluster.parts() if part.name == name).last_words()


def run(chosen, report):
    by_name = {fault.name: fault for fault in FAULTS}
    faults = [by_name[name] for name in chosen.fault] if chosen.fault else list(FAULTS)
    links = Links()
    world = None
    try:
        with tempfile.TemporaryDirectory(prefix="uproar-faults-", dir=chosen.data, ignore_cleanup_errors=True) as folder:
            os.chmod(folder, 0o755)   # PostgreSQL runs as another user
            settings = {"connections-per-address": 0, "openings-per-second": 0, "resumes-per-second": 0, "commands-per-second": 100000,
                        "conversations-per-day": 0, "first-contacts-per-day": 0, "message-mb-per-day": 0, "drain-seconds": 2}
            cluster = Cluster(folder, 3, binary=chosen.binary, shards=chosen.shards, lease=f"{LEASE_SECONDS}s", between=links.between, settings=settings)
            world = World(cluster, links)
            try:
                cluster.start()
                report.began(len(faults), chosen)
                if chosen.brief:
                    run_round(world, faults, chosen, chosen.seed, report)
                else:
                    for round_number in range(chosen.rounds):
                        for fault in faults:
                            if not run_round(world, [fault], chosen, chosen.seed + round_number * len(FAULTS) + FAULTS.index(fault), report):
                                return
            finally:
                if report.has_faults() and chosen.keep_logs:
                    keep_logs(cluster, chosen.keep_logs)
                cluster.stop()
    finally:
        links.close()


def keep_logs(cluster, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for part in cluster.parts():
        if (part.folder / "log").exists():
            (folder / f"{part.name}.log").write_bytes((part.folder / "log").read_bytes())


def main(arguments):
    parser = argparse.ArgumentParser(prog="tools/dev faults", epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     description="Makes every process, service and link of a cluster of three nodes fail under load, and checks what clients were told.")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="of each fault (default 1)")
    parser.add_argument("--fault", action="append", choices=[fault.name for fault in FAULTS], metavar="NAME", help="only this one; repeatable")
    parser.add_argument("--list", action="store_true", help="name the faults and end")
    parser.add_argument("--seed", type=int, help="of all choices; printed at the start")
    parser.add_argument("--brief", action="store_true", help="all faults once and shorter, one after the other in one history (for ctest)")
    parser.add_argument("--people", type=int, default=9, help="clients (default 9)")
    parser.add_argument("--pause-ms", type=int, default=60, help="between two sends of a client's lane, of which it has two (default 60)")
    parser.add_argument("--shards", type=int, default=2, help="of each node (default 2)")
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "build" / "release" / "tools" / "uproar", help="default build/release/tools/uproar")
    parser.add_argument("--data", type=pathlib.Path, help="where the folder of data and logs is made for the run (default: the system's)")
    parser.add_argument("--keep-logs", type=pathlib.Path, metavar="DIR", help="after a violation, the logs of all processes go there")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout instead of words")
    chosen = parser.parse_args(arguments)
    if chosen.list:
        print("\n".join(f"{fault.name:24} {fault.what}" for fault in FAULTS))
        return 0
    if chosen.rounds < 1 or chosen.people < 3:
        parser.error("--rounds: at least 1; --people: at least 3")
    if chosen.seed is None:
        chosen.seed = random.randrange(1, 1 << 30)

    def stop(number, frame):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    report = Report(is_json=chosen.json)
    try:
        run(chosen, report)
    except (Unavailable, OSError) as error:
        print(f"tools/dev faults: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        report.interrupted()
    report.close()
    return 1 if report.has_faults() else 0


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main(sys.argv[1:]))
