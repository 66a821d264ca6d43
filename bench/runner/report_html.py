"""One self-contained HTML page of a run: a chart and a table for each cell, our history over commits, the doubts in plain sight."""

import html

HEADLINES = {
    "cpu": ("Server CPU per delivery, microseconds (less is better)", "cpu", 1, "{:.2f}"),
    "rate": ("Deliveries per second (more is better)", "rate", 1, "{:,.0f}"),
    "p99": ("p99 from publish to delivery, milliseconds (less is better)", "p99", 1000, "{:.2f}"),
    "memory": ("Memory per connection, bytes (less is better)", "memory", 1, "{:,.0f}"),
    "reconnect": ("Seconds until all are back (less is better)", "reconnect", 1, "{:.2f}"),
}
COLUMNS = [("CPU us/delivery", "cpu", 1, "{:.3f}"), ("cores", "cores", 1, "{:.2f}"), ("deliveries/s", "rate", 1, "{:,.0f}"),
           ("p50 ms", "p50", 1000, "{:.2f}"), ("p99 ms", "p99", 1000, "{:.2f}"), ("p99.9 ms", "p99.9", 1000, "{:.2f}"),
           ("max ms", "max", 1000, "{:.1f}"), ("bytes/connection", "memory", 1, "{:,.0f}"), ("load busy", "load_busy", 1, "{:.0%}")]
STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}td,th{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #ddd}
td:first-child,th:first-child{text-align:left}.doubt{background:#fff4d6;padding:.4rem .8rem;margin:.4rem 0}.fault{background:#ffe0dd;padding:.4rem .8rem}
svg{width:100%;height:auto;margin:.6rem 0}text{font:13px system-ui,sans-serif}dl{display:grid;grid-template-columns:max-content auto;gap:.1rem 1rem}dt{color:#667}
@media(prefers-color-scheme:dark){body{background:#15181c;color:#dde}.doubt{background:#4a3b10}.fault{background:#5a1f1a}td,th{border-color:#333}text{fill:#dde}}"""
BAR, GAP, LABEL, WIDTH = 22, 8, 130, 1000
ESCAPED = html.escape


def bars(rows, pattern):
    """rows: (name, low, median, high). Bars to the median with whiskers to the quartiles."""
    top = max(high for _, _, _, high in rows) or 1
    scale = (WIDTH - LABEL - 130) / top
    out = [f'<svg viewBox="0 0 {WIDTH} {len(rows) * (BAR + GAP)}" role="img">']
    for i, (name, low, median, high) in enumerate(rows):
        y = i * (BAR + GAP)
        color = "#2f6fde" if name == "uproar" else "#8a93a0" if name.startswith("floor") else "#c4813d"
        out.append(f'<text x="{LABEL - 8}" y="{y + 16}" text-anchor="end">{ESCAPED(name)}</text>'
                   f'<rect x="{LABEL}" y="{y}" width="{max(median * scale, 1):.1f}" height="{BAR}" fill="{color}" rx="2"/>'
                   f'<path d="M{LABEL + low * scale:.1f} {y + BAR / 2}H{LABEL + high * scale:.1f}" stroke="currentColor" stroke-width="2"/>'
                   f'<text x="{LABEL + max(median, high) * scale + 8:.1f}" y="{y + 16}">{pattern.format(median)}</text>')
    return "".join(out) + "</svg>"


def line(points, width=WIDTH, height=180):
    """points: (label, value). A line over the labels in order."""
    top = max(value for _, value in points) or 1
    step = (width - 120) / max(len(points) - 1, 1)
    at = [(60 + i * step, height - 30 - value / top * (height - 60)) for i, (_, value) in enumerate(points)]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in at)
    marks = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#2f6fde"/><text x="{x:.1f}" y="{y - 8:.1f}" text-anchor="middle">{value:.2f}</text>'
                    f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle">{ESCAPED(label)}</text>'
                    for (x, y), (label, value) in zip(at, points))
    return f'<svg viewBox="0 0 {width} {height}" role="img"><path d="{path}" fill="none" stroke="#2f6fde" stroke-width="2"/>{marks}</svg>'


def table(entries):
    head = "".join(f"<th>{ESCAPED(title)}</th>" for title, *_ in COLUMNS)
    body = []
    for name, entry in entries.items():
        if entry["error"]:
            body.append(f'<tr><td>{ESCAPED(name)}</td><td colspan="{len(COLUMNS) + 1}">{ESCAPED(entry["error"].splitlines()[0])}</td></tr>')
            continue
        cells = "".join(f"<td>{pattern.format(entry['summary'][key]['median'] / unit)}</td>" for _, key, unit, pattern in COLUMNS)
        ratio = entry.get("uproar_to_it", {}).get("cpu")
        shown = f"x{ratio['median']:.2f} ({ratio['low']:.2f}-{ratio['high']:.2f})" if ratio else ""
        body.append(f"<tr><td>{ESCAPED(name)}</td>{cells}<td>{shown}</td></tr>")
    return f"<table><tr><th></th>{head}<th>our CPU to its</th></tr>{''.join(body)}</table>"


def section(cell):
    title, key, unit, pattern = HEADLINES[cell["headline"]]
    rows = [(name, *(entry["summary"][key][which] / unit for which in ("low", "median", "high")))
            for name, entry in cell["contenders"].items() if not entry["error"]]
    doubts = "".join(f'<p class="doubt">{ESCAPED(doubt)}</p>' for doubt in cell["doubts"])
    faults = "".join(f'<p class="fault">{ESCAPED(name)}: {ESCAPED("; ".join(entry["faults"][:3]))}</p>'
                     for name, entry in cell["contenders"].items() if entry["faults"])
    chart = f"<p>{ESCAPED(title)}</p>{bars(rows, pattern)}" if rows else ""
    return (f'<h2 id="{ESCAPED(cell["name"])}">{ESCAPED(cell["title"])}</h2>{faults}{doubts}{chart}{table(cell["contenders"])}')


def page(run, history):
    """run: what bench/run writes as JSON. history: [(commit, {cell: cpu})], oldest first."""
    facts = "".join(f"<dt>{ESCAPED(key)}</dt><dd>{ESCAPED(', '.join(value) if isinstance(value, list) else str(value))}</dd>"
                    for key, value in run["machine"].items())
    past = []
    for cell in run["cells"]:
        points = [(commit, of[cell["name"]]) for commit, of in history if of.get(cell["name"])]
        if len(points) > 1:
            past.append(f"<h3>{ESCAPED(cell['title'])}</h3>{line(points)}")
    history_part = "<h2>Our CPU per delivery over commits</h2>" + "".join(past) if past else ""
    return (f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f"<title>Uproar: {ESCAPED(run['machine']['commit'])}</title><style>{STYLE}</style><h1>Uproar beside its peers</h1>"
            f"<p>Medians of {run['rounds']} paired rounds; whiskers are quartiles. Server on one core, load on another. Ratios are medians of "
            f"ratios within a round. Command: <code>{ESCAPED(run['command'])}</code></p><dl>{facts}</dl>"
            f"{''.join(section(cell) for cell in run['cells'])}{history_part}</html>")
