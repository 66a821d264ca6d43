"""How far the suite is, on standard error: lines for a log, and the time that is left in front of them."""

import sys
import time


def minutes(seconds):
    return f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"


def printable(text):
    """What servers and tools said, for a terminal: it must not obey them."""
    return "".join(one if one.isprintable() or one == "\n" else " " for one in text)


class Progress:
    """Runs are expected to take as long as those before them did on average."""

    def __init__(self, cells, runs, clock=time.monotonic, out=sys.stderr):
        self.cells, self.runs, self.clock, self.out = cells, runs, clock, out
        self.begin, self.cell, self.done = clock(), 0, 0

    def left(self):
        return (self.clock() - self.begin) / self.done * (self.runs - self.done) if self.done else None

    def say(self, text):
        print(printable(text), file=self.out, flush=True)

    def begin_cell(self, name, title):
        self.cell += 1
        left = self.left()
        self.say(f"cell {self.cell} of {self.cells}{f', about {minutes(left)} left' if left is not None else ''}: {name}: {title}")

    def runs_done(self, count=1):
        self.done = min(self.done + count, self.runs)

    def now(self, text):
        """What is under way; on a terminal only, where the next line takes its place."""
        if self.out.isatty():
            left = self.left()
            print(f"  {text}{f', about {minutes(left)} left' if left is not None else ''}\033[K", end="\r", file=self.out, flush=True)
