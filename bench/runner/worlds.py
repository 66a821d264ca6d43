"""Users and conversations that Uproar has before a run, made once in a life of the server that ends before any is measured.

Making them leaves traces in a process that no node has after a restart (caches, freed memory), so what is measured is a second life: a fresh
process on a copy of what the first one stored. Every run with the same rooms begins with the same copy."""

import pathlib
import subprocess
import tempfile

from runner import contenders

WORLD_CORE = 1   # of the load tool meanwhile
SHAPE = (".rooms", ".members")


def shape_of(scenario, settings):
    """What two runs must have in common to share a world."""
    of = dict(setting.split("=", 1) for setting in settings)
    return scenario, tuple(sorted((key, value) for key, value in of.items() if key.endswith(SHAPE)))


class Worlds:
    """Use as a context: they are gone afterwards."""

    def __init__(self, build):
        self.build, self.made = build, {}

    def __enter__(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="uproar-bench-worlds-")
        return self

    def __exit__(self, *_):
        self.scratch.cleanup()

    def of(self, cell, flags, settings):
        """The folder of a world, with the names that contenders.Uproar expects."""
        shape = shape_of(cell.scenario, settings)
        if shape not in self.made:
            folder = pathlib.Path(self.scratch.name) / str(len(self.made))
            self.make(folder, cell, flags, settings)
            self.made[shape] = folder
        return self.made[shape]

    def make(self, folder, cell, flags, settings):
        with contenders.Uproar("uproar", self.build, (0,), flags) as server:
            command = [*contenders.load_command(self.build, cell.scenario, server, WORLD_CORE, settings), "--only-prepare"]
            ended = subprocess.run(command, capture_output=True, text=True, timeout=cell.seconds_max)
            if ended.returncode != 0:
                raise contenders.Unavailable(f"no world could be made for {cell.name}: {ended.stderr.strip()}")
            server.stop()
            server.keep(folder)
