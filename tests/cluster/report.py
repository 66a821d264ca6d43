"""What a run of faults.py tells: a line per round, a table at the end, or one JSON object.

`report.py FILE…` makes the table of docs/cluster.md out of such objects."""

import json
import statistics
import sys
import time

from fault_list import FAULTS

SHOWN_MAX = 12


def span(values):
    return f"{statistics.median(values):8.0f} {max(values):8.0f}" if values else f"{'-':>8} {'-':>8}"


class Report:
    def __init__(self, is_json, out=sys.stdout):
        self.is_json, self.out = is_json, out
        self.began_at = time.monotonic()
        self.recoveries = {}    # fault -> answers of talk.mjs
        self.violations = []
        self.totals = dict.fromkeys(("messages", "acked", "changes", "marks", "deliveries", "duplicates", "rows", "early", "reconnects"), 0)
        self.was_interrupted = False
        self.seed = self.count = None

    def say(self, text):
        if not self.is_json:
            print(text, file=self.out, flush=True)

    def began(self, count, chosen):
        self.seed = chosen.seed
        self.say(f"faults: {count} of them, {'one after the other' if chosen.brief else f'{chosen.rounds} rounds'}, seed {chosen.seed}, "
                 f"3 nodes of {chosen.shards} shards, {chosen.people} clients")

    def struck(self, fault, victim, answer):
        self.recoveries.setdefault(fault.name, []).append(answer)
        if answer["said"] == "stuck":
            self.violations.append({"fault": "stuck", "of": fault.name, "text": "; ".join(answer["why"] + answer["errors"])})
            self.say(f"{fault.name:24} {victim}: STUCK {'; '.join(answer['why'])[:200]}")
            return
        cross = f"{answer['cross']['last']:.0f}" if answer.get("cross") else "-"
        self.say(f"{fault.name:24} {victim}: lasted {answer['lasted_ms']} ms; acked again after {answer['ack']['first']:.0f} to {answer['ack']['last']:.0f} ms, "
                 f"heard across nodes after at most {cross} ms, all caught up after {answer['level']['last']:.0f} ms")

    def judged(self, faults, seed, verdict):
        names = ", ".join(fault.name for fault in faults) if len(faults) < 4 else f"{len(faults)} faults"
        for each in verdict["faults"]:
            self.violations.append({**each, "of": names, "seed": seed})
        for name in self.totals:
            value = verdict.get(name, 0)
            self.totals[name] += len(value) if isinstance(value, list) else value
        if verdict["faults"]:
            self.say(f"  VIOLATED by {names}, seed {seed}: {len(verdict['faults'])} times")
            for each in verdict["faults"][:SHOWN_MAX]:
                self.say(f"    {each['fault']}: {each['text'][:400]}")

    def interrupted(self):
        self.was_interrupted = True

    def has_faults(self):
        return bool(self.violations) or self.was_interrupted or not self.recoveries

    def close(self):
        seconds = round(time.monotonic() - self.began_at)
        if self.is_json:
            print(json.dumps({"seed": self.seed, "seconds": seconds, **self.totals, "violations": self.violations,
                              "recoveries": self.recoveries, "interrupted": self.was_interrupted}), file=self.out)
            return
        self.say(f"\nMilliseconds until everybody was served again; counted from the fault's end, node-kill and node-drain from their beginning\n"
                 f"{'':24} rounds   first ack: median, worst   all acked          all hear other nodes   all caught up")
        for name, answers in self.recoveries.items():
            well = [answer for answer in answers if answer["said"] == "recovered"]
            columns = [[answer["ack"]["first"] for answer in well], [answer["ack"]["last"] for answer in well],
                       [answer["cross"]["last"] for answer in well if answer.get("cross")], [answer["level"]["last"] for answer in well]]
            self.say(f"{name:24} {len(answers):6} " + "  ".join(f"{span(column)}  " for column in columns) + (f"  stuck: {len(answers) - len(well)}" if len(well) < len(answers) else ""))
        totals = self.totals
        self.say(f"\n{totals['messages']} messages sent, {totals['acked']} acked, {totals['changes']} changes, {totals['rows']} rows stored, {totals['deliveries']} deliveries, {totals['reconnects']} reconnects, "
                 f"{totals['duplicates']} retries answered as duplicates, {seconds} s")
        kinds = sorted({each["fault"] for each in self.violations})
        self.say(f"{len(self.violations)} violations{': ' + ', '.join(kinds) if kinds else ''}")


# --- docs/cluster.md

def cell(values):
    return f"{statistics.median(values):.0f} ({max(values):.0f})" if values else "-"


def markdown(objects):
    rounds = {}
    for each in objects:
        for name, answers in each["recoveries"].items():
            rounds.setdefault(name, []).extend(answers)
    lines = ["| fault | rounds | lasted, s | first acked | all acked | all hear other nodes | all caught up |", "|---|---|---|---|---|---|---|"]
    for fault in FAULTS:
        well = [answer for answer in rounds.get(fault.name, []) if answer["said"] == "recovered"]
        if well:
            columns = [[answer["ack"]["first"] for answer in well], [answer["ack"]["last"] for answer in well],
                       [answer["cross"]["last"] for answer in well if answer.get("cross")], [answer["level"]["last"] for answer in well]]
            star = "\\*" if fault.counts_from == "begin" else ""
            lines.append(f"| {fault.what} (`{fault.name}`){star} | {len(well)} | {statistics.median(answer['lasted_ms'] for answer in well) / 1000:.1f} | " + " | ".join(map(cell, columns)) + " |")
    sums = {name: sum(each[name] for each in objects) for name in ("messages", "acked", "rows", "deliveries", "duplicates", "reconnects")}
    return "\n".join(lines), sums, sum(len(each["violations"]) for each in objects)


def main(files):
    objects = []
    for name in files:
        with open(name, encoding="utf-8") as file:
            objects.append(json.load(file))
    table, sums, violations = markdown(objects)
    print(f"{table}\n\n{sums}\n{violations} violations")


if __name__ == "__main__":
    main(sys.argv[1:])
