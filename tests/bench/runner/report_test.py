"""Whether bounds are judged and shown as they were measured, and the page holds what it says."""

import unittest

from samples import PlayedBench, entries_of

from runner import bounds, charts, measure, plan, report_html, suite


BUILD = {"version": "uproar 0.1.0", "type": "Release", "compiler": "g++", "flags": "-O3", "sanitize": "", "commit": "abc", "uncommitted": False}


def judged(bound, play, entrants=("uproar", "floor-send", "bun", "ws"), rounds=1, **more):
    cell = plan.Cell("c", "T", "room-1000", entrants=entrants, bounds=(bound,), **more)
    entries = entries_of(cell, PlayedBench(play), rounds)
    return bounds.judge(suite.cell_report(cell, entries), cell.bounds, plan.PEERS)[0]


def page_of(verdicts=(), play=lambda *_: {}, history=(), faults=lambda *_: [], **more):
    cell = plan.Cell(**{"name": "c", "title": "T", "scenario": "room-1000", "entrants": ("uproar", "bun"), **more})
    entries = {name: measure.without_refused(entry) for name, entry in entries_of(cell, PlayedBench(play, faults)).items()}
    part = {"command": "x", "rounds": 1, "duel_rounds": 0, "settings": [], "cells": ["c"]}
    run = {"parts": [part], "machine": {"commit": "abc", "commit_time": ""}, "builds": {"uproar": BUILD}, "doubts": ["not quiet"],
           "verdicts": list(verdicts), "cells": [suite.cell_report(cell, entries)]}
    return report_html.page(run, list(history))


