"""The whole run: which cells and entrants take part, and what the report is made of."""

import dataclasses
import json

from runner import bounds, figures, measure, plan, testbed, trust, yardsticks

FLOOR = "floor-send"
RUN_SECONDS = 10   # about, of one run: start, clients, warm-up, five measured seconds, what is owed


def known_peers():
    """Those of the plan, and what else bench/peers can start and uproar_load can speak to."""
    adapters = sorted(path.parent.name for path in (testbed.ROOT / "bench/peers").glob("*/peer.toml"))
    return [*plan.PEERS, *(name for name in adapters if name not in plan.PEERS and (testbed.ROOT / f"bench/targets/{name}.toml").exists())]


def taking_part(cell, peers, raw, also=None):
    """Entrants of a cell: Uproar and the floors always, peers if they are wanted, one that the plan does not know wherever all others are;
    of further builds ({name: folder}) what the first one is."""
    everybodys = {one.name for one in cell.entrants}.issuperset(plan.PEERS)
    guests = [plan.Entrant(name) for name in peers if everybodys and name not in (*plan.PEERS, "none")]
    others = [dataclasses.replace(cell.entrants[0], name=name, build=build) for name, build in (also or {}).items()]
    return [*cell.entrants[:1], *others,
            *(one for one in cell.entrants[1:]
              if one.contender == "uproar" or one.contender in plan.FLOORS or one.is_yardstick or (one.base in peers and (raw or one.contender == one.base))),
            *guests]


def cell_report(cell, entries, duels=None):
    """`duels`: {opponent: entries of the two}."""
    levels = cell.levels
    return {"name": cell.name, "title": cell.title, "headline": cell.headline, "subject": cell.entrants[0].name,
            "scenario": cell.scenario, "settings": list(cell.settings), "level_settings": list(levels.settings) if levels else [],
            "has_levels": levels is not None, "level_acks": bool(levels and levels.acks), "yardstick": levels.bound_by if levels else "",
            "contenders": entries,
            "duels": {name: {"subject": cell.entrants[0].name, "contenders": both} for name, both in (duels or {}).items()}}


def runs_planned(cell, entrants, rounds, duel_rounds):
    """Runs of a cell at most; whom BEST_PEER will be counts as somebody of his own."""
    names = {one.name for one in entrants} | ({bounds.BEST_PEER} if any(one.is_peer for one in entrants) else set())
    opponents = {bound.against for bound in cell.bounds if bound.against and bound.at is None} & names
    return rounds * cell.runs_a_round(entrants) + duel_rounds * 2 * len(opponents)


def hours(runs):
    return f"{runs} runs, about {runs * RUN_SECONDS / 3600:.1f} hours"


def run_cell(cell, entrants, bench, rounds, duel_rounds, progress, altered=()):
    """(report of the cell without what was refused, verdicts on its bounds, doubts about it). `altered`: as bounds.judge() has it."""
    progress.begin_cell(cell.name, cell.title)
    end = progress.done + runs_planned(cell, entrants, rounds, duel_rounds)
    peers = list(dict.fromkeys([*plan.PEERS, *(one.name for one in entrants if one.is_peer)]))
    entries = measure.CellRun(cell, entrants, bench, progress).run(rounds)
    names = bounds.opponents(cell_report(cell, entries), cell.bounds, peers) if duel_rounds else []
    duels = {one.name: measure.duel(cell, entrants[0], one, bench, duel_rounds, progress) for one in entrants if one.name in names}
    progress.runs_done(end - progress.done)   # fewer opponents than could have been
    verdicts = bounds.judge(cell_report(cell, entries, duels), cell.bounds, peers, altered)
    doubts = doubts_about(cell, entries, duels)
    return cell_report(cell, kept(entries), {name: kept(both) for name, both in duels.items()}), verdicts, doubts


def doubts_about(cell, entries, duels):
    out = []
    for part in (entries, *duels.values()):
        for name, entry in part.items():
            out += trust.retries_doubted(cell.name, name, [run for one in (entry, *entry["levels"]) for run in one["runs"]])
    for name, entry in entries.items():
        out += trust.load_doubted(cell.name, name, entry)
    if cell.frames_as in entries:
        out += trust.frames_doubted(cell.name, *(entries[name].get("summary", {}) for name in (cell.entrants[0].name, cell.frames_as)))
    return out


