"""What a figure is worth nothing without: machine, kernel, disk, cores, peers' versions."""

import gzip
import os
import pathlib
import platform

from runner import database, testbed
from runner.builds import output

IRQ_TIME = "CONFIG_IRQ_TIME_ACCOUNTING"


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def kernel_settings():
    """The text of the kernel's configuration; empty where it is not told."""
    try:
        return gzip.decompress(pathlib.Path("/proc/config.gz").read_bytes()).decode()
    except OSError:
        pass
    try:
        return pathlib.Path(f"/boot/config-{platform.release()}").read_text()
    except OSError:
        return ""


def irq_time_is_apart(settings=None):
    """Whether this kernel takes the time of interrupts out of that of processes; None: it does not tell."""
    settings = kernel_settings() if settings is None else settings
    if not settings:
        return None
    return f"{IRQ_TIME}=y" in settings.splitlines()


def facts(bed):
    kind, device = testbed.filesystem_of(bed.scratch)
    return {
        "cpu": cpu_model(), "processors": len(os.sched_getaffinity(0)), "server_core": bed.cores.server, "load_core": bed.cores.load,
        "cores_are_siblings": bed.cores.are_siblings, "kernel": platform.release(), "irq_time_is_apart": irq_time_is_apart(),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "distribution": platform.freedesktop_os_release().get("PRETTY_NAME", ""),
        "filesystem": f"{kind} on {device}",
        "postgres": f"{database.version()} with {', '.join(f'{name}={value}' for name, value in database.SETTINGS.items())}",
        "peers": output(str(testbed.ROOT / "bench/peers/run"), "--list").splitlines(),
    }


def doubts_about(bed):
    out = []
    if bed.cores.are_siblings:
        out.append(f"Server and load ran on processors {bed.cores.server} and {bed.cores.load}, two threads of one core: each slowed the other down.")
    kind, device = testbed.filesystem_of(bed.scratch)
    if kind in testbed.NOT_A_DISK:
        costs = "nothing" if kind in testbed.IN_MEMORY else "something else than on a disk"
        out.append(f"Stored data lay on {kind} ({device}), where waiting for the disk costs {costs}: --scratch FOLDER names another place.")
    if (apart := irq_time_is_apart()) is not False:
        told = "accounts" if apart else "does not tell whether it accounts"
        out.append(f"This kernel {told} interrupts apart ({IRQ_TIME}): CPU per delivery {'lacks' if apart else 'may lack'} what TCP did in them. "
                   "The column softirq has it, in cores, of all traffic.")
    return out
