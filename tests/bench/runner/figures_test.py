"""Whether the runner's figures say what they claim: medians, ratios within a round, faults."""

import math
import unittest

from samples import figures, result_of, run_of


class Figures(unittest.TestCase):
    def test_a_run_is_read(self):
        run = figures.of_run(result_of())
        self.assertEqual((run["rate"], run["memory"], run["cpu"], run["p99"]), (10000, 200, 3, 2))
        self.assertEqual((run["acked"], run["published"], run["frame"]), (20, 2500, 280))

    def test_a_percentile_with_fewer_than_ten_values_beyond_it_is_not_told(self):
        def told(count, publishes=100000):
            of = figures.percentiles({"count": count, "p50": 1, "p99": 2, "p99.9": 3, "max": 4}, publishes)
            return [name for name, value in of.items() if value is not None]
        self.assertEqual(told(0), [])
        self.assertEqual(told(19), ["max"])
        self.assertEqual(told(20), ["p50", "max"])
        self.assertEqual(told(999), ["p50", "max"])
        self.assertEqual(told(1000), ["p50", "p99", "max"])
        self.assertEqual(told(9999), ["p50", "p99", "max"])
        self.assertEqual(told(10000), ["p50", "p99", "p99.9", "max"])
        # A thousand hear each: what they have in common is one accident and not a thousand.
        self.assertEqual(told(2999000, 2999), ["p50", "p99", "max"])
        self.assertEqual(told(3000000, 3000), ["p50", "p99", "p99.9", "max"])
        self.assertEqual(told(299000, 299), ["p50", "max"])

    def test_what_one_round_could_not_tell_has_no_figure_and_no_ratio(self):
        ours, theirs = [run_of(0, p99=5.0), run_of(1, p99=None)], [run_of(0, p99=10.0), run_of(1, p99=10.0)]
        self.assertNotIn("p99", figures.summary(ours))
        self.assertIsNone(figures.ratios(ours, theirs)["p99"])
        self.assertIsNone(figures.ratios(theirs, ours)["p99"])
        self.assertIsNone(figures.to_yardstick([run_of(0, **{"p99.9": None})], [run_of(0, cpu=1.0)], 1000))

    def test_acknowledgements_a_second_are_those_that_came_in_the_measured_time(self):
        late = {**result_of()["traffic"][0], "acked": 30, "ack_us": {"count": 50, "p50": 0, "p99": 0, "p99.9": 0, "max": 0}}
        self.assertEqual(figures.of_run(result_of(traffic=[late]))["acked"], 15)

    def test_a_storm_has_figures_of_its_own(self):
        server = {**result_of()["server"], "reconnect_cpu_us": 80}
        run = figures.of_run(result_of(reconnect_seconds=2.0, storm_busy=0.9, server=server, reconnect_us={"count": 10000}))
        self.assertEqual([run[name] for name in ("reconnect", "reconnect_cpu", "storm_busy", "storm_cores")], [2.0, 80, 0.9, 0.4])
        calm = figures.of_run(result_of())
        self.assertEqual([calm[name] for name in ("reconnect", "reconnect_cpu", "storm_busy", "storm_cores")], [0, 0, 0, 0])

    def test_a_heartbeat_has_a_cost_where_nothing_else_is_said(self):
        silent = {**result_of()["traffic"][0], "deliveries": 0}
        self.assertAlmostEqual(figures.of_run(result_of(traffic=[silent], heartbeats=10000))["heartbeat_cpu"], 100.0)
        self.assertIsNone(figures.of_run(result_of(traffic=[silent], heartbeats=0))["heartbeat_cpu"])
        self.assertIsNone(figures.of_run(result_of())["heartbeat_cpu"])

    def test_memory_grows_from_what_the_empty_server_had(self):
        self.assertEqual(figures.memory_of(result_of()), [(0, 0), (5, 1500)])

    def test_what_a_scenario_is_about_is_its_last_traffic_and_the_others_have_a_rate(self):
        hall = {**result_of()["traffic"][0], "name": "hall", "deliveries": 900}
        pairs = {**hall, "name": "pairs", "deliveries": 100, "delivery_us": {"count": 1000, "p50": 7, "p99": 8, "p99.9": 9, "max": 10}}
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

    def test_what_is_mostly_nothing_spreads_without_bound(self):
        self.assertEqual(figures.spread({"low": 0, "median": 0, "high": 0}), 0)
        self.assertEqual(figures.spread({"low": 0, "median": 0, "high": 9}), math.inf)
        self.assertEqual(figures.spread({"low": 3, "median": 4, "high": 5}), 0.5)

    def test_three_digits_count(self):
        self.assertEqual(figures.range_text({"low": 1.0, "median": 2024.4, "high": 30000}), "2,024 (1 to 30,000)")
        self.assertEqual(figures.range_text({"low": 0.09518, "median": 0.09518, "high": 0.09518}), "0.0952")

    def test_digits_show_on_which_side_of_a_limit_a_value_lies(self):
        for value, limit, text in ((1.0004, 1, "1.0004"), (1.0, 1, "1"), (0.99996, 1, "0.99996"), (0.93, 1, "0.93"), (1999.7, 2000, "1,999.7"), (1.5, 1, "1.5")):
            self.assertEqual(figures.beside(value, limit)(value), text)

    def test_wrong_deliveries_are_faults(self):
        self.assertEqual(figures.faults_of(result_of(), may_end=False), [])
        ended = result_of(lost=2, ended=1, first_end="client 3: 4201")
        self.assertEqual(figures.faults_of(ended, may_end=False), ["2 lost", "1 connections ended by the server (client 3: 4201)"])
        self.assertEqual(figures.faults_of(ended, may_end=True), ["2 lost"])

    def test_so_are_strangers_missing_acknowledgements_refusals_and_a_server_that_could_not_be_read(self):
        found = figures.faults_of(result_of(unknown=1, missing_acks=2, strange_acks=3, refused=4, first_refused="forbidden", server_error="no /proc/9"), may_end=True)
        self.assertEqual(found, ["1 never published, or in the wrong room", "2 acknowledgements missing", "3 acknowledgements of nothing that waited",
                                 "4 refused by the server (forbidden)", "no /proc/9"])


if __name__ == "__main__":
    unittest.main()
