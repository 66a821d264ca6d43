"""`tools/dev cluster 2`: starts, says what runs where, tells what died, stops all of it. UPROAR_BINARY names the server."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "cluster"))

from services import process_table, tree_of  # noqa: E402  the path comes first

LATE_SECONDS = 60


def is_gone(pid):
    state, _ = process_table().get(pid, ("Z", 0))
    return state == "Z"


def eventually(condition):
    deadline = time.monotonic() + LATE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def rest(url, path, body=None, token=None):
    headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(url + path, None if body is None else json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


class TwoNodes(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="uproar-up-", ignore_cleanup_errors=True)
        self.addCleanup(self.folder.cleanup)
        os.chmod(self.folder.name, 0o755)   # PostgreSQL runs as another user
        self.words = pathlib.Path(self.folder.name) / "words"

    def start(self, *arguments, binary=os.environ.get("UPROAR_BINARY", str(ROOT / "build/release/tools/uproar"))):
        with open(self.words, "wb") as words:
            self.process = subprocess.Popen([sys.executable, str(ROOT / "tools/cluster/up.py"), "2", "--json", "--binary", binary, "--data", f"{self.folder.name}/data", *arguments],
                                            stdout=subprocess.PIPE, stderr=words, text=True)
        self.addCleanup(self.process.stdout.close)
        self.addCleanup(self.end)
        line = self.process.stdout.readline()
        self.assertTrue(line, self.words.read_text())
        self.cluster = json.loads(line)
        parts = [*self.cluster["nodes"], *self.cluster["services"].values()]
        self.pids = [pid for part in parts for pid in tree_of(part["pid"])]

    def end(self):
        if self.process.poll() is None:
            self.process.kill()   # its parts end with it
        self.process.wait()

    def stop(self, number):
        self.process.send_signal(number)
        self.assertEqual(self.process.wait(LATE_SECONDS), 0, self.words.read_text())
        self.assertEqual([pid for pid in self.pids if not is_gone(pid)], [])

    def test_runs_as_one_server_until_it_is_interrupted(self):
        self.start()
        self.assertEqual(len(self.cluster["nodes"]), 2)
        self.assertEqual(set(self.cluster["services"]), {"nginx", "postgres", "redis", "etcd"})
        ann = rest(self.cluster["url"], "/api/v1/register", {"name": "ann", "password": "correct horse 1"})
        for node in self.cluster["nodes"]:
            self.assertEqual(rest(node["url"], "/api/v1/me", token=ann["access_token"])["user_id"], ann["user_id"])
            self.assertEqual(len(rest(node["admin_url"], "/api/v1/admin/nodes")["nodes"]), 2)
        self.stop(signal.SIGINT)

    def test_keeps_accounts_for_the_next_time_and_says_which_part_died(self):
        self.start()
        rest(self.cluster["url"], "/api/v1/register", {"name": "ann", "password": "correct horse 1"})
        self.stop(signal.SIGTERM)
        self.start()
        self.assertIn("access_token", rest(self.cluster["url"], "/api/v1/login", {"name": "ann", "password": "correct horse 1"}))
        os.kill(self.cluster["nodes"][1]["pid"], signal.SIGKILL)
        self.assertTrue(eventually(lambda: "n2 (pid" in self.words.read_text()), self.words.read_text())
        self.assertIn("SIGKILL", self.words.read_text())
        self.assertIn("access_token", rest(self.cluster["url"], "/api/v1/login", {"name": "ann", "password": "correct horse 1"}))
        self.stop(signal.SIGTERM)

    def test_leaves_nothing_behind_when_it_is_killed(self):
        self.start()
        self.process.kill()
        self.process.wait()
        self.assertTrue(eventually(lambda: all(is_gone(pid) for pid in self.pids)), [pid for pid in self.pids if not is_gone(pid)])

    def test_mends_a_folder_whose_database_was_being_made_when_it_ended(self):
        database = pathlib.Path(self.folder.name) / "data" / "postgres"
        for number in (signal.SIGINT, signal.SIGKILL):
            with open(self.words, "wb") as words:
                self.process = subprocess.Popen([sys.executable, str(ROOT / "tools/cluster/up.py"), "1", "--data", f"{self.folder.name}/data"], stdout=words, stderr=words)
            self.addCleanup(self.end)
            self.assertTrue(eventually(lambda: list(database.glob("*/PG_VERSION"))), self.words.read_text())   # written first, long before the rest
            self.process.send_signal(number)
            self.process.wait(LATE_SECONDS)
            self.assertFalse((database / "data").exists(), self.words.read_text())
        self.start()
        self.assertIn("access_token", rest(self.cluster["url"], "/api/v1/register", {"name": "ann", "password": "correct horse 1"}))
        self.assertEqual([path.name for path in database.glob("data*")], ["data"])
        self.stop(signal.SIGTERM)

    def test_says_in_a_line_why_a_folder_cannot_be_had(self):
        done = subprocess.run([sys.executable, str(ROOT / "tools/cluster/up.py"), "1", "--data", "/proc/none"], capture_output=True, text=True, timeout=LATE_SECONDS)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout + done.stderr, r"^tools/dev cluster: /proc/none: .*--data\)\n$")

    def test_says_what_to_do_without_a_binary(self):
        done = subprocess.run([sys.executable, str(ROOT / "tools/cluster/up.py"), "1", "--binary", f"{self.folder.name}/none", "--data", f"{self.folder.name}/data"],
                              capture_output=True, text=True, timeout=LATE_SECONDS)
        self.assertEqual(done.returncode, 1)
        self.assertIn("tools/dev build release uproar", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
