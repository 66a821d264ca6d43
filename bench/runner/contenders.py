"""Who is measured: Uproar, the floors, and the peers that bench/peers knows. Each is one process on one core, started afresh for every
run, and killed after it."""

import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGETS = ROOT / "bench/targets"
START_SECONDS = 30

# Lifts the limits meant for strangers: one process plays all users.
UPROAR_FLAGS = ["--shards", "1", "--connections-per-address", "0", "--commands-per-second", "1000000"]


class Unavailable(Exception):
    """A contender that cannot run here; the text says what to do."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_listening(port, process, name):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Unavailable(f"{name} ended at once with status {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise Unavailable(f"{name} does not listen after {START_SECONDS} s")


class Contender:
    """A running server; use as a context. `load_arguments` say to uproar_load how to reach it."""

    def __init__(self, name, build, core, flags=()):
        self.name, self.build, self.core, self.flags = name, build, core, list(flags)
        self.folder = self.process = None

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="uproar-bench-"))
        self.port = free_port()
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, start_new_session=True)
        try:
            wait_until_listening(self.port, self.process, self.name)
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

    def pid(self):
        """The process that serves: a launcher's last descendant."""
        pid = self.process.pid
        while True:
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            if not children:
                return pid
            pid = int(children[-1])

    def pinned(self, command):
        return ["taskset", "-c", str(self.core), *command]

    def load_arguments(self):
        return ["--target", str(TARGETS / f"{self.name}.toml"), "--port", str(self.port), "--pid", str(self.pid())]


class Uproar(Contender):
    def command(self):
        self.key = self.folder / "auth.key"
        self.key.touch(mode=0o600)
        self.key.write_text(secrets.token_hex(32))
        return self.pinned([str(self.build / "tools/uproar"), "serve", "--listen", f"127.0.0.1:{self.port}", "--data",
                            str(self.folder / "data"), "--auth-secret-file", str(self.key), *UPROAR_FLAGS, *self.flags])

    def load_arguments(self):
        return [*super().load_arguments(), "--auth-key-file", str(self.key)]


class Floor(Contender):
    def command(self):
        kind = self.name.removeprefix("floor-")
        return [str(self.build / "bench/floor/uproar_floor"), kind, "--port", str(self.port), "--core", str(self.core)]

    def load_arguments(self):
        return ["--target", str(TARGETS / "floor.toml"), "--port", str(self.port), "--pid", str(self.pid())]


class Peer(Contender):
    def command(self):
        raw = ["--raw"] if self.name.endswith("-raw") else []
        return [str(ROOT / "bench/peers/run"), self.name.removesuffix("-raw"), "--port", str(self.port), "--core",
                str(self.core), *raw]


def make(name, build, core, flags=()):
    kind = Uproar if name == "uproar" else Floor if name.startswith("floor-") else Peer
    return kind(name, build, core, flags)
