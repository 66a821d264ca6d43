"""Which processors a run is pinned to. A plan speaks of roles; here they become the processors of this machine."""

import dataclasses
import os
import pathlib

SERVER, LOAD = "server", "load"   # roles
TOPOLOGY = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


class TooFew(Exception):
    """The text says what is missing."""


@dataclasses.dataclass(frozen=True)
class Cores:
    server: int
    load: int
    are_siblings: bool = False   # two threads of one core: each slows the other down

    def of(self, role):
        return {SERVER: self.server, LOAD: self.load}[role]


def listed(text):
    """{0, 1, 2, 5} of "0-2,5", the kernel's way to list processors."""
    out = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        out |= set(range(int(first), int(last or first) + 1))
    return out


def siblings_of(core):
    """Processors that are threads of the same core, itself included."""
    try:
        return listed(pathlib.Path(TOPOLOGY.format(core)).read_text())
    except (OSError, ValueError):
        return {core}   # not told: as if it had one thread


def chosen(allowed=None, siblings=siblings_of):
    """The first two processors that we may use and that are not threads of one core; siblings where there is nothing else."""
    allowed = sorted(os.sched_getaffinity(0) if allowed is None else allowed)
    if len(allowed) < 2:
        raise TooFew("two cores are needed: one for the server, one for the load")
    for at, server in enumerate(allowed):
        apart = [core for core in allowed[at + 1:] if core not in siblings(server)]
        if apart:
            return Cores(server, apart[0])
    return Cores(allowed[0], allowed[1], are_siblings=True)


def named(text, allowed=None, siblings=siblings_of):
    """Of --cores SERVER,LOAD. Raises ValueError or TooFew."""
    allowed = os.sched_getaffinity(0) if allowed is None else allowed
    server, load = map(int, text.split(","))
    if server == load or not {server, load} <= set(allowed):
        raise TooFew(f"{text}: expected two different processors of those we may use ({', '.join(map(str, sorted(allowed)))})")
    return Cores(server, load, load in siblings(server))
