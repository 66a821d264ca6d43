"""Users and conversations that Uproar has before a run, made once in a life of the server that ends before any is measured.

Making them leaves traces in a process that no node has after a restart (caches, freed memory), so what is measured is a second life: a fresh
process on a copy of what the first one stored. Every run with the same rooms begins with the same copy."""

import pathlib

from runner import contenders
from runner.cores import LOAD, SERVER

SHAPE = (".rooms", ".members")


def shape_of(scenario, settings):
    """What two runs must have in common to share a world."""
    of = dict(setting.split("=", 1) for setting in settings)
    return scenario, tuple(sorted((key, value) for key, value in of.items() if key.endswith(SHAPE)))


class Worlds:
    """They lie in the scratch folder of the testbed, and go with it. A build makes its own: another one may store them otherwise."""

    def __init__(self):
        self.made = {}

    def of(self, cell, bed, flags, settings):
        """The folder of a world, with the names that contenders.Uproar expects."""
        shape = (bed.build, cell.on_postgres, *shape_of(cell.scenario, settings))
        if shape not in self.made:
            folder = pathlib.Path(bed.scratch) / f"world-{len(self.made)}"
            self.make(folder, cell, bed, flags, settings)
            self.made[shape] = folder
        return self.made[shape]

    def make(self, folder, cell, bed, flags, settings):
        with contenders.uproar(cell, "uproar", bed, (SERVER,), flags) as server:
            command = [*contenders.load_command(bed, cell.scenario, server, LOAD, settings), "--only-prepare"]
            try:
                ended = contenders.run_load(command, cell.seconds_max)
            except contenders.Unending as reason:
                raise contenders.Unavailable(f"no world could be made for {cell.name}: uproar_load {reason}") from None
            if ended.returncode != 0:
                said = contenders.without_paths(ended.stderr.strip(), server.folder, bed.build)
                raise contenders.Unavailable(f"no world could be made for {cell.name}: {said}")
            server.stop()
            server.keep(folder)
