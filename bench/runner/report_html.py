"""One self-contained HTML page of a run: what was asked and held, a chart and a table for each cell, our history over commits."""

import html

from runner import bounds, builds, charts, figures, suite
from runner.report_style import STYLE

ESCAPED = html.escape
HEADLINES = {
    "cpu": ("Server CPU per delivery, microseconds (less is better)", 1, "{:.2f}"),
    "rate": ("Deliveries per second (more is better)", 1, "{:,.0f}"),
    "acked": ("Acknowledged messages per second (more is better)", 1, "{:,.0f}"),
    "p99": ("p99 from publish to delivery, milliseconds (less is better)", 1000, "{:.2f}"),
    "p99.9": ("p99.9 from publish to delivery, milliseconds (less is better)", 1000, "{:.2f}"),
    "ack_p99": ("p99 from publish to acknowledgement, milliseconds (less is better)", 1000, "{:.2f}"),
    "heartbeat_cpu": ("Server CPU per heartbeat, microseconds (less is better)", 1, "{:.1f}"),
    "memory": ("Memory per connection, bytes (less is better)", 1, "{:,.0f}"),
    "reconnect": ("Seconds until all are back (less is better)", 1, "{:.2f}"),
}
COLUMNS = [("CPU µs/delivery", "cpu", 1, "{:.3f}"), ("cores", "cores", 1, "{:.3f}"), ("deliveries/s", "rate", 1, "{:,.0f}"),
           ("bytes each", "frame", 1, "{:.0f}"), ("p50 ms", "p50", 1000, "{:.2f}"), ("p99 ms", "p99", 1000, "{:.2f}"),
           ("p99.9 ms", "p99.9", 1000, "{:.2f}"), ("max ms", "max", 1000, "{:.1f}"), ("bytes/connection", "memory", 1, "{:,.0f}"),
           ("heartbeats/s", "heartbeats", 1, "{:,.0f}"), ("CPU µs/heartbeat", "heartbeat_cpu", 1, "{:.1f}"), ("softirq cores", "softirq", 1, "{:.3f}"),
           ("ksoftirqd cores", "carriers", 1, "{:.3f}"),
           ("all back s", "reconnect", 1, "{:.2f}"), ("CPU µs/reconnect", "reconnect_cpu", 1, "{:.1f}"),
           ("load busy in the storm", "storm_busy", 1, "{:.0%}"), ("load busy", "load_busy", 1, "{:.0%}")]
ACK_COLUMNS = [("acked/s", "acked", 1, "{:,.0f}"), ("ack p50 ms", "ack_p50", 1000, "{:.2f}"), ("ack p99 ms", "ack_p99", 1000, "{:.2f}"),
               ("ack p99.9 ms", "ack_p99.9", 1000, "{:.2f}"), ("rows/commit", "rows_per_commit", 1, "{:,.0f}"),
               ("database cores", "beside", 1, "{:.2f}")]
SYNC_COLUMN = ("fsyncs/message", "syncs_per_message", 1, "{:.3f}")
LEVEL_COLUMNS = [("published/s", "published", 1, "{:,.0f}"), ("CPU µs/delivery", "cpu", 1, "{:.3f}"), ("load busy", "load_busy", 1, "{:.0%}")]
PERCENTILES = [("p50", "p50 ms"), ("p99", "p99 ms"), ("p99.9", "p99.9 ms"), ("max", "max ms")]
LATE_COLUMN = ("over 50 ms", "late", 1, "{:,.0f}")


def figure_text(three, unit, pattern):
    return pattern.format(three["median"] / unit) if three else ""


def ratio_text(three):
    return "x" + figures.range_text(three, "{:.2f}".format) if three else ""


def why_not(entry):
    return entry["error"].splitlines()[0] if entry["error"] else "refused: " + "; ".join(entry["refused"])


def is_shown(entry):
    return not entry["error"] and "summary" in entry


def extra_columns(keys):
    """Of figures whose names only the cell knows: rates of further traffic, metrics of the server."""
    rates = [(f"{key.removeprefix('rate of ')}: deliveries/s", key, 1, "{:,.0f}") for key in keys if key.startswith("rate of ")]
    metrics = [(key.removeprefix("uproar_").removesuffix("_total").replace("_", " "), key, 1, "{:,.0f}") for key in keys if key.startswith("uproar_")]
    return rates + metrics


def columns_of(cell):
    """Those that mean something in this cell: what is 0 for everybody says nothing."""
    summaries = [entry["summary"] for entry in cell["contenders"].values() if is_shown(entry)]
    extra = extra_columns(summaries[0]) if summaries else []
    return [column for column in (*COLUMNS, *extra, *ACK_COLUMNS, SYNC_COLUMN)
            if any(of.get(column[1], {"high": 0})["high"] for of in summaries)]


