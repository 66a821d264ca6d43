"""bench/run itself: its arguments, and that what is doubtful is said where it can be seen."""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import pathlib
import tempfile
import types
import unittest

from samples import PlayedBench, bed_of

from runner import bounds, plan, progress, suite, testbed

PATH = testbed.ROOT / "bench/run"
BUILD = {"version": "uproar 0.1.0", "type": "Debug", "compiler": "g++", "flags": "-Og", "sanitize": "", "commit": "abc", "commit_time": "", "uncommitted": False,
         "doubts": ["its build type is Debug, not Release"]}


def loaded():
    """The program as a module; each test has one of its own, whose parts it may replace."""
    loader = importlib.machinery.SourceFileLoader("bench_run", str(PATH))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench_run", loader))
    loader.exec_module(module)
    return module


class Arguments(unittest.TestCase):
    def test_a_build_is_found_from_wherever_servers_are_started(self):
        with tempfile.TemporaryDirectory() as where, contextlib.chdir(where):
            pathlib.Path("b/tools").mkdir(parents=True)
            pathlib.Path("b/tools/uproar").touch()
            options = loaded().arguments(["--build", "b", "--also", "before=b"])
            self.assertEqual((options.build, options.also), (pathlib.Path(where).resolve() / "b", [("before", pathlib.Path(where).resolve() / "b")]))

    def test_cores_that_are_not_ours_are_refused(self):
        run = loaded()
        for text in ("nonsense", "0", "0,0", "0,100000"):
            with self.assertRaises(SystemExit, msg=text), contextlib.redirect_stderr(io.StringIO()):
                run.chosen_cores(run.arguments(["--cores", text]))
        two = sorted(os.sched_getaffinity(0))[:2]
        if len(two) == 2:
            self.assertEqual(run.chosen_cores(run.arguments(["--cores", f"{two[1]},{two[0]}"])).server, two[1])


    def refused(self, *words, cells=()):
        """What bench/run says when it refuses these arguments, by itself or before it would measure."""
        run, said = loaded(), io.StringIO()
        run.builds = types.SimpleNamespace(PROGRAMS=())
        try:
            with contextlib.redirect_stderr(said):
                run.check(run.arguments(list(words)), cells)
        except SystemExit as ended:
            return said.getvalue() + str(ended.code)
        return ""

    def test_settings_that_are_none_or_last_no_time_are_refused(self):
        for text in ("seconds", "=1", "seconds=", "seconds=0", "seconds=-1", "seconds=nan", "seconds=x", "warmup_seconds=-1", "warmup_seconds=inf"):
            self.assertIn(f"{text}: expected", self.refused("--set", text))
        for text in ("seconds=0.3", "warmup_seconds=0", "hall.members=100"):
            self.assertEqual(self.refused("--set", text), "")

    def test_rounds_that_measure_nothing_are_refused(self):
        for flag, text in (("--rounds", "0"), ("--rounds", "-1"), ("--rounds", "x"), ("--duels", "-1")):
            self.assertIn("expected a number of rounds", self.refused(f"{flag}={text}"))
        self.assertEqual(self.refused("--rounds=1", "--duels=0"), "")

    def test_a_further_build_needs_a_name_of_its_own(self):
        with tempfile.TemporaryDirectory() as where:
            (pathlib.Path(where) / "tools").mkdir()
            (pathlib.Path(where) / "tools/uproar").touch()
            for name in ("uproar", "bun", "bun-raw", "floor-send", "all read"):
                self.assertIn(f"{name} takes part already", self.refused("--also", f"{name}={where}"))
            self.assertIn("two builds cannot have one name", self.refused("--also", f"a={where}", "--also", f"a={where}"))
            self.assertEqual(self.refused("--also", f"a={where}", "--also", f"b={where}"), "")

    def test_peers_that_do_not_exist_are_refused_with_those_that_do(self):
        said = self.refused("--against", "bum", "--against", "ws")
        self.assertIn("--against bum: there is no such peer; there are bun, ws,", said)
        self.assertEqual(self.refused("--against", "bun") + self.refused("--against", "none"), "")

    def test_folders_that_cannot_be_are_refused_before_anything_is_measured(self):
        with tempfile.NamedTemporaryFile() as file:
            for flag in ("--out", "--scratch"):
                self.assertIn(f"{flag} {file.name} cannot be a folder", self.refused(flag, file.name))
                self.assertIn("cannot be a folder", self.refused(flag, f"{file.name}/below"))


