"""What tools/cluster takes for its own: folders, ports, and who answers there. Nothing is started but what ends at once."""

import os
import pathlib
import socket
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "cluster"))

import services  # noqa: E402  the path comes first
from cluster import MARKER, Cluster  # noqa: E402
from services import Service, Unavailable, free_port  # noqa: E402


class SomebodyElseAnswers(Service):
    """Its own process ends, as one does whose port is taken."""

    name = "failing"

    def command(self):
        return ["false"]

    def answers(self):
        self.process.wait()
        return True


class Ports(unittest.TestCase):
    def test_no_connection_going_out_is_given_one(self):
        first = int(services.EPHEMERAL_PORTS.read_text(encoding="ascii").split()[0])
        ports = [free_port() for _ in range(50)]
        self.assertEqual(len(set(ports)), 50)
        if first > services.PORT_MIN + 1000:
            self.assertEqual([port for port in ports if port >= first], [])

    def test_there_is_one_where_all_are_for_connections_going_out(self):
        port = free_port(ephemeral=1024)
        with socket.create_server(("127.0.0.1", port)):
            self.assertGreaterEqual(port, 1024)

    def test_an_answer_of_another_process_is_none(self):
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaisesRegex(Unavailable, "failing ended at once with status 1"):
                SomebodyElseAnswers(folder).start()


class Folders(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.data = pathlib.Path(self.folder.name) / "data"

    def cluster(self):
        return Cluster(self.data, 1, binary="none")

    def test_one_that_it_did_not_make_is_left_alone(self):
        for name in ("redis", "etcd", "nginx"):
            (self.data / name).mkdir(parents=True)
            (self.data / name / "precious").write_text("data")
        self.data.chmod(0o700)
        before = sorted(self.data.rglob("*"))
        with self.assertRaisesRegex(Unavailable, "take an empty folder"):
            self.cluster().start()
        self.assertEqual(sorted(self.data.rglob("*")), before)
        self.assertEqual(self.data.stat().st_mode & 0o777, 0o700)

    def test_a_file_is_no_folder(self):
        self.data.write_text("data")
        with self.assertRaisesRegex(Unavailable, "is no folder"):
            self.cluster().start()
        self.assertEqual(self.data.read_text(), "data")

    def test_an_empty_one_is_taken_as_it_is_and_known_again(self):
        self.data.mkdir(mode=0o700)
        first = self.cluster()
        first.claim_folder()
        self.assertEqual(self.data.stat().st_mode & 0o777, 0o700)
        second = self.cluster()
        with self.assertRaisesRegex(Unavailable, "another cluster runs"):
            second.claim_folder()
        second.lock.close()
        first.lock.close()
        (self.data / "postgres").mkdir()
        again = self.cluster()
        again.claim_folder()
        self.addCleanup(again.lock.close)
        self.assertTrue((self.data / MARKER).is_file())

    def test_one_that_it_makes_can_be_entered_by_the_user_of_postgresql(self):
        old = os.umask(0o077)
        self.addCleanup(os.umask, old)
        made = self.cluster()
        made.claim_folder()
        self.addCleanup(made.lock.close)
        self.assertEqual(self.data.stat().st_mode & 0o777, 0o755)


if __name__ == "__main__":
    unittest.main()
