"""From runs to figures: medians, quartiles, and ratios of runs of the same round. Times are microseconds."""

import statistics

MIB = 1 << 20


def quartiles(values):
    if len(values) < 2:
        return {"low": values[0], "median": values[0], "high": values[0]}
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"low": low, "median": middle, "high": high}


def scaled(three, unit):
    return {which: value / unit for which, value in three.items()}


def short(value):
    """Three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def range_text(three, form=short):
    """Median and quartiles; only the median where there was one round."""
    if three["low"] == three["high"]:
        return form(three["median"])
    return f"{form(three['median'])} ({form(three['low'])} to {form(three['high'])})"


def spread(three):
    """(upper quartile - lower quartile) / median."""
    return (three["high"] - three["low"]) / three["median"] if three["median"] else 0


def of_run(result):
    """The figures of one run of uproar_load, by name."""
    traffic = result["traffic"][-1]   # the last one is what a scenario is about
    deliveries = sum(one["deliveries"] for one in result["traffic"])
    grown = result["server"]["rss_bytes"] - result["server"]["rss_bytes_before"]
    seconds = result["seconds"]
    return {
        "cpu": result["server"]["cpu_us_per_delivery"],
        "cores": result["server"]["cpu_cores"],
        "rate": deliveries / seconds,
        "counted": traffic["delivery_us"]["count"],
        "published": traffic["publishes"] / seconds,
        "acked": traffic["ack_us"]["count"] / seconds,
        "frame": result["received_bytes"] / deliveries if deliveries else 0,
        **{key: traffic["delivery_us"][key] for key in ("p50", "p99", "p99.9", "max")},
        **{f"ack_{key}": traffic["ack_us"][key] for key in ("p50", "p99", "p99.9", "max")},
        **{f"rate of {one['name']}": one["deliveries"] / seconds for one in result["traffic"][:-1]},
        "memory": grown / result["clients"],
        "grown_mib": grown / MIB,
        "heartbeats": result["heartbeats"] / seconds,
        "late": traffic["late"],
        "reconnect": result["reconnect_seconds"],
        "load_busy": result["load_busy"],
    }


def memory_of(result):
    """How the server grew while clients came: [(clients, bytes)]."""
    steps = result["memory"]
    return [(step["clients"], step["rss_bytes"] - steps[0]["rss_bytes"]) for step in steps]


def faults_of(result, may_end):
    """Why a run does not count: deliveries that were wrong, connections that the server ended."""
    out = [f"{result[what]} {what}" for what in ("lost", "repeated", "missing") if result[what]]
    if result["ended"] and not may_end:
        out.append(f"{result['ended']} connections ended by the server ({result['first_end']})")
    return out


def summary(runs):
    """runs: figures of one entrant, round by round -> {name: {low, median, high}}."""
    return {name: quartiles([run[name] for run in runs]) for name in runs[0] if name != "round"}


def ratios(ours, theirs):
    """Of the rounds that both took part in: ours / theirs. None where theirs is 0."""
    of_round = {run["round"]: run for run in theirs}
    both = [(run, of_round[run["round"]]) for run in ours if run["round"] in of_round]
    out = {}
    for name in both[0][0] if both else ():
        pairs = [a[name] / b[name] for a, b in both if b.get(name)]
        out[name] = quartiles(pairs) if pairs else None
    out.pop("round", None)
    return out


def to_yardstick(level_runs, yardstick_runs, members):
    """p99.9 of a level to the time in which the yardstick sends one publish to all members; of the rounds that have both."""
    of_round = {run["round"]: run["cpu"] * members for run in yardstick_runs}
    pairs = [run["p99.9"] / of_round[run["round"]] for run in level_runs if of_round.get(run["round"])]
    return quartiles(pairs) if pairs else None
