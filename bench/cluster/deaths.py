"""Nodes that die or are restarted, as their clients see it. The clients and the checker are those of tests/cluster."""

import random
import time

from figures import quantile
from verdict import talkers_of, verdict_of

CLIENTS = 60
PAUSE_MS = 300
TALK_SECONDS = 1.5
PATIENCE_SECONDS = 60


def told(verdict):
    return (f"{verdict['acked']} of {verdict['messages']} messages acked, {verdict['rows']} stored, {verdict['deliveries']} deliveries, "
            f"{len(verdict['faults'])} violations{': ' + verdict['faults'][0]['text'] if verdict['faults'] else ''}")


def measure_death(cluster, chosen):
    talkers = talkers_of(cluster, people=chosen.clients or CLIENTS, pause_ms=PAUSE_MS, seed=random.randrange(1 << 30))
    try:
        back_ms = []
        for i in range(chosen.rounds):
            time.sleep(TALK_SECONDS)
            victim = cluster.nodes[i % len(cluster.nodes)]
            began = time.monotonic_ns()
            victim.kill()
            talkers.count(began, fresh_only=True)   # connections break before the process is gone
            answer = talkers.recover(PATIENCE_SECONDS)
            if answer["said"] != "recovered":
                return {"stuck": answer["why"]}, f"never served again: {answer['why']}", False
            time.sleep(TALK_SECONDS)
            victim.start()
            back_ms += answer["reconnects_ms"]
            talkers.gather()
        verdict = verdict_of(cluster, talkers, PATIENCE_SECONDS)
    finally:
        talkers.close()
    if not back_ms:   # as few clients as nodes: it happens
        return {"resumed": 0, "verdict": verdict}, "no client was on a node that was killed: take more (--clients)", False
    figures = {"kills": chosen.rounds, "resumed": len(back_ms), "p50_ms": quantile(back_ms, 0.5), "p99_ms": quantile(back_ms, 0.99), "max_ms": max(back_ms),
               "verdict": {name: value for name, value in verdict.items() if name != "reconnects"}}
    return figures, (f"{chosen.rounds} nodes killed, {len(back_ms)} clients resumed elsewhere: from the loss to level p50 {figures['p50_ms']:.0f}, p99 {figures['p99_ms']:.0f}, "
                     f"max {figures['max_ms']:.0f} ms; {told(verdict)}"), not verdict["faults"]


def measure_rolling(cluster, chosen):
    talkers = talkers_of(cluster, people=chosen.clients or CLIENTS, pause_ms=PAUSE_MS, seed=random.randrange(1 << 30))
    try:
        restarts, worst = [], 0
        for _ in range(chosen.rounds):
            for node in cluster.nodes:
                time.sleep(TALK_SECONDS)
                began = time.monotonic_ns()
                talkers.count(began, fresh_only=True)
                node.stop()
                node.start()
                answer = talkers.recover(PATIENCE_SECONDS)
                if answer["said"] != "recovered":
                    return {"stuck": answer["why"]}, f"never served again: {answer['why']}", False
                worst = max(worst, answer["reconnects_max"])
                restarts.append({"node": node.name, "reconnects": len(answer["reconnects_ms"]), "most_of_one_client": answer["reconnects_max"],
                                 "away_ms_max": max(answer["reconnects_ms"], default=0), "codes": answer["reconnect_codes"]})
        verdict = verdict_of(cluster, talkers, PATIENCE_SECONDS)
    finally:
        talkers.close()
    failed = verdict["messages"] - verdict["acked"]
    figures = {"restarts": restarts, "failed_sends": failed, "reconnects_of_one_client_and_restart_max": worst,
               "verdict": {name: value for name, value in verdict.items() if name != "reconnects"}}
    return figures, (f"{len(restarts)} restarts under load: {failed} sends failed after retry, at most {worst} reconnects per client and restart, "
                     f"{sum(each['reconnects'] for each in restarts)} reconnects in all, away at most {max(each['away_ms_max'] for each in restarts):.0f} ms; {told(verdict)}"), \
        failed == 0 and worst <= 1 and not verdict["faults"]