class Unlike(Exception):
    """Two reports that cannot be one: names what differs."""


def added(kept_report, run):
    """An earlier report that goes on. What it has of a cell stays until take_in(). JSON knows no tuples, so what was just made is read as it will be."""
    run = json.loads(json.dumps(run))
    for part in ("machine", "builds"):
        for key in {**kept_report[part], **run[part]}:
            if kept_report[part].get(key) != run[part].get(key):
                raise Unlike(f"{part} ({key})")
    return {**kept_report, "parts": kept_report["parts"] + run["parts"],
            "doubts": kept_report["doubts"] + [doubt for doubt in run["doubts"] if doubt not in kept_report["doubts"]]}


def take_in(run, report, verdicts, doubts):
    """Puts a cell that was just measured into the report, in the place of its older self. The last part is the one under way."""
    name = report["name"]
    *earlier, under_way = run["parts"]
    for part in earlier:
        part["cells"] = [one for one in part["cells"] if one != name]
    under_way["cells"] = [*under_way["cells"], name]
    run["parts"] = [part for part in earlier if part["cells"]] + [under_way]
    run["cells"] = [cell for cell in run["cells"] if cell["name"] != name] + [report]
    run["verdicts"] = [verdict for verdict in run["verdicts"] if verdict["cell"] != name] + verdicts
    run["doubts"] = [doubt for doubt in run["doubts"] if not doubt.startswith((f"{name}, ", f"{name}: "))] + doubts


def kept(entries):
    return {name: measure.without_refused(entry) for name, entry in entries.items()}


def to_floor(cell):
    """Our CPU per delivery to that of plain send(), of two that ran in the same rounds; None where that was not measured."""
    both = cell.get("duels", {}).get(FLOOR, cell)
    ratio = (both["contenders"].get(FLOOR, {}).get("to_it") or {}).get("cpu")
    return ratio["median"] if ratio else None


def history(folder=testbed.ROOT / "docs/benchmarks"):
    """[(commit, {cell: to_floor()})] of the reports that are kept under docs/benchmarks, oldest first. Ratios, for times of different days do not compare."""
    out = []
    for path in folder.rglob("*.json"):
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            ours = {cell["name"]: ratio for cell in report["cells"] if (ratio := to_floor(cell)) is not None}
            out.append((report["machine"]["commit_time"], report["machine"]["commit"], ours))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue   # somebody else's file, or one of another form: no reason to lose what was measured just now
    return [(commit, ours) for _, commit, ours in sorted(out, key=lambda one: one[:2])]


def verdict_line(verdict):
    """For the terminal."""
    word = bounds.word(verdict).replace("missed", "MISSED")
    found = verdict["measured"]
    what = bounds.found_text(verdict) if found else verdict["why"]
    whom = f", against {verdict['against']}" if found and verdict["missing"] is not None else ""
    return f"{word:12} {verdict['cell']}: {verdict['asks']}: {what}{whom}{bounds.missing_text(verdict)}"


def parts_of(cell):
    """(what it is called, entry) of all that was run: entrants, their levels, their duels."""
    for name, entry in cell["contenders"].items():
        yield name, entry
        for level in entry["levels"]:
            yield f"{name} at {level['fraction']:.0%}", {"error": None, **level, "contender": entry["contender"]}
    for opponent, duel in cell["duels"].items():
        for name, entry in duel["contenders"].items():
            yield f"{name} side by side with {opponent if name == duel['subject'] else duel['subject']}", entry


def is_ours(entry):
    return entry["contender"] in ("uproar", *plan.FLOORS, *yardsticks.NAMES)


def faults_of_ours(cells):
    """Of Uproar and the floors: wrong deliveries, and runs that did not come about. A peer that is missing is no fault."""
    return [f"{cell['name']}, {name}: {entry['error'] or '; '.join(entry['faults'])}" for cell in cells for name, entry in parts_of(cell)
            if is_ours(entry) and (entry["error"] or entry["faults"])]


def faults_of_peers(cells):
    """What peers did wrong, for the reader: nothing of ours fails for it."""
    return [f"{cell['name']}, {name}: {'; '.join(entry['faults'][:3])}" for cell in cells for name, entry in parts_of(cell)
            if not is_ours(entry) and entry["faults"]]
