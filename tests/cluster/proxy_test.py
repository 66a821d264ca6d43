"""Real clients' addresses behind nginx and HAProxy, as docs/operations.md shows both, before the real server. UPROAR_BINARY names it."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import socket
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "cluster"))

from nginx import TEMPORARY, Nginx  # noqa: E402  the path comes first
from node import Node  # noqa: E402
from services import Service, http_says, program  # noqa: E402

BINARY = os.environ.get("UPROAR_BINARY", str(ROOT / "build/release/tools/uproar"))
OPERATIONS = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
BURST = 30   # of logins from one address, with --logins-per-address 1: another one falls due after a minute
TRIES = BURST + 10
PROXY = "127.0.0.1"
UPGRADE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}


def documented(language, *changes):
    """The example of docs/operations.md; each change must fit once, or the document has gone on without this test."""
    (text,) = re.findall(rf"^```{language}\n(.*?)^```$", OPERATIONS, re.DOTALL | re.MULTILINE)
    for pattern, new in changes:
        text, count = re.subn(pattern, lambda _, new=new: new, text, flags=re.MULTILINE)
        if count != 1:
            raise ValueError(f"docs/operations.md has {pattern!r} {count} times in its example of {language}")
    return text


class DocumentedNginx(Nginx):
    def launch(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        folder = self.folder.resolve()
        site = documented("nginx", (r"server 127\.0\.0\.1:8080;", f"server {self.nodes[0]};"), (r"listen 443 ssl;", f"listen 127.0.0.1:{self.port};"),
                          (r"^ *ssl_certificate .*\n", ""), (r"^ *ssl_certificate_key .*\n", ""))
        temporary = "".join(f"{name}_temp_path {folder}/{name};\n" for name in TEMPORARY)
        (self.folder / "nginx.conf").write_text(f"daemon off;\npid {folder}/pid;\nworker_processes 1;\nevents {{ worker_connections 256; }}\n"
                                                f"http {{\n{temporary}{site}}}\n", encoding="utf-8")
        Service.launch(self)


class HaProxy(Service):
    """`version`: how it says whose a connection is, send-proxy or send-proxy-v2."""

    name = "haproxy"

    def __init__(self, folder, node, version):
        super().__init__(folder)
        self.node, self.version = node, version

    def launch(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        text = documented("haproxy", (r"bind :443 ssl .*", f"bind 127.0.0.1:{self.port}"), (r"127\.0\.0\.1:8080 send-proxy-v2", f"{self.node} {self.version}"),
                          (r"maxconn 100000", "maxconn 256"))
        (self.folder / "haproxy.cfg").write_text(text, encoding="utf-8")
        super().launch()

    def command(self):
        return [program("haproxy", "haproxy"), "-db", "-f", str((self.folder / "haproxy.cfg").resolve())]

    def answers(self):
        return http_says(f"http://127.0.0.1:{self.port}/healthz")


class Alone(Node):
    """A node on its own folder, whose connections begin with `begin`."""

    def __init__(self, folder, begin=b"", **settings):
        self.begin = begin
        usual = {"node-lease": None, "auth-secret-file": None, "trusted-proxy": PROXY, "logins-per-address": 1, "drain-seconds": 0}
        super().__init__(folder, "node", BINARY, postgres=None, redis=None, etcd=None, auth_key_file=pathlib.Path(folder),
                         settings=usual | {name.replace("_", "-"): value for name, value in settings.items()})

    def address(self):
        return f"127.0.0.1:{self.port}"

    def answers(self):
        try:
            return said(self.port, self.begin + b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def metric(self, name):
        text = said(self.admin_port, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").decode()
        if name not in text:
            raise KeyError(f"the node has no metric {name}")
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if re.match(rf"{name}[ {{]", line))


def said(port, words, source=PROXY):
    """All that is answered, until the end of the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0)) as client:
        heard = b""
        try:
            client.sendall(words)
            while received := client.recv(65536):
                heard += received
        except ConnectionError:   # it ended before it had read all
            pass
        return heard


