"""A held link passes nothing and loses nothing. Sockets only: no service is needed."""

import pathlib
import socket
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from links import Links  # noqa: E402  the path comes first

SOON = 0.2
LATE = 10


class HeldLinks(unittest.TestCase):
    def setUp(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(LATE)
        self.links = Links()
        self.port = self.links.between("n1", "redis", self.listener.getsockname()[1])
        self.addCleanup(self.listener.close)
        self.addCleanup(self.links.close)

    def connect(self):
        client = socket.create_connection(("127.0.0.1", self.port), LATE)
        self.addCleanup(client.close)
        return client

    def accept(self):
        server, _ = self.listener.accept()
        server.settimeout(LATE)
        self.addCleanup(server.close)
        return server

    def assert_silent(self, connection):
        connection.settimeout(SOON)
        with self.assertRaises(TimeoutError):
            connection.recv(1)
        connection.settimeout(LATE)

    def test_passes_both_ways(self):
        client = self.connect()
        server = self.accept()
        client.sendall(b"ask")
        self.assertEqual(server.recv(16), b"ask")
        server.sendall(b"answer")
        self.assertEqual(client.recv(16), b"answer")

    def test_what_is_said_while_held_comes_afterwards_and_once(self):
        client = self.connect()
        server = self.accept()
        client.sendall(b"1")
        self.assertEqual(server.recv(16), b"1")
        self.links.hold("n1", "redis")
        client.sendall(b"2")
        server.sendall(b"3")
        self.assert_silent(server)
        self.assert_silent(client)
        self.links.release("n1", "redis")
        self.assertEqual(server.recv(16), b"2")
        self.assertEqual(client.recv(16), b"3")
        self.assert_silent(server)

    def test_who_connects_while_held_is_taken_and_told_nothing(self):
        self.links.hold("n1", "redis")
        client = self.connect()
        client.sendall(b"hello")
        self.listener.settimeout(SOON)
        with self.assertRaises(TimeoutError):
            self.listener.accept()
        self.listener.settimeout(LATE)
        self.links.release("n1", "redis")
        self.assertEqual(self.accept().recv(16), b"hello")

    def test_says_whether_it_bears_upon_anything(self):
        self.assertEqual(self.links.hold("n1", "redis"), 0)
        self.links.release("n1", "redis")
        self.connect().sendall(b"1")
        self.assertEqual(self.accept().recv(16), b"1")
        self.assertEqual(self.links.hold("n1", "redis"), 2)
        self.links.between("n1", "etcd", 1)
        self.assertEqual(self.links.hold("n1", "redis", "etcd"), 0, "nobody is on one of them")
        self.assertEqual(self.links.cut("n1", "redis"), 2)

    def test_only_the_named_link_is_held(self):
        other = self.links.between("n2", "redis", self.listener.getsockname()[1])
        self.links.hold("n1", "redis")
        with socket.create_connection(("127.0.0.1", other), LATE) as client:
            client.sendall(b"through")
            self.assertEqual(self.accept().recv(16), b"through")

    def test_an_end_is_passed_on(self):
        client = self.connect()
        server = self.accept()
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(server.recv(16), b"")
        server.sendall(b"last words")
        server.close()
        self.assertEqual(client.recv(16), b"last words")
        self.assertEqual(client.recv(16), b"")

    def test_a_cut_resets_both_ends(self):
        client = self.connect()
        server = self.accept()
        client.sendall(b"1")
        self.assertEqual(server.recv(16), b"1")
        self.links.cut("n1", "redis")
        for end in (client, server):
            try:
                self.assertEqual(end.recv(16), b"")
            except ConnectionResetError:
                pass

    def test_nobody_behind_it_is_a_reset(self):
        port = self.links.between("n3", "redis", 1)
        with socket.create_connection(("127.0.0.1", port), LATE) as client:
            try:
                self.assertEqual(client.recv(16), b"")
            except ConnectionResetError:
                pass


if __name__ == "__main__":
    unittest.main()
