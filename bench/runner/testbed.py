"""Where servers run: the build, the processors, and the folder on whose disk they store."""

import dataclasses
import os
import pathlib
import shutil
import tempfile

from runner import cores

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUN = "run-"                                   # the folder of one run of bench/run, and its process id
IN_MEMORY = {"tmpfs", "ramfs"}                 # where waiting for the disk costs nothing
NOT_A_DISK = IN_MEMORY | {"overlay", "9p", "virtiofs"}   # where it may cost something else than on a disk


@dataclasses.dataclass(frozen=True)
class Testbed:
    build: pathlib.Path
    cores: cores.Cores
    scratch: pathlib.Path        # where contenders have their folders
    filesystem: str = ""         # of the scratch folder, its type

    def with_build(self, build):
        return dataclasses.replace(self, build=build or self.build)


def unescaped(text):
    """Of /proc/self/mountinfo: blanks and backslashes are octal there."""
    return text.encode().decode("unicode_escape") if "\\" in text else text


def filesystem_of(folder, mounts=None):
    """(type, device) of the mount that holds a folder; `mounts` is the text of /proc/self/mountinfo."""
    folder = pathlib.Path(folder).resolve()
    best, found = -1, ("unknown", "unknown")
    for line in (pathlib.Path("/proc/self/mountinfo").read_text() if mounts is None else mounts).splitlines():
        before, _, after = line.partition(" - ")
        point = pathlib.Path(unescaped(before.split()[4]))
        if folder.is_relative_to(point) and len(point.parts) >= best:   # of two on one point the later one is seen
            best, found = len(point.parts), tuple(after.split()[:2])
    return found


class Scratch:
    """A folder of this run under `parent`; use as a context. Those of runs that were killed go away."""

    def __init__(self, parent):
        self.parent = pathlib.Path(parent).resolve()

    def __enter__(self):
        self.parent.mkdir(parents=True, exist_ok=True)
        for old in self.parent.glob(f"{RUN}*-*"):
            if not pathlib.Path("/proc", old.name.split("-")[1]).exists():
                shutil.rmtree(old, ignore_errors=True)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{RUN}{os.getpid()}-", dir=self.parent))
        return self.folder

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)
