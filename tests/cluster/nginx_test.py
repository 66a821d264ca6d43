"""What nginx.conf does when a node dies while it is asked, and with who asks too often. Real nginx, before nodes that are a few lines each."""

import contextlib
import http.client
import http.server
import os
import pathlib
import re
import socket
import sys
import tempfile
import threading
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "cluster"))

from nginx import CONFIGURATION, Nginx  # noqa: E402  the path comes first
from services import free_port  # noqa: E402

OF_ANOTHER_HOST = "127.0.0.2"   # this host's own address is not limited


class Asked:
    """By the nodes of a test, in their order."""

    def __init__(self, dies_at_first):
        self.dies_at_first, self.requests, self.lock = dies_at_first, [], threading.Lock()

    def is_first(self, path, headers):
        with self.lock:
            self.requests.append((path, dict(headers)))
            return len(self.requests) == 1


def node_of(asked):
    class Node(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            is_first = asked.is_first(self.path, self.headers) if self.path != "/healthz" else False
            if is_first and asked.dies_at_first:   # done, and not told
                self.close_connection = True
                return
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        do_GET = do_POST = answer

        def log_message(self, *_):
            pass

    return http.server.ThreadingHTTPServer(("127.0.0.1", 0), Node)


@contextlib.contextmanager
def nginx_before(asked, gone=0):
    """Two nodes, and `gone` whose ports nobody listens at."""
    with contextlib.ExitStack() as stack:
        addresses = [f"127.0.0.1:{free_port()}" for _ in range(gone)]
        for _ in range(2):
            node = stack.enter_context(node_of(asked))
            threading.Thread(target=node.serve_forever, args=(0.01,), daemon=True).start()
            stack.callback(node.shutdown)
            addresses.append(f"127.0.0.1:{node.server_address[1]}")
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        os.chmod(folder, 0o755)   # nginx's workers are another user where we are root
        nginx = Nginx(folder, addresses, workers=1)
        stack.callback(nginx.stop)
        yield nginx.start()


def ask(nginx, method, path, source="127.0.0.1", headers=()):
    connection = http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=10, source_address=(source, 0))
    with contextlib.closing(connection):
        connection.request(method, path, b"{}" if method == "POST" else None, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


class NodeDies(unittest.TestCase):
    def status_and_count(self, method, path):
        asked = Asked(dies_at_first=True)
        with nginx_before(asked) as nginx:
            status, _ = ask(nginx, method, path)
        return status, len(asked.requests)

    def test_what_may_have_been_done_is_not_done_again(self):
        for path in ("/api/v1/refresh", "/api/v1/register", "/api/v1/login", "/login", "/api/v1/logout", "/api/v1/conversations", "/api/v1/conversations/x/events"):
            with self.subTest(path):
                self.assertEqual(self.status_and_count("POST", path), (502, 1))

    def test_what_is_stored_once_is_asked_of_the_next_node(self):
        for method, path in (("GET", "/api/v1/me"), ("POST", "/api/v1/messages"), ("POST", "/api/v1/conversations/x/messages")):
            with self.subTest(path):
                self.assertEqual(self.status_and_count(method, path), (200, 2))

    def test_a_node_that_was_never_reached_costs_nothing(self):
        asked = Asked(dies_at_first=False)
        with nginx_before(asked, gone=2) as nginx:
            self.assertEqual([ask(nginx, "POST", "/api/v1/refresh")[0] for _ in range(4)], [200] * 4)
        self.assertEqual(len(asked.requests), 4)


class TalkingNode:
    """Takes WebSockets, and keeps them until it is stopped. It may be started again, at the same port."""

    def __init__(self):
        self.port, self.lock = free_port(), threading.Lock()
        self.start()

    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self.sockets = []
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.thread = threading.Thread(target=self.accept, args=(self.listener,), daemon=True)
        self.thread.start()

    def accept(self, listener):
        while True:
            try:
                client = listener.accept()[0]
            except OSError:   # stopped
                return
            client.settimeout(10)
            request = head(client)
            if request.startswith("GET /ws"):
                client.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
                self.sockets.append(client)
            else:
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
                client.close()

    def stop(self):
        """As a node that was asked to: the listening socket first."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()
        for client in self.sockets:
            client.close()


def head(client):
    text = b""
    while b"\r\n\r\n" not in text:
        received = client.recv(4096)
        if not received:
            break
        text += received
    return text.decode()


def connected(nginx):
    """A WebSocket through nginx, and what the handshake was answered."""
    client = socket.create_connection(("127.0.0.1", nginx.port), timeout=10)
    client.sendall(b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    return client, head(client).split(" ", 2)[1]


class NodesRestart(unittest.TestCase):
    def test_nobody_is_turned_away_while_a_node_is_there(self):
        # nginx would leave out who failed once, until a request there has ended well: a WebSocket ends in hours.
        nodes = [TalkingNode() for _ in range(3)]
        with contextlib.ExitStack() as stack:
            for node in nodes:
                stack.callback(node.stop)
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            os.chmod(folder, 0o755)
            nginx = Nginx(folder, [node.address() for node in nodes], workers=1)
            stack.callback(nginx.stop)
            nginx.start()
            answers, clients = [], []

            def comes():
                client, answer = connected(nginx)
                stack.callback(client.close)
                clients.append(client)
                answers.append(answer)

            for _ in range(12):
                comes()
            for node in nodes:
                node.stop()
                # Theirs end; they come back while the node is away, and stay.
                for _ in node.sockets:
                    comes()
                node.start()
            for _ in range(12):
                comes()
            self.assertEqual(answers, ["101"] * len(answers))
            self.assertTrue(all(node.sockets for node in nodes), "each takes connections again")


class Passed(unittest.TestCase):
    def test_host_arrives_as_the_browser_said_it(self):
        asked = Asked(dies_at_first=False)
        with nginx_before(asked) as nginx:
            ask(nginx, "GET", "/", headers={"Host": "chat.example.com:8443"})
            self.assertEqual(asked.requests[0][1]["Host"], "chat.example.com:8443")

    def test_the_client_is_told_last_and_what_it_says_of_itself_before(self):
        asked = Asked(dies_at_first=False)
        with nginx_before(asked) as nginx:
            ask(nginx, "GET", "/", OF_ANOTHER_HOST, {"X-Forwarded-For": "203.0.113.7", "Forwarded": "for=203.0.113.7"})
            headers = asked.requests[0][1]
        self.assertEqual(headers["X-Forwarded-For"], f"203.0.113.7, {OF_ANOTHER_HOST}")
        self.assertNotIn("Forwarded", headers)


class Limits(unittest.TestCase):
    def answers(self, burst, source):
        """Of twice as many requests as may come at once; more arrive only as time goes by, so there is no telling how many are turned away."""
        with nginx_before(Asked(dies_at_first=False)) as nginx:
            return [ask(nginx, "POST", "/api/v1/login", source) for _ in range(2 * burst)]

    def test_logins_of_an_address_are_bounded_and_told_so(self):
        burst = int(re.search(r"zone=logins burst=(\d+)", CONFIGURATION.read_text(encoding="utf-8")).group(1))
        answers = self.answers(burst, OF_ANOTHER_HOST)
        self.assertEqual([status for status, _ in answers[:burst]], [200] * burst)
        turned_away = [body for status, body in answers if status == 429]
        self.assertTrue(turned_away)
        self.assertIn('"code":"rate_limited"', turned_away[0])

    def test_this_host_is_not_limited(self):
        self.assertEqual({status for status, _ in self.answers(60, "127.0.0.1")}, {200})


if __name__ == "__main__":
    unittest.main()