class Adding(unittest.TestCase):
    def measured(self, folder, names, *words, cpu=1.0, doubts=(), kernel="6", ends_at=None):
        """`ends_at`: which run is interrupted."""
        def play(*_):
            if len(bench.asked) == ends_at:
                raise KeyboardInterrupt
            return {"cpu": cpu, "retried": 1}
        bench = PlayedBench(play)
        run = loaded()
        run.builds = types.SimpleNamespace(facts_of=lambda _: {**BUILD, "doubts": list(doubts)})
        run.bystanders = types.SimpleNamespace(busy_cores=lambda: 0.0)
        run.machine = types.SimpleNamespace(facts=lambda _: {"kernel": kernel}, doubts_about=lambda _: [])
        run.measure = types.SimpleNamespace(Bench=lambda *_: bench)
        run.progress = types.SimpleNamespace(Progress=lambda cells, runs: progress.Progress(cells, runs, out=io.StringIO()), printable=str)
        cells = [plan.Cell(name, f"T of {name}", "room-1000", entrants=("uproar",), bounds=(bounds.Bound("cpu", "CPU", most=1.5),)) for name in names.split()]
        with contextlib.redirect_stderr(io.StringIO()):
            return run.measured(run.arguments(["--against", "none", "--rounds", "1", "--out", str(folder), *words]), cells, bed_of(folder))[0]

    def test_cells_join_those_of_the_report_and_take_the_place_of_their_older_selves(self):
        with tempfile.TemporaryDirectory() as folder:
            self.measured(folder, "a", "--set", "seconds=7")
            both = self.measured(folder, "b", "--add")
            self.assertEqual([cell["name"] for cell in both["cells"]], ["a", "b"])
            self.assertEqual([(part["cells"], part["settings"]) for part in both["parts"]], [(["a"], ["seconds=7"]), (["b"], [])])
            again = self.measured(folder, "a", "--add", cpu=2.0)
            self.assertEqual([(one["cell"], one["held"]) for one in again["verdicts"]], [("b", True), ("a", False)])
            self.assertEqual([part["cells"] for part in again["parts"]], [["b"], ["a"]])
            self.assertEqual(len([doubt for doubt in again["doubts"] if doubt.startswith("a, ")]), 1)
            page = (pathlib.Path(folder) / "report.html").read_text()
            self.assertIn("T of a", page)
            self.assertIn("T of b", page)
            self.assertNotIn("seconds=7", page, "that was the older a")

    def test_what_an_interruption_left_unmeasured_is_kept_as_it_was(self):
        with tempfile.TemporaryDirectory() as folder:
            self.measured(folder, "a b c")
            with self.assertRaises(KeyboardInterrupt):
                self.measured(folder, "a b", "--add", cpu=2.0, ends_at=2)
            kept = json.loads((pathlib.Path(folder) / "report.json").read_text())
            self.assertEqual([(one["cell"], one["held"]) for one in kept["verdicts"]], [("b", True), ("c", True), ("a", False)])
            self.assertEqual([cell["name"] for cell in kept["cells"]], ["b", "c", "a"])
            self.assertEqual([part["cells"] for part in kept["parts"]], [["b", "c"], ["a"]], "no part claims what it did not measure")

    def test_a_doubt_about_frames_goes_with_the_cell_it_is_about(self):
        run = {"parts": [{"cells": []}], "cells": [], "verdicts": [], "doubts": ["a: a delivery had 2 bytes", "a, bun: 3 connects", "ab, bun: 3 connects", "not quiet"]}
        suite.take_in(run, {"name": "a"}, [], ["a, bun: 1 connect"])
        self.assertEqual(run["doubts"], ["ab, bun: 3 connects", "not quiet", "a, bun: 1 connect"])

    def test_only_settings_that_shorten_a_cell_leave_it_to_be_judged(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(self.measured(folder, "a", "--set", "seconds=7", "--set", "warmup_seconds=1")["verdicts"][0]["held"], True)
            verdict = self.measured(folder, "a", "--set", "seconds=7", "--set", "hall.in_flight=1")["verdicts"][0]
            self.assertEqual((verdict["held"], verdict["why"]), (None, "not what is asked of the cell: it was measured with hall.in_flight=1"))

    def test_another_build_or_machine_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            self.measured(folder, "a")
            for changed, named in (({"doubts": ["older than its sources"]}, "builds (uproar)"), ({"kernel": "7"}, "machine (kernel)")):
                with self.assertRaises(SystemExit) as ended:
                    self.measured(folder, "b", "--add", **changed)
                self.assertIn(f"has another {named}", str(ended.exception.code))
            for text in ("{", "{}", "[1]", '{"cells": []}'):
                (pathlib.Path(folder) / "report.json").write_text(text)
                with self.assertRaises(SystemExit) as ended:
                    self.measured(folder, "b", "--add")
                self.assertIn("is no report", str(ended.exception.code))

    def test_there_must_be_a_report(self):
        run = loaded()
        run.builds = types.SimpleNamespace(PROGRAMS=())
        with tempfile.TemporaryDirectory() as folder:
            for words in (["--add"], ["--add", "--out", folder]):
                with self.assertRaises(SystemExit) as ended:
                    run.check(run.arguments(words), [])
                self.assertIn("--add needs --out FOLDER", str(ended.exception.code))


class Doubts(unittest.TestCase):
    def test_they_are_on_the_terminal_and_in_the_report(self):
        run, said = loaded(), io.StringIO()
        run.builds = types.SimpleNamespace(facts_of=lambda _: BUILD)
        run.bystanders = types.SimpleNamespace(busy_cores=lambda: 0.0)
        run.measure = types.SimpleNamespace(Bench=lambda *_: PlayedBench(lambda *_: {"retried": 3}))
        run.progress = types.SimpleNamespace(Progress=lambda cells, runs: progress.Progress(cells, runs, out=said))
        cell = plan.Cell("c", "T", "room-1000", entrants=("uproar",))
        with tempfile.TemporaryDirectory() as folder:
            report, page = run.measured(run.arguments(["--quick", "--against", "none", "--out", folder]), [cell], bed_of(folder))
            for doubt in ("Debug, not Release", "Not for publishing"):
                self.assertIn(doubt, said.getvalue())
                self.assertIn(doubt, page.read_text())
            kept = json.loads((pathlib.Path(folder) / "report.json").read_text())
            self.assertEqual(kept["doubts"], report["doubts"])
            self.assertIn("c, uproar: 3 connects had to be made again, refused or reset by the server.", kept["doubts"])


if __name__ == "__main__":
    unittest.main()
