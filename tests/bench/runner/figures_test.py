"""Whether the runner's figures say what they claim: medians, paired ratios, doubts, faults."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "bench"))

from runner import figures, report_html  # noqa: E402  the path comes first


def run_of(cpu=1.0, cores=0.9, load_busy=0.5):
    return {"cpu": cpu, "cores": cores, "load_busy": load_busy}


def result_of(**changed):
    base = {"traffic": [{"deliveries": 100, "delivery_us": {"p50": 1, "p99": 2, "p99.9": 3, "max": 4},
                         "ack_us": {"p50": 0, "p99": 0, "p99.9": 0}}],
            "seconds": 2, "clients": 10, "server": {"cpu_us_per_delivery": 3, "cpu_cores": 0.5, "rss_bytes": 3000, "rss_bytes_before": 1000},
            "lost": 0, "repeated": 0, "missing": 0, "ended": 0, "first_end": "", "load_busy": 0.4, "reconnect_seconds": 0}
    return {**base, **changed}


class Figures(unittest.TestCase):
    def test_a_run_is_read(self):
        run = figures.of_run(result_of())
        self.assertEqual((run["rate"], run["memory"], run["cpu"], run["p99"]), (50, 200, 3, 2))

    def test_ratios_are_of_one_round(self):
        # The machine was half as fast in the second round: for both.
        ours = [run_of(1.0), run_of(2.0), run_of(1.0)]
        theirs = [run_of(2.0), run_of(4.0), run_of(2.0)]
        ratio = figures.ratios(ours, theirs)["cpu"]
        self.assertEqual((ratio["low"], ratio["median"], ratio["high"]), (0.5, 0.5, 0.5))

    def test_no_ratio_to_nothing(self):
        self.assertIsNone(figures.ratios([run_of(1)], [run_of(0)])["cpu"])

    def test_quartiles_of_one_and_of_many(self):
        self.assertEqual(figures.quartiles([5]), (5, 5, 5))
        self.assertEqual(figures.quartiles([1, 2, 3, 4, 5]), (2, 3, 4))

    def test_a_busy_load_tool_beside_an_idle_server_is_doubted(self):
        self.assertIn("load tool was the limit", " ".join(figures.doubts("x", figures.summary([run_of(cores=0.5, load_busy=0.99)]))))
        self.assertEqual(figures.doubts("x", figures.summary([run_of(cores=0.95, load_busy=0.99)])), [])
        self.assertEqual(figures.doubts("x", figures.summary([run_of(cores=0.5, load_busy=0.6)])), [])

    def test_rounds_that_differ_are_doubted(self):
        noisy = figures.summary([run_of(1), run_of(2), run_of(3), run_of(4)])
        self.assertIn("not quiet", " ".join(figures.doubts("x", noisy)))

    def test_wrong_deliveries_are_faults(self):
        self.assertEqual(figures.faults_of(result_of()), [])
        self.assertEqual(figures.faults_of(result_of(lost=2, ended=1, first_end="client 3: 4201")),
                         ["2 lost", "1 connections ended by the server (client 3: 4201)"])


class Page(unittest.TestCase):
    def test_what_a_peer_says_is_escaped_and_doubts_are_shown(self):
        cell = {"name": "c", "title": "T", "headline": "cpu", "doubts": ["not quiet"],
                "contenders": {"uproar": {"error": None, "runs": [figures.of_run(result_of())], "faults": ["<script>"],
                                          "summary": figures.summary([figures.of_run(result_of())])},
                               "bun": {"error": "<b>bun</b> is not there\nmore", "runs": [], "faults": []}}}
        page = report_html.page({"command": "x", "rounds": 1, "machine": {"commit": "abc", "commit_time": ""}, "cells": [cell]},
                                [("a", {"c": 1.0}), ("b", {"c": 2.0})])
        self.assertNotIn("<script>", page)
        self.assertIn("&lt;b&gt;bun&lt;/b&gt; is not there", page)
        self.assertIn("not quiet", page)
        self.assertIn("over commits", page)
        self.assertNotIn("http", page.replace("http-equiv", ""), "self-contained")


if __name__ == "__main__":
    unittest.main()