class Bounds(unittest.TestCase):
    def cpu(self, **of):
        return lambda entrant, _: {"cpu": of[entrant.name.replace("-", "_")]}

    def test_a_ratio_to_one_entrant(self):
        play = self.cpu(uproar=2.0, floor_send=4.0, bun=1.0, ws=9.0)
        held = judged(bounds.Bound("cpu", "CPU", most=1.0, against="floor-send"), play)
        self.assertEqual((held["held"], held["measured"]["median"]), (True, 0.5))
        missed = judged(bounds.Bound("cpu", "CPU", most=1.0, against="bun"), play)
        self.assertEqual((missed["held"], missed["measured"]["median"]), (False, 2.0))

    def test_the_best_peer_is_the_one_with_the_least_cpu_and_the_highest_rate(self):
        play = self.cpu(uproar=2.0, floor_send=0.1, bun=4.0, ws=2.5)
        self.assertEqual(judged(bounds.Bound("cpu", "CPU", most=1.0, against=bounds.BEST_PEER), play)["against"], "ws")
        rates = judged(bounds.Bound("rate", "rate", least=2.0, against=bounds.BEST_PEER),
                       lambda entrant, _: {"rate": {"uproar": 30, "bun": 20, "ws": 5}.get(entrant.name, 99)})
        self.assertEqual((rates["against"], rates["held"], rates["measured"]["median"]), ("bun", False, 1.5))

    def test_a_figure_itself_in_its_unit(self):
        verdict = judged(bounds.Bound("p99", "p99", most=10, unit="ms"), lambda *_: {"p99": 10500})
        self.assertEqual((verdict["held"], verdict["measured"]["median"], verdict["asks"]), (False, 10.5, "p99: at most 10 ms"))

    def test_what_was_refused_is_neither_held_nor_missed(self):
        verdict = judged(bounds.Bound("cpu", "CPU", most=1.0, against="bun"),
                         lambda entrant, _: {"load_busy": 0.99, "cores": 0.1} if entrant.name == "bun" else {})
        self.assertEqual((verdict["held"], verdict["measured"]), (None, None))
        self.assertIn("load tool was the limit", verdict["why"])

    def rounds(self, **of):
        turns = {name: iter(values) for name, values in of.items()}
        return lambda *_: {name: next(values) for name, values in turns.items()}

    def test_a_bound_is_judged_by_the_spread_of_the_very_figure_it_names(self):
        wild, calm = (1.0, 2.0, 3.0, 4.0), (5.0,) * 4
        asked = bounds.Bound("p99", "p99", most=10, unit="ms")
        noisy = judged(asked, self.rounds(p99=wild, cpu=calm), entrants=("uproar",), rounds=4)
        self.assertEqual(noisy["held"], None)
        self.assertIn("too noisy: p99", noisy["why"])
        self.assertEqual(judged(asked, self.rounds(p99=calm, cpu=wild), entrants=("uproar",), rounds=4)["held"], True)
        memory = judged(bounds.Bound("memory", "memory", most=512, unit="B"), self.rounds(memory=wild, cpu=(0.0,) * 4, rate=(0,) * 4), entrants=("uproar",), rounds=4)
        self.assertIn("too noisy: memory", memory["why"], "where nobody speaks there is noise too")

    def test_a_ratio_is_judged_by_its_own_spread(self):
        def play(ours):
            turns = self.rounds(rate=ours, cpu=(1.0,) * 4)
            return lambda entrant, _: turns() if entrant.name == "uproar" else {"rate": 2.0, "cpu": 1.0}
        asked = bounds.Bound("rate", "deliveries a second", least=2.0, against="bun")
        noisy = judged(asked, play((4.0, 8.0, 4.0, 8.0)), entrants=("uproar", "bun"), rounds=4)
        self.assertEqual(noisy["held"], None)
        self.assertIn("the ratio of deliveries a second", noisy["why"])
        self.assertEqual(judged(asked, play((4.0,) * 4), entrants=("uproar", "bun"), rounds=4)["held"], True)

    def test_what_too_few_values_tell_is_not_measured(self):
        self.assertEqual(judged(bounds.Bound("p99", "p99", most=10, unit="ms"), lambda *_: {"p99": None})["why"], "too few values for p99")
        self.assertEqual(judged(bounds.Bound("p99", "p99", most=1.0, against="bun"), lambda *_: {"p99": None})["why"], "uproar or bun has no such figure")

    def test_ten_minutes_are_not_told_by_one_second(self):
        bound = bounds.Bound("max", "longest in ten minutes", most=50, at=0.7, unit="ms", seconds_min=600)
        levels = plan.Levels((0.7,), "hall")
        one = judged(bound, lambda _, more: {"max": 900.0, "seconds": 1.0}, entrants=("uproar",), levels=levels)
        self.assertEqual((one["held"], one["why"]), (None, "measured for 1 s instead of 600"))
        self.assertTrue(judged(bound, lambda _, more: {"max": 900.0, "seconds": 600.0}, entrants=("uproar",), levels=levels)["held"])

    def test_another_cell_than_what_was_asked_is_not_judged(self):
        """A room of 100 in place of 1,000 would make a fan-out of the yardstick look ten times as long as it is."""
        levels = plan.Levels((0.7,), "hall", bound_by="floor-send", members=1000)
        cell = plan.Cell("c", "T", "room-1000", entrants=("uproar", "floor-send"), levels=levels,
                         bounds=(bounds.Bound("p99.9", "p99.9", most=2.0, against="floor-send", at=0.7), bounds.Bound("cpu", "CPU", most=10)))
        report = suite.cell_report(cell, entries_of(cell, PlayedBench(lambda *_: {})))
        self.assertEqual([one["held"] for one in bounds.judge(report, cell.bounds, plan.PEERS)], [True, True])
        for verdict in bounds.judge(report, cell.bounds, plan.PEERS, ["hall.members=100"]):
            self.assertEqual((verdict["held"], verdict["measured"]), (None, None))
            self.assertEqual(verdict["why"], "not what is asked of the cell: it was measured with hall.members=100")

    def test_a_warm_up_that_was_cut_short_is_not_judged(self):
        for bound in (bounds.Bound("cpu", "CPU", most=9, warmup_min=8), bounds.Bound("cpu", "CPU", most=9, against="bun", warmup_min=8)):
            short = judged(bound, lambda *_: {"warmup_seconds": 0.5}, entrants=("uproar", "bun"))
            self.assertEqual((short["held"], short["why"]), (None, "warmed up for 0.5 s instead of 8"))
            self.assertEqual(judged(bound, lambda *_: {"warmup_seconds": 8.0}, entrants=("uproar", "bun"))["held"], True)

    def test_what_must_never_happen_is_judged_by_the_worst_round(self):
        levels = plan.Levels((0.7,), "hall")

        def found(figure, unit, most, values):
            left = iter(values)
            bound = bounds.Bound(figure, "stalls", most=most, at=0.7, unit=unit, worst=True)
            return judged(bound, lambda _, more: {figure: next(left)} if more else {}, entrants=("uproar",), levels=levels, rounds=len(values))
        late = found("late", "", 0, (0, 0, 0, 0, 900))
        self.assertEqual((late["held"], late["measured"]["median"], late["asks"]), (False, 900, "stalls: at most 0, in the worst round"))
        self.assertEqual(found("max", "ms", 50, (9e3, 9e3, 9.1e3, 9e3, 3e6))["held"], False)
        self.assertEqual(found("late", "", 0, (0, 0, 0, 1, 900))["held"], False, "what spreads is missed all the same")
        self.assertEqual(found("late", "", 0, (0,) * 5)["held"], True)

    def test_a_line_shows_why_it_is_missed(self):
        verdict = judged(bounds.Bound("cpu", "CPU", most=1.0, against="bun"), self.cpu(uproar=1.0004, floor_send=1, bun=1.0, ws=9.0))
        self.assertEqual(suite.verdict_line(verdict), "MISSED       c: CPU: at most 1 x that of bun: 1.0004")

    def test_no_lesser_peer_stands_in_for_the_best_one_when_that_is_refused(self):
        verdict = judged(bounds.Bound("cpu", "CPU", most=1.0, against=bounds.BEST_PEER),
                         lambda entrant, _: {"cpu": {"uproar": 2.0, "bun": 2.5}.get(entrant.name, 9.0),
                                             **({"load_busy": 0.99, "cores": 0.1} if entrant.name == "bun" else {})})
        self.assertEqual((verdict["held"], verdict["against"]), (None, "bun"))

    def test_who_did_not_take_part_is_named(self):
        verdict = judged(bounds.Bound("cpu", "CPU", most=1.0, against="bun"), lambda *_: {}, entrants=("uproar",))
        self.assertEqual((verdict["held"], verdict["why"]), (None, "bun did not take part"))

    def test_at_a_level(self):
        bound = bounds.Bound("p99.9", "p99.9", most=2.0, against="floor-send", at=0.7)
        levels = plan.Levels((0.7,), "hall", bound_by="floor-send", members=1000)
        verdict = judged(bound, lambda _, more: {"p99.9": 9000.0} if more else {"cpu": 3.0}, entrants=("uproar", "floor-send"), levels=levels)
        self.assertEqual((verdict["held"], verdict["measured"]["median"]), (False, 3.0))
        self.assertEqual(verdict["asks"], "p99.9: at most 2 x the time in which floor-send sends one publish to all members")

    def test_a_ratio_at_a_level_is_judged_by_its_own_spread(self):
        bound = bounds.Bound("p99.9", "p99.9", most=2.0, against="floor-send", at=0.7)
        levels = plan.Levels((0.7,), "hall", bound_by="floor-send", members=1000)
        tail = iter((1000.0, 2000.0, 4000.0, 8000.0))
        verdict = judged(bound, lambda _, more: {"p99.9": next(tail)} if more else {"cpu": 3.0}, entrants=("uproar", "floor-send"), levels=levels, rounds=4)
        self.assertEqual(verdict["held"], None)
        self.assertIn("too noisy", verdict["why"])

    def test_a_slow_hour_leaves_ratios_to_be_judged(self):
        cell = plan.Cell("c", "T", "room-1000", entrants=("uproar", "bun"))
        slower = {"uproar": iter((1.0, 2.0, 4.0, 8.0)), "bun": iter((2.0, 4.0, 8.0, 16.0))}
        entries = entries_of(cell, PlayedBench(lambda entrant, _: {"cpu": next(slower[entrant.name])}), rounds=4)
        report = suite.cell_report(cell, entries)
        asked = (bounds.Bound("cpu", "CPU", most=1.0, against="bun"), bounds.Bound("cpu", "CPU", most=1.0, unit="cores"))
        ratio, figure = bounds.judge(report, asked, plan.PEERS)
        self.assertEqual((ratio["held"], ratio["measured"]["median"]), (True, 0.5))
        self.assertEqual(figure["held"], None)
        self.assertIn("too noisy", figure["why"])


