"""The whole run: which cells and entrants take part, and what the report is made of."""

import dataclasses
import json

from runner import bounds, contenders, figures, measure, plan


def taking_part(cell, peers, raw, also=None):
    """Entrants of a cell: Uproar and the floors always, peers if they are wanted; of further builds ({name: folder}) what the first one is."""
    others = [dataclasses.replace(cell.entrants[0], name=name, build=build) for name, build in (also or {}).items()]
    return [*cell.entrants[:1], *others,
            *(one for one in cell.entrants[1:]
              if one.contender == "uproar" or one.contender in plan.FLOORS or (one.base in peers and (raw or one.contender == one.base)))]


def cell_report(cell, entries, duels=None):
    """`duels`: {opponent: entries of the two}."""
    levels = cell.levels
    return {"name": cell.name, "title": cell.title, "headline": cell.headline, "subject": cell.entrants[0].name,
            "has_levels": levels is not None, "level_acks": bool(levels and levels.acks), "yardstick": levels.bound_by if levels else "",
            "contenders": entries,
            "duels": {name: {"subject": cell.entrants[0].name, "contenders": both} for name, both in (duels or {}).items()}}


def runs_planned(cell, entrants, rounds, duel_rounds):
    """Runs of a cell; whom BEST_PEER will be counts as somebody of his own."""
    opponents = {bound.against for bound in cell.bounds if bound.against and bound.at is None}
    return rounds * cell.runs_a_round(entrants) + duel_rounds * 2 * len(opponents)


def measured(cell, entrants, bench, rounds, duel_rounds, progress):
    """(report of the cell without what was refused, verdicts on its bounds)."""
    progress.begin_cell(cell.name, cell.title)
    entries = measure.CellRun(cell, entrants, bench, progress).run(rounds)
    names = bounds.opponents(cell_report(cell, entries), cell.bounds, plan.PEERS) if duel_rounds else []
    duels = {one.name: measure.duel(cell, entrants[0], one, bench, duel_rounds, progress) for one in entrants if one.name in names}
    verdicts = bounds.judge(cell_report(cell, entries, duels), cell.bounds, plan.PEERS)
    return cell_report(cell, kept(entries), {name: kept(both) for name, both in duels.items()}), verdicts


def kept(entries):
    return {name: measure.without_refused(entry) for name, entry in entries.items()}


def history():
    """Our CPU per delivery in the reports that are kept under docs/benchmarks, oldest first."""
    out = []
    for path in (contenders.ROOT / "docs/benchmarks").rglob("*.json"):
        kept = json.loads(path.read_text(encoding="utf-8"))
        if "cells" not in kept:
            continue
        ours = {cell["name"]: cell["contenders"][cell["subject"]]["summary"]["cpu"]["median"] for cell in kept["cells"]
                if "summary" in cell["contenders"][cell["subject"]]}
        out.append((kept["machine"]["commit_time"], kept["machine"]["commit"], ours))
    return [(commit, ours) for _, commit, ours in sorted(out)]


def verdict_line(verdict):
    """For the terminal."""
    word = {True: "held", False: "MISSED", None: "not measured"}[verdict["held"]]
    found = verdict["measured"]
    what = figures.range_text(found) if found else verdict["why"]
    return f"{word:12} {verdict['cell']}: {verdict['asks']}: {what}"


def faults_of_ours(cells):
    """Of Uproar and the floors: wrong deliveries, and runs that did not come about. A peer that is missing is no fault."""
    return [f"{cell['name']}, {name}: {entry['error'] or '; '.join(entry['faults'])}" for cell in cells
            for name, entry in cell["contenders"].items()
            if entry["contender"] in ("uproar", *plan.FLOORS) and (entry["error"] or entry["faults"])]
