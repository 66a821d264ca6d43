"""Runs a cell: every entrant in turn, round by round, in an order that turns round every other time."""

import dataclasses
import json
import pathlib
import tempfile
import tomllib

from runner import bystanders, contenders, database, figures, machine, syncs, testbed, trust, yardsticks

WARMUP_SECONDS = 1   # bench/load/scenario.h, where a scenario does not say
SECONDS = 5          # the same
BATCHES = ("uproar_store_commit_rows_sum", "uproar_store_commit_rows_count")


class Failed(Exception):
    """uproar_load gave up; the text is its own."""


def setting_of(name, scenario, settings, default):
    """As uproar_load will have it: the last that is said of it, else what the scenario's file says."""
    of = dict(setting.split("=", 1) for setting in settings)
    file = tomllib.loads((testbed.ROOT / f"bench/scenarios/{scenario}.toml").read_text(encoding="utf-8"))
    return float(of.get(name, file.get(name, default)))


def warmup_of(scenario, settings):
    return setting_of("warmup_seconds", scenario, settings, WARMUP_SECONDS)


class Bench:
    """What all runs share: the testbed, what --set says for each of them, and the worlds that Uproar begins with."""

    def __init__(self, bed, settings, worlds):
        self.bed, self.settings, self.worlds = bed, tuple(settings), worlds
        self.irq_time_is_apart = machine.irq_time_is_apart()
        self.batches = {}   # cell's name: rows a commit of uproar at saturation

    def load(self, cell, entrant, server, settings):
        """The JSON of one run of uproar_load."""
        with tempfile.NamedTemporaryFile(suffix=".json", dir=self.bed.scratch) as out:
            command = [*contenders.load_command(self.bed, cell.scenario, server, entrant.load_core, settings), "--json", out.name]
            try:
                ended = contenders.run_load(command, cell.seconds_max)
            except contenders.Unending as reason:
                raise Failed(f"uproar_load against {entrant.name} {reason}") from None
            text = pathlib.Path(out.name).read_text(encoding="utf-8", errors="replace")
        if not text:
            said = contenders.without_paths(ended.stderr.strip(), server.folder, self.bed.build, self.bed.scratch)
            raise Failed(said or f"uproar_load ended with {ended.returncode}")
        try:
            return json.loads(text)
        except ValueError as reason:
            raise Failed(f"uproar_load ended with {ended.returncode} and left no whole result: {reason}") from None

    def make(self, cell, entrant, settings):
        if entrant.contender != "uproar":
            return contenders.make(entrant.contender, self.bed, entrant.cores)
        self.check_disk(cell)
        flags, bed = (*cell.flags, *entrant.flags), self.bed.with_build(entrant.build)
        world = self.worlds.of(cell, bed, flags, settings)
        return contenders.uproar(cell, entrant.contender, bed, entrant.cores, flags, world, cell.counts_syncs)

    def check_disk(self, cell):
        if cell.counts_syncs and self.bed.filesystem in testbed.IN_MEMORY:
            raise contenders.Unavailable(f"the scratch folder is on {self.bed.filesystem}, where waiting for the disk costs nothing: "
                                         "--scratch FOLDER names one on a disk")

    def yardstick_run(self, cell, entrant, settings):
        """The same of a yardstick, with batches as uproar had them in this cell just before."""
        self.check_disk(cell)
        rows = self.batches.get(cell.name)
        if rows is None:
            raise contenders.Unavailable("uproar was not measured before it: how many rows share a commit is not known")
        rooms = round(setting_of("pairs.rooms", cell.scenario, settings, 1000))
        with tempfile.TemporaryDirectory(prefix="database-", dir=self.bed.scratch) as name:
            folder = pathlib.Path(name)
            for one in (folder, self.bed.scratch):
                pathlib.Path(one).chmod(0o711)   # the server's user must be able to come here
            try:
                with database.Database(folder / "database", self.bed.build, cell.counts_syncs) as server:
                    watch = bystanders.Bystanders(None, self.irq_time_is_apart, server.cpu_seconds)
                    rate, began_ns, seconds = yardsticks.measure(entrant.contender, server, self.bed.build, folder,
                                                                 setting_of("seconds", cell.scenario, settings, SECONDS), rows, rooms)
                    run = {"acked": rate, "seconds": seconds, "rows_per_commit": 1 if entrant.contender == yardsticks.ONE_ROW else rows, **watch.found()}
                    if cell.counts_syncs:
                        run["syncs_per_message"] = syncs.per_message(server.sync_times(), began_ns, seconds, rate * seconds)
                    return run, [], []
            except (database.services.Unavailable, yardsticks.Failed) as reason:
                raise contenders.Unavailable(str(reason)) from None

    def one_run(self, cell, entrant, own=(), forced=()):
        """(figures, faults, growth of memory while clients came) of a server that was started for it.
        --set overrides `own` settings, and `forced` ones override --set."""
        settings = (*cell.settings, *entrant.settings, *own, *self.settings, *forced)
        if entrant.is_yardstick:
            return self.yardstick_run(cell, entrant, settings)
        with self.make(cell, entrant, settings) as server:
            pid = server.pid()
            try:
                watch = bystanders.Bystanders(pid, self.irq_time_is_apart, server.beside_seconds)
                result = self.load(cell, entrant, server, settings)
                run = {**figures.of_run(result), **watch.found(), "warmup_seconds": warmup_of(cell.scenario, settings)}
            except (OSError, Failed):
                if server.is_gone(pid):
                    raise Failed(server.with_last_words("it ended while it was measured")) from None
                raise
            if cell.counts_syncs and entrant.contender == "uproar":
                run["syncs_per_message"] = syncs.per_message(server.sync_times(), result["begin_ns"], result["seconds"], run["acked"] * result["seconds"])
            if cell.metrics and entrant.contender == "uproar":
                run.update(server.metrics(cell.metrics))
            if cell.on_postgres:
                committed = server.metrics(BATCHES)
                run["rows_per_commit"] = committed[BATCHES[0]] / committed[BATCHES[1]] if committed[BATCHES[1]] else 0
                if not forced and entrant.build is None:   # at saturation
                    self.batches[cell.name] = max(round(run["rows_per_commit"]), 1)
            return run, figures.faults_of(result, cell.may_end), figures.memory_of(result)


