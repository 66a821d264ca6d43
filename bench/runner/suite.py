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


def cell_report(cell, entries):
    levels = cell.levels
    return {"name": cell.name, "title": cell.title, "headline": cell.headline, "subject": cell.entrants[0].name,
            "has_levels": levels is not None, "level_acks": bool(levels and levels.acks), "yardstick": levels.bound_by if levels else "",
            "contenders": entries}


def measured(cell, entrants, bench, rounds, progress):
    """(report of the cell without what was refused, verdicts on its bounds)."""
    progress.begin_cell(cell.name, cell.title)
    entries = measure.CellRun(cell, entrants, bench, progress).run(rounds)
    verdicts = bounds.judge(cell_report(cell, entries), cell.bounds, plan.PEERS)
    return cell_report(cell, {name: measure.without_refused(entry) for name, entry in entries.items()}), verdicts


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