class Page(unittest.TestCase):
    def test_what_a_peer_says_is_escaped_and_doubts_are_shown(self):
        page = page_of(play=lambda entrant, _: measure.Failed("<b>bun</b> is not there\nmore") if entrant.name == "bun" else {},
                       history=[("a", {"c": 1.0}), ("b", {"c": 2.0})])
        self.assertIn("&lt;b&gt;bun&lt;/b&gt; is not there", page)
        self.assertNotIn("<b>", page)
        self.assertIn("not quiet", page)
        self.assertIn("over commits", page)
        self.assertNotIn("http", page, "self-contained")

    def test_a_refused_result_is_a_reason_and_no_figure(self):
        page = page_of(play=lambda entrant, _: {"cpu": 77.125, "load_busy": 0.99, "cores": 0.2} if entrant.name == "bun" else {})
        self.assertIn("refused: the load tool was the limit", page)
        self.assertNotIn("77.1", page)

    def test_a_miss_is_shown(self):
        verdict = {"cell": "c", "asks": "CPU: at most 1", "limit": 1, "against": "bun", "missing": None, "measured": {"low": 1, "median": 2, "high": 3}, "held": False, "why": "",
                   "figure": "cpu", "side_by_side": None}
        self.assertIn('<td class="missed">missed</td>', page_of(verdicts=[{**verdict, "limit": 0.9}]))
        self.assertIn('<td class="missed">missed, barely</td>', page_of(verdicts=[verdict]))

    def test_levels_have_a_chart_and_a_table(self):
        page = page_of(play=lambda _, more: {"p99.9": 9000.0} if more else {}, levels=plan.Levels((0.25, 0.5), "hall"))
        self.assertIn("uproar at 25%", page)
        self.assertIn("bun p99.9", page)

    def test_a_yardstick_has_no_bar_beside_those_that_did_something_else(self):
        levels = plan.Levels((0.5,), "hall", bound_by="floor-send", members=1000)
        self.assertNotIn('class="floor"', page_of(entrants=("uproar", "floor-send"), levels=levels))
        self.assertIn('class="floor"', page_of(entrants=("uproar", "floor-send")))

    def test_there_is_no_ratio_to_a_yardstick_that_was_refused(self):
        levels = plan.Levels((0.5,), "hall", bound_by="floor-send", members=1000)
        play = lambda _, more: {"p99.9": 3.0 * 1000 * 1.37} if more else {"cpu": 3.0}   # noqa: E731
        self.assertIn("x1.37", page_of(entrants=("uproar", "floor-send"), play=play, levels=levels))
        refused = page_of(entrants=("uproar", "floor-send"), play=play, levels=levels, faults=lambda entrant, _: ["2 lost"] if entrant.name == "floor-send" else [])
        self.assertNotIn("x1.37", refused)
        self.assertIn("<td>wrong: 2 lost</td>", refused)

    def test_what_two_came_to_side_by_side_stands_beside_the_verdict(self):
        verdict = {"cell": "c", "asks": "p99", "limit": 1, "against": "bun", "missing": None, "measured": {"low": 0.5, "median": 0.5, "high": 0.5}, "held": True, "why": "", "figure": "p99",
                   "side_by_side": {"rounds": 9, "ours": {"low": 1, "median": 1200, "high": 3}, "theirs": {"low": 1, "median": 2400, "high": 3}}}
        self.assertIn("9 rounds side by side: 1.20 and 2.40 (p99 ms)", page_of(verdicts=[verdict]))
        verdict["side_by_side"] = {"rounds": 9, "ours": None, "theirs": None}
        self.assertIn("9 rounds side by side: figures that drifted", page_of(verdicts=[verdict]))

    def test_a_fault_of_a_level_is_shown(self):
        page = page_of(levels=plan.Levels((0.5,), "hall"), faults=lambda entrant, forced: ["7 lost"] if entrant.name == "bun" and forced else [])
        self.assertIn('<p class="fault">bun at 50%: 7 lost</p>', page)

    def test_packets_that_the_kernel_carried_have_a_column_where_there_were_any(self):
        self.assertIn("ksoftirqd cores", page_of(play=lambda *_: {"carriers": 0.01}))
        self.assertNotIn("ksoftirqd cores", page_of(play=lambda *_: {"carriers": 0.0}))

    def test_how_a_build_was_made_is_shown(self):
        self.assertIn("uproar: uproar 0.1.0; commit abc; Release, g++, -O3", page_of())

    def test_who_the_best_peer_was_not_chosen_from_is_shown(self):
        verdict = judged(bounds.Bound("cpu", "CPU", most=1.0, against=bounds.BEST_PEER), lambda *_: {}, entrants=("uproar", "bun"))
        self.assertIn("1, against bun; without ws, socketio", page_of(verdicts=[verdict]))

    def test_how_uproar_was_started_is_shown(self):
        page = page_of(settings=("hall.in_flight=1",), flags=("--connections-max", "19000"),
                       entrants=(plan.Entrant("uproar", flags=("--shards", "2")), plan.Entrant("bun", settings=("hall.silent=0",))))
        self.assertIn("Scenario room-1000 hall.in_flight=1; uproar: uproar serve --shards 2 --connections-per-address 0 --openings-per-second 0 "
                      "--commands-per-second 1000000 --connections-max 19000; bun: hall.silent=0", page)

    def test_memory_over_connections_is_a_chart(self):
        self.assertIn("MiB that the server grew by", page_of())


class Charts(unittest.TestCase):
    def test_ticks_enclose_the_values(self):
        self.assertEqual(charts.log_ticks(3, 40), [2, 5, 10, 20, 50])
        self.assertEqual(charts.log_ticks(10, 10), [10, 20])
        self.assertEqual(charts.even_ticks(250000), [0, 50000, 100000, 150000, 200000, 250000])
        self.assertEqual(charts.even_ticks(0)[0], 0)

    def test_labels_do_not_cover_each_other(self):
        moved = charts.spread_apart({"a": 10, "b": 12, "c": 100}, least=15)
        self.assertEqual(moved, {"a": 10, "b": 25, "c": 100})

    def test_points_that_a_logarithm_cannot_show_are_left_out(self):
        self.assertEqual(charts.lines([("x", 0, 0, [(1, 0)])], "", "", log_y=True), "")


if __name__ == "__main__":
    unittest.main()
