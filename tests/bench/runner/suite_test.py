"""The whole run: duels, what counts as wrong, what is doubted, how long it takes, what is kept of earlier reports."""

import json
import pathlib
import tempfile
import unittest

from samples import PlayedBench, Silent, entries_of

from runner import bounds, measure, plan, progress, suite


def teller_of(runs):
    return progress.Progress(1, runs, out=Silent())


class Duels(unittest.TestCase):
    def test_what_two_came_to_alone_counts_more_than_what_they_came_to_among_all(self):
        cell = plan.Cell("c", "T", "room-1000", entrants=("uproar", "ws", "bun"), bounds=(bounds.Bound("cpu", "CPU", most=1.0, against=bounds.BEST_PEER),))
        # Among all, bun is the best and uproar is worse; alone with it uproar is better.
        cpu = iter((3.0, 9.0, 2.0, 1.0, 2.0, 2.0, 1.0))
        bench = PlayedBench(lambda *_: {"cpu": next(cpu)})
        report, verdicts, _ = suite.run_cell(cell, list(cell.entrants), bench, 1, 2, progress.Progress(1, 7, out=Silent()))
        self.assertEqual([name for name, _ in bench.asked[3:]], ["uproar", "bun", "bun", "uproar"])
        self.assertEqual((verdicts[0]["held"], verdicts[0]["measured"]["median"], verdicts[0]["against"]), (None, 0.5, "bun"))   # others did not run
        self.assertEqual(list(report["duels"]), ["bun"])

    def test_who_cannot_run_has_no_duel(self):
        cell = plan.Cell("c", "T", "room-1000", entrants=("uproar", "bun"), bounds=(bounds.Bound("cpu", "CPU", most=1.0, against="bun"),))
        bench = PlayedBench(lambda entrant, _: measure.Failed("gone") if entrant.name == "bun" else {})
        report, verdicts, _ = suite.run_cell(cell, list(cell.entrants), bench, 1, 2, progress.Progress(1, 7, out=Silent()))
        self.assertEqual((report["duels"], verdicts[0]["held"], verdicts[0]["why"]), ({}, None, "bun: gone"))

    def test_the_figures_of_a_duel_stand_by_its_verdict_unless_they_drifted(self):
        cell = plan.Cell("c", "T", "room-1000", entrants=("uproar", "bun"), bounds=(bounds.Bound("cpu", "CPU", most=1.0, against="bun"),))

        def found(*cpu):
            turns = iter((9.0, 9.0, *cpu))
            _, verdicts, _ = suite.run_cell(cell, list(cell.entrants), PlayedBench(lambda *_: {"cpu": next(turns)}), 1, 3, teller_of(8))
            return verdicts[0]["side_by_side"]
        calm = found(1.0, 2.0, 2.0, 1.0, 1.0, 2.0)
        self.assertEqual((calm["rounds"], calm["ours"]["median"], calm["theirs"]["median"]), (3, 1.0, 2.0))
        drifted = found(1.0, 2.0, 8.0, 4.0, 16.0, 32.0)
        self.assertEqual(drifted, {"rounds": 3, "ours": None, "theirs": None})


