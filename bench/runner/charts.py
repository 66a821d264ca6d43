"""Charts as SVG text: bars with quartiles, and lines over numbers. Colours are CSS variables, so that they follow the page."""

import html
import math

WIDTH = 1000
BAR, GAP, LABEL = 22, 8, 190
LEFT, RIGHT, TOP, BOTTOM = 70, 230, 14, 44   # of a line chart; its names stand at the right
DASHES = ["", "7 4", "2 4"]
LINE_COLOURS = 8
ESCAPED = html.escape


def colour_class(name):
    """Uproar stands out, floors stand back, all others are alike."""
    return "floor" if name.startswith("floor") else "peer"


def bars(rows, pattern):
    """rows: (name, class, low, median, high). Bars to the median with whiskers to the quartiles."""
    top = max(high for *_, high in rows) or 1
    scale = (WIDTH - LABEL - 130) / top
    out = [f'<svg viewBox="0 0 {WIDTH} {len(rows) * (BAR + GAP)}" role="img">']
    for i, (name, kind, low, median, high) in enumerate(rows):
        y = i * (BAR + GAP)
        out.append(f'<text x="{LABEL - 8}" y="{y + 16}" text-anchor="end">{ESCAPED(name)}</text>'
                   f'<rect class="{kind}" x="{LABEL}" y="{y}" width="{max(median * scale, 1):.1f}" height="{BAR}" rx="2"/>'
                   f'<path class="whisker" d="M{LABEL + low * scale:.1f} {y + BAR / 2}H{LABEL + high * scale:.1f}"/>'
                   f'<text x="{LABEL + max(median, high) * scale + 8:.1f}" y="{y + 16}">{pattern.format(median)}</text>')
    return "".join(out) + "</svg>"


def tick_text(value):
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:g}{letter}"
    return f"{value:g}"


def log_ticks(low, high):
    """1, 2, 5, 10, … from the last that is not above `low` to the first that is not below `high`."""
    ladder = [part * 10.0 ** power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1) for part in (1, 2, 5)]
    first = max(i for i, tick in enumerate(ladder) if tick <= low)
    last = min((i for i, tick in enumerate(ladder) if tick >= high and i > first), default=first + 1)
    return ladder[first:last + 1]


def even_ticks(high):
    """From 0 to the first that is not below `high`; five steps or a few less."""
    high = high or 1
    step = 10 ** math.floor(math.log10(high))
    step = next(step * part for part in (0.2, 0.5, 1, 2) if high / (step * part) <= 6)
    return [round(step * i, 10) for i in range(math.ceil(high / step) + 1)]


class Axis:
    """Numbers to pixels, linear from 0 or logarithmic, from the first tick to the last."""

    def __init__(self, values, begin, end, log=False):
        self.begin, self.end = begin, end
        self.ticks = log_ticks(min(values), max(values)) if log else even_ticks(max(values))
        self.scale = math.log10 if log else float

    def at(self, value):
        low, high = self.scale(self.ticks[0]), self.scale(self.ticks[-1])
        return self.begin + (self.scale(value) - low) / (high - low) * (self.end - self.begin)


def spread_apart(heights, least=15):
    """Moves labels that would cover each other down."""
    out = {}
    last = -math.inf
    for name, y in sorted(heights.items(), key=lambda item: item[1]):
        last = out[name] = max(y, last + least)
    return out


def lines(series, x_title, y_title, log_x=False, log_y=False, height=340):
    """series: (name, colour 0…, dash 0…, [(x, y)]). Points that a logarithm cannot show are left out."""
    series = [(name, colour, dash, [(x, y) for x, y in points if (x > 0 or not log_x) and (y > 0 or not log_y)])
              for name, colour, dash, points in series]
    series = [one for one in series if one[3]]
    if not series:
        return ""
    across = Axis([x for *_, points in series for x, _ in points], LEFT, WIDTH - RIGHT, log_x)
    up = Axis([y for *_, points in series for _, y in points], height - BOTTOM, TOP, log_y)
    out = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img">']
    for tick in up.ticks:
        out.append(f'<path class="grid" d="M{LEFT} {up.at(tick):.1f}H{WIDTH - RIGHT}"/>'
                   f'<text x="{LEFT - 8}" y="{up.at(tick) + 4:.1f}" text-anchor="end">{tick_text(tick)}</text>')
    for tick in across.ticks:
        out.append(f'<path class="grid" d="M{across.at(tick):.1f} {TOP}V{height - BOTTOM}"/>'
                   f'<text x="{across.at(tick):.1f}" y="{height - BOTTOM + 18}" text-anchor="middle">{tick_text(tick)}</text>')
    labels = spread_apart({name: up.at(points[-1][1]) for name, _, _, points in series})
    for name, colour, dash, points in series:
        path = "L".join(f"{across.at(x):.1f} {up.at(y):.1f}" for x, y in points)
        marks = "".join(f'<circle cx="{across.at(x):.1f}" cy="{up.at(y):.1f}" r="3"/>' for x, y in points)
        out.append(f'<g class="line c{colour % LINE_COLOURS}"><path d="M{path}" stroke-dasharray="{DASHES[dash]}"/>{marks}'
                   f'<path d="M{across.at(points[-1][0]) + 5:.1f} {up.at(points[-1][1]):.1f}L{WIDTH - RIGHT + 8} {labels[name]:.1f}" class="lead"/>'
                   f'<text x="{WIDTH - RIGHT + 12}" y="{labels[name] + 4:.1f}">{ESCAPED(name)}</text></g>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{height - 6}" text-anchor="middle">{ESCAPED(x_title)}</text></svg>')
    return f"<p class=axis>{ESCAPED(y_title)}</p>" + "".join(out)


def steps(points, pattern="{:.2f}", height=180):
    """points: (label, value). A line over labels in order."""
    top = max(value for _, value in points) or 1
    step = (WIDTH - 120) / max(len(points) - 1, 1)
    at = [(60 + i * step, height - 30 - value / top * (height - 60)) for i, (_, value) in enumerate(points)]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in at)
    marks = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/><text x="{x:.1f}" y="{y - 8:.1f}" text-anchor="middle">{pattern.format(value)}</text>'
                    f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle">{ESCAPED(label)}</text>'
                    for (x, y), (label, value) in zip(at, points))
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img"><g class="line c0"><path d="M{path}"/>{marks}</g></svg>'