def open_loop(levels, rate):
    return f"{levels.traffic}.in_flight=0", f"{levels.traffic}.publishes_per_second={rate:.3f}"


def ms(us):
    return "of too few" if us is None else f"{us / 1000:.2f} ms"


def told(run, reasons):
    """One line of a run; what the load tool limited, or others disturbed, or was wrong, is no figure of the server."""
    if reasons:
        return "no figure: " + "; ".join(reasons)
    batches = f"  {run['rows_per_commit']:,.0f} rows a commit" if "rows_per_commit" in run else ""
    if "rate" not in run:
        return f"{run['acked']:12,.0f} rows/s{batches}"
    if not run["rate"]:
        back = f"  all back after {run['reconnect']:.2f} s, {run['reconnect_cpu']:.1f} us each" if run["reconnect"] else ""
        beat = f"  {run['heartbeat_cpu']:.1f} us/heartbeat" if run.get("heartbeat_cpu") else ""
        return f"{run['cores']:8.3f} cores {run['memory']:12,.0f} bytes/connection{beat}{back}"
    ack = f"  acked {run['acked']:,.0f}/s  ack p99 {ms(run['ack_p99'])}" if run["acked"] else ""
    return f"{run['cpu']:8.3f} us/delivery {run['rate']:12,.0f}/s  p99 {ms(run['p99']):>11}{ack}{batches}"


def started_with(cell, entrant):
    """Flags of `uproar serve` beside where it listens and stores; [] of others, whose bench/peers has them."""
    return contenders.merged(contenders.UPROAR_FLAGS, (*cell.flags, *entrant.flags)) if entrant.contender == "uproar" else []


class CellRun:
    """A cell under way. found(): what it came to, entrant by entrant."""

    def __init__(self, cell, entrants, bench, progress):
        self.cell, self.entrants, self.bench, self.progress = cell, entrants, bench, progress
        self.entries = {one.name: {"contender": one.contender, "cores": len(one.cores), "runs": [], "faults": [], "error": None,
                                   "settings": list(one.settings), "flags": started_with(cell, one),
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
                    except (contenders.Unavailable, Failed, syncs.TooMany, OSError) as reason:   # OSError: it is gone
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
        self.progress.say(f"  {label:34} {told(run, trust.spoiled([run], faults, len(entrant.cores)))}")
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
        """Reasons not to believe: `spoiled` holds for every figure and ratio, `refused` for what the page shows, `ratio_refused` for its ratio."""
        entry["spoiled"], entry["refused"], entry["ratio_refused"] = [], [], []
        for part in (entry, *entry["levels"]):
            if part["runs"]:
                part["summary"] = figures.summary(part["runs"])
                part["spoiled"] = trust.spoiled(part["runs"], part["faults"], cores)
                part["ratio_refused"] = list(part["spoiled"])
                shown = self.cell.headline if part is entry else self.cell.levels.headline
                part["refused"] = part["spoiled"] + trust.noisy(shown, part["summary"].get(shown), len(part["runs"]))
        for level in entry["levels"]:
            self.set_against_yardstick(level)

    def set_against_yardstick(self, level):
        yardstick = self.entries.get(self.cell.levels.bound_by)
        if not yardstick or not yardstick["runs"] or not level["runs"]:
            return
        level["to_yardstick"] = figures.to_yardstick(level["runs"], yardstick["runs"], self.cell.levels.members)
        level["ratio_refused"] += trust.spoiled(yardstick["runs"], yardstick["faults"], 1)
        level["ratio_refused"] += trust.noisy("p99.9 to a fan-out of the yardstick", level["to_yardstick"], len(level["runs"]))

    def compare(self, ours, entry):
        if not ours["runs"] or not entry["runs"]:
            return
        entry["to_it"] = figures.ratios(ours["runs"], entry["runs"])
        entry["ratio_refused"] += trust.noisy("the ratio of CPU per delivery", entry["to_it"].get("cpu"), len(entry["runs"]))


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
    if out.get("to_it"):
        out["to_it"] = trust.steady(out["to_it"], len(out["runs"]))
    if out.get("ratio_refused"):
        out.pop("to_yardstick", None)
    if out.get("spoiled"):
        out.pop("to_it", None)
        out["runs"] = []
    return out
