"""Who else used the machine: processor time that neither the traffic nor our own children account for."""

import os
import pathlib
import time

TICKS = os.sysconf("SC_CLK_TCK")
IDLE, IOWAIT, IRQ, SOFTIRQ = 3, 4, 5, 6   # fields of a line of /proc/stat after its name


def cpu_seconds_of(pid):
    """User and system time of all threads of a process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def times_of(cores, stat):
    """(idle, in interrupts) seconds of these processors since boot; `stat` is the text of /proc/stat. Waiting for a disk is idle."""
    lines = [line.split()[1:] for line in stat.splitlines() if line.split()[0] in {f"cpu{core}" for core in cores}]
    return tuple(sum(int(fields[at]) for fields in lines for at in which) / TICKS for which in ((IDLE, IOWAIT), (IRQ, SOFTIRQ)))


def softirq_threads():
    """Kernel threads that carry packets when a core is full: theirs is work of the traffic that is measured. None may be visible in a container."""
    out = []
    for comm in pathlib.Path("/proc").glob("[0-9]*/comm"):
        try:
            if comm.read_text().startswith("ksoftirqd/"):
                out.append(int(comm.parent.name))
        except OSError:
            continue   # a process that has just ended
    return out


class Processors:
    """Those that we may use; the others are other people's."""

    def __init__(self):
        self.cores = os.sched_getaffinity(0)

    def now(self):
        """(monotonic seconds, idle seconds, seconds in interrupts)"""
        return time.monotonic(), *times_of(self.cores, pathlib.Path("/proc/stat").read_text())


def busy_cores(seconds=1.0):
    """How many of them all programs together use now; looks for so long."""
    processors = Processors()
    begin, idle, _ = processors.now()
    time.sleep(seconds)
    end, idle_then, _ = processors.now()
    return max(len(processors.cores) - (idle_then - idle) / (end - begin), 0)


def others(wall, idle, interrupts, processes, carriers, count, irq_time_is_apart):
    """Processor seconds of `count` processors in `wall` seconds that are nobody's we know. `processes`: of the server and our children. `carriers`: of
    softirq_threads(). A kernel that takes interrupts out of the time of processes has them all, those of the carriers too, in `interrupts`; otherwise
    they are in the time of whom they interrupted. Where it is not told (None) that is what we take: it refuses rather too much."""
    known = processes + (interrupts if irq_time_is_apart else carriers)
    return max(wall * count - idle - known, 0)


class Bystanders:
    """Looks from its making to found(). server_pid: None if children of ours do all of it. `beside`: processor seconds so far of what serves beside it."""

    def __init__(self, server_pid, irq_time_is_apart, beside=lambda: 0.0):
        self.server, self.carriers, self.apart, self.processors = server_pid, softirq_threads(), irq_time_is_apart, Processors()
        self.beside = beside
        self.begin = self.now()

    def now(self):
        children = os.times()
        ours = 0 if self.server is None else cpu_seconds_of(self.server)
        return (*self.processors.now(), ours + children.children_user + children.children_system, sum(map(cpu_seconds_of, self.carriers)), self.beside())

    def found(self):
        """{"others", "softirq", "carriers", "beside"} in cores. softirq is 0 where it is part of CPU per delivery for sure; what softirq_threads() did
        never is, whoever's traffic it was."""
        wall, idle, interrupts, processes, carriers, beside = (after - before for before, after in zip(self.begin, self.now()))
        rest = others(wall, idle, interrupts, processes + beside, carriers, len(self.processors.cores), self.apart)
        return {"others": rest / wall if wall else 0, "softirq": interrupts / wall if wall and self.apart is not False else 0,
                "carriers": carriers / wall if wall else 0, "beside": beside / wall if wall else 0}
