"""The services that a cluster of nodes needs, as processes in a folder of their own on free loopback ports. Nothing of the machine's own
installation is touched: own data, own configuration, own ports, and everything ends with its owner.

Each service: start() returns when a client would be answered; stop() ends it in order; kill(), pause() and resume() are what faults are made of.
Whoever starts one stays the thread that does: when that thread ends, however it ends, the kernel stops the service."""

import ctypes
import os
import pathlib
import pwd
import random
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)   # before any fork: nothing may be loaded between fork and exec
START_SECONDS = 30
STOP_SECONDS = 20
POSTGRES_SUPERUSER = "postgres"
EPHEMERAL_PORTS = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")
PORT_MIN = 10240
GIVEN_PORTS = set()   # not yet bound, perhaps


class Unavailable(Exception):
    """A service that cannot run here; the text says what to do."""


def free_port(ephemeral=None):
    """Below the ports that the kernel gives to connections going out (from `ephemeral` on): a service that is away for a while finds its own free when it
    comes back. Where the kernel leaves none, one of those."""
    ephemeral = ephemeral or int(EPHEMERAL_PORTS.read_text(encoding="ascii").split()[0])
    ports = sorted(set(range(PORT_MIN, ephemeral)) - GIVEN_PORTS)
    for port in [*random.sample(ports, len(ports)), 0]:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            port = probe.getsockname()[1]
        GIVEN_PORTS.add(port)
        return port
    raise Unavailable("no port is free")


def process_table():
    """pid -> (state, parent) of every process."""
    table = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue   # it has ended meanwhile
        table[int(folder.name)] = state, int(parent)
    return table


def tree_of(pid):
    """The process and all that descend from it, parents first. A service may give its children sessions of their own, as PostgreSQL does, so that
    its process group is not all of it."""
    table = process_table()
    found = [pid] if pid in table else []
    for one in found:
        found += [child for child, (_, parent) in table.items() if parent == one]
    return found


