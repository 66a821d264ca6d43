"""Whether results that say nothing about the server are refused, and others are not."""

import unittest

from samples import run_of

from runner import trust


class Trust(unittest.TestCase):
    def refused(self, *runs, faults=(), cores=1):
        return trust.refusals(list(runs), list(faults), cores)

    def test_a_busy_load_tool_beside_an_idle_server_is_refused(self):
        self.assertIn("load tool was the limit", self.refused(run_of(cores=0.5, load_busy=0.99))[0][0])
        self.assertEqual(self.refused(run_of(cores=0.95, load_busy=0.99)), ([], []))
        self.assertEqual(self.refused(run_of(cores=0.5, load_busy=0.6)), ([], []))

    def test_a_server_of_two_cores_is_busy_with_both(self):
        self.assertIn("load tool was the limit", self.refused(run_of(cores=0.95, load_busy=0.99), cores=2)[0][0])

    def test_rounds_that_differ_refuse_the_figures_but_not_the_ratios(self):
        figures, ratios = self.refused(*(run_of(turn, cpu=cpu) for turn, cpu in enumerate((1, 2, 3, 4))))
        self.assertIn("too noisy", figures[0])
        self.assertEqual(ratios, [])

    def test_two_rounds_cannot_tell_noise(self):
        self.assertEqual(self.refused(run_of(0, cpu=1), run_of(1, cpu=4)), ([], []))

    def test_a_ratio_that_spreads_is_refused(self):
        self.assertIn("the ratio", trust.refuse_ratio({"cpu": {"low": 0.5, "median": 1, "high": 1.5}}, 5)[0])
        self.assertEqual(trust.refuse_ratio({"cpu": {"low": 0.9, "median": 1, "high": 1.1}}, 5), [])
        self.assertEqual(trust.refuse_ratio({"cpu": None}, 5), [])

    def test_deliveries_for_no_cpu_are_those_of_another_process(self):
        self.assertIn("did nothing", self.refused(run_of(cpu=0.0))[1][0])
        self.assertEqual(self.refused(run_of(cpu=0.0, rate=0.0)), ([], []), "idle")

    def test_latencies_of_nothing_are_refused(self):
        self.assertIn("nothing that the cell is about", self.refused(run_of(counted=0))[0][0])
        self.assertEqual(self.refused(run_of(counted=0, rate=0.0)), ([], []), "idle")

    def test_other_programs_refuse_both(self):
        figures, ratios = self.refused(run_of(others=0.4))
        self.assertEqual((figures, ratios), (["others (programs, or the host of this machine) took 0.40 of a core meanwhile"],) * 2)
        self.assertEqual(self.refused(run_of(0, others=0.4), run_of(1, others=0.0), run_of(2, others=0.0)), ([], []))

    def test_wrong_deliveries_refuse_both(self):
        self.assertEqual(self.refused(run_of(), faults=["2 lost"]), (["wrong: 2 lost"], ["wrong: 2 lost"]))


if __name__ == "__main__":
    unittest.main()
