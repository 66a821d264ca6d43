"""What is asked of servers: flags, metrics, whether a peer serves yet; and that none outlives its run. `sleep` and scripts stand in for servers."""

import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock

import samples

from runner import contenders, cores

GONE_SECONDS = 20   # what has not come about by then never will


class Flags(unittest.TestCase):
    def test_a_later_flag_takes_the_place_of_an_earlier_one(self):
        self.assertEqual(contenders.merged(("--shards", "1", "--x", "2"), ("--shards", "13")), ["--shards", "13", "--x", "2"])

    def test_roles_become_processors(self):
        bed = samples.bed_of("/scratch")
        server = contenders.Uproar("uproar", bed, (cores.SERVER, cores.LOAD))
        self.assertEqual(server.pinned(["x"]), ["taskset", "-c", "4,6", "x"])
        server.load_arguments = lambda: []
        self.assertEqual(contenders.load_command(bed, "idle", server, cores.LOAD, ())[-2:], ["--core", "6"])
        self.assertNotIn("--core", contenders.load_command(bed, "idle", server, None, ()))


class OperatorsPort(unittest.TestCase):
    def of(self, help_text):
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder, "uproar")
            program.write_text(f"#!/bin/sh\n[ \"$*\" = 'serve --help' ] && echo '{help_text}'\n")
            program.chmod(0o755)
            return contenders.operators_port(str(program), 8080)

    def test_a_build_that_has_one_gets_one_that_is_free(self):
        port, flags = self.of("--listen HOST:PORT --admin-listen HOST:PORT")
        self.assertNotEqual(port, 8080)
        self.assertEqual(flags, ["--admin-listen", f"127.0.0.1:{port}"])

    def test_an_older_build_answers_them_at_the_public_one(self):
        self.assertEqual(self.of("--listen HOST:PORT"), (8080, []))


class Counting(unittest.TestCase):
    def test_a_build_without_the_library_that_counts_is_not_told_to_have_waited_for_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            where = pathlib.Path(folder)
            made = contenders.Uproar("before", samples.bed_of(where, build=where), ("server",), counts_syncs=True)
            made.folder, library = where, where / "bench/sync_count/libuproar_sync_count.so"
            with self.assertRaisesRegex(contenders.Unavailable, "libuproar_sync_count.so is not built beside before"):
                made.furnish()
            library.parent.mkdir(parents=True)
            library.touch()
            made.furnish()
            self.assertEqual(made.environment["LD_PRELOAD"], str(library))


class Metrics(unittest.TestCase):
    def test_labels_are_summed_and_longer_names_are_others(self):
        text = '# TYPE a_total counter\na_total{shard="0"} 3\na_total{shard="1"} 4\na_total_more 9\n'
        self.assertEqual(contenders.sum_of(text, "a_total"), 7)
        with self.assertRaises(contenders.Unavailable):
            contenders.sum_of(text, "a")


class Readiness(unittest.TestCase):
    def test_a_peer_is_ready_when_its_launcher_says_so_and_not_when_a_log_line_has_the_word(self):
        with tempfile.TemporaryDirectory() as folder:
            peer = contenders.Peer("bun", samples.bed_of(folder), ("server",))
            peer.folder = pathlib.Path(folder)
            for said, ready in (("", False), ("server is ready\n", False), ("read", False), ("building\nready\n", True)):
                (peer.folder / "log").write_text(said)
                self.assertEqual(peer.is_ready(), ready, said)


class NeverReady(contenders.Contender):
    """Its `trouble` comes while it is waited for."""

    trouble = KeyboardInterrupt()

    def command(self):
        return ["sleep", "1000"]

    def is_ready(self):
        raise self.trouble


