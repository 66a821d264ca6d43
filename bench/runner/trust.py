"""When a result is refused: what must not be taken for a figure of the server is not shown, only the reason."""

from runner import figures

SPREAD_MAX = 0.35        # of CPU over the rounds, and of its ratio: above it the machine was too noisy to tell
SPREAD_ROUNDS_MIN = 3    # fewer have no quartiles
LOAD_BUSY_MAX = 0.97     # above it, and with a server that is not busy itself, the load tool was the limit
SERVER_BUSY_MIN = 0.80
OTHERS_CORES_MAX = 0.15  # what neither the server nor the load tool used, in cores, as the median of the rounds


def limited_by_load(of, cores):
    if of["load_busy"]["median"] <= LOAD_BUSY_MAX or of["cores"]["median"] >= SERVER_BUSY_MIN * cores:
        return []
    return [f"the load tool was the limit: busy for {of['load_busy']['median']:.0%} of the time, the server for {of['cores']['median']:.0%}"]


def unwatched(of):
    return ["deliveries came, and the process that was watched did nothing"] if of["rate"]["median"] and not of["cpu"]["median"] else []


def starved(of):
    """Rooms beside a saturated one may get nothing at all; a p99 of nothing would be 0."""
    return ["nothing that the cell is about was delivered in the measured seconds"] if of["rate"]["median"] and not of["counted"]["median"] else []


def disturbed(of):
    others = of.get("others", {"median": 0})["median"]
    return [f"others (programs, or the host of this machine) took {others:.2f} of a core meanwhile"] if others > OTHERS_CORES_MAX else []


def noisy(what, three, rounds):
    if rounds < SPREAD_ROUNDS_MIN or figures.spread(three) <= SPREAD_MAX:
        return []
    return [f"the machine was too noisy: {what} of the {rounds} rounds spread by {figures.spread(three):.0%}"]


def refusals(runs, faults, cores):
    """(of its figures, of its ratios): a slow hour spreads the figures of all entrants, and leaves the ratios within a round alone."""
    of = figures.summary(runs)
    always = [f"wrong: {fault}" for fault in faults[:3]] + limited_by_load(of, cores) + unwatched(of) + starved(of) + disturbed(of)
    return always + noisy("CPU per delivery", of["cpu"], len(runs)), always


def refuse_ratio(to_it, rounds):
    """Of one entrant's ratios to another."""
    ratio = to_it.get("cpu")
    return noisy("the ratio", ratio, rounds) if ratio else []
