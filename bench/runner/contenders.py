"""Who is measured: Uproar, the floors, and the peers that bench/peers knows. Each is one process, pinned, started afresh for every run,
and killed after it."""

import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

from runner import syncs

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGETS = ROOT / "bench/targets"
START_SECONDS = 120   # a peer may have to be built first
STOP_SECONDS = 60

# Lifts the limits meant for strangers: one process plays all users.
UPROAR_FLAGS = ("--shards", "1", "--connections-per-address", "0", "--commands-per-second", "1000000")


class Unavailable(Exception):
    """A contender that cannot run here; the text says what to do."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_listening(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def merged(*flags):
    """--NAME VALUE pairs; a later one takes the place of an earlier one."""
    of = {}
    for pairs in flags:
        of.update(zip(pairs[::2], pairs[1::2]))
    return [word for pair in of.items() for word in pair]


def sum_of(text, name):
    """A metric in Prometheus' text form, summed over its labels."""
    found = [float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
    if not found:
        raise Unavailable(f"uproar has no metric {name}")
    return sum(found)


def copy_all(source, target, names):
    for name in names:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name)
        else:
            shutil.copy2(source / name, target / name)


def load_command(build, scenario, server, core, settings):
    """uproar_load against a running server; `core` None: whichever is free."""
    command = [str(build / "bench/load/uproar_load"), str(ROOT / f"bench/scenarios/{scenario}.toml"), *server.load_arguments()]
    if core is not None:
        command += ["--core", str(core)]
    for setting in settings:
        command += ["--set", setting]
    return command


class Contender:
    """A running server; use as a context. `load_arguments` say to uproar_load how to reach it."""

    def __init__(self, name, build, cores, flags=()):
        self.name, self.build, self.cores, self.flags = name, build, cores, tuple(flags)
        self.folder = self.process = None
        self.environment = {}

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="uproar-bench-"))
        self.port = free_port()
        self.furnish()
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, start_new_session=True,
                                            env={**os.environ, **self.environment})
        try:
            self.wait_until_ready()
        except Unavailable as reason:
            tail = (self.folder / "log").read_text(errors="replace")[-800:]
            self.__exit__()
            raise Unavailable(f"{reason}\n{tail}") from None
        return self

    def __exit__(self, *_):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def furnish(self):
        """What the folder must hold before the start."""

    def is_ready(self):
        return is_listening(self.port)

    def wait_until_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if self.process.poll() is not None:
                raise Unavailable(f"{self.name} ended at once with status {self.process.returncode}")
            if time.monotonic() > deadline:
                raise Unavailable(f"{self.name} is not ready after {START_SECONDS} s")
            time.sleep(0.02)

    def pid(self):
        """The process that serves: a launcher's last descendant."""
        pid = self.process.pid
        while True:
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            if not children:
                return pid
            pid = int(children[-1])

    def pinned(self, command):
        return ["taskset", "-c", ",".join(map(str, self.cores)), *command]

    def load_arguments(self):
        return ["--target", str(TARGETS / f"{self.name}.toml"), "--port", str(self.port), "--pid", str(self.pid())]


class Uproar(Contender):
    """`world`: a folder that keep() filled; without one the server begins with nothing."""

    KEPT = ("data", "auth.key", "world")

    def __init__(self, name, build, cores, flags=(), world=None, counts_syncs=False):
        super().__init__(name, build, cores, flags)
        self.world, self.counts_syncs = world, counts_syncs

    def furnish(self):
        if self.counts_syncs:
            self.environment = syncs.environment(self.build, self.folder / "syncs")
        self.key = self.folder / "auth.key"
        if self.world is not None:
            copy_all(self.world, self.folder, self.KEPT)
            return
        self.key.touch(mode=0o600)
        self.key.write_text(secrets.token_hex(32))

    def command(self):
        return self.pinned([str(self.build / "tools/uproar"), "serve", "--listen", f"127.0.0.1:{self.port}", "--data",
                            str(self.folder / "data"), "--auth-secret-file", str(self.key), *merged(UPROAR_FLAGS, self.flags)])

    def load_arguments(self):
        return [*super().load_arguments(), "--auth-key-file", str(self.key), "--world", str(self.folder / "world")]

    def sync_times(self):
        return syncs.times_of(self.folder / "syncs")

    def metrics(self, names):
        """{name: value}, of all shards together."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=START_SECONDS) as answer:
            text = answer.read().decode()
        return {name: sum_of(text, name) for name in names}

    def stop(self):
        """As an operator does, so that all is on disk."""
        self.process.terminate()
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise Unavailable(f"uproar does not end within {STOP_SECONDS} s of SIGTERM") from None
        if status != 0:
            raise Unavailable(f"uproar ended with status {status} after SIGTERM")

    def keep(self, folder):
        """After stop(): what another life can begin with."""
        folder.mkdir()
        copy_all(self.folder, folder, self.KEPT)


class Floor(Contender):
    def command(self):
        kind = self.name.removeprefix("floor-")
        return [str(self.build / "bench/floor/uproar_floor"), kind, "--port", str(self.port), "--core", str(self.cores[0])]

    def load_arguments(self):
        return ["--target", str(TARGETS / "floor.toml"), "--port", str(self.port), "--pid", str(self.pid())]


class Peer(Contender):
    def is_ready(self):
        """Once its launcher says so: some listen before the process is there that will serve."""
        return b"ready\n" in (self.folder / "log").read_bytes().splitlines(keepends=True)

    def command(self):
        raw = ["--raw"] if self.name.endswith("-raw") else []
        return [str(ROOT / "bench/peers/run"), self.name.removesuffix("-raw"), "--port", str(self.port), "--core",
                str(self.cores[0]), *raw]


def make(name, build, cores):
    """One that needs no more than that; Uproar is made by its class."""
    return (Floor if name.startswith("floor-") else Peer)(name, build, cores)
