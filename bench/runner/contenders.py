"""Who is measured: Uproar, the floors, and the peers that bench/peers knows. Each is one process, pinned, started afresh for every run,
and killed after it, or when we die."""

import ctypes
import functools
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

from runner import database, syncs
from runner.cores import LOAD
from runner.testbed import ROOT

TARGETS = ROOT / "bench/targets"
START_SECONDS = 120   # a peer may have to be built first
STOP_SECONDS = 60
SAID_MAX = 800        # characters of a server's log that explain why it cannot run
PR_SET_PDEATHSIG = 1
SETTING = "UPROAR_"   # begins the names of variables that set up a server
LIBC = ctypes.CDLL(None)

# Lifts the limits meant for strangers: one process plays all users.
UPROAR_FLAGS = ("--shards", "1", "--connections-per-address", "0", "--openings-per-second", "0", "--commands-per-second", "1000000")

# The same, which builds of before do not have.
UPROAR_QUOTAS = ("conversations-per-day", "first-contacts-per-day", "message-mb-per-day")


@functools.cache
def settings_of(program):
    """The text in which a build says what settings it has."""
    return subprocess.run([program, "serve", "--help"], capture_output=True, text=True, check=False).stdout


def lifted_quotas(program):
    return tuple(word for name in UPROAR_QUOTAS if f"--{name}" in settings_of(program) for word in (f"--{name}", "0"))


class Unavailable(Exception):
    """A contender that cannot run here; the text says what to do."""


class Unending(Exception):
    """A load tool that had to be killed; the text says after how long."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def operators_port(program, port):
    """(where this build answers operators, the flags for that): builds of before had one port for all."""
    if "--admin-listen" not in settings_of(program):
        return port, []
    own = free_port()
    return own, ["--admin-listen", f"127.0.0.1:{own}"]


def is_listening(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def die_with(parent):
    """In a child before its exec: it ends when we do, even if nobody could tell it."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


def surroundings(more=None):
    """The environment of a server. Not what its settings may be named by: the report tells the flags it was started with, and they are all of them."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith(SETTING)}, **(more or {})}


def without_paths(text, *folders):
    """A report is published: where its maker keeps things is nobody's business."""
    for folder in (*folders, ROOT):
        text = text.replace(f"{folder}/", "").replace(str(folder), ".")
    return text


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


def load_command(bed, scenario, server, role, settings):
    """uproar_load against a running server, on the processor of a role; None: whichever is free."""
    command = [str(bed.build / "bench/load/uproar_load"), str(ROOT / f"bench/scenarios/{scenario}.toml"), *server.load_arguments()]
    if role is not None:
        command += ["--core", str(bed.cores.of(role))]
    for setting in settings:
        command += ["--set", setting]
    return command


def run_load(command, seconds_max):
    """Runs uproar_load; like a server it ends when we do. Raises Unending."""
    try:
        return subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=seconds_max,
                              preexec_fn=functools.partial(die_with, os.getpid()))
    except subprocess.TimeoutExpired:   # its own text is the whole command
        raise Unending(f"did not end within {seconds_max} s") from None


class Contender:
    """A running server; use as a context. `load_arguments` say to uproar_load how to reach it. `roles`: of the processors that it runs on."""

    def __init__(self, name, bed, roles, flags=()):
        self.name, self.bed, self.build, self.flags = name, bed, bed.build, tuple(flags)
        self.cores = tuple(bed.cores.of(role) for role in roles)
        self.folder = self.process = None
        self.environment = {}

    def __enter__(self):
        try:
            self.start()
        except BaseException:   # Ctrl-C and SIGTERM too: nobody else knows of the process and the folder yet
            self.__exit__()
            raise
        return self

    def start(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir=self.bed.scratch))
        self.port = free_port()
        self.furnish()
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, start_new_session=True, cwd=self.folder,
                                            env=surroundings(self.environment), preexec_fn=functools.partial(die_with, os.getpid()))
        try:
            self.wait_until_ready()
        except Unavailable as reason:
            raise Unavailable(f"{self.with_last_words(reason)}\n{self.said()[-SAID_MAX:]}") from None

    def __exit__(self, *_):
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def said(self):
        return without_paths((self.folder / "log").read_text(errors="replace"), self.folder)

    def with_last_words(self, text):
        """With the last line of its log: what is missing and how to install it stands there."""
        lines = [line.strip() for line in self.said().splitlines() if line.strip()]
        return f"{text}: {lines[-1]}" if lines else str(text)

    def is_gone(self, pid):
        """Whether the process that served, or who launched it, has ended."""
        return self.process.poll() is not None or not pathlib.Path(f"/proc/{pid}").exists()

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

    def beside_seconds(self):
        """Processor seconds so far of what serves beside it."""
        return 0.0


