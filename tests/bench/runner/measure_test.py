"""How a cell is run: order, levels, what fails, what is kept of a refused result."""

import io
import pathlib
import tempfile
import types
import unittest

from samples import PlayedBench, Silent, bed_of, entries_of

from runner import contenders, measure, plan, progress, suite, testbed, trust, yardsticks


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


class Refused(unittest.TestCase):
    def rounds(self, **of):
        """Each figure's values, round by round."""
        turns = {name: iter(values) for name, values in of.items()}
        return lambda *_: {name: next(values) for name, values in turns.items()}

    def refused(self, headline, play):
        found = entries_of(cell_of(entrants=("uproar",), headline=headline), PlayedBench(play), rounds=4)
        return measure.without_refused(found["uproar"])

    def test_what_the_page_shows_is_refused_for_its_own_spread_and_not_for_that_of_another_figure(self):
        wild, calm = (1.0, 2.0, 3.0, 4.0), (5.0, 5.0, 5.0, 5.0)
        self.assertIn("too noisy: rate", self.refused("rate", self.rounds(rate=wild, cpu=calm))["refused"][0])
        self.assertIn("summary", self.refused("rate", self.rounds(rate=calm, cpu=wild)))
        self.assertIn("too noisy: memory", self.refused("memory", self.rounds(memory=wild, cpu=(0, 0, 0, 0), rate=(0, 0, 0, 0)))["refused"][0])
        self.assertIn("too noisy: reconnect", self.refused("reconnect", self.rounds(reconnect=wild))["refused"][0])

    def test_a_ratio_that_spreads_is_left_out_and_the_others_stay(self):
        play = {"uproar": self.rounds(cpu=(1.0, 2.0, 1.0, 2.0), rate=(9.0,) * 4), "bun": self.rounds(cpu=(1.0,) * 4, rate=(3.0,) * 4)}
        found = entries_of(cell_of(entrants=("uproar", "bun")), PlayedBench(lambda entrant, _: play[entrant.name](None)), rounds=4)
        kept = measure.without_refused(found["bun"])
        self.assertEqual((kept["to_it"]["cpu"], kept["to_it"]["rate"]["median"]), (None, 3.0))

    def test_a_level_is_refused_for_the_spread_of_its_latency_and_its_ratio_with_the_yardstick(self):
        p99 = iter((1.0, 2.0, 3.0, 4.0))
        levels = plan.Levels((0.7,), "hall", bound_by="floor-send", members=1000)
        found = entries_of(cell_of(entrants=("uproar", "floor-send"), levels=levels),
                           PlayedBench(lambda _, forced: {"p99": next(p99), "p99.9": 6000.0} if forced else {"cpu": 3.0},
                                       faults=lambda entrant, _: ["2 lost"] if entrant.name == "floor-send" else []), rounds=4)
        level = measure.without_refused(found["uproar"])["levels"][0]
        self.assertIn("too noisy: p99", level["refused"][0])
        self.assertEqual(level["ratio_refused"], ["wrong: 2 lost"] * 3)
        self.assertFalse({"summary", "to_yardstick"} & set(level))

    def test_a_fan_out_that_spreads_refuses_the_ratio_to_it(self):
        cpu = iter((1.0, 2.0, 3.0, 4.0))
        levels = plan.Levels((0.7,), "hall", bound_by="floor-send", members=1000)
        found = entries_of(cell_of(entrants=("uproar", "floor-send"), levels=levels),
                           PlayedBench(lambda entrant, forced: {"p99.9": 6000.0} if forced else {"cpu": next(cpu) if entrant.name == "floor-send" else 3.0}),
                           rounds=4)
        self.assertIn("p99.9 to a fan-out of the yardstick", found["uproar"]["levels"][0]["ratio_refused"][0])


