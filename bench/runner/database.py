"""A PostgreSQL server of a run's own: durable, in the run's folder on the disk that is measured, ended with the run."""

import os
import pathlib
import shutil
import subprocess
import sys

from runner import bystanders, syncs
from runner.testbed import ROOT

sys.path.append(str(ROOT / "tools/cluster"))

import services  # noqa: E402  the path comes first

# fsync, synchronous_commit and full_page_writes are on, as PostgreSQL has them. A checkpoint in a few measured seconds would be an accident.
SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "4GB", "checkpoint_timeout": "30min"}
NAME = "bench"


class Server(services.Postgres):
    """`count`: a library (bench/sync_count) that notes each wait for the disk, or None. `core`: that it is pinned to, or None."""

    def __init__(self, folder, count=None, core=None):
        super().__init__(folder, settings=SETTINGS)
        self.count, self.core = count, core

    def start(self):
        if self.count is not None:   # the server's user need not be able to read where the build is
            shutil.copy(self.count, self.folder.parent / "count.so")
        return super().start()

    def environment(self):
        if self.count is None:
            return None
        return {**os.environ, "LD_PRELOAD": str(self.folder.parent / "count.so"), syncs.VARIABLE: str(self.folder / "syncs")}

    def command(self):
        pinned = [] if self.core is None else ["taskset", "-c", str(self.core)]
        return [*pinned, *super().command()]


class Database:
    """Use as a context, or close() it. `folder` is made; its parents must let the server's user pass."""

    def __init__(self, folder, build, counts_syncs, core=None):
        self.folder = pathlib.Path(folder)
        self.server = Server(self.folder, build / syncs.LIBRARY if counts_syncs else None, core)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.close()

    def start(self):
        """With a database of ours in it, empty unless the folder was copied from one that was kept."""
        self.folder.mkdir(exist_ok=True)
        os.chmod(self.folder, 0o711)
        try:
            self.server.start()
            self.server.ensure_database(NAME)
        except BaseException:
            self.close()
            raise

    @property
    def url(self):
        return self.server.url(NAME)

    def stop(self):
        """In order, so that all is in its files."""
        self.server.stop()

    def close(self):
        self.server.kill()

    def cpu_seconds_of_ended(self):
        """Of its sessions that are gone."""
        fields = pathlib.Path(f"/proc/{self.server.pid()}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / bystanders.TICKS

    def cpu_seconds(self):
        """Of all its processes so far, of those that have ended, too."""
        while True:
            ended, living = self.cpu_seconds_of_ended(), 0.0
            try:
                living = sum(map(bystanders.cpu_seconds_of, services.tree_of(self.server.pid())))
            except OSError:
                continue   # one has just ended
            if self.cpu_seconds_of_ended() == ended:   # none has, that would be missing in both
                return ended + living

    def sync_times(self):
        return syncs.times_of(self.server.folder / "syncs")

    def keep(self, folder):
        """After stop(). Owners and modes are kept: the server insists on them."""
        copy(self.folder, folder)


def copy(source, target):
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


def version():
    """"15.20"; empty where there is none."""
    try:
        postgres = services.program("postgres", "postgresql", Server("/nonexistent").bin)
        return subprocess.run([postgres, "--version"], capture_output=True, text=True, check=False).stdout.split()[2]
    except (services.Unavailable, IndexError):
        return ""
