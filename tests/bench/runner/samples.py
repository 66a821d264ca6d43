"""Results as uproar_load reports them, entries as the runner makes them; and the way to the runner's modules."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "bench"))

from runner import cores, figures, measure, progress, testbed  # noqa: E402  the path comes first


class Silent:
    """Where progress goes when nobody looks."""

    def isatty(self):
        return False

    def write(self, _):
        return 0

    def flush(self):
        pass


def run_of(turn=0, **changed):
    return {"round": turn, "cpu": 1.0, "rate": 50.0, "counted": 100, "cores": 0.9, "load_busy": 0.5, "p99.9": 1000.0, **changed}


def result_of(**changed):
    """Of a traffic with enough deliveries for every percentile."""
    base = {"traffic": [{"name": "rooms", "publishes": 5000, "deliveries": 20000, "late": 0, "acked": 40,
                         "delivery_us": {"count": 20000, "p50": 1, "p99": 2, "p99.9": 3, "max": 4},
                         "ack_us": {"count": 40, "p50": 0, "p99": 0, "p99.9": 0, "max": 0}}],
            "seconds": 2, "begin_ns": 0, "clients": 10, "received_bytes": 5600000,
            "server": {"cpu_us_per_delivery": 3, "cpu_cores": 0.5, "rss_bytes": 3000, "rss_bytes_before": 1000},
            "lost": 0, "repeated": 0, "missing": 0, "ended": 0, "first_end": "", "load_busy": 0.4, "reconnect_seconds": 0, "heartbeats": 6,
            "memory": [{"clients": 0, "rss_bytes": 1000}, {"clients": 5, "rss_bytes": 2500}]}
    return {**base, **changed}


class PlayedBench:
    """In place of servers: what a run of an entrant comes to is told by `play(entrant, forced)`, figures or an exception. `faults` are of every run."""

    def __init__(self, play, faults=lambda entrant, forced: []):
        self.play, self.faults, self.asked = play, faults, []

    def one_run(self, cell, entrant, own=(), forced=()):
        self.asked.append((entrant.name, forced))
        out = self.play(entrant, forced)
        if isinstance(out, Exception):
            raise out
        return {**figures.of_run(result_of()), "others": 0.0, **out}, self.faults(entrant, forced), figures.memory_of(result_of())


def entries_of(cell, bench, rounds=1):
    """As measured, before what was refused is taken out."""
    teller = progress.Progress(1, rounds * cell.runs_a_round(cell.entrants), out=Silent())
    return measure.CellRun(cell, cell.entrants, bench, teller).run(rounds)


def bed_of(scratch, **changed):
    """A testbed without a build."""
    return testbed.Testbed(**{"build": pathlib.Path("build"), "cores": cores.Cores(4, 6), "scratch": pathlib.Path(scratch), **changed})
