"""nginx before the nodes: one address for all of them. Its configuration is nginx.conf, that of compose.yaml, with this machine's addresses and bounds."""

import os
import pathlib
import re
import signal

from services import Service, http_says, program

CONFIGURATION = pathlib.Path(__file__).with_name("nginx.conf")
FILES_MAX = 65536
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def replaced(text, pattern, new):
    """What stands in nginx.conf once must be there once, or this file has fallen behind it."""
    text, count = re.subn(pattern, lambda _: new, text, flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"{CONFIGURATION} has {pattern!r} {count} times")
    return text


def configuration(folder, port, nodes, workers):
    """nginx.conf for a process of our own. A client costs a worker two open files."""
    files = min(FILES_MAX, os.sysconf("SC_OPEN_MAX"))
    text = CONFIGURATION.read_text(encoding="utf-8")
    temporary = "".join(f"  {name}_temp_path {folder}/{name};\n" for name in TEMPORARY)
    servers = "".join(f"    server {node} max_fails=0;\n" for node in nodes)
    for pattern, new in (
            (r"^worker_processes .*;", f"daemon off;\npid {folder}/pid;\nerror_log {folder}/error.log warn;\nworker_processes {workers};"),
            (r"^worker_rlimit_nofile .*;", f"worker_rlimit_nofile {files};"),
            (r"worker_connections \d+;", f"worker_connections {files};"),
            (r"^http {\n", f"http {{\n{temporary}"),
            (r"(^    server n\d+:8080 max_fails=0;\n)+", servers),
            (r"listen 8080 ", f"listen 127.0.0.1:{port} ")):
        text = replaced(text, pattern, new)
    return text


class Nginx(Service):
    name = "nginx"
    STOP_SIGNAL = signal.SIGQUIT

    def __init__(self, folder, nodes, port=None, workers=2):
        super().__init__(folder, port)
        self.nodes = nodes   # HOST:PORT of each
        self.workers = workers

    def launch(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        # Anew each time: the nodes may have got other ports.
        (self.folder / "nginx.conf").write_text(configuration(self.folder.resolve(), self.port, self.nodes, self.workers), encoding="utf-8")
        super().launch()

    def command(self):
        folder = self.folder.resolve()
        return [program("nginx", "nginx-light"), "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]

    def answers(self):
        return http_says(f"{self.url()}/healthz")

    def url(self):
        return f"http://127.0.0.1:{self.port}"
