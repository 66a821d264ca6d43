"""What a figure is worth nothing without: machine, kernel, versions, commit; and who else used the machine meanwhile."""

import os
import pathlib
import platform
import subprocess
import time

from runner.contenders import ROOT


def output(*command):
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def facts(build):
    return {
        "cpu": cpu_model(), "cores": len(os.sched_getaffinity(0)), "kernel": platform.release(),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "distribution": platform.freedesktop_os_release().get("PRETTY_NAME", ""),
        "uproar": output(str(build / "tools/uproar"), "--version").splitlines()[:1],
        "commit": output("git", "rev-parse", "--short", "HEAD"),
        "commit_time": output("git", "show", "-s", "--format=%cI", "HEAD"),
        "uncommitted": bool(output("git", "status", "--porcelain")),
        "compiler": output("c++", "--version").splitlines()[:1],
        "peers": output(str(ROOT / "bench/peers/run"), "--list").splitlines(),
    }


def cpu_seconds_of(pid):
    """User and system time of all threads of a process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle_seconds():
    """Of all processors since boot, waiting for disks included."""
    fields = pathlib.Path("/proc/stat").read_text().splitlines()[0].split()
    return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")


def busy_cores(seconds=1.0):
    """How many all programs together use now; looks for so long."""
    begin, idle = time.monotonic(), idle_seconds()
    time.sleep(seconds)
    wall = time.monotonic() - begin
    return max(os.cpu_count() - (idle_seconds() - idle) / wall, 0)


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


class Bystanders:
    """Cores that neither the traffic nor our own children used, from its making to cores()."""

    def __init__(self, server_pid):
        self.pids = [server_pid, *softirq_threads()]
        self.begin = self.now()

    def now(self):
        children = os.times()
        known = sum(map(cpu_seconds_of, self.pids)) + children.children_user + children.children_system
        return time.monotonic(), idle_seconds(), known

    def cores(self):
        wall, idle, known = (after - before for before, after in zip(self.begin, self.now()))
        return max(wall * os.cpu_count() - idle - known, 0) / wall if wall else 0