class BestPeer(unittest.TestCase):
    def verdict(self, *names):
        cell = plan.Cell("c", "T", "room-1000", entrants=("uproar", *names), bounds=(bounds.Bound("cpu", "CPU", most=1.0, against=bounds.BEST_PEER),))
        play = lambda entrant, _: measure.Failed("gone") if entrant.name == "ws" else {"cpu": {"uproar": 1.0, "mine": 2.0}.get(entrant.name, 4.0)}   # noqa: E731
        return suite.run_cell(cell, list(cell.entrants), PlayedBench(play), 1, 0, teller_of(9))[1][0]

    def test_the_verdict_names_the_best_of_those_that_ran_and_who_did_not(self):
        self.assertEqual(suite.verdict_line(self.verdict("bun", "ws", "gorilla", "beast")),
                         "open         c: CPU: at most 1 x the best peer's: 0.25, against beast; without ws, socketio, nchan, nats")

    def test_a_miss_follows_from_some_of_them_and_a_win_takes_all(self):
        self.assertIs(self.verdict(*plan.PEERS[:1], "mine")["held"], None)
        cell = plan.Cell("c", "T", "room-1000", entrants=("uproar", "bun"), bounds=(bounds.Bound("cpu", "CPU", most=0.1, against=bounds.BEST_PEER),))
        self.assertIs(suite.run_cell(cell, list(cell.entrants), PlayedBench(lambda *_: {"cpu": 1.0}), 1, 0, teller_of(2))[1][0]["held"], False)

    def test_none_ran(self):
        self.assertIn("no peer's figures count; without bun, ws, socketio", suite.verdict_line(self.verdict("ws")))

    def test_one_that_the_plan_does_not_know_may_be_the_best(self):
        self.assertEqual(self.verdict(*plan.PEERS, "mine")["against"], "mine")


class Wrong(unittest.TestCase):
    def faults(self, at):
        """Of a cell whose runs of `at` (entrant, at a level, in a duel) lose deliveries."""
        cell = plan.Cell("c", "T", "room-1000", entrants=("uproar", "bun"), bounds=(bounds.Bound("cpu", "CPU", most=1.0, against="bun"),),
                         levels=plan.Levels((0.5,), "hall"))
        bench = PlayedBench(lambda *_: {})
        # Four runs of the cell (two entrants, each with its level), then the duel.
        bench.faults = lambda entrant, forced: ["2 lost"] if (entrant.name, bool(forced), len(bench.asked) > 4) == at else []
        report, verdicts, _ = suite.run_cell(cell, list(cell.entrants), bench, 1, 1, teller_of(6))
        return suite.faults_of_ours([report]), verdicts

    def test_a_level_that_is_wrong_fails_the_run(self):
        self.assertEqual(self.faults(("uproar", True, False))[0], ["c, uproar at 50%: 2 lost"])

    def test_a_duel_that_is_wrong_fails_the_run_and_its_verdict(self):
        faults, verdicts = self.faults(("uproar", False, True))
        self.assertEqual(faults, ["c, uproar side by side with bun: 2 lost"])
        self.assertEqual((verdicts[0]["held"], verdicts[0]["why"]), (None, "wrong: 2 lost"))

    def test_what_a_peer_loses_is_told_all_the_same(self):
        cell = plan.Cell("c", "T", "room-1000", entrants=("uproar", "floor-send", "bun"))
        bench = PlayedBench(lambda *_: {}, faults=lambda *_: ["2 lost"])
        report, _, _ = suite.run_cell(cell, list(cell.entrants), bench, 1, 0, teller_of(3))
        self.assertEqual(suite.faults_of_peers([report]), ["c, bun: 2 lost"])

    def test_what_a_peer_loses_is_its_own(self):
        self.assertEqual(self.faults(("bun", True, False))[0], [])
        self.assertEqual(self.faults(("nobody", False, False))[0], [])


class Doubts(unittest.TestCase):
    def doubts(self, play):
        cell = plan.Cell("c", "T", "room-1000", entrants=("uproar", "floor-send"), frames_as="floor-send")
        return suite.run_cell(cell, list(cell.entrants), PlayedBench(play), 1, 0, teller_of(2))[2]

    def test_frames_that_ought_to_be_equal(self):
        self.assertIn("403.0 bytes", self.doubts(lambda entrant, _: {"frame": 403.0 if entrant.name == "uproar" else 399.0})[0])
        self.assertEqual(self.doubts(lambda *_: {}), [])

    def test_a_load_tool_that_was_as_busy_as_the_server(self):
        both = {"load_busy": 0.99, "cores": 0.94}
        self.assertEqual(self.doubts(lambda entrant, _: both if entrant.name == "uproar" else {}),
                         ["c, uproar: the load tool was busy for 99% of the time as well: the rate, and what is measured at fractions of it, may be at its limit."])
        self.assertEqual(self.doubts(lambda *_: {**both, "cores": 0.5}), [], "that is refused")
        self.assertEqual(self.doubts(lambda *_: {**both, "rate": 0}), [])

    def test_connects_made_again(self):
        self.assertIn("floor-send: 5 connects", self.doubts(lambda entrant, _: {"retried": 5 if entrant.name == "floor-send" else 0})[0])


