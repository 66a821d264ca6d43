"""How a cell is run: order, levels, what fails, what is kept of a refused result."""

import unittest

from samples import PlayedBench, Silent, entries_of

from runner import contenders, measure, plan, progress, suite, worlds


def cell_of(**changed):
    return plan.Cell(**{"name": "c", "title": "T", "scenario": "room-1000", "entrants": ("uproar", "floor-send", "bun"), **changed})


class Measure(unittest.TestCase):
    def test_the_order_turns_round_every_other_time(self):
        bench = PlayedBench(lambda *_: {})
        entries_of(cell_of(), bench, rounds=2)
        self.assertEqual([name for name, _ in bench.asked], ["uproar", "floor-send", "bun", "bun", "floor-send", "uproar"])

    def test_levels_are_fractions_of_what_was_just_reached(self):
        bench = PlayedBench(lambda *_: {"published": 1000})
        cell = cell_of(entrants=("uproar", "floor-send"), levels=plan.Levels((0.1, 0.7), "hall", bound_by="floor-send", members=1000))
        entries_of(cell, bench)
        asked = [forced for name, forced in bench.asked if name == "uproar" and forced]
        self.assertEqual(asked, [("hall.in_flight=0", "hall.publishes_per_second=100.000"), ("hall.in_flight=0", "hall.publishes_per_second=700.000")])
        self.assertEqual([forced for name, forced in bench.asked if name == "floor-send" and forced], [], "a yardstick has no levels")

    def test_a_level_knows_its_ratio_to_the_yardstick(self):
        bench = PlayedBench(lambda _, forced: {"p99.9": 6000} if forced else {"cpu": 3.0})
        cell = cell_of(entrants=("uproar", "floor-send"), levels=plan.Levels((0.7,), "hall", bound_by="floor-send", members=1000))
        found = entries_of(cell, bench)
        self.assertEqual(found["uproar"]["levels"][0]["to_yardstick"]["median"], 2.0)
        self.assertNotIn("to_it", found["floor-send"], "it did something else than uproar")

    def test_who_fails_once_is_not_asked_again_and_has_a_reason(self):
        bench = PlayedBench(lambda entrant, _: contenders.Unavailable("bun is not there\nmore") if entrant.name == "bun" else {})
        found = entries_of(cell_of(), bench, rounds=3)
        self.assertEqual([name for name, _ in bench.asked].count("bun"), 1)
        self.assertEqual(found["bun"]["error"], "bun is not there\nmore")
        self.assertEqual(len(found["uproar"]["runs"]), 3)

    def test_a_server_that_dies_in_a_run_ends_its_own_part_only(self):
        found = entries_of(cell_of(), PlayedBench(lambda entrant, _: FileNotFoundError("/proc/1/stat") if entrant.name == "bun" else {}))
        self.assertIn("/proc/1/stat", found["bun"]["error"])
        self.assertTrue(found["uproar"]["runs"])

    def test_a_refused_result_has_no_figures_left(self):
        bench = PlayedBench(lambda entrant, _: {"load_busy": 0.99, "cores": 0.2} if entrant.name == "bun" else {})
        found = entries_of(cell_of(), bench)
        kept = measure.without_refused(found["bun"])
        self.assertTrue(kept["refused"])
        self.assertFalse({"summary", "to_it"} & set(kept))
        self.assertEqual(kept["runs"], [])
        self.assertIn("summary", measure.without_refused(found["floor-send"]))


class Lines(unittest.TestCase):
    def test_a_run_in_which_nobody_speaks_is_told_by_what_it_is_about(self):
        silent = {"rate": 0, "cores": 0.02, "memory": 940.4, "reconnect": 0}
        self.assertEqual(measure.told(silent, []).split(), ["0.020", "cores", "940", "bytes/connection"])
        self.assertIn("all back after 1.50 s", measure.told({**silent, "reconnect": 1.5}, []))

    def test_what_the_load_tool_limited_is_no_figure(self):
        self.assertEqual(measure.told({"rate": 5}, ["the load tool was the limit"]), "the load tool was the limit")


class Plan(unittest.TestCase):
    def test_cells_have_names_of_their_own_and_files_that_exist(self):
        cells = plan.cells()
        self.assertEqual(len({cell.name for cell in cells}), len(cells))
        for cell in cells:
            self.assertEqual(len({one.name for one in cell.entrants}), len(cell.entrants), cell.name)
            self.assertTrue((contenders.ROOT / f"bench/scenarios/{cell.scenario}.toml").exists(), cell.scenario)
            for one in cell.entrants:
                target = "floor" if one.contender in plan.FLOORS else one.contender
                self.assertTrue((contenders.TARGETS / f"{target}.toml").exists(), target)

    def test_bounds_speak_of_entrants_of_their_cell(self):
        for cell in plan.cells():
            names = {one.name for one in cell.entrants}
            for bound in cell.bounds:
                self.assertTrue(bound.against in ("", plan.BEST_PEER) or bound.against in names, f"{cell.name}: {bound}")
                self.assertEqual((bound.most is None) + (bound.least is None), 1, f"{cell.name}: {bound}")
                self.assertTrue(bound.at is None or bound.at in cell.levels.fractions, f"{cell.name}: {bound}")

    def test_peers_take_part_if_wanted_and_raw_ones_only_in_full_runs(self):
        cell = next(cell for cell in plan.cells() if cell.name == "room-1000-16")
        self.assertEqual([one.name for one in suite.taking_part(cell, ["bun"], raw=True)], ["uproar", "floor-send", "floor-gather", "bun", "bun-raw"])
        self.assertEqual([one.name for one in suite.taking_part(cell, ["bun"], raw=False)][-1], "bun")
        self.assertEqual([one.name for one in suite.taking_part(cell, [], raw=True)], ["uproar", "floor-send", "floor-gather"])


    def test_a_further_build_takes_part_as_the_first_entrant_does(self):
        cell = cell_of(entrants=(plan.Entrant("uproar", "two shards", cores=(0, 1)), "floor-send"))
        ours, other, floor = suite.taking_part(cell, [], raw=True, also={"before": contenders.ROOT})
        self.assertEqual((ours.build, other.name, other.build, other.cores, floor.name), (None, "before", contenders.ROOT, (0, 1), "floor-send"))


class Worlds(unittest.TestCase):
    def test_a_world_is_shared_by_runs_with_the_same_rooms_whatever_else_differs(self):
        one = worlds.shape_of("room-1000", ("hall.in_flight=1", "hall.members=10", "hall.members=20"))
        self.assertEqual(one, worlds.shape_of("room-1000", ("hall.members=20", "hall.stored=true", "seconds=9")))
        self.assertNotEqual(one, worlds.shape_of("room-1000", ("hall.members=10",)))
        self.assertNotEqual(one, worlds.shape_of("rooms-of-2", ("hall.members=20",)))


class Progress(unittest.TestCase):
    def test_time_left_is_that_of_the_runs_so_far(self):
        now = [0.0]
        shown = progress.Progress(2, 10, clock=lambda: now[0], out=Silent())
        self.assertIsNone(shown.left())
        now[0] = 20.0
        shown.runs_done(4)
        self.assertEqual(shown.left(), 30.0)
        self.assertEqual((progress.minutes(30), progress.minutes(600)), ("30 s", "10 min"))


if __name__ == "__main__":
    unittest.main()
