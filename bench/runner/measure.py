"""Runs a cell: every entrant in turn, round by round, in an order that turns round every other time."""

import dataclasses
import json
import subprocess
import tempfile

from runner import contenders, figures, machine, syncs, trust


class Failed(Exception):
    """uproar_load gave up; the text is its own."""


class Bench:
    """What all runs share: the build, what --set says for each of them, and the worlds that Uproar begins with."""

    def __init__(self, build, settings, worlds):
        self.build, self.settings, self.worlds = build, tuple(settings), worlds

    def load(self, cell, entrant, server, settings):
        """The JSON of one run of uproar_load."""
        with tempfile.NamedTemporaryFile(suffix=".json") as out:
            command = [*contenders.load_command(self.build, cell.scenario, server, entrant.load_core, settings), "--json", out.name]
            ended = subprocess.run(command, capture_output=True, text=True, timeout=cell.seconds_max)
            text = open(out.name, encoding="utf-8").read()
        if not text:
            raise Failed(ended.stderr.strip() or f"uproar_load ended with {ended.returncode}")
        return json.loads(text)

    def make(self, cell, entrant, settings):
        if entrant.contender != "uproar":
            return contenders.make(entrant.contender, self.build, entrant.cores)
        flags = (*cell.flags, *entrant.flags)
        world = self.worlds.of(cell, flags, settings)
        return contenders.Uproar(entrant.contender, entrant.build or self.build, entrant.cores, flags, world, cell.counts_syncs)

    def one_run(self, cell, entrant, own=(), forced=()):
        """(figures, faults, growth of memory while clients came) of a server that was started for it.
        --set overrides `own` settings, and `forced` ones override --set."""
        settings = (*cell.settings, *entrant.settings, *own, *self.settings, *forced)
        with self.make(cell, entrant, settings) as server:
            bystanders = machine.Bystanders(server.pid())
            result = self.load(cell, entrant, server, settings)
            run = {**figures.of_run(result), "others": bystanders.cores()}
            if cell.counts_syncs and entrant.contender == "uproar":
                acked = result["traffic"][-1]["ack_us"]["count"]
                run["syncs_per_message"] = syncs.per_message(server.sync_times(), result["begin_ns"], result["seconds"], acked)
            if cell.metrics and entrant.contender == "uproar":
                run.update(server.metrics(cell.metrics))
            return run, figures.faults_of(result, cell.may_end), figures.memory_of(result)


def open_loop(levels, rate):
    return f"{levels.traffic}.in_flight=0", f"{levels.traffic}.publishes_per_second={rate:.3f}"


def told(run, limited):
    """One line of a run; what the load tool limited is no figure of the server."""
    if limited:
        return limited[0]
    if not run["rate"]:
        back = f"  all back after {run['reconnect']:.2f} s" if run["reconnect"] else ""
        return f"{run['cores']:8.3f} cores {run['memory']:12,.0f} bytes/connection{back}"
    ack = f"  acked {run['acked']:,.0f}/s  ack p99 {run['ack_p99'] / 1000:.2f} ms" if run["acked"] else ""
    return f"{run['cpu']:8.3f} us/delivery {run['rate']:12,.0f}/s  p99 {run['p99'] / 1000:8.2f} ms{ack}"


class CellRun:
    """A cell under way. found(): what it came to, entrant by entrant."""

    def __init__(self, cell, entrants, bench, progress):
        self.cell, self.entrants, self.bench, self.progress = cell, entrants, bench, progress
        self.entries = {one.name: {"contender": one.contender, "runs": [], "faults": [], "error": None,
                                   "levels": [{"fraction": fraction, "runs": [], "faults": []} for fraction in cell.fractions_of(one)]}
                        for one in entrants}

    def run(self, rounds):
        for turn in range(rounds):
            for entrant in self.entrants if turn % 2 == 0 else reversed(self.entrants):
                entry = self.entries[entrant.name]
                before = self.progress.done
                if not entry["error"]:
                    try:
                        self.take_turn(entrant, entry, turn, rounds)
                    except (contenders.Unavailable, Failed, OSError, subprocess.TimeoutExpired) as reason:   # OSError: it is gone
                        entry["error"] = str(reason).strip()
                        self.progress.say(f"  {entrant.name}: {entry['error'].splitlines()[0]}")
                self.progress.runs_done(self.cell.runs_a_round([entrant]) - (self.progress.done - before))
        return self.found()

    def take_turn(self, entrant, entry, turn, rounds):
        label = f"round {turn + 1}/{rounds} {entrant.name}"
        run = self.one(entrant, entry, label, turn)
        for level in entry["levels"]:
            self.one(entrant, level, f"{label} at {level['fraction']:.0%}", turn,
                     self.cell.levels.settings, open_loop(self.cell.levels, level["fraction"] * run["published"]))

    def one(self, entrant, into, label, turn, own=(), forced=()):
        self.progress.now(label)
        run, faults, into["memory_steps"] = self.bench.one_run(self.cell, entrant, own, forced)
        into["runs"].append({"round": turn, **run})
        into["faults"] += faults
        self.progress.runs_done()
        limited = trust.limited_by_load(figures.summary([run]), len(entrant.cores))
        self.progress.say(f"  {label:34} {told(run, limited)}")
        return run

    def found(self):
        for entrant in self.entrants:
            self.sum_up(self.entries[entrant.name], len(entrant.cores))
        ours = self.entries[self.entrants[0].name]
        for entrant in self.entrants[1:]:
            if not (self.cell.levels and entrant.name == self.cell.levels.bound_by):   # it did something else
                self.compare(ours, self.entries[entrant.name])
        return self.entries

    def sum_up(self, entry, cores):
        entry["refused"], entry["ratio_refused"] = [], []
        for part in (entry, *entry["levels"]):
            if part["runs"]:
                part["summary"] = figures.summary(part["runs"])
                part["refused"], part["ratio_refused"] = trust.refusals(part["runs"], part["faults"], cores)
            yardstick = self.entries.get(self.cell.levels.bound_by) if self.cell.levels else None
            if part is not entry and yardstick and part["runs"]:
                part["to_yardstick"] = figures.to_yardstick(part["runs"], yardstick["runs"], self.cell.levels.members)

    def compare(self, ours, entry):
        if not ours["runs"] or not entry["runs"]:
            return
        entry["to_it"] = figures.ratios(ours["runs"], entry["runs"])
        entry["ratio_refused"] += trust.refuse_ratio(entry["to_it"], len(entry["runs"]))


def duel(cell, subject, other, bench, rounds, progress):
    """Entries of the two alone, run by run in turn. In a round of all entrants minutes lie between the first and the last, and the machine's
    speed drifts meanwhile: what a bound compares is measured here."""
    progress.say(f"  side by side: {subject.name} and {other.name}")
    return CellRun(dataclasses.replace(cell, levels=None), [subject, other], bench, progress).run(rounds)


def without_refused(entry):
    """For the report: what was refused has reasons and no figures."""
    out = {**entry, "levels": [without_refused({**level, "levels": []}) for level in entry["levels"]]}
    if out.get("refused"):
        out.pop("summary", None)
        out.pop("memory_steps", None)
    if out.get("ratio_refused"):
        out.pop("to_it", None)
        out.pop("to_yardstick", None)
        out["runs"] = []
    return out
