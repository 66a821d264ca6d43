"""The server's own filter allows nothing that the containers' profile refuses: a container would end what runs outside. Run: python3 FILE [ROOT]."""

import json
import pathlib
import re
import sys
import unittest

# What a start needs besides: to run at all, and to put the filter, Landlock and the rest in force.
NEEDED_TO_GET_THERE = {
    "execve", "arch_prctl", "set_tid_address", "setrlimit", "sched_setaffinity", "io_uring_setup", "socket", "bind", "listen", "mkdir",
    "link", "prctl", "capget", "capset", "seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "tgkill",
}


def own_list(text):
    """(calls, calls that fall back) of system_calls.cc."""
    calls, fall_back = text.split("kFallBack =", 1)
    return set(re.findall(r'^\s*\{"(\w+)"', calls, re.MULTILINE)), set(re.findall(r'^\s*"(\w+)",', fall_back, re.MULTILINE))


def profile_lists(profile):
    """(allowed, refused with ENOSYS) of a profile of Docker's form."""
    allowed, absent = set(), set()
    for group in profile["syscalls"]:
        if group["action"] == "SCMP_ACT_ALLOW":
            allowed |= set(group["names"])
        elif group.get("errnoRet") == 38:
            absent |= set(group["names"])
    return allowed, absent


class Lists(unittest.TestCase):
    root = pathlib.Path(".")

    def setUp(self):
        self.calls, self.fall_back = own_list((self.root / "core/server/system_calls.cc").read_text(encoding="utf-8"))
        self.allowed, self.absent = profile_lists(json.loads((self.root / "tools/seccomp.json").read_text(encoding="utf-8")))

    def test_both_are_read(self):
        self.assertGreater(len(self.calls), 80)
        self.assertTrue({"io_uring_enter", "mmap", "clone", "socket"} <= self.calls)
        self.assertIn("clone3", self.fall_back)
        self.assertGreater(len(self.allowed), 150)

    def test_the_profile_allows_what_the_filter_allows(self):
        self.assertEqual(sorted(self.calls - self.allowed), [])

    def test_the_profile_allows_a_start(self):
        self.assertEqual(sorted(NEEDED_TO_GET_THERE - self.allowed), [])

    def test_what_is_to_fall_back_is_in_neither(self):
        self.assertEqual(sorted(self.fall_back & self.calls), [])
        # Allowed by the profile is what a start may use; what it refuses it must refuse in the same
        # way.
        refused = self.fall_back - self.allowed - self.absent
        self.assertEqual(sorted(refused), [])

    def test_a_missing_call_would_be_noticed(self):
        self.assertEqual(sorted(self.calls - (self.allowed - {"fdatasync"})), ["fdatasync"])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Lists.root = pathlib.Path(sys.argv.pop(1))
    unittest.main()
