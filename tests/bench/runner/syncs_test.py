"""Which of the noted waits for the disk count."""

import pathlib
import sys
import tempfile
import unittest

import samples  # noqa: F401  the way to the runner's modules

from runner import syncs


class Syncs(unittest.TestCase):
    def file(self, count, times):
        file = tempfile.NamedTemporaryFile()
        self.addCleanup(file.close)
        file.write(b"".join(number.to_bytes(8, sys.byteorder) for number in (count, *times)))
        file.flush()
        return pathlib.Path(file.name)

    def test_those_of_the_measured_time_count(self):
        times = syncs.times_of(self.file(3, (10, 20, 30, 0)))
        self.assertEqual(times, [10, 20, 30])
        self.assertEqual(syncs.per_message(times, 15, 10e-9, 4), 0.25)

    def test_more_than_the_file_holds_are_not_taken_for_fewer(self):
        with self.assertRaises(syncs.TooMany):
            syncs.times_of(self.file(5, (10, 20, 30, 40)))

    def test_a_server_that_never_waited(self):
        self.assertEqual(syncs.times_of(pathlib.Path("/nonexistent")), [])


if __name__ == "__main__":
    unittest.main()
