"""The services that a cluster of nodes needs, as processes in a folder of their own on free loopback ports. Nothing of the machine's own
installation is touched: own data, own configuration, own ports, and everything ends with its owner.

Each service: start() returns when a client would be answered; stop() ends it in order; kill(), pause() and resume() are what faults are made of."""

import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

START_SECONDS = 30
STOP_SECONDS = 20
POSTGRES_SUPERUSER = "postgres"


class Unavailable(Exception):
    """A service that cannot run here; the text says what to do."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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

    def prepare(self):
        """Before the first start."""

    def start(self):
        if not self.folder.exists():
            self.folder.mkdir(parents=True)
            self.prepare()
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if self.process.poll() is not None:
                raise Unavailable(f"{self.name} ended at once with status {self.process.returncode}:\n{self.last_words()}")
            if time.monotonic() > deadline:
                self.kill()
                raise Unavailable(f"{self.name} does not answer after {START_SECONDS} s:\n{self.last_words()}")
            time.sleep(0.02)
        return self

    def last_words(self):
        return (self.folder / "log").read_text(errors="replace")[-1500:]

    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    STOP_SIGNAL = signal.SIGTERM

    def stop(self):
        """True: it ended by itself within STOP_SECONDS."""
        if not self.is_running():
            return True
        self.resume()
        self.process.send_signal(self.STOP_SIGNAL)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True

    def kill(self):
        """As a crash: the process and all that it started."""
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def signal_all(self, number):
        try:
            os.killpg(self.process.pid, number)
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
        return [program("setpriv", "util-linux"), f"--reuid={POSTGRES_SUPERUSER}", f"--regid={POSTGRES_SUPERUSER}", "--init-groups", *command]

    def prepare(self):
        initdb = program("initdb", "postgresql", self.bin)
        if os.geteuid() == 0:
            owner = pwd.getpwnam(POSTGRES_SUPERUSER)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
            for parent in self.folder.resolve().parents:   # the server must be able to come here
                if parent.stat().st_mode & 0o001 == 0:
                    raise Unavailable(f"{parent} cannot be entered by the user {POSTGRES_SUPERUSER}, as whom PostgreSQL runs: chmod o+x {parent}, or take another folder")
        done = subprocess.run(self.as_owner([initdb, "-D", str(self.folder / "data"), "-A", "trust", "-U", POSTGRES_SUPERUSER, "-E", "UTF8", "--locale=C.UTF-8",
                                             "--no-sync"]), capture_output=True, text=True, cwd="/")
        if done.returncode != 0:
            raise Unavailable(f"initdb failed:\n{done.stderr[-1500:]}")

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


NGINX = """daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 65536; }}
worker_rlimit_nofile {files};
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream nodes {{
    least_conn;
{servers}
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://nodes;
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_read_timeout 75s;
      proxy_buffering off;
      proxy_next_upstream error timeout non_idempotent;
    }}
  }}
}}
"""


class Nginx(Service):
    """In front of the nodes: one address for all of them. A node that cannot be reached is left out for a second."""

    name = "nginx"
    STOP_SIGNAL = signal.SIGQUIT

    def __init__(self, folder, nodes, port=None):
        super().__init__(folder, port)
        self.nodes = nodes   # HOST:PORT of each

    def prepare(self):
        files = min(65536, os.sysconf("SC_OPEN_MAX"))
        servers = "\n".join(f"    server {node} max_fails=1 fail_timeout=1s;" for node in self.nodes)
        (self.folder / "nginx.conf").write_text(NGINX.format(folder=self.folder.resolve(), files=files, servers=servers, port=self.port))

    def command(self):
        folder = self.folder.resolve()
        return [program("nginx", "nginx-light"), "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]

    def answers(self):
        return http_says(f"{self.url()}/healthz")

    def url(self):
        return f"http://127.0.0.1:{self.port}"
