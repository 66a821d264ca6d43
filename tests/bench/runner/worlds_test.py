"""What Uproar begins with: made once for each build and shape, by scripts in place of the load tool and the server."""

import pathlib
import tempfile
import types
import unittest

import samples

from runner import contenders, worlds

SECONDS_MAX = 20   # for a script that ends at once


def furnish(server):
    server.key = server.folder / "auth.key"
    (server.folder / "data").mkdir()
    for name in ("auth.key", "data/kept", "world"):
        (server.folder / name).write_text(server.build.name)


class Worlds(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = pathlib.Path(scratch.name)
        for name in ("wait_until_ready", "stop"):
            self.replace(contenders.Uproar, name, lambda server: None)
        self.replace(contenders.Uproar, "command", lambda server: ["sleep", "1000"])
        self.replace(contenders.Uproar, "furnish", furnish)
        self.cell = types.SimpleNamespace(name="c", scenario="room-1000", seconds_max=SECONDS_MAX, on_postgres=False)

    def replace(self, where, name, value):
        self.addCleanup(setattr, where, name, getattr(where, name))
        setattr(where, name, value)

    def bed(self, name, load="exit 0"):
        build = self.scratch / name
        (build / "bench/load").mkdir(parents=True)
        tool = build / "bench/load/uproar_load"
        tool.write_text(f"#!/bin/sh\necho made >> {build}/calls\n{load}\n")
        tool.chmod(0o755)
        return samples.bed_of(self.scratch, build=build)

    def test_a_world_is_made_once_and_holds_what_the_first_life_left(self):
        bed, made = self.bed("ours"), worlds.Worlds()
        first = made.of(self.cell, bed, (), ("hall.members=10",))
        self.assertEqual(made.of(self.cell, bed, (), ("hall.members=10", "seconds=9")), first)
        self.assertEqual((bed.build / "calls").read_text(), "made\n")
        self.assertEqual(sorted(path.name for path in first.iterdir()), ["auth.key", "data", "world"])
        self.assertEqual(list(self.scratch.glob("uproar-*")), [], "the first life's own folder")

    def test_each_build_makes_its_own(self):
        made = worlds.Worlds()
        folders = [made.of(self.cell, self.bed(name), (), ()) for name in ("ours", "before")]
        self.assertEqual([(folder / "data/kept").read_text() for folder in folders], ["ours", "before"])

    def test_one_that_cannot_be_made_says_why_and_leaves_nothing(self):
        with self.assertRaisesRegex(contenders.Unavailable, "^no world could be made for c: refused$"):
            worlds.Worlds().of(self.cell, self.bed("ours", "echo refused >&2; exit 1"), (), ())
        self.assertEqual(list(self.scratch.glob("world-*")) + list(self.scratch.glob("uproar-*")), [])

    def test_one_that_takes_too_long_is_told_without_the_command(self):
        self.cell.seconds_max = 0.2
        with self.assertRaisesRegex(contenders.Unavailable, "^no world could be made for c: uproar_load did not end within 0.2 s$"):
            worlds.Worlds().of(self.cell, self.bed("ours", "exec sleep 1000"), (), ())

    def test_a_world_is_shared_by_runs_with_the_same_rooms_whatever_else_differs(self):
        one = worlds.shape_of("room-1000", ("hall.in_flight=1", "hall.members=10", "hall.members=20"))
        self.assertEqual(one, worlds.shape_of("room-1000", ("hall.members=20", "hall.stored=true", "seconds=9")))
        self.assertNotEqual(one, worlds.shape_of("room-1000", ("hall.members=10",)))
        self.assertNotEqual(one, worlds.shape_of("rooms-of-2", ("hall.members=20",)))


if __name__ == "__main__":
    unittest.main()
