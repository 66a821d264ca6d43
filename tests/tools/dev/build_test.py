"""`tools/dev build`: what a tree is configured with."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

DEV = pathlib.Path(__file__).resolve().parents[3] / "tools/dev"
WHOLE = ["-DUPROAR_TESTS=ON", "-DUPROAR_BENCH=ON"]


class Build(unittest.TestCase):
    def configured(self, *words):
        """What `tools/dev build` tells cmake beside the preset, in a tree of its own."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "tools").mkdir()
            shutil.copy(DEV, root / "tools/dev")
            (root / "cmake").write_text(f'#!/bin/sh\nif [ "$1" = --preset ]; then shift 2; echo "$*" >{folder}/told; fi\n')
            (root / "cmake").chmod(0o755)
            run = subprocess.run([root / "tools/dev", "build", *words], text=True, capture_output=True, check=False,
                                 env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"})
            self.assertEqual(run.returncode, 0, run.stderr)
            return (root / "told").read_text().split()

    def test_a_release_tree_that_run_has_begun_gets_tests_and_benches(self):
        self.assertEqual(self.configured("release"), WHOLE)
        self.assertEqual(self.configured("release", "sim"), WHOLE)

    def test_who_wants_the_server_alone_needs_nothing_else(self):
        self.assertEqual(self.configured("release", "uproar"), [])

    def test_other_trees_are_as_their_preset_says(self):
        self.assertEqual(self.configured("dev"), [])
        self.assertEqual(self.configured("bench"), [])


if __name__ == "__main__":
    unittest.main()
