"""`tools/dev format`: one version of clang-format judges; another is named and judges nothing."""
import os
import pathlib
import subprocess
import tempfile
import unittest

DEV = pathlib.Path(__file__).resolve().parents[3] / "tools/dev"


class Format(unittest.TestCase):
    def format(self, version, *options):
        """tools/dev format, on a machine whose only clang-format says that it is of this version. Gives the run and the calls that were to format."""
        with tempfile.TemporaryDirectory() as folder:
            calls = pathlib.Path(folder) / "calls"
            for name in ("clang-format", "clang-format-14"):
                program = pathlib.Path(folder) / name
                program.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then echo "Debian clang-format version {version}"; exit 0; fi\n'
                                   f'echo "$1" >>{calls}\n')
                program.chmod(0o755)
            run = subprocess.run([DEV, "format", *options], text=True, capture_output=True, check=False,
                                 env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"})
            return run, calls.read_text().split() if calls.exists() else []

    def test_the_version_that_the_tree_is_laid_out_by_judges(self):
        run, calls = self.format("14.0.6", "--check")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(set(calls), {"--dry-run"})
        self.assertNotIn("not judged", run.stdout)

    def test_another_version_judges_nothing_and_says_so(self):
        run, calls = self.format("19.1.7", "--check")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(calls, [])
        self.assertRegex(run.stdout, r"format: not judged here, by version 14 .* here is .*version 19\.1\.7")

    def test_another_version_rewrites_nothing(self):
        run, calls = self.format("19.1.7")
        self.assertNotEqual(run.returncode, 0)
        self.assertEqual(calls, [])
        self.assertRegex(run.stderr, r"laid out by clang-format 14 .*19\.1\.7")


if __name__ == "__main__":
    unittest.main()