class Tool(unittest.TestCase):
    """Scripts in place of uproar_load."""

    def bench(self, script, filesystem="ext4"):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        tool = pathlib.Path(scratch.name) / "bench/load/uproar_load"
        tool.parent.mkdir(parents=True)
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)
        bed = bed_of(scratch.name, build=pathlib.Path(scratch.name), filesystem=filesystem)
        return measure.Bench(bed, (), None), types.SimpleNamespace(load_arguments=lambda: [], folder=pathlib.Path(scratch.name) / "server")

    def failure(self, script, seconds_max=20):
        bench, server = self.bench(script)
        with self.assertRaises(measure.Failed) as caught:
            bench.load(cell_of(seconds_max=seconds_max), plan.Entrant("bun"), server, ())
        return str(caught.exception)

    def test_one_that_does_not_end_is_told_by_the_name_of_its_opponent(self):
        self.assertEqual(self.failure("exec sleep 1000", 0.2), "uproar_load against bun did not end within 0.2 s")

    def test_what_it_says_is_told_without_where_it_is(self):
        self.assertEqual(self.failure('echo "$(dirname $0)/x: no" >&2; exit 2'), "bench/load/x: no")
        self.assertEqual(self.failure("exit 2"), "uproar_load ended with 2")

    def test_its_result_counts_whatever_its_status(self):
        bench, server = self.bench('while [ "$1" != --json ]; do shift; done; echo "{\\"lost\\": 2}" > "$2"; exit 1')
        self.assertEqual(bench.load(cell_of(), plan.Entrant("bun"), server, ()), {"lost": 2})

    def test_bytes_that_are_no_text_end_its_own_part_only(self):
        self.assertEqual(self.failure("printf 'no \\377 way' >&2; exit 2"), "no \ufffd way")

    def test_half_a_result_is_a_failure(self):
        script = 'while [ "$1" != --json ]; do shift; done; echo "{" > "$2"; exit 1'
        self.assertIn("ended with 1 and left no whole result", self.failure(script))

    def test_waiting_for_a_disk_in_memory_is_not_measured(self):
        bench, _ = self.bench("exit 0", filesystem="tmpfs")
        with self.assertRaisesRegex(contenders.Unavailable, "tmpfs, where waiting for the disk costs nothing"):
            bench.make(cell_of(counts_syncs=True), plan.Entrant("uproar"), ())
        bench.make(cell_of(counts_syncs=True), plan.Entrant("floor-send"), ())   # stores nothing


class Lines(unittest.TestCase):
    def test_a_run_in_which_nobody_speaks_is_told_by_what_it_is_about(self):
        silent = {"rate": 0, "cores": 0.02, "memory": 940.4, "reconnect": 0}
        self.assertEqual(measure.told(silent, []).split(), ["0.020", "cores", "940", "bytes/connection"])
        self.assertIn("3.8 us/heartbeat", measure.told({**silent, "heartbeat_cpu": 3.84}, []))
        self.assertIn("all back after 1.50 s, 70.0 us each", measure.told({**silent, "reconnect": 1.5, "reconnect_cpu": 70.0}, []))

    def test_a_percentile_of_too_few_is_no_figure(self):
        line = measure.told({"rate": 5, "cpu": 1.0, "p99": None, "acked": 3, "ack_p99": 1500.0}, [])
        self.assertIn("p99  of too few", line)
        self.assertIn("ack p99 1.50 ms", line)

    def test_what_the_load_tool_limited_is_no_figure(self):
        self.assertEqual(measure.told({"rate": 5}, ["the load tool was the limit"]), "no figure: the load tool was the limit")


    def lines_of(self, play, faults=lambda *_: []):
        said = io.StringIO()
        cell = cell_of(entrants=("uproar",))
        measure.CellRun(cell, cell.entrants, PlayedBench(play, faults), progress.Progress(1, 1, out=said)).run(1)
        return said.getvalue()

    def test_neither_is_one_that_was_disturbed_or_wrong(self):
        disturbed = self.lines_of(lambda *_: {"cpu": 77.125, "others": 0.4})
        self.assertIn("no figure: others (programs, or the host of this machine) took 0.40 of a core", disturbed)
        wrong = self.lines_of(lambda *_: {"cpu": 77.125}, faults=lambda *_: ["2 lost", "9 connections ended by the server"])
        self.assertIn("no figure: wrong: 2 lost; wrong: 9 connections ended", wrong)
        for line in (disturbed, wrong):
            self.assertNotIn("77.125", line)
        self.assertIn("77.125", self.lines_of(lambda *_: {"cpu": 77.125}))


class Gone(unittest.TestCase):
    """A server that is killed while it is measured; `sleep` stands in for it."""

    class Server(contenders.Contender):
        def command(self):
            return ["sh", "-c", "echo out of memory; exec sleep 1000"]

        def is_ready(self):
            return (self.folder / "log").read_text() != ""

    def failure(self, trouble, kills):
        with tempfile.TemporaryDirectory() as scratch:
            bench = measure.Bench(bed_of(scratch), (), None)
            server = self.Server("bun", bench.bed, ("server",))
            bench.make = lambda *_: server

            def load(*_):
                if kills:
                    server.process.kill()
                    server.process.wait()
                raise trouble
            bench.load = load
            with self.assertRaises((measure.Failed, OSError)) as caught:
                bench.one_run(cell_of(), plan.Entrant("bun"))
            return caught.exception

    def test_it_is_said_that_it_ended_with_the_last_line_of_its_log(self):
        for trouble in (FileNotFoundError("/proc/1/stat"), measure.Failed("connection reset")):
            self.assertEqual(str(self.failure(trouble, kills=True)), "it ended while it was measured: out of memory")

    def test_what_fails_while_it_serves_is_told_as_it_is(self):
        for trouble in (FileNotFoundError("uproar_load"), measure.Failed("no such key")):
            self.assertIs(self.failure(trouble, kills=False), trouble)


