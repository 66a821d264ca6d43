"""What is asked of a result, and whether it was held. A miss is shown like anything else; what could not be measured is not held."""

import dataclasses

from runner import figures, trust

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
    seconds_min: float = 0      # of the measured time: what it says of ten minutes is not told by one second
    warmup_min: float = 0       # of the seconds before it: what fills up meanwhile is not full after fewer
    worst: bool = False         # of a figure itself: the worst round counts, for what must never happen; otherwise the median

    def limit(self):
        return f"at most {self.most:g}" if self.most is not None else f"at least {self.least:g}"

    def whose(self):
        if not self.against:
            return f" {self.unit}" if self.unit else ""
        if self.at is not None:
            return f" x the time in which {self.against} sends one publish to all members"
        return f" x {BEST_PEER}'s" if self.against == BEST_PEER else f" x that of {self.against}"

    def asks(self):
        return f"{self.what}: {self.limit()}{self.whose()}{', in the worst round' if self.worst else ''}"

    def is_held_by(self, value):
        return value <= self.most if self.most is not None else value >= self.least


@dataclasses.dataclass
class Finding:
    """What was measured for a bound: `three` are {low, median, high}, or None and then `why` says what stood in the way."""
    three: dict | None = None
    against: str = ""           # whom it was compared with
    why: str = ""
    side_by_side: dict | None = None   # of a duel: {"rounds", "ours", "theirs"}, the figures of the two as figures.of_run has them

    def unless(self, reasons):
        return dataclasses.replace(self, three=None, why="; ".join(reasons)) if reasons else self


def unable(cell, name):
    """Why nothing of an entrant counts."""
    entry = cell["contenders"].get(name)
    if entry is None:
        return [f"{name} did not take part"]
    if entry["error"]:
        return [f"{name}: {entry['error'].splitlines()[0]}"]
    return entry["spoiled"]


def too_short(bound, part):
    lasted = part["summary"]["seconds"]["low"]
    warmed = part["summary"].get("warmup_seconds", {"low": 0})["low"]
    # The tool ends its window with the first turn after it was due, or a rounding before.
    return ([f"measured for {lasted:g} s instead of {bound.seconds_min:g}"] if lasted < 0.999 * bound.seconds_min else []) + \
        ([f"warmed up for {warmed:g} s instead of {bound.warmup_min:g}"] if warmed < bound.warmup_min else [])


def of_figure(bound, part):
    """The figure itself, of an entrant or one of its levels."""
    three = part["summary"].get(bound.figure)
    if three is None:
        return Finding(why=f"too few values for {bound.figure}")
    if bound.worst:   # rounds that differ are no reason to doubt it: one was bad
        worst = (max if bound.most is not None else min)(run[bound.figure] for run in part["runs"])
        return Finding(figures.scaled(figures.quartiles([worst]), SCALES[bound.unit])).unless(too_short(bound, part))
    return Finding(figures.scaled(three, SCALES[bound.unit])).unless(too_short(bound, part) or trust.noisy(bound.what, three, len(part["runs"])))


def able_peers(cell, bound, peers):
    """[(median of the figure, name)] of the peers that ran."""
    return [(three["median"], name) for name, entry in cell["contenders"].items()
            if name in peers and not entry["error"] and entry["runs"] and (three := figures.summary(entry["runs"]).get(bound.figure))]


def best_peer(cell, bound, peers):
    """The peer that does best in the figure, by median. Should its ratio be refused, no lesser one stands in for it."""
    able = able_peers(cell, bound, peers)
    if not able:
        return ""
    return (min(able) if bound.most is not None else max(able))[1]


def missing_peers(cell, bound, peers):
    """Whom the best peer was not chosen from: it is the best of those that ran. None where no best peer is asked for."""
    if bound.against != BEST_PEER:
        return None
    able = {name for _, name in able_peers(cell, bound, peers)}
    return [name for name in peers if name not in able]


def at_level(entry, fraction):
    return next((level for level in entry["levels"] if level["fraction"] == fraction), None)