def table(cell):
    columns = columns_of(cell)
    head = "".join(f"<th>{ESCAPED(title)}</th>" for title, *_ in columns)
    body = []
    for name, entry in cell["contenders"].items():
        ratio = (entry.get("to_it") or {}).get("cpu")
        beside = ESCAPED("; ".join(entry["ratio_refused"])) if is_shown(entry) and entry["ratio_refused"] else ratio_text(ratio)
        cells = "".join(f"<td>{figure_text(entry['summary'].get(key), unit, pattern)}</td>" for _, key, unit, pattern in columns) \
            if is_shown(entry) else f'<td class="why" colspan="{max(len(columns), 1)}">{ESCAPED(why_not(entry))}</td>'
        body.append(f"<tr><td>{ESCAPED(name)}</td>{cells}<td>{beside}</td></tr>")
    return (f'<div class="wide"><table><tr><th></th>{head}<th>CPU of {ESCAPED(cell["subject"])} to its</th></tr>{"".join(body)}</table></div>')


def kind_of(cell, name):
    entry = cell["contenders"][name]
    return "us" if entry["contender"] == "uproar" else charts.colour_class(entry["contender"])


def yardstick_text(level):
    return ESCAPED("; ".join(level["ratio_refused"])) if level.get("ratio_refused") else ratio_text(level.get("to_yardstick"))


def levels_table(cell):
    prefix = "ack_" if cell["level_acks"] else ""
    columns = [*LEVEL_COLUMNS, *((title, prefix + key, 1000, "{:.2f}") for key, title in PERCENTILES), LATE_COLUMN]
    if any("syncs_per_message" in level.get("summary", {}) for entry in cell["contenders"].values() for level in entry["levels"]):
        columns.append(SYNC_COLUMN)
    body = []
    for name, entry in cell["contenders"].items():
        for level in entry["levels"] if not entry["error"] and not entry["spoiled"] else ():
            cells = "".join(f"<td>{figure_text(level['summary'].get(key), unit, pattern)}</td>" for _, key, unit, pattern in columns) \
                if "summary" in level else f'<td class="why" colspan="{len(columns)}">refused: {ESCAPED("; ".join(level.get("refused", [])))}</td>'
            body.append(f"<tr><td>{ESCAPED(name)} at {level['fraction']:.0%}</td>{cells}<td>{yardstick_text(level)}</td></tr>")
    head = "".join(f"<th>{ESCAPED(title)}</th>" for title, *_ in columns)
    of = f"p99.9 to a full fan-out of {ESCAPED(cell['yardstick'])}" if cell["yardstick"] else ""
    return f'<div class="wide"><table><tr><th>of its own saturation</th>{head}<th>{of}</th></tr>{"".join(body)}</table></div>'


def levels_chart(cell):
    prefix, what = ("ack_", "acknowledgement") if cell["level_acks"] else ("", "delivery")
    series = []
    for colour, (name, entry) in enumerate(item for item in cell["contenders"].items() if item[1]["levels"]):
        levels = [level["summary"] for level in entry["levels"] if "summary" in level and not entry["spoiled"]]
        for dash, key in enumerate(("p99.9", "p99", "p50")):
            points = [(of["acked" if prefix else "rate"]["median"], of[prefix + key]["median"] / 1000) for of in levels if prefix + key in of]
            series.append((f"{name} {key}", colour, dash, points))
    return charts.lines(series, "acknowledged messages per second" if prefix else "deliveries per second",
                        f"Milliseconds from publish to {what}, open loop", log_x=True, log_y=True)


def memory_chart(cell):
    series = [(name, colour, 0, [(clients, grown / (1 << 20)) for clients, grown in entry["memory_steps"]])
              for colour, (name, entry) in enumerate(cell["contenders"].items()) if is_shown(entry) and entry.get("memory_steps")]
    return charts.lines(series, "connections", "MiB that the server grew by, last round") if series else ""


def how(cell):
    """What the load tool was told, and how Uproar was started."""
    words = [f"Scenario {' '.join([cell['scenario'], *cell['settings']])}"]
    words += [f"at its levels {' '.join(cell['level_settings'])}"] if cell["level_settings"] else []
    for name, entry in cell["contenders"].items():
        if entry["settings"]:
            words.append(f"{name}: {' '.join(entry['settings'])}")
        if entry["flags"]:
            words.append(f"{name}: uproar serve {' '.join(entry['flags'])}")
    return f'<p class="axis">{ESCAPED("; ".join(words))}</p>'


