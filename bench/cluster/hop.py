"""The extra hop: hop.mjs sends one message at a time, to a neighbour on the same node and to one on another."""

import json
import pathlib
import subprocess

from figures import quantile

BLOCK = 200


def measure(cluster, chosen):
    first, second = cluster.nodes
    config = {"same": [first.url(), first.url()], "apart": [first.url(), second.url()], "auth_key": cluster.auth_key_file.read_text().strip(),
              "blocks": 2 * chosen.rounds, "each": BLOCK}
    done = subprocess.run(["node", str(pathlib.Path(__file__).with_name("hop.mjs")), json.dumps(config)], stdout=subprocess.PIPE, text=True, check=True, timeout=280)
    figures, lines = {}, []
    for what, ways in json.loads(done.stdout).items():
        figures[what] = {where: {"p50_us": quantile(values, 0.5), "p99_us": quantile(values, 0.99), "messages": len(values)} for where, values in ways.items()}
        same, apart = figures[what]["same"], figures[what]["apart"]
        figures[what]["hop"] = {name: apart[name] - same[name] for name in ("p50_us", "p99_us")}
        lines.append(f"{what:7} same node p50 {same['p50_us']:6.0f} p99 {same['p99_us']:6.0f} us; two nodes p50 {apart['p50_us']:6.0f} p99 {apart['p99_us']:6.0f} us; "
                     f"the hop p50 {figures[what]['hop']['p50_us']:+.0f} p99 {figures[what]['hop']['p99_us']:+.0f} us ({same['messages']} messages each)")
    return figures, "\n".join(lines), True
