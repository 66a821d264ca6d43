"""What is asked of servers: flags, metrics, whether a peer serves yet. No server is started."""

import pathlib
import tempfile
import unittest

import samples  # noqa: F401  the way to the runner's modules

from runner import contenders


class Flags(unittest.TestCase):
    def test_a_later_flag_takes_the_place_of_an_earlier_one(self):
        self.assertEqual(contenders.merged(("--shards", "1", "--x", "2"), ("--shards", "13")), ["--shards", "13", "--x", "2"])


class Metrics(unittest.TestCase):
    def test_labels_are_summed_and_longer_names_are_others(self):
        text = '# TYPE a_total counter\na_total{shard="0"} 3\na_total{shard="1"} 4\na_total_more 9\n'
        self.assertEqual(contenders.sum_of(text, "a_total"), 7)
        with self.assertRaises(contenders.Unavailable):
            contenders.sum_of(text, "a")


class Readiness(unittest.TestCase):
    def test_a_peer_is_ready_when_its_launcher_says_so_and_not_when_a_log_line_has_the_word(self):
        with tempfile.TemporaryDirectory() as folder:
            peer = contenders.Peer("bun", None, (0,))
            peer.folder = pathlib.Path(folder)
            for said, ready in (("", False), ("server is ready\n", False), ("read", False), ("building\nready\n", True)):
                (peer.folder / "log").write_text(said)
                self.assertEqual(peer.is_ready(), ready, said)


if __name__ == "__main__":
    unittest.main()
