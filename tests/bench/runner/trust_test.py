"""Whether results that say nothing about the server are refused, and others are not."""

import unittest

from samples import run_of

from runner import trust


class Spoiled(unittest.TestCase):
    def spoiled(self, *runs, faults=(), cores=1):
        return trust.spoiled(list(runs), list(faults), cores)

    def test_a_busy_load_tool_beside_an_idle_server_is_refused(self):
        self.assertIn("load tool was the limit", self.spoiled(run_of(cores=0.5, load_busy=0.99))[0])
        self.assertEqual(self.spoiled(run_of(cores=0.95, load_busy=0.99)), [])
        self.assertEqual(self.spoiled(run_of(cores=0.5, load_busy=0.6)), [])

    def test_a_server_of_two_cores_is_busy_with_both(self):
        self.assertIn("load tool was the limit", self.spoiled(run_of(cores=0.95, load_busy=0.99), cores=2)[0])

    def test_a_storm_is_judged_by_itself_and_not_by_the_quiet_seconds_after_it(self):
        storm = {"rate": 0.0, "cores": 0.1, "load_busy": 0.3, "reconnect": 2.0}
        self.assertIn("the limit of the storm", self.spoiled(run_of(**storm, storm_busy=0.99, storm_cores=0.5))[0])
        self.assertEqual(self.spoiled(run_of(**storm, storm_busy=0.99, storm_cores=0.9)), [])
        self.assertEqual(self.spoiled(run_of(**storm, storm_busy=0.7, storm_cores=0.5)), [])

    def test_deliveries_for_no_cpu_are_those_of_another_process(self):
        self.assertIn("did nothing", self.spoiled(run_of(cpu=0.0))[0])
        self.assertEqual(self.spoiled(run_of(cpu=0.0, rate=0.0)), [], "idle")

    def test_latencies_of_nothing_are_refused(self):
        self.assertIn("nothing that the cell is about", self.spoiled(run_of(counted=0))[0])
        self.assertEqual(self.spoiled(run_of(counted=0, rate=0.0)), [], "idle")

    def test_other_programs(self):
        self.assertEqual(self.spoiled(run_of(others=0.4)), ["others (programs, or the host of this machine) took 0.40 of a core meanwhile"])
        self.assertEqual(self.spoiled(run_of(0, others=0.4), run_of(1, others=0.0), run_of(2, others=0.0)), [])

    def test_wrong_deliveries(self):
        self.assertEqual(self.spoiled(run_of(), faults=["2 lost"]), ["wrong: 2 lost"])


class Noise(unittest.TestCase):
    def test_quartiles_that_lie_apart_are_noise(self):
        self.assertEqual(trust.noisy("p99", {"low": 2, "median": 4, "high": 6}, 4), ["the machine was too noisy: p99 of the 4 rounds spread by 100%"])
        self.assertEqual(trust.noisy("p99", {"low": 3.5, "median": 4, "high": 4.5}, 4), [])

    def test_mostly_nothing_and_sometimes_much_is_noise_and_always_nothing_is_not(self):
        self.assertIn("from nothing", trust.noisy("late", {"low": 0, "median": 0, "high": 50}, 3)[0])
        self.assertEqual(trust.noisy("late", {"low": 0, "median": 0, "high": 0}, 3), [])

    def test_two_rounds_cannot_tell_it(self):
        self.assertEqual(trust.noisy("CPU", {"low": 1, "median": 2.5, "high": 4}, 2), [])

    def test_only_the_ratios_that_spread_are_left_out(self):
        ratios = {"cpu": {"low": 0.5, "median": 1, "high": 1.5}, "rate": {"low": 0.9, "median": 1, "high": 1.1}, "p99": None}
        self.assertEqual(trust.steady(ratios, 5), {"cpu": None, "rate": ratios["rate"], "p99": None})


class Doubts(unittest.TestCase):
    def frame(self, length):
        return {"frame": {"low": length, "median": length, "high": length}}

    def test_deliveries_that_are_meant_to_be_equally_long_and_are_not(self):
        self.assertIn("403.0 bytes and the one it is compared with 399.0", trust.frames_doubted("c", self.frame(403), self.frame(399))[0])
        self.assertEqual(trust.frames_doubted("c", self.frame(399.2), self.frame(399)), [])
        self.assertEqual(trust.frames_doubted("c", {}, self.frame(399)), [], "refused: nothing to compare")

    def test_connects_that_were_made_again(self):
        self.assertIn("3 connects", trust.retries_doubted("c", "bun", [run_of(retried=1), run_of(retried=2)])[0])
        self.assertEqual(trust.retries_doubted("c", "bun", [run_of()]), [])


if __name__ == "__main__":
    unittest.main()