def program(name, package, *folders):
    """Its path; Debian keeps servers' programs in folders that no PATH has."""
    path = shutil.which(name, path=os.pathsep.join([*map(str, folders), os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/bin"]))
    if path is None:
        raise Unavailable(f"{name} is not installed. Try: apt-get install --no-install-recommends {package}")
    return path


class Service:
    """One process. A subclass says how it is called and when it answers."""

    name = ""

    def __init__(self, folder, port=None):
        self.folder = pathlib.Path(folder) / self.name
        self.port = port or free_port()
        self.process = None

    def command(self):
        raise NotImplementedError

    def answers(self):
        raise NotImplementedError

    def is_prepared(self):
        return self.folder.exists()

    def prepare(self):
        """Before the first start, and again before the next when it was interrupted."""

    def start(self):
        self.launch()
        self.wait_until_it_answers()
        return self

    def environment(self):
        return None   # as its owner's

    def launch(self):
        """Starts it and does not wait."""
        if not self.is_prepared():
            self.folder.mkdir(parents=True, exist_ok=True)
            self.prepare()
        stop_with_owner = int(self.STOP_SIGNAL)
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=self.environment(),
                                            preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, stop_with_owner))

    def wait_until_it_answers(self):
        deadline = time.monotonic() + START_SECONDS
        while True:
            is_answered = self.answers()
            if self.process.poll() is not None:   # also after an answer: it came from whoever has the port
                raise Unavailable(f"{self.name} ended at once with status {self.process.returncode}:\n{self.last_words()}")
            if is_answered:
                return
            if time.monotonic() > deadline:
                self.kill()
                raise Unavailable(f"{self.name} does not answer after {START_SECONDS} s:\n{self.last_words()}")
            time.sleep(0.02)

    def last_words(self):
        return (self.folder / "log").read_text(errors="replace")[-1500:]

    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    STOP_SIGNAL = signal.SIGTERM

    def ask_to_stop(self):
        if self.is_running():
            self.resume()
            self.process.send_signal(self.STOP_SIGNAL)

    def stop(self):
        """True: it ended by itself within STOP_SECONDS."""
        self.ask_to_stop()
        return self.wait_until_it_ended()

    def wait_until_it_ended(self):
        """True as stop(). REQUIRES: it was asked to stop, else this takes STOP_SECONDS and kills it."""
        if self.process is None:
            return True
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True

    def kill(self):
        """As a crash: the process and all that it started."""
        if not self.is_running():
            return
        self.pause()   # nobody starts another process while they are counted
        everybody = tree_of(self.process.pid)
        self.signal_all(signal.SIGKILL)
        self.process.wait()
        # Who is left holds the service's files and memory: it could not be started again.
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            table = process_table()
            if all(table.get(pid, ("Z", 0))[0] == "Z" for pid in everybody):
                return
            time.sleep(0.005)

    def signal_all(self, number):
        """Parents first: one that is stopped or dead has no more children."""
        told = set()
        while fresh := [pid for pid in tree_of(self.process.pid) if pid not in told]:
            for pid in fresh:
                told.add(pid)
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass

    def pause(self):
        self.signal_all(signal.SIGSTOP)

    def resume(self):
        self.signal_all(signal.SIGCONT)


def http_says(url, expected=b""):
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return expected in answer.read()
    except (urllib.error.URLError, OSError):
        return False


def ask(port, request, expected):
    """A line of a text protocol answered as expected."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.settimeout(1)
            connection.sendall(request)
            return connection.recv(64).startswith(expected)
    except OSError:
        return False


class Postgres(Service):
    """`durable` False: without fsync, for tests of anything but durability. The server refuses to be root, so as root it becomes `postgres`."""

    name = "postgres"
    STOP_SIGNAL = signal.SIGINT   # fast shutdown: open sessions do not delay it

    def __init__(self, folder, port=None, durable=True, settings=()):
        super().__init__(folder, port)
        self.durable, self.settings = durable, settings
        versions = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
        self.bin = versions[0] if versions else pathlib.Path("/usr/bin")

    def as_owner(self, command):
        if os.geteuid() != 0:
            return command
        # Who becomes another user is no longer stopped with its owner, unless it says so again.
        return [program("setpriv", "util-linux"), f"--reuid={POSTGRES_SUPERUSER}", f"--regid={POSTGRES_SUPERUSER}", "--init-groups", "--pdeathsig", "INT", *command]

    def is_prepared(self):
        return (self.folder / "data").exists()

    def prepare(self):
        """The data get their name when they are whole: what was interrupted is made anew."""
        initdb = program("initdb", "postgresql", self.bin)
        if os.geteuid() == 0:
            owner = pwd.getpwnam(POSTGRES_SUPERUSER)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
            for parent in self.folder.resolve().parents:   # the server must be able to come here
                if parent.stat().st_mode & 0o001 == 0:
                    raise Unavailable(f"{parent} cannot be entered by the user {POSTGRES_SUPERUSER}, as whom PostgreSQL runs: chmod o+x {parent}, or take another folder")
        for half_made in self.folder.glob("data.new-*"):
            shutil.rmtree(half_made, ignore_errors=True)
        made = self.folder / f"data.new-{os.getpid()}"   # of our own: an initdb whose owner was killed may be at work for a moment still
        done = subprocess.run(self.as_owner([initdb, "-D", str(made), "-A", "trust", "-U", POSTGRES_SUPERUSER, "-E", "UTF8", "--locale=C.UTF-8",
                                             "--no-sync"]), capture_output=True, text=True, cwd="/")
        if done.returncode != 0:
            raise Unavailable(f"initdb failed:\n{done.stderr[-1500:]}")
        made.rename(self.folder / "data")

    def command(self):
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "max_connections": 200,
                    **({} if self.durable else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}), **dict(self.settings)}
        flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return self.as_owner([program("postgres", "postgresql", self.bin), "-D", str(self.folder / "data"), *flags])

    def answers(self):
        asked = subprocess.run([program("pg_isready", "postgresql-client", self.bin), "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False)
        return asked.returncode == 0

    def url(self, database="postgres"):
        return f"postgresql://{POSTGRES_SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def ensure_database(self, name):
        if not self.sql(f"select 1 from pg_database where datname = '{name}'"):
            self.sql(f"create database {name}")

    def sql(self, text, database="postgres"):
        done = subprocess.run([program("psql", "postgresql-client", self.bin), "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", self.url(database), "-c", text],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise Unavailable(f"psql: {done.stderr.strip()}")
        return done.stdout.strip()


class Redis(Service):
    name = "redis"

    def command(self):
        return [program("redis-server", "redis-server"), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder.resolve()),
                "--save", "", "--appendonly", "no", "--enable-debug-command", "local"]

    def answers(self):
        return ask(self.port, b"PING\r\n", b"+PONG")

    def url(self):
        return f"redis://127.0.0.1:{self.port}"


class Etcd(Service):
    name = "etcd"

    def __init__(self, folder, port=None):
        super().__init__(folder, port)
        self.peer_port = free_port()

    def command(self):
        peer = f"http://127.0.0.1:{self.peer_port}"
        return [program("etcd", "etcd-server"), "--name", "e1", "--data-dir", str(self.folder / "data"), "--listen-client-urls", self.url(),
                "--advertise-client-urls", self.url(), "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--initial-cluster", f"e1={peer}", "--logger", "zap", "--log-level", "warn"]

    def answers(self):
        return http_says(f"{self.url()}/health", b"true")

    def url(self):
        return f"http://127.0.0.1:{self.port}"
