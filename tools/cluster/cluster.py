"""A whole cluster on this machine: PostgreSQL, Redis, etcd, N nodes and nginx in front. Everything is in one folder, on free loopback ports, and ends
with its owner. `python3 up.py --help` is the door for people, tests and measurements make a Cluster themselves."""

import fcntl
import os
import pathlib
import secrets
import shutil

from nginx import Nginx
from node import Node
from services import Etcd, Postgres, Redis, Unavailable, free_port

DATABASE = "uproar"
MARKER = "uproar-cluster"   # in the folder of a cluster, locked while it runs: what else is in it is ours to delete


def direct(node, service, port):
    """How a node reaches a service: at the service's own port. Tests put something in between."""
    return port


class Cluster:
    """Parts are made with their ports; nothing runs before start().

    between(node, service, port) -> port: where the node of that name is to look for the service ("postgres", "redis", "etcd").
    settings: further flags of every node; postgres_settings: of the server. Accounts and messages in `folder` are kept from one life to the next, everything else is made anew."""

    def __init__(self, folder, nodes=3, *, binary, shards=1, lease="10s", port=None, durable=True, nginx_workers=2, between=direct, settings=None,
                 postgres_settings=None):
        self.folder = pathlib.Path(folder)
        self.auth_key_file = self.folder / "auth.key"
        self.postgres = Postgres(folder, durable=durable, settings=postgres_settings or {})
        self.redis = Redis(folder)
        self.etcd = Etcd(folder)
        self.nodes = []
        for i in range(1, nodes + 1):
            name = f"n{i}"
            at = {service.name: between(name, service.name, service.port) for service in (self.postgres, self.redis, self.etcd)}
            self.nodes.append(Node(folder, name, binary, shards=shards, lease=lease, settings=settings, auth_key_file=self.auth_key_file,
                                   postgres=f"postgresql://postgres@127.0.0.1:{at['postgres']}/{DATABASE}",
                                   redis=f"redis://127.0.0.1:{at['redis']}", etcd=f"http://127.0.0.1:{at['etcd']}"))
        self.nginx = Nginx(folder, [f"127.0.0.1:{node.port}" for node in self.nodes], port or free_port(), workers=nginx_workers)

    def parts(self):
        """In the order in which they are started."""
        return [self.postgres, self.redis, self.etcd, *self.nodes, self.nginx]

    def start(self, say=lambda part: None):
        """say(part) is called as each comes up. What cannot start is Unavailable, and all others are stopped again."""
        self.claim_folder()
        for service in (self.redis, self.etcd, self.nginx):
            shutil.rmtree(service.folder, ignore_errors=True)
        if not self.auth_key_file.exists():
            made = self.auth_key_file.with_suffix(".new")   # whoever is interrupted leaves no half of a key
            with open(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
                file.write(secrets.token_hex(32) + "\n")
            made.rename(self.auth_key_file)
        try:
            services = [self.postgres, self.redis, self.etcd]
            for group in (services, self.nodes, [self.nginx]):
                for part in group:
                    part.launch()
                for part in group:
                    part.wait_until_it_answers()
                    say(part)
                if group is services:
                    self.postgres.ensure_database(DATABASE)
        except BaseException:
            self.stop()
            raise
        return self

    def claim_folder(self):
        """Made, or empty, or of a cluster before this one; nothing is touched in any other."""
        marker = self.folder / MARKER
        try:
            self.folder.mkdir(parents=True)
            os.chmod(self.folder, 0o755)   # PostgreSQL runs as another user
        except FileExistsError:
            if not self.folder.is_dir():
                raise Unavailable(f"{self.folder} is no folder: take another one (--data)") from None
            if not marker.exists() and any(self.folder.iterdir()):
                raise Unavailable(f"{self.folder} holds files and no {MARKER}, so it is not a cluster's: take an empty folder, or none (--data). "
                                  f"If an older `tools/dev cluster` made it: touch {marker}") from None
        self.lock = open(marker, "a", encoding="ascii")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable(f"another cluster runs in {self.folder}: stop it, or take another folder (--data)") from None

    def stop(self):
        """Those in front first: nobody meets a node without its services. Returns the names of those that had to be killed."""
        killed = []
        for group in ([self.nginx], self.nodes, [self.etcd, self.redis, self.postgres]):
            for part in group:
                part.ask_to_stop()
            for part in group:
                if not part.wait_until_it_ended():
                    killed.append(part.name)
        return killed

    def database_url(self):
        return self.postgres.url(DATABASE)

    def sql(self, text):
        return self.postgres.sql(text, DATABASE)
