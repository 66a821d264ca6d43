"""From runs to figures: medians, quartiles, and ratios of runs of the same round. Times are microseconds."""

import math
import statistics

MIB = 1 << 20
BEYOND_MIN = 10   # values above a percentile, so that it is not one value's accident
PUBLISHES_BEYOND_MIN = 3   # all that hear one publish share its fate: a slow one is one accident, however many heard it
PERCENTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
# What the load tool counts that must not happen; values are how it is told.
WRONG = {"lost": "lost", "repeated": "repeated", "missing": "missing", "unknown": "never published, or in the wrong room",
         "missing_acks": "acknowledgements missing", "strange_acks": "acknowledgements of nothing that waited"}


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


def beside(value, limit):
    """How to write a value, so that what is written lies on the same side of a limit: short(), or as many decimals as that takes."""
    def is_told(form):
        written = float(form(value).replace(",", ""))
        return (written > limit, written < limit) == (value > limit, value < limit)
    forms = (short, *(f"{{:,.{digits}f}}".format for digits in range(1, 13)))
    return next(filter(is_told, forms), repr)


def range_text(three, form=short):
    """Median and quartiles; only the median where there was one round."""
    if three["low"] == three["high"]:
        return form(three["median"])
    return f"{form(three['median'])} ({form(three['low'])} to {form(three['high'])})"


def spread(three):
    """(upper quartile - lower quartile) / median; without bound where the median is nothing and others are not."""
    if three["median"]:
        return (three["high"] - three["low"]) / abs(three["median"])
    return 0 if three["low"] == three["high"] else math.inf


def is_told(part, values, publishes):
    beyond = 1 - part + 1e-9
    return values * beyond >= BEYOND_MIN and (part <= 0.5 or publishes * beyond >= PUBLISHES_BEYOND_MIN)


def percentiles(of, publishes, prefix=""):
    """Of a latency histogram; None where too few values, or those of too few publishes, lie above."""
    out = {prefix + name: of[name] if is_told(part, of["count"], publishes) else None for name, part in PERCENTILES.items()}
    return {**out, prefix + "max": of["max"] if of["count"] else None}


def of_storm(result):
    """How they came back: server CPU for each, how busy the load tool and the server were meanwhile. Nothing without a storm."""
    seconds, cpu_us = result["reconnect_seconds"], result["server"].get("reconnect_cpu_us", 0)
    return {"reconnect": seconds, "reconnect_cpu": cpu_us, "storm_busy": result.get("storm_busy", 0),
            "storm_cores": cpu_us * result.get("reconnect_us", {}).get("count", 0) / 1e6 / seconds if seconds else 0}


def heartbeat_cpu(result, deliveries):
    """Microseconds each, where nothing else was said."""
    if deliveries or not result["heartbeats"]:
        return None
    return result["server"]["cpu_cores"] * 1e6 * result["seconds"] / result["heartbeats"]


def of_run(result):
    """The figures of one run of uproar_load, by name; None where it has too few values to tell."""
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
        "acked": traffic.get("acked", traffic["ack_us"]["count"]) / seconds,
        "frame": result["received_bytes"] / deliveries if deliveries else 0,
        **percentiles(traffic["delivery_us"], traffic["publishes"]),
        **percentiles(traffic["ack_us"], traffic["ack_us"]["count"], "ack_"),
        **{f"rate of {one['name']}": one["deliveries"] / seconds for one in result["traffic"][:-1]},
        "memory": grown / result["clients"],
        "grown_mib": grown / MIB,
        "heartbeats": result["heartbeats"] / seconds,
        "heartbeat_cpu": heartbeat_cpu(result, deliveries),
        "late": traffic["late"],
        **of_storm(result),
        "load_busy": result["load_busy"],
        "retried": result.get("retried", 0),
        "seconds": seconds,
    }


def memory_of(result):
    """How the server grew while clients came: [(clients, bytes)]."""
    steps = result["memory"]
    return [(step["clients"], step["rss_bytes"] - steps[0]["rss_bytes"]) for step in steps]


def faults_of(result, may_end):
    """Why a run does not count: deliveries and acknowledgements that were wrong, what the server refused, connections that it ended."""
    out = [f"{result[key]} {words}" for key, words in WRONG.items() if result.get(key)]
    if result.get("refused"):
        out.append(f"{result['refused']} refused by the server ({result.get('first_refused', '')})")
    if result["ended"] and not may_end:
        out.append(f"{result['ended']} connections ended by the server ({result['first_end']})")
    if result.get("server_error"):
        out.append(result["server_error"])
    return out


def summary(runs):
    """runs: figures of one entrant, round by round -> {name: {low, median, high}}. A figure that one round could not tell is left out."""
    return {name: quartiles([run[name] for run in runs]) for name in runs[0]
            if name != "round" and all(run.get(name) is not None for run in runs)}


def ratios(ours, theirs):
    """Of the rounds that both took part in: ours / theirs. None where theirs is 0 in one of them, or one could not tell."""
    of_round = {run["round"]: run for run in theirs}
    both = [(run, of_round[run["round"]]) for run in ours if run["round"] in of_round]
    out = {}
    for name in both[0][0] if both else ():
        pairs = [a[name] / b[name] for a, b in both if b.get(name) and a[name] is not None]
        out[name] = quartiles(pairs) if len(pairs) == len(both) else None
    out.pop("round", None)
    return out


def to_yardstick(level_runs, yardstick_runs, members):
    """p99.9 of a level to the time in which the yardstick sends one publish to all members; of the rounds that have both."""
    of_round = {run["round"]: run["cpu"] * members for run in yardstick_runs}
    pairs = [run["p99.9"] / of_round[run["round"]] for run in level_runs if of_round.get(run["round"]) and run["p99.9"] is not None]
    return quartiles(pairs) if pairs else None