def found_at_level(cell, bound):
    subject = cell["subject"]
    if why := unable(cell, subject):
        return Finding(why="; ".join(why))
    level = at_level(cell["contenders"][subject], bound.at)
    if level is None or not level["runs"]:
        return Finding(why=f"{subject} was not measured at {bound.at:.0%}")
    if not bound.against:
        return of_figure(bound, level).unless(level["spoiled"])
    if why := unable(cell, bound.against) or level["ratio_refused"] or too_short(bound, level):
        return Finding(against=bound.against, why="; ".join(why))
    three = level.get("to_yardstick")
    return Finding(three, bound.against, "" if three else f"too few values for {bound.figure}")


def opponent(cell, bound, peers):
    """Whom a bound compares with; empty: nobody."""
    return best_peer(cell, bound, peers) if bound.against == BEST_PEER else bound.against


def opponents(cell, bounds, peers):
    """Of all bounds that compare whole runs, once each: who is worth a duel (measure.duel)."""
    names = [opponent(cell, bound, peers) for bound in bounds if bound.at is None]
    return [name for name in dict.fromkeys(names) if name in cell["contenders"] and not cell["contenders"][name]["error"]]


def side_by_side(cell, name, bound):
    """Figures of a duel for the reader; none where they drifted, for only the ratio survives that."""
    ours, theirs = (cell["contenders"][one] for one in (cell["subject"], name))
    threes = [entry.get("summary", {}).get(bound.figure) for entry in (ours, theirs)]
    if None in threes or any(trust.noisy("", three, len(ours["runs"])) for three in threes):
        threes = [None, None]
    return {"rounds": len(ours["runs"]), "ours": threes[0], "theirs": threes[1]}


def found_beside(cell, bound, peers):
    """The ratio to another entrant. Where the two had a duel, that is what counts."""
    name = opponent(cell, bound, peers)
    if not name:
        return Finding(why="no peer's figures count")
    duel = cell.get("duels", {}).get(name)
    cell = duel or cell
    if why := unable(cell, cell["subject"]) or unable(cell, name) or too_short(bound, cell["contenders"][cell["subject"]]):
        return Finding(against=name, why="; ".join(why))
    entry = cell["contenders"][name]
    three = (entry.get("to_it") or {}).get(bound.figure)
    found = Finding(three, name, "" if three else f"{cell['subject']} or {name} has no such figure", side_by_side(cell, name, bound) if duel else None)
    return found.unless(trust.noisy(f"the ratio of {bound.what}", three, len(entry["runs"])))


def found_for(cell, bound, peers):
    if bound.at is not None:
        return found_at_level(cell, bound)
    if bound.against:
        return found_beside(cell, bound, peers)
    if why := unable(cell, cell["subject"]):
        return Finding(why="; ".join(why))
    return of_figure(bound, cell["contenders"][cell["subject"]])


def judge(cell, bounds, peers, altered=()):
    """[{"cell", "asks", "limit", "against", "missing", "measured", "held", "why", "figure", "side_by_side"}]; held is None where nothing could be
    measured, or where a peer that might be better did not run.
    `altered`: settings that made it another cell than the one of which something is asked."""
    other = [f"not what is asked of the cell: it was measured with {' '.join(altered)}"] if altered else []
    out = []
    for bound in bounds:
        found, missing = found_for(cell, bound, peers).unless(other), missing_peers(cell, bound, peers)
        held = bound.is_held_by(found.three["median"]) if found.three else None
        if held and missing:
            held = None   # only a miss follows from some of the peers
        out.append({"cell": cell["name"], "asks": bound.asks(), "limit": bound.most if bound.most is not None else bound.least,
                    "against": found.against, "missing": missing, "measured": found.three,
                    "held": held, "why": found.why,
                    "figure": bound.figure, "side_by_side": found.side_by_side})
    return out


def word(verdict):
    """The verdict in short. Quartiles on both sides of the limit are said: another day may turn it round."""
    if verdict["held"] is None:
        return "open" if verdict["measured"] else "not measured"
    three, limit = verdict["measured"], verdict["limit"]
    barely = three["low"] <= limit <= three["high"] and three["low"] < three["high"]
    return ("held" if verdict["held"] else "missed") + (", barely" if barely else "")


def found_text(verdict):
    """What was measured for a verdict of judge(), in digits that show why it is held or missed."""
    three = verdict["measured"]
    return figures.range_text(three, figures.beside(three["median"], verdict["limit"]))


def missing_text(verdict):
    return f"; without {', '.join(verdict['missing'])}" if verdict["missing"] else ""
