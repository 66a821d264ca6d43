"""Whether a preloaded sync_count notes what a process syncs. Run: python3 FILE BUILD_FOLDER."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "bench"))

from runner import syncs  # noqa: E402  the path comes first

SYNCING = """
import os, sys
with open(sys.argv[1], "wb") as file:
    for _ in range(3): os.fsync(file.fileno())
    for _ in range(2): os.fdatasync(file.fileno())
    try: os.fsync(9999)
    except OSError as error: assert error.errno == 9, error
"""


class SyncCount(unittest.TestCase):
    build = pathlib.Path()

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.counted = pathlib.Path(self.folder.name) / "syncs"

    def run_syncing(self, environment):
        subprocess.run([sys.executable, "-c", SYNCING, self.folder.name + "/file"], env={**os.environ, **environment}, check=True)

    def test_each_sync_is_noted_with_its_time(self):
        before = time.monotonic_ns()
        self.run_syncing(syncs.environment(self.build, self.counted))
        after = time.monotonic_ns()
        times = syncs.times_of(self.counted)
        self.assertEqual(len(times), 6)
        self.assertEqual(times, sorted(times))
        self.assertTrue(before <= times[0] and times[-1] <= after, times)

    def test_without_the_variable_it_only_passes_on(self):
        self.run_syncing({"LD_PRELOAD": str(self.build / syncs.LIBRARY)})
        self.assertEqual(syncs.times_of(self.counted), [])

    def test_those_of_the_measured_seconds_are_divided_by_what_was_acknowledged(self):
        second = 10**9
        self.assertEqual(syncs.per_message([1 * second, 2 * second, 3 * second, 4 * second], 2 * second, 2, acked=8), 0.25)
        self.assertEqual(syncs.per_message([], 0, 2, acked=0), 0)


if __name__ == "__main__":
    SyncCount.build = pathlib.Path(sys.argv.pop(1))
    unittest.main()
