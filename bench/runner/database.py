"""A PostgreSQL server of a run's own: durable, in the run's folder on the disk that is measured, ended with the run."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys

from runner import bystanders, syncs
from runner.testbed import ROOT

sys.path.append(str(ROOT / "tools/cluster"))

import services  # noqa: E402  the path comes first

# fsync, synchronous_commit and full_page_writes are on, as PostgreSQL has them. A checkpoint in a few measured seconds would be an accident.
SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "4GB", "checkpoint_timeout": "30min"}
NAME = "bench"


def family_of(pid):
    """A process and all its descendants that live."""
    try:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(one for child in children for one in family_of(int(child)))]


class Server(services.Postgres):
    """`count`: a library (bench/sync_count) that notes each wait for the disk, or None."""

    def __init__(self, folder, count=None):
        super().__init__(folder, settings=SETTINGS)
        self.count = count

    def as_owner(self, command):
        """And it ends when we do: at once, as everything of a run that is killed."""
        words = super().as_owner(command)
        if words == command:
            words = [services.program("setpriv", "util-linux"), *command]
        return [words[0], "--pdeathsig", "QUIT", *words[1:]]

    def prepare(self):
        super().prepare()
        if self.count is not None:   # the server's user need not be able to read where the build is
            shutil.copy(self.count, self.folder / "count.so")

    def command(self):
        command = super().command()
        if self.count is None:
            return command
        at = next(i for i, word in enumerate(command) if word.endswith("/postgres"))
        environment = {"LD_PRELOAD": self.folder / "count.so", syncs.VARIABLE: self.folder / "syncs"}
        return [*command[:at], "env", *(f"{name}={value}" for name, value in environment.items()), *command[at:]]


class Database:
    """Use as a context, or close() it. `folder` is made; its parents must let the server's user pass."""

    def __init__(self, folder, build, counts_syncs):
        self.folder = pathlib.Path(folder)
        self.server = Server(self.folder, build / syncs.LIBRARY if counts_syncs else None)

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
            if not self.server.sql(f"select 1 from pg_database where datname = '{NAME}'"):
                self.server.sql(f"create database {NAME}")
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
        if self.server.process is not None and self.server.process.poll() is None:
            for pid in family_of(self.server.pid()):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue   # it has just ended
            self.server.process.wait()

    def cpu_seconds(self):
        """Of all its processes so far, of those that have ended, too."""
        ended = pathlib.Path(f"/proc/{self.server.pid()}/stat").read_text().rpartition(")")[2].split()
        total = (int(ended[13]) + int(ended[14])) / bystanders.TICKS
        for pid in family_of(self.server.pid()):
            try:
                total += bystanders.cpu_seconds_of(pid)
            except OSError:
                continue   # it has just ended: the next look finds it above
        return total

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