@contextlib.contextmanager
def running(make_front, **settings):
    """-> the node and what stands before it."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="uproar-proxy-", ignore_cleanup_errors=True))
        os.chmod(folder, 0o755)   # nginx's workers are another user where we are root
        parts = [Alone(folder, **settings)]
        parts.append(make_front(folder, parts[0]))
        for part in parts:
            stack.callback(part.stop)
            part.start()
        yield parts


class Client:
    """Somebody at an address of their own, who keeps one connection."""

    def __init__(self, port, source):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10, source_address=(source, 0))

    def status(self, method, path, body=None, headers=()):
        self.connection.request(method, path, body, dict(headers))
        answer = self.connection.getresponse()
        answer.read()
        return answer.status

    def guess(self, headers=()):
        return self.status("POST", "/api/v1/refresh", json.dumps({"refresh_token": "a guess"}), {"Content-Type": "application/json", **dict(headers)})

    def handshake(self):
        self.connection.close()   # a WebSocket has its own
        self.connection.request("GET", "/ws", None, UPGRADE)
        status = self.connection.getresponse().status
        self.connection.close()
        return status


class Cases(unittest.TestCase):
    def client(self, port, source):
        client = Client(port, source)
        self.addCleanup(client.connection.close)
        return client

    def assert_limited(self, statuses):
        """As one client: so many guesses were looked at, and the rest not."""
        self.assertEqual(statuses[:BURST], [401] * BURST)
        self.assertLessEqual(statuses.count(401), BURST + 1)
        self.assertEqual(set(statuses[BURST:]) - {401}, {429})

    def check_clients_are_told_apart(self, port):
        """They take turns, so that a proxy which keeps its connections sends all of them over one."""
        guesser, other = self.client(port, "127.0.0.2"), self.client(port, "127.0.0.3")
        statuses, others = [], []
        for i in range(TRIES):
            statuses.append(guesser.guess())
            if i % 4 == 3:
                others.append(other.guess())
        self.assert_limited(statuses)
        self.assertEqual(others, [401] * len(others))

    def check_forgery_changes_nothing(self, port, source):
        forger = self.client(port, source)
        self.assert_limited([forger.guess({"X-Forwarded-For": f"203.0.113.{i}", "Forwarded": f"for=203.0.113.{i}", "X-Real-IP": f"203.0.113.{i}"})
                             for i in range(TRIES)])

    def check_handshakes_are_counted_by_client(self, port, refused):
        """With one a second for each address."""
        flooder, other = self.client(port, "127.0.0.4"), self.client(port, "127.0.0.5")
        statuses = [flooder.handshake()]
        while statuses[-1] == 101 and len(statuses) < 500:
            statuses.append(flooder.handshake())
        self.assertEqual(statuses[0], 101)
        self.assertEqual(statuses[-1], refused)
        self.assertEqual(other.handshake(), 101)


class BehindNginx(Cases):
    def before(self, **settings):
        return running(lambda folder, node: DocumentedNginx(folder, [node.address()]), **settings)

    def test_each_client_has_its_own_limit_of_logins_also_over_one_connection(self):
        with self.before() as (node, nginx):
            began = node.metric("uproar_net_accepted_total")
            self.check_clients_are_told_apart(nginx.port)
            self.assertLess(node.metric("uproar_net_accepted_total") - began, TRIES / 2)

    def test_forged_headers_change_nothing(self):
        with self.before() as (node, nginx):
            self.check_forgery_changes_nothing(nginx.port, "127.0.0.6")
            self.check_forgery_changes_nothing(node.port, "127.0.0.7")   # past nginx

    def test_the_rightmost_address_that_is_not_trusted_is_the_client(self):
        with self.before() as (node, nginx):
            guesser = self.client(nginx.port, "127.0.0.2")
            self.assert_limited([guesser.guess() for _ in range(TRIES)])
            # nginx makes of it "127.0.0.2, 127.0.0.8": who has used up the allowance of another is looked at all the same.
            self.assertEqual(self.client(nginx.port, "127.0.0.8").guess({"X-Forwarded-For": "127.0.0.2"}), 401)
            # Of two trusted proxies in a row the one behind the client has the word.
            self.assertEqual(self.client(node.port, PROXY).guess({"X-Forwarded-For": f"127.0.0.8, 127.0.0.2, {PROXY}"}), 429)

    def test_handshakes_are_counted_by_client(self):
        with self.before(connections_per_address=1) as (_, nginx):
            self.check_handshakes_are_counted_by_client(nginx.port, 429)


class BehindHaProxy(Cases):
    # A node that wants a PROXY header is asked by the test as a proxy would ask for itself.
    OWN = b"PROXY UNKNOWN\r\n"

    def before(self, version="send-proxy-v2", **settings):
        return running(lambda folder, node: HaProxy(folder, node.address(), version), begin=self.OWN, proxy_protocol="true", **settings)

    def test_each_client_has_its_own_limit_of_logins(self):
        for version in ("send-proxy-v2", "send-proxy"):
            with self.subTest(version), self.before(version) as (_, haproxy):
                self.check_clients_are_told_apart(haproxy.port)

    def test_forged_headers_change_nothing(self):
        with self.before() as (_, haproxy):
            self.check_forgery_changes_nothing(haproxy.port, "127.0.0.6")

    def test_handshakes_are_counted_by_client(self):
        with self.before(connections_per_address=1) as (_, haproxy):
            # The node ends the connection without a word, as it would have ended the client's own.
            self.check_handshakes_are_counted_by_client(haproxy.port, 502)

    def test_who_comes_past_the_proxy_or_without_a_header_is_refused(self):
        request = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        named = b"PROXY TCP4 203.0.113.7 127.0.0.1 4711 8080\r\n"
        with self.before() as (node, _):
            self.assertTrue(said(node.port, named + request).startswith(b"HTTP/1.1 200"))
            self.assertEqual(said(node.port, request), b"")
            self.assertEqual(said(node.port, named + request, source="127.0.0.9"), b"")
            self.assertEqual(node.metric("uproar_net_refused_proxy_header_total"), 1)
            self.assertEqual(node.metric("uproar_net_refused_no_proxy_total"), 1)


if __name__ == "__main__":
    unittest.main()
