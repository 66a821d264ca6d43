"""When a result is refused: what must not be taken for a figure of the server is not shown, only the reason."""

import math

from runner import figures

SPREAD_MAX = 0.35        # of a figure over the rounds, or of a ratio: above it the machine was too noisy to tell
SPREAD_ROUNDS_MIN = 3    # fewer have no quartiles
LOAD_BUSY_MAX = 0.97     # above it, and with a server that is not busy itself, the load tool was the limit
SERVER_BUSY_MIN = 0.80
OTHERS_CORES_MAX = 0.15  # what neither the server nor the load tool used, in cores, as the median of the rounds
FRAMES_DIFFER_MAX = 0.005


def median(of, name):
    return of.get(name, {"median": 0})["median"]


def was_the_limit(load, server, cores, when=""):
    if load <= LOAD_BUSY_MAX or server >= SERVER_BUSY_MIN * cores:
        return []
    return [f"the load tool was the limit{when}: busy for {load:.0%} of the time, the server for {server:.0%}"]


def limited_by_load(of, cores):
    """A storm is judged by itself: the quiet seconds after it would hide how busy the tool was."""
    if median(of, "reconnect"):
        return was_the_limit(median(of, "storm_busy"), median(of, "storm_cores"), cores, " of the storm")
    return was_the_limit(median(of, "load_busy"), median(of, "cores"), cores)


def unwatched(of):
    return ["deliveries came, and the process that was watched did nothing"] if median(of, "rate") and not median(of, "cpu") else []


def starved(of):
    """Rooms beside a saturated one may get nothing at all; a p99 of nothing would be 0."""
    return ["nothing that the cell is about was delivered in the measured seconds"] if median(of, "rate") and not median(of, "counted") else []


def disturbed(of):
    others = median(of, "others")
    return [f"others (programs, or the host of this machine) took {others:.2f} of a core meanwhile"] if others > OTHERS_CORES_MAX else []


def noisy(what, three, rounds):
    """Of the very figure or ratio that is shown or judged: one may spread while others do not."""
    if three is None or rounds < SPREAD_ROUNDS_MIN or (spread := figures.spread(three)) <= SPREAD_MAX:
        return []
    by = f"by {spread:.0%}" if math.isfinite(spread) else "from nothing"
    return [f"the machine was too noisy: {what} of the {rounds} rounds spread {by}"]


def spoiled(runs, faults, cores):
    """Why neither figures nor ratios of these runs count."""
    of = figures.summary(runs)
    return [f"wrong: {fault}" for fault in faults[:3]] + limited_by_load(of, cores) + unwatched(of) + starved(of) + disturbed(of)


def steady(ratios, rounds):
    """Ratios without those that spread too far."""
    return {name: None if noisy("", three, rounds) else three for name, three in ratios.items()}


def frames_doubted(cell, one, other):
    """Of two entrants' summaries whose deliveries are meant to be equally long."""
    mine, theirs = median(one, "frame"), median(other, "frame")
    if not mine or not theirs or abs(mine - theirs) <= FRAMES_DIFFER_MAX * theirs:
        return []
    return [f"{cell}: a delivery had {mine:.1f} bytes and the one it is compared with {theirs:.1f}: the two are meant to be equal (plan.py)."]


def load_doubted(cell, name, entry):
    """Both were full: nobody can tell which of the two was the limit."""
    busy = median(entry.get("summary", {}), "load_busy")
    if busy <= LOAD_BUSY_MAX or entry["spoiled"] or not median(entry["summary"], "rate"):
        return []
    return [f"{cell}, {name}: the load tool was busy for {busy:.0%} of the time as well: the rate, and what is measured at fractions of it, may be at its limit."]


def retries_doubted(cell, name, runs):
    retried = sum(run.get("retried", 0) for run in runs)
    return [f"{cell}, {name}: {retried} connects had to be made again, refused or reset by the server."] if retried else []
