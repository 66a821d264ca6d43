"""Results as uproar_load reports them, entries as the runner makes them; and the way to the runner's modules."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "bench"))

from runner import figures, measure, progress  # noqa: E402  the path comes first


class Silent:
    """Where progress goes in tests."""

    def isatty(self):
        return False

    def write(self, _):
        return 0

    def flush(self):
        pass


def run_of(turn=0, **changed):
    return {"round": turn, "cpu": 1.0, "rate": 50.0, "counted": 100, "cores": 0.9, "load_busy": 0.5, "p99.9": 1000.0, **changed}


def result_of(**changed):
    base = {"traffic": [{"name": "rooms", "publishes": 10, "deliveries": 100, "late": 0,
                         "delivery_us": {"count": 100, "p50": 1, "p99": 2, "p99.9": 3, "max": 4},
                         "ack_us": {"count": 40, "p50": 0, "p99": 0, "p99.9": 0, "max": 0}}],
            "seconds": 2, "clients": 10, "received_bytes": 28000,
            "server": {"cpu_us_per_delivery": 3, "cpu_cores": 0.5, "rss_bytes": 3000, "rss_bytes_before": 1000},
            "lost": 0, "repeated": 0, "missing": 0, "ended": 0, "first_end": "", "load_busy": 0.4, "reconnect_seconds": 0, "heartbeats": 6,
            "memory": [{"clients": 0, "rss_bytes": 1000}, {"clients": 5, "rss_bytes": 2500}]}
    return {**base, **changed}


class PlayedBench:
    """In place of servers: what a run of an entrant comes to is told by `play(entrant, forced)`, figures or an exception."""

    def __init__(self, play):
        self.play, self.asked = play, []

    def one_run(self, cell, entrant, own=(), forced=()):
        self.asked.append((entrant.name, forced))
        out = self.play(entrant, forced)
        if isinstance(out, Exception):
            raise out
        return {**figures.of_run(result_of()), "others": 0.0, **out}, [], figures.memory_of(result_of())


def entries_of(cell, bench, rounds=1):
    """As measured, before what was refused is taken out."""
    shown = progress.Progress(1, rounds * cell.runs_a_round(cell.entrants), out=Silent())
    return measure.CellRun(cell, cell.entrants, bench, shown).run(rounds)
