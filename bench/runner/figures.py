"""From runs to figures: medians, paired ratios, and reasons to doubt them."""

import statistics

# Two servers are compared round by round, so a slow minute weighs on both.
NOISE_MAX = 0.35         # a contender's spread over its rounds: (upper quartile - lower quartile) / median
LOAD_BUSY_MAX = 0.97     # above it, and with a server that is not busy itself, the load tool was the limit
SERVER_BUSY_MIN = 0.80


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def of_run(result):
    """The figures of one run of uproar_load, by name."""
    traffic = result["traffic"][-1]   # the last one is what a scenario is about
    deliveries = sum(one["deliveries"] for one in result["traffic"])
    grown = result["server"]["rss_bytes"] - result["server"]["rss_bytes_before"]
    return {
        "cpu": result["server"]["cpu_us_per_delivery"],
        "cores": result["server"]["cpu_cores"],
        "rate": deliveries / result["seconds"],
        "p50": traffic["delivery_us"]["p50"], "p99": traffic["delivery_us"]["p99"],
        "p99.9": traffic["delivery_us"]["p99.9"], "max": traffic["delivery_us"]["max"],
        "ack_p50": traffic["ack_us"]["p50"], "ack_p99": traffic["ack_us"]["p99"], "ack_p99.9": traffic["ack_us"]["p99.9"],
        "memory": grown / result["clients"],
        "reconnect": result["reconnect_seconds"],
        "load_busy": result["load_busy"],
    }


def faults_of(result):
    """Why a run does not count: deliveries that were wrong, connections that the server ended."""
    out = [f"{result[what]} {what}" for what in ("lost", "repeated", "missing") if result[what]]
    if result["ended"]:
        out.append(f"{result['ended']} connections ended by the server ({result['first_end']})")
    return out


def summary(runs):
    """runs: figures of one contender, round by round -> {name: {low, median, high}}."""
    out = {}
    for name in runs[0]:
        low, median, high = quartiles([run[name] for run in runs])
        out[name] = {"low": low, "median": median, "high": high}
    return out


def ratios(ours, theirs):
    """Round by round: ours / theirs. None where theirs is 0."""
    out = {}
    for name in ours[0]:
        pairs = [a[name] / b[name] for a, b in zip(ours, theirs) if b[name]]
        out[name] = dict(zip(("low", "median", "high"), quartiles(pairs))) if pairs else None
    return out


def doubts(name, of):
    """Sentences that say which figures of a contender must not be taken for its own."""
    out = []
    cpu = of["cpu"]
    if cpu["median"] and (cpu["high"] - cpu["low"]) / cpu["median"] > NOISE_MAX:
        out.append(f"{name}: the rounds differ by {(cpu['high'] - cpu['low']) / cpu['median']:.0%}: the machine was not quiet")
    if of["load_busy"]["median"] > LOAD_BUSY_MAX and of["cores"]["median"] < SERVER_BUSY_MIN:
        out.append(f"{name}: the load tool was the limit ({of['load_busy']['median']:.0%} busy, the server {of['cores']['median']:.0%}): "
                   "its deliveries per second are a lower bound")
    return out