def section(cell):
    title, unit, pattern = HEADLINES[cell["headline"]]
    rows = [(name, kind_of(cell, name), *(entry["summary"][cell["headline"]][which] / unit for which in ("low", "median", "high")))
            for name, entry in cell["contenders"].items()
            if is_shown(entry) and cell["headline"] in entry["summary"] and name != cell["yardstick"]]   # a yardstick did something else
    faults = "".join(f'<p class="fault">{ESCAPED(name)}: {ESCAPED("; ".join(entry["faults"][:3]))}</p>'
                     for name, entry in suite.parts_of(cell) if entry["faults"])
    chart = f'<p class="axis">{ESCAPED(title)}</p>{charts.bars(rows, pattern)}' if rows else ""
    levels = levels_chart(cell) + levels_table(cell) + "<h3>At saturation</h3>" if cell["has_levels"] else ""
    raw = '<p class="axis">NAME-raw is the peer without JSON: a byte that says what it is, and the payload.</p>' \
        if any(entry["contender"].endswith("-raw") for entry in cell["contenders"].values()) else ""
    return f'<h2 id="{ESCAPED(cell["name"])}">{ESCAPED(cell["title"])}</h2>{how(cell)}{raw}{faults}{levels}{chart}{memory_chart(cell)}{table(cell)}'


def side_by_side_text(verdict):
    """What the two came to in their duel, under the ratio that was judged."""
    duel = verdict["side_by_side"]
    if not duel:
        return ""
    unit, pattern = next(((unit, pattern) for _, key, unit, pattern in COLUMNS if key == verdict["figure"]), (1, "{:.3g}"))
    both = " and ".join(pattern.format(three["median"] / unit) for three in (duel["ours"], duel["theirs"]) if three) or "figures that drifted"
    title = next((title for title, key, *_ in COLUMNS if key == verdict["figure"]), verdict["figure"])
    return f"<br>{duel['rounds']} rounds side by side: {both} ({ESCAPED(title)})"


def judgement(verdicts):
    if not verdicts:
        return ""
    body = []
    for one in verdicts:
        kind = {True: "held", False: "missed", None: "open"}[one["held"]]
        found = bounds.found_text(one) if one["measured"] else ESCAPED(one["why"])
        against = f", against {ESCAPED(one['against'])}" if one["against"] and one["measured"] else ""
        body.append(f'<tr><td><a href="#{ESCAPED(one["cell"])}">{ESCAPED(one["cell"])}</a></td><td>{ESCAPED(one["asks"])}</td>'
                    f'<td>{found}{against}{ESCAPED(bounds.missing_text(one))}{side_by_side_text(one)}</td><td class="{kind}">{bounds.word(one)}</td></tr>')
    return ('<h2>What is asked, and what was measured</h2><div class="wide"><table class="words"><tr><th>cell</th><th>asked</th>'
            f'<th>measured: median (quartiles)</th><th></th></tr>{"".join(body)}</table></div>')


def history_part(cells, history):
    past = []
    for cell in cells:
        points = [(commit, of[cell["name"]]) for commit, of in history if of.get(cell["name"])]
        if len(points) > 1:
            past.append(f"<h3>{ESCAPED(cell['title'])}</h3>{charts.steps(points)}")
    return "<h2>Our CPU per delivery over commits, to that of plain send() in the same rounds</h2>" + "".join(past) if past else ""


def duels_text(part):
    return f"; what a bound compares has {part['duel_rounds']} rounds of the two alone" if part["duel_rounds"] else ""


def settings_text(part):
    return f" All of these cells with <code>{ESCAPED(' '.join(part['settings']))}</code>." if part["settings"] else ""


def part_text(part):
    """How the cells of one command were measured."""
    return (f"<p>{ESCAPED(', '.join(part['cells']))}: medians of {part['rounds']} interleaved rounds{duels_text(part)}.{settings_text(part)} "
            f"Command: <code>{ESCAPED(part['command'])}</code></p>")


def page(run, history):
    """run: what bench/run writes as JSON. history: of suite.history()."""
    made = [builds.line_of(name, facts) for name, facts in run["builds"].items()]
    facts = "".join(f"<dt>{ESCAPED(key.replace('_', ' '))}</dt><dd>{'<br>'.join(map(ESCAPED, value)) if isinstance(value, list) else ESCAPED(str(value))}</dd>"
                    for key, value in {**run["machine"], "builds": made}.items())
    doubts = "".join(f'<p class="doubt">{ESCAPED(doubt)}</p>' for doubt in run["doubts"])
    return (f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f"<title>Uproar: {ESCAPED(run['machine']['commit'])}</title><style>{STYLE}</style><h1>Uproar beside its peers</h1>"
            f"<p>Whiskers are quartiles. Server on one core, load on another, unless a cell says otherwise. Ratios are medians of the ratios "
            f"within a round. A result that the load tool or the machine spoiled is not shown, only why.</p>"
            f"{''.join(map(part_text, run['parts']))}{doubts}{judgement(run['verdicts'])}"
            f"{''.join(section(cell) for cell in run['cells'])}{history_part(run['cells'], history)}<h2>Machine and versions</h2><dl>{facts}</dl></html>")