class Uproar(Contender):
    """`world`: a folder that keep() filled; without one the server begins with nothing."""

    KEPT = ("data", "auth.key", "world")

    def __init__(self, name, bed, roles, flags=(), world=None, counts_syncs=False):
        super().__init__(name, bed, roles, flags)
        self.world, self.counts_syncs = world, counts_syncs

    def furnish(self):
        if self.counts_syncs:
            if not (self.build / syncs.LIBRARY).exists():   # the loader would do without it, and count nothing
                raise Unavailable(f"{syncs.LIBRARY} is not built beside {self.name}: how often it waits for the disk cannot be counted")
            self.environment = syncs.environment(self.build, self.folder / "syncs")
        self.key = self.folder / "auth.key"
        if self.world is not None:
            copy_all(self.world, self.folder, self.KEPT)
            return
        self.key.touch(mode=0o600)
        self.key.write_text(secrets.token_hex(32))

    def command(self):
        program = str(self.build / "tools/uproar")
        self.admin_port, flags = operators_port(program, self.port)
        return self.pinned([program, "serve", "--listen", f"127.0.0.1:{self.port}", *flags, "--data", str(self.folder / "data"),
                            "--auth-secret-file", str(self.key), *merged((*UPROAR_FLAGS, *lifted_quotas(program)), self.flags)])

    def load_arguments(self):
        return [*super().load_arguments(), "--auth-key-file", str(self.key), "--world", str(self.folder / "world")]

    def sync_times(self):
        return syncs.times_of(self.folder / "syncs")

    def metrics(self, names):
        """{name: value}, of all shards together."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/metrics", timeout=START_SECONDS) as answer:
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


class UproarOnPostgres(Uproar):
    """With a PostgreSQL server beside it, which has everything that the data folder would have but the key."""

    KEPT = ("auth.key", "world")

    def __init__(self, *words, **named):
        super().__init__(*words, **named)
        self.database = None

    def furnish(self):
        counts, self.counts_syncs = self.counts_syncs, False   # the waits for the disk are the database's
        super().furnish()
        self.counts_syncs = counts
        for folder in (self.folder, *(one for one in self.folder.parents if one.is_relative_to(self.bed.scratch))):
            folder.chmod(0o711)   # its user must be able to come here
        if self.world is not None:
            database.copy(self.world / "database", self.folder / "database")
        # Not beside the shard, which is pinned: whom it wakes the kernel would put there, and leave the other processor idle.
        self.database = database.Database(self.folder / "database", self.build, counts, self.bed.cores.of(LOAD))
        try:
            self.database.start()
        except database.services.Unavailable as reason:
            raise Unavailable(str(reason)) from None

    def command(self):
        return [*super().command(), "--postgres", self.database.url]

    def load_arguments(self):
        return [*super().load_arguments(), "--gives-way"]   # the database runs on its processor

    def __exit__(self, *_):
        if self.database is not None:
            self.database.close()
        super().__exit__()

    def beside_seconds(self):
        return self.database.cpu_seconds()

    def sync_times(self):
        return self.database.sync_times()

    def stop(self):
        super().stop()
        self.database.stop()

    def keep(self, folder):
        super().keep(folder)
        self.database.keep(folder / "database")


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


def uproar(cell, *words, **named):
    """As a cell wants it."""
    return (UproarOnPostgres if cell.on_postgres else Uproar)(*words, **named)


def make(name, bed, roles):
    """One that needs no more than that; Uproar is made by its class."""
    return (Floor if name.startswith("floor-") else Peer)(name, bed, roles)