class Length(unittest.TestCase):
    CELL = plan.Cell("c", "T", "room-1000", entrants=("uproar", "floor-send", "bun", "ws"),
                     bounds=(bounds.Bound("cpu", "CPU", most=1.0, against="bun"), bounds.Bound("cpu", "CPU", most=1.0, against=bounds.BEST_PEER),
                             bounds.Bound("cpu", "CPU", most=1.0, against="floor-send")))

    def planned(self, *names):
        return suite.runs_planned(self.CELL, [one for one in self.CELL.entrants if one.name in names], 5, 9)

    def test_only_opponents_that_take_part_count(self):
        self.assertEqual(self.planned("uproar", "floor-send", "bun", "ws"), 5 * 4 + 9 * 2 * 3)
        self.assertEqual(self.planned("uproar", "floor-send", "ws"), 5 * 3 + 9 * 2 * 2)
        self.assertEqual(self.planned("uproar", "floor-send"), 5 * 2 + 9 * 2)

    def test_a_best_peer_that_has_its_duel_already_leaves_no_time_behind(self):
        teller = teller_of(self.planned("uproar", "floor-send", "bun", "ws"))
        suite.run_cell(self.CELL, list(self.CELL.entrants), PlayedBench(lambda entrant, _: {"cpu": 1.0 if entrant.name == "bun" else 2.0}), 5, 9, teller)
        self.assertEqual(teller.done, teller.runs)

    def test_what_the_documents_say(self):
        """README.md of bench/runner says how long it takes; a cell more must be told."""
        runs = sum(suite.runs_planned(cell, cell.entrants, 5, 9) for cell in plan.cells() if not cell.by_name)
        said = (pathlib.Path(__file__).resolve().parents[3] / "bench/runner/README.md").read_text(encoding="utf-8")
        self.assertIn(suite.hours(runs), " ".join(said.split()))


class History(unittest.TestCase):
    def report(self, time, commit, cpu, floor, **more):
        cell = plan.Cell("c", "T", "room-1000", entrants=("uproar", "floor-send"), **more)
        entries = entries_of(cell, PlayedBench(lambda entrant, _: {"cpu": cpu if entrant.name == "uproar" else floor}))
        return {"machine": {"commit": commit, "commit_time": time}, "cells": [suite.cell_report(cell, entries)]}

    def test_ratios_to_the_floor_of_the_same_report_are_drawn_for_times_of_different_days_do_not_compare(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, report in (("a.json", self.report("2", "new", 2.0, 4.0)), ("b.json", self.report("1", "old", 8.0, 8.0)), ("c.json", {"other": 1}),
                                 ("d.json", {"cells": [{"name": "theirs"}]}), ("e.json", {"cells": 3}), ("f.json", [1])):
                (pathlib.Path(folder) / name).write_text(json.dumps(report))
            (pathlib.Path(folder) / "g.json").write_text("no JSON")
            self.assertEqual(suite.history(pathlib.Path(folder)), [("old", {"c": 1.0}), ("new", {"c": 0.5})])

    def test_a_duel_counts_more_and_what_has_no_floor_is_left_out(self):
        cell = self.report("1", "a", 2.0, 4.0)["cells"][0]
        cell["duels"]["floor-send"] = {**cell, "contenders": {"floor-send": {"to_it": {"cpu": {"median": 0.75}}}}}
        self.assertEqual(suite.to_floor(cell), 0.75)
        self.assertIsNone(suite.to_floor({"contenders": {"uproar": {}}}))
        self.assertIsNone(suite.to_floor({"contenders": {"floor-send": {"to_it": {"cpu": None}}}}))


if __name__ == "__main__":
    unittest.main()
