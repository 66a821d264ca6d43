"""What a figure is worth nothing without: machine, kernel, versions, commit."""

import os
import pathlib
import platform
import subprocess

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


def load_average():
    return os.getloadavg()[0]
