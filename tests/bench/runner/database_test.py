"""The PostgreSQL server of a run: a real one, what it is told, and that it ends with whoever started it."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

import samples  # noqa: F401  the way to the runner's modules

from runner import contenders, database, plan, worlds, yardsticks

GONE_SECONDS = 20
BUILD = pathlib.Path("/nonexistent")


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.folder.chmod(0o711)   # the server's user must be able to come here


class Commands(Folder):
    def test_the_library_that_counts_is_for_the_server_alone(self):
        environment = database.Server(self.folder, count=pathlib.Path("/somewhere/count.so")).environment()
        self.assertEqual((environment["LD_PRELOAD"], environment["SYNC_COUNT_FILE"]), (f"{self.folder}/count.so", f"{self.folder}/postgres/syncs"))
        self.assertIsNone(database.Server(self.folder).environment())

    def test_it_syncs_and_is_pinned_where_it_is_told(self):
        words = database.Server(self.folder, core=6).command()
        self.assertEqual(words[:3], ["taskset", "-c", "6"])
        self.assertFalse([word for word in words if word.startswith(("fsync=", "synchronous_commit=", "full_page_writes="))])


class Life(Folder):
    def test_what_was_kept_is_there_in_another_life(self):
        with database.Database(self.folder / "one", BUILD, False) as first:
            first.server.sql("create table t as select 7 as x", database.NAME)
            self.assertGreater(first.cpu_seconds(), 0)
            first.stop()
            first.keep(self.folder / "kept")
        database.copy(self.folder / "kept", self.folder / "two")
        with database.Database(self.folder / "two", BUILD, False) as second:
            self.assertEqual(second.server.sql("select x from t", database.NAME), "7")
            self.assertEqual(second.server.sql("show fsync"), "on")
            family = database.services.tree_of(second.server.pid())
        self.assertGreater(len(family), 2)
        self.assertEqual(those_that_stay(family), [])

    def test_it_ends_when_whoever_started_it_is_killed(self):
        script = ("import sys, time; sys.path.insert(0, sys.argv[1]); import samples, pathlib\n"
                  "from runner import database\n"
                  "made = database.Database(pathlib.Path(sys.argv[2]) / 'd', pathlib.Path('/nonexistent'), False)\n"
                  "made.start()\n"
                  "print(*database.services.tree_of(made.server.pid()), flush=True)\n"
                  "sys.stdin.read()\n")
        starter = subprocess.Popen([sys.executable, "-c", script, str(pathlib.Path(__file__).parent), str(self.folder)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(starter.communicate)
        family = list(map(int, starter.stdout.readline().split()))
        starter.kill()
        self.assertTrue(family)
        self.assertEqual(those_that_stay(family), [])


class Worlds(unittest.TestCase):
    def test_uproar_on_postgres_begins_with_a_database_and_not_with_a_data_folder(self):
        self.assertNotIn("data", contenders.UproarOnPostgres.KEPT)
        cell = plan.Cell("c", "T", "room-1000", on_postgres=True)
        self.assertIsInstance(contenders.uproar(cell, "uproar", samples.bed_of("/s"), ("server",)), contenders.UproarOnPostgres)

    def test_the_load_tool_leaves_the_database_their_processor(self):
        for kind, gives_way in ((contenders.UproarOnPostgres, True), (contenders.Uproar, False)):
            server = kind("uproar", samples.bed_of("/s"), ("server",))
            server.folder, server.key, server.port, server.pid = pathlib.Path("/s"), "k", 1, lambda: 2
            self.assertEqual("--gives-way" in server.load_arguments(), gives_way)

    def test_a_world_of_one_store_is_none_of_the_other(self):
        made = worlds.Worlds()
        made.make = lambda *_: None
        bed = samples.bed_of("/s")
        first, second = (made.of(plan.Cell("c", "T", "room-1000", on_postgres=on), bed, (), ()) for on in (False, True))
        self.assertNotEqual(first, second)


class Yardsticks(unittest.TestCase):
    def test_what_the_programs_say(self):
        self.assertEqual(yardsticks.transactions_per_second("latency average = 1 ms\ntps = 12.5 (without initial connection time)\n"), 12.5)
        self.assertEqual(yardsticks.rows_per_second('{"benchmarks": [{"items_per_second": 3e3}]}'), 3000)
        for parse, text in ((yardsticks.transactions_per_second, "pgbench: error"), (yardsticks.rows_per_second, "{}"), (yardsticks.rows_per_second, "")):
            with self.assertRaises(yardsticks.Failed):
                parse(text)

    def test_a_program_that_fails_is_told_with_its_own_words(self):
        with self.assertRaisesRegex(yardsticks.Failed, "^sh ended with 3: no disk$"):
            yardsticks.asked(["sh", "-c", "echo no disk >&2; exit 3"], 10)

    def test_each_script_speaks_of_its_table(self):
        for name, (table, *_) in yardsticks.TABLES.items():
            script = yardsticks.script_of(name)
            self.assertIn(f"insert into {table}(conversation_id,", script)
            for word in ("TABLE", "COLUMNS", " ID,"):
                self.assertNotIn(word, script)

    def test_they_are_no_peers_and_have_no_levels(self):
        cell = plan.Cell("c", "T", "room-1000", entrants=("uproar", *yardsticks.NAMES), levels=plan.Levels((0.5,), "hall"))
        self.assertEqual([cell.fractions_of(one) for one in cell.entrants], [(0.5,), (), (), ()])
        self.assertFalse(any(one.is_peer for one in cell.entrants))


def those_that_stay(pids):
    """For longer than anything takes to end."""
    deadline = time.monotonic() + GONE_SECONDS
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return [pid for pid in pids if is_running(pid)]


def is_running(pid):
    """A zombie that nobody collects is not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    os.chdir("/")   # the server's user need not be able to stand where we do
    unittest.main()
