"""Whether the runner's figures say what they claim: medians, ratios within a round, faults."""

import unittest

from samples import figures, result_of, run_of


class Figures(unittest.TestCase):
    def test_a_run_is_read(self):
        run = figures.of_run(result_of())
        self.assertEqual((run["rate"], run["memory"], run["cpu"], run["p99"]), (50, 200, 3, 2))
        self.assertEqual((run["acked"], run["published"], run["frame"]), (20, 5, 280))

    def test_memory_grows_from_what_the_empty_server_had(self):
        self.assertEqual(figures.memory_of(result_of()), [(0, 0), (5, 1500)])

    def test_what_a_scenario_is_about_is_its_last_traffic_and_the_others_have_a_rate(self):
        hall = {**result_of()["traffic"][0], "name": "hall", "deliveries": 900}
        pairs = {**hall, "name": "pairs", "deliveries": 100, "delivery_us": {"count": 100, "p50": 7, "p99": 8, "p99.9": 9, "max": 10}}
        run = figures.of_run(result_of(traffic=[hall, pairs]))
        self.assertEqual((run["rate"], run["rate of hall"], run["p99"]), (500, 450, 8))

    def test_ratios_are_of_one_round(self):
        # The machine was half as fast in the second round: for both.
        ours = [run_of(0, cpu=1.0), run_of(1, cpu=2.0), run_of(2, cpu=1.0)]
        theirs = [run_of(0, cpu=2.0), run_of(1, cpu=4.0), run_of(2, cpu=2.0)]
        self.assertEqual(figures.ratios(ours, theirs)["cpu"], {"low": 0.5, "median": 0.5, "high": 0.5})

    def test_a_round_that_one_of_them_missed_is_left_out(self):
        ratio = figures.ratios([run_of(0, cpu=1.0), run_of(1, cpu=9.0)], [run_of(0, cpu=2.0)])["cpu"]
        self.assertEqual(ratio["median"], 0.5)
        self.assertEqual(figures.ratios([run_of(0)], [run_of(1)]), {})

    def test_no_ratio_to_nothing(self):
        self.assertIsNone(figures.ratios([run_of(0, cpu=1)], [run_of(0, cpu=0)])["cpu"])

    def test_a_level_is_set_against_one_fan_out_of_the_yardstick_in_its_round(self):
        levels = [run_of(0, **{"p99.9": 9000}), run_of(1, **{"p99.9": 12000})]
        self.assertEqual(figures.to_yardstick(levels, [run_of(0, cpu=3.0), run_of(1, cpu=6.0)], 1000), {"low": 2.25, "median": 2.5, "high": 2.75})
        self.assertIsNone(figures.to_yardstick(levels, [], 1000))

    def test_quartiles_of_one_and_of_many(self):
        self.assertEqual(figures.quartiles([5]), {"low": 5, "median": 5, "high": 5})
        self.assertEqual(figures.quartiles([1, 2, 3, 4, 5]), {"low": 2, "median": 3, "high": 4})

    def test_three_digits_count(self):
        self.assertEqual(figures.range_text({"low": 1.0, "median": 2024.4, "high": 30000}), "2,024 (1 to 30,000)")
        self.assertEqual(figures.range_text({"low": 0.09518, "median": 0.09518, "high": 0.09518}), "0.0952")

    def test_wrong_deliveries_are_faults(self):
        self.assertEqual(figures.faults_of(result_of(), may_end=False), [])
        ended = result_of(lost=2, ended=1, first_end="client 3: 4201")
        self.assertEqual(figures.faults_of(ended, may_end=False), ["2 lost", "1 connections ended by the server (client 3: 4201)"])
        self.assertEqual(figures.faults_of(ended, may_end=True), ["2 lost"])


if __name__ == "__main__":
    unittest.main()