class Starting(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = pathlib.Path(scratch.name)

    def contender(self, kind=NeverReady, **changed):
        made = kind("sleeper", samples.bed_of(self.scratch), (cores.SERVER,))
        for name, value in changed.items():
            setattr(made, name, value)
        return made

    def assert_nothing_is_left(self, made):
        self.assertEqual(list(self.scratch.iterdir()), [])
        if made.process is not None:
            self.assertIsNotNone(made.process.returncode)

    def test_an_interruption_while_it_starts_leaves_neither_server_nor_folder(self):
        for trouble in (KeyboardInterrupt(), SystemExit("stopped"), contenders.Unavailable("no")):
            made = self.contender(trouble=trouble)
            with self.assertRaises(type(trouble)):
                made.__enter__()
            self.assert_nothing_is_left(made)
            self.assertEqual(made.process.returncode, -signal.SIGKILL)

    def test_neither_does_one_before_the_server_is_there(self):
        def interrupted():
            raise KeyboardInterrupt
        for part in ("furnish", "command"):
            made = self.contender(**{part: interrupted})
            with self.assertRaises(KeyboardInterrupt):
                made.__enter__()
            self.assert_nothing_is_left(made)

    def test_a_program_that_is_not_there(self):
        made = self.contender(command=lambda: ["/nonexistent/server"])
        with self.assertRaises(FileNotFoundError):
            made.__enter__()
        self.assert_nothing_is_left(made)

    def test_a_variable_of_the_callers_sets_nothing_up(self):
        made = self.contender(is_ready=lambda: False, command=lambda: ["sh", "-c", 'echo "[$UPROAR_SHARDS] [$OTHER] [$SYNC_COUNT_FILE]"; exit 1'],
                              environment={"SYNC_COUNT_FILE": "f"})
        with unittest.mock.patch.dict("os.environ", {"UPROAR_SHARDS": "7", "OTHER": "x"}), self.assertRaises(contenders.Unavailable) as caught:
            made.__enter__()
        self.assertIn("[] [x] [f]", str(caught.exception))

    def test_a_settings_file_where_the_bench_was_started_is_not_found(self):
        made = self.contender(is_ready=lambda: False)
        made.command = lambda: ["sh", "-c", f'[ "$(pwd -P)" = "$(realpath {made.folder})" ] && echo at home; exit 1']
        with self.assertRaises(contenders.Unavailable) as caught:
            made.__enter__()
        self.assertIn("at home", str(caught.exception))

    def test_what_it_said_is_told_without_where_it_was(self):
        made = self.contender(is_ready=lambda: False)
        made.command = lambda: ["sh", "-c", f"echo {made.folder}/data: no; exit 3"]
        with self.assertRaises(contenders.Unavailable) as caught:
            made.__enter__()
        self.assertEqual(str(caught.exception), "sleeper ended at once with status 3: data: no\ndata: no\n")

    def test_the_line_that_is_shown_has_the_last_words(self):
        made = self.contender(is_ready=lambda: False)
        made.command = lambda: ["sh", "-c", "echo warning; echo 'bun is missing. Install with: x'; echo; exit 1"]
        with self.assertRaises(contenders.Unavailable) as caught:
            made.__enter__()
        self.assertEqual(str(caught.exception).splitlines()[0], "sleeper ended at once with status 1: bun is missing. Install with: x")

    def test_server_and_load_tool_end_when_whoever_started_them_is_killed(self):
        script = ("import sys; sys.path.insert(0, sys.argv[1]); import samples\n"
                  "from runner import contenders\n"
                  "class Server(contenders.Contender):\n"
                  "    command = lambda self: ['sleep', '1000']\n"
                  "    is_ready = lambda self: True\n"
                  "with Server('x', samples.bed_of(sys.argv[2]), ('server',)) as server:\n"
                  "    said = f'{sys.argv[2]}/pids'\n"
                  "    contenders.run_load(['sh', '-c', f'echo {server.process.pid} $$ > {said}.new; mv {said}.new {said}; exec sleep 1000'], 1000)\n")
        starter = subprocess.Popen([sys.executable, "-c", script, str(pathlib.Path(__file__).parent), str(self.scratch)])
        self.addCleanup(starter.wait)
        self.addCleanup(starter.kill)
        said = self.scratch / "pids"
        self.assertTrue(comes_about(said.exists))
        started = list(map(int, said.read_text().split()))
        starter.kill()
        self.assertEqual(len(started), 2)
        for pid in started:
            self.assertTrue(comes_about(lambda: not is_running(pid)), pid)


def comes_about(condition):
    deadline = time.monotonic() + GONE_SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def is_running(pid):
    """A zombie that nobody collects is not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    unittest.main()
