"""A room of 1,000: all on one node, or half of it on each of two. What a delivery costs the nodes together, CPU of Redis not counted."""

import os
import statistics

from figures import shown, spread
from load import LoadFailed, faults_of, load

CASES = {   # name -> settings of the scenario
    "event, 1 in flight": ("hall.in_flight=1",),
    "event, 16 in flight": ("hall.in_flight=16",),
    "stored, 1 in flight": ("hall.in_flight=1", "hall.stored=true"),
}
BOUND = 1.3
ROUNDS_JUDGED_MIN = 3   # fewer show that it runs, and are no measurement


def measure(cluster, chosen):
    pin(cluster)
    world = str(cluster.folder / "world")
    core = ("--core", "1") if os.cpu_count() > 1 else ()
    both = [node.port for node in cluster.nodes]
    pids = [node.pid() for node in cluster.nodes]
    load(cluster, chosen, "room-1000", ports=both[:1], pids=(), extra=("--world", world, "--only-prepare"))
    figures, lines, is_well = {}, [], True
    for name, settings in CASES.items():
        costs = {1: [], 2: []}
        for i in range(chosen.rounds):
            for nodes in (1, 2) if i % 2 == 0 else (2, 1):
                # The numbers of publishes begin anew with each run, and in the same room would be taken for retries: stored ones get a new one.
                kept = () if "hall.stored=true" in settings else ("--world", world)
                result = load(cluster, chosen, "room-1000", ports=both[:nodes], pids=pids, extra=(*kept, *core),
                              settings=("seconds=2", "warmup_seconds=0.5", *settings))
                if not result["is_well"]:
                    is_well = False
                    lines.append(f"{name}, {nodes} nodes: {faults_of(result)} {result['server_error']}")
                if not result["server"]["cpu_us_per_delivery"]:
                    raise LoadFailed(f"{name}, {nodes} nodes: nothing was measured: {faults_of(result)} {result['server_error']}")
                costs[nodes].append(result["server"]["cpu_us_per_delivery"])
        ratios = [two / one for one, two in zip(costs[1], costs[2])]
        figures[name] = {"one_node_cpu_us": spread(costs[1]), "two_nodes_cpu_us": spread(costs[2]), "ratio": spread(ratios)}
        lines.append(f"{name:20} CPU per delivery: one node {shown(costs[1])} us, two nodes together {shown(costs[2])} us, ratio {shown(ratios, '{:.2f}')}, asked at most {BOUND}")
        is_well = is_well and (chosen.rounds < ROUNDS_JUDGED_MIN or statistics.median(ratios) <= BOUND)
    return figures, "\n".join(lines), is_well


def pin(cluster):
    """Nodes on the first core, the load on the second: nobody is moved about while being measured."""
    if os.cpu_count() > 1:
        for node in cluster.nodes:
            for thread in os.listdir(f"/proc/{node.pid()}/task"):
                os.sched_setaffinity(int(thread), {0})