class Yardsticks(unittest.TestCase):
    """Of a database alone: in batches as large as the server's were just before."""

    CELL = plan.Cell("c", "T", "room-1000", entrants=("uproar", yardsticks.SAME_KEYS))

    def test_without_the_server_nobody_knows_how_large(self):
        bench = measure.Bench(bed_of("/scratch"), (), None)
        with self.assertRaisesRegex(contenders.Unavailable, "how many rows share a commit is not known"):
            bench.one_run(self.CELL, self.CELL.entrants[1])

    def test_they_are_compared_by_what_they_have(self):
        bench = PlayedBench(lambda entrant, _: {"acked": 300.0} if entrant.name == "uproar" else {"acked": 400.0})
        entry = entries_of(self.CELL, bench)[yardsticks.SAME_KEYS]
        self.assertEqual(entry["to_it"]["acked"]["median"], 0.75)

    def test_one_without_deliveries_is_told_by_its_rows(self):
        run = {"acked": 1234.0, "rows_per_commit": 500, "seconds": 5, "others": 0.0}
        self.assertIn("1,234 rows/s  500 rows a commit", measure.told(run, []))
        self.assertEqual(trust.spoiled([{"round": 0, **run}], [], 1), [])


class Plan(unittest.TestCase):
    def test_cells_have_names_of_their_own_and_files_that_exist(self):
        cells = plan.cells()
        self.assertEqual(len({cell.name for cell in cells}), len(cells))
        for cell in cells:
            self.assertEqual(len({one.name for one in cell.entrants}), len(cell.entrants), cell.name)
            self.assertTrue((testbed.ROOT / f"bench/scenarios/{cell.scenario}.toml").exists(), cell.scenario)
            for one in cell.entrants:
                if one.is_yardstick:
                    continue   # no server of clients
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


    def test_a_peer_that_the_plan_does_not_know_takes_part_wherever_all_peers_do(self):
        found = {cell.name: [one.name for one in suite.taking_part(cell, ["mine"], raw=True)] for cell in plan.cells()}
        self.assertEqual(found["rooms-of-2"], ["uproar", "floor-send", "floor-ring", "mine"])
        self.assertNotIn("mine", found["two-shards"])
        self.assertEqual(suite.known_peers(), plan.PEERS, "each folder of bench/peers with a target is in the plan")

    def test_a_folder_with_an_adapter_and_a_target_is_a_peer(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name in ("bench/peers/mine", "bench/peers/half", "bench/targets"):
                (root / name).mkdir(parents=True)
            for name in ("bench/peers/mine/peer.toml", "bench/peers/half/peer.toml", "bench/targets/mine.toml"):
                (root / name).touch()
            found, testbed.ROOT = testbed.ROOT, root
            self.addCleanup(setattr, testbed, "ROOT", found)
            self.assertEqual(suite.known_peers(), [*plan.PEERS, "mine"])

    def test_a_warm_up_that_fills_something_is_asked_for(self):
        slow = next(cell for cell in plan.cells() if cell.name == "slow-readers")
        self.assertEqual({bound.warmup_min for bound in slow.bounds}, {measure.warmup_of("slow-readers", ())})
        self.assertEqual(measure.warmup_of("slow-readers", ("warmup_seconds=0.5", "seconds=1")), 0.5)

    def test_a_further_build_takes_part_as_the_first_entrant_does(self):
        cell = cell_of(entrants=(plan.Entrant("uproar", "two shards", cores=("server", "load")), "floor-send"))
        ours, other, floor = suite.taking_part(cell, [], raw=True, also={"before": testbed.ROOT})
        self.assertEqual((ours.build, other.name, other.build, other.cores, floor.name), (None, "before", testbed.ROOT, ("server", "load"), "floor-send"))

    def test_what_is_said_of_ten_minutes_asks_for_ten_minutes(self):
        stalls = next(cell for cell in plan.cells() if cell.name == "stalls")
        self.assertEqual({(bound.seconds_min, bound.worst) for bound in stalls.bounds}, {(600, True)})
        self.assertIn("seconds=600", stalls.levels.settings)

    def test_deliveries_that_are_meant_to_be_equally_long_are_compared(self):
        for cell in plan.cells():
            if any(plan.STORED_AS_FLOOR in one.settings for one in cell.entrants):
                self.assertEqual(cell.frames_as, "floor-send", cell.name)


class Progress(unittest.TestCase):
    def test_a_terminal_does_not_obey_what_servers_say(self):
        said = io.StringIO()
        progress.Progress(1, 1, out=said).say("gone \x1b[2J\x9b2Jand\rback \u00b5s\n")
        self.assertEqual(said.getvalue(), "gone  [2J 2Jand back \u00b5s\n\n")

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
