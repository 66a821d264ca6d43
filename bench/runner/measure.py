"""Runs the plan: every contender of a cell in turn, round by round, in an order that turns round every other time."""

import json
import subprocess
import sys
import tempfile
import time

from runner import contenders, figures

SERVER_CORE, LOAD_CORE = 0, 1
RUN_SECONDS_MAX = 300


def say(text):
    print(text, file=sys.stderr, flush=True)


class Failed(Exception):
    """uproar_load gave up; the text is its own."""


def one_run(cell, name, build, settings):
    scenario = contenders.ROOT / f"bench/scenarios/{cell.scenario}.toml"
    with contenders.make(name, build, SERVER_CORE, cell.server_flags) as server, \
            tempfile.NamedTemporaryFile(suffix=".json") as out:
        command = [str(build / "bench/load/uproar_load"), str(scenario), *server.load_arguments(), "--core", str(LOAD_CORE),
                   "--json", out.name]
        for setting in (*cell.settings, *settings):
            command += ["--set", setting]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS_MAX)
        text = open(out.name, encoding="utf-8").read()
        if not text:
            raise Failed(ended.stderr.strip() or f"uproar_load ended with {ended.returncode}")
        return json.loads(text)


def run_cell(cell, wanted, build, rounds, settings):
    """{contender: {"runs", "summary", "faults", "error"}}, and paired ratios of uproar to each other."""
    names = [name for name in cell.contenders if name in wanted]
    found = {name: {"runs": [], "faults": [], "error": None} for name in names}
    for turn in range(rounds):
        for name in names if turn % 2 == 0 else reversed(names):
            if found[name]["error"]:
                continue
            begin = time.monotonic()
            try:
                result = one_run(cell, name, build, settings)
            except (contenders.Unavailable, Failed, subprocess.TimeoutExpired) as reason:
                found[name]["error"] = str(reason).strip()
                say(f"  {name}: {found[name]['error'].splitlines()[0]}")
                continue
            run = figures.of_run(result)
            found[name]["runs"].append(run)
            found[name]["faults"] += figures.faults_of(result)
            say(f"  round {turn + 1}/{rounds} {name:14} {run['cpu']:8.3f} us/delivery {run['rate']:12,.0f}/s  p99 {run['p99'] / 1000:8.2f} ms"
                f"  ({time.monotonic() - begin:.0f} s)")
    for entry in found.values():
        if entry["runs"]:
            entry["summary"] = figures.summary(entry["runs"])
    ours = found.get("uproar", {}).get("runs")
    for name, entry in found.items():
        if ours and name != "uproar" and len(entry["runs"]) == len(ours):
            entry["uproar_to_it"] = figures.ratios(ours, entry["runs"])
    return found
