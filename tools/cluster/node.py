"""One `uproar serve` of a cluster, as a service like the others."""

import os
import pathlib
import re
import urllib.request

from services import Service, Unavailable, free_port, http_says

METRICS_SECONDS = 10


def own_environment():
    """Ours without UPROAR_*: the server refuses variables that it does not know, and takes those it knows."""
    return {name: value for name, value in os.environ.items() if not name.startswith("UPROAR_")}


class Node(Service):
    """`postgres`, `redis`, `etcd`: URLs. `settings`: further flags by name, without their dashes; None takes one away."""

    def __init__(self, folder, name, binary, *, postgres, redis, etcd, auth_key_file, lease="10s", shards=1, settings=None, port=None):
        self.name = name
        super().__init__(folder, port)
        self.binary = pathlib.Path(binary)
        self.admin_port = free_port()
        self.flags = {"listen": f"127.0.0.1:{self.port}", "admin-listen": f"127.0.0.1:{self.admin_port}", "shards": shards, "data": self.folder.resolve() / "data", "auth-secret-file": auth_key_file.resolve(),
                      "postgres": postgres, "redis": redis, "etcd": etcd, "node-id": name, "advertise": self.ws_url(), "node-lease": lease, "trusted-proxy": "127.0.0.1", **(settings or {})}

    def command(self):
        if not os.access(self.binary, os.X_OK):
            raise Unavailable(f"{self.binary} is not there. Try: tools/dev build release uproar")
        words = [word for name, value in self.flags.items() if value is not None for word in (f"--{name}", str(value))]
        return [str(self.binary.resolve()), "serve", *words]

    def environment(self):
        return own_environment()

    def answers(self):
        return http_says(f"{self.url()}/readyz")

    def metric(self, name):
        """Its sum over all shards; 0 where it is not there. For several, values(): a text of metrics is made at most once a second, and who asks sooner waits."""
        return self.values(name)[0]

    def values(self, *names):
        lines = self.metrics().splitlines()
        return [sum(float(line.rpartition(" ")[2]) for line in lines if re.match(rf"{name}[ {{]", line)) for name in names]

    def metrics(self):
        with urllib.request.urlopen(f"{self.admin_url()}/metrics", timeout=METRICS_SECONDS) as answer:
            return answer.read().decode()

    def admin_url(self):
        return f"http://127.0.0.1:{self.admin_port}"

    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def ws_url(self):
        return f"ws://127.0.0.1:{self.port}"
