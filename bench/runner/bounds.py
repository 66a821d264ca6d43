"""What is asked of a result, and whether it was held. A miss is shown like anything else; what could not be measured is not held."""

import dataclasses

from runner import figures

BEST_PEER = "the best peer"
SCALES = {"": 1, "ms": 1000, "MiB": 1, "B": 1, "cores": 1}   # figures hold microseconds


@dataclasses.dataclass(frozen=True)
class Bound:
    figure: str                 # a name of figures.of_run
    what: str
    most: float | None = None   # one of the two
    least: float | None = None
    against: str = ""           # an entrant's name or BEST_PEER: the ratio counts, round by round; empty: the figure itself
    at: float | None = None     # of a cell with levels: at which fraction
    unit: str = ""              # of a figure itself: a key of SCALES

    def asks(self):
        limit = f"at most {self.most:g}" if self.most is not None else f"at least {self.least:g}"
        whose = {"": f" {self.unit}" if self.unit else "", BEST_PEER: f" x {BEST_PEER}'s"}.get(self.against, f" x that of {self.against}")
        return f"{self.what}: {limit}{whose}"

    def is_held_by(self, value):
        return value <= self.most if self.most is not None else value >= self.least


def shown(cell, name, key):
    """The figures of one entrant, or why there are none."""
    entry = cell["contenders"].get(name)
    if entry is None:
        return None, f"{name} did not take part"
    if entry["error"]:
        return None, f"{name}: {entry['error'].splitlines()[0]}"
    if entry[key]:
        return None, "; ".join(entry[key])
    return entry, ""


def best_peer(cell, bound, peers):
    """The peer that does best in the figure, by median. Should its ratio be refused, no lesser one stands in for it."""
    able = [(figures.summary(entry["runs"])[bound.figure]["median"], name) for name, entry in cell["contenders"].items()
            if name in peers and not entry["error"] and entry["runs"]]
    if not able:
        return ""
    return (min(able) if bound.most is not None else max(able))[1]


def at_level(entry, fraction):
    return next((level for level in entry.get("levels", []) if level["fraction"] == fraction), None)


def measured_at(cell, bound):
    """As measured(), of a level."""
    key = "ratio_refused" if bound.against else "refused"
    entry, why = shown(cell, cell["subject"], key)
    level = at_level(entry, bound.at) if entry else None
    if level is None or not level["runs"]:
        return None, "", why or f"{cell['subject']} was not measured at {bound.at:.0%}"
    if level[key]:
        return None, "", "; ".join(level[key])
    if not bound.against:
        return figures.scaled(level["summary"][bound.figure], SCALES[bound.unit]), "", ""
    yardstick, why = shown(cell, bound.against, "ratio_refused")
    return (level.get("to_yardstick") if yardstick else None), bound.against, why


def opponent(cell, bound, peers):
    """Whom a bound compares with; empty: nobody."""
    return best_peer(cell, bound, peers) if bound.against == BEST_PEER else bound.against


def opponents(cell, bounds, peers):
    """Of all bounds that compare whole runs, once each: who is worth a duel (measure.duel)."""
    names = [opponent(cell, bound, peers) for bound in bounds if bound.at is None]
    return [name for name in dict.fromkeys(names) if name in cell["contenders"] and not cell["contenders"][name]["error"]]


def measured(cell, bound, peers):
    """({low, median, high}, whom it was compared with, why not). Where the two had a duel, that is what counts."""
    if not bound.against:
        entry, why = shown(cell, cell["subject"], "refused")
        return (figures.scaled(entry["summary"][bound.figure], SCALES[bound.unit]) if entry else None), "", why
    name = opponent(cell, bound, peers)
    if not name:
        return None, "", "no peer's figures count"
    cell = cell.get("duels", {}).get(name, cell)
    _, why = shown(cell, cell["subject"], "ratio_refused")
    entry, why_not = shown(cell, name, "ratio_refused")
    if why or entry is None:
        return None, name, why or why_not
    ratio = (entry.get("to_it") or {}).get(bound.figure)
    return ratio, name, "" if ratio else f"{name} has no such figure"


def judge(cell, bounds, peers):
    """[{"cell", "asks", "against", "measured", "held", "why"}]; held is None where nothing could be measured."""
    out = []
    for bound in bounds:
        found, against, why = measured(cell, bound, peers) if bound.at is None else measured_at(cell, bound)
        out.append({"cell": cell["name"], "asks": bound.asks(), "against": against, "measured": found,
                    "held": bound.is_held_by(found["median"]) if found else None, "why": why})
    return out
