"""What the runner finds out about the machine and the build: processors, disks, kernels, who else was there."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

import samples

from runner import builds, bystanders, cores, machine, testbed

CACHE = """# a comment
//Choose the type of build
CMAKE_BUILD_TYPE:STRING={type}
CMAKE_CXX_FLAGS:STRING=-march=native
CMAKE_CXX_FLAGS_DEBUG:STRING=-Og
CMAKE_CXX_FLAGS_RELEASE:STRING=-O3 -DNDEBUG
UPROAR_SANITIZE:STRING={sanitize}
"""


class Cores(unittest.TestCase):
    def pairs(self, core):
        """0 and 4 are threads of one core, 1 and 5 of another, and so on."""
        return {core % 4, core % 4 + 4}

    def test_two_threads_of_one_core_are_not_taken_for_two_cores(self):
        self.assertEqual(cores.chosen({0, 4, 5}, self.pairs), cores.Cores(0, 5))
        self.assertEqual(cores.chosen({0, 1, 4, 5}, self.pairs), cores.Cores(0, 1))

    def test_only_what_we_may_use(self):
        self.assertEqual(cores.chosen({4, 5}, self.pairs), cores.Cores(4, 5))

    def test_siblings_where_there_is_nothing_else(self):
        self.assertEqual(cores.chosen({2, 6}, self.pairs), cores.Cores(2, 6, are_siblings=True))

    def test_one_is_too_few(self):
        with self.assertRaises(cores.TooFew):
            cores.chosen({3}, self.pairs)

    def test_named_ones(self):
        self.assertEqual(cores.named("6,1", {1, 2, 6}, self.pairs), cores.Cores(6, 1))
        self.assertTrue(cores.named("2,6", {1, 2, 6}, self.pairs).are_siblings)
        for text in ("1,1", "1,7"):
            with self.assertRaises(cores.TooFew, msg=text):
                cores.named(text, {1, 2, 6}, self.pairs)
        for text in ("1", "a,b", "1,2,6"):
            with self.assertRaises(ValueError, msg=text):
                cores.named(text, {1, 2, 6}, self.pairs)

    def test_the_kernels_lists(self):
        self.assertEqual(cores.listed("0-2,5\n"), {0, 1, 2, 5})

    def test_roles(self):
        self.assertEqual([cores.Cores(4, 6).of(role) for role in (cores.SERVER, cores.LOAD)], [4, 6])


class Disk(unittest.TestCase):
    MOUNTS = ("22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
              "30 22 0:26 / /tmp rw - tmpfs tmpfs rw,size=1g\n"
              "31 30 254:1 / /tmp/my\\040disk rw - xfs /dev/vdb rw\n")

    def test_a_folder_lies_on_the_nearest_mount_above_it(self):
        self.assertEqual(testbed.filesystem_of("/tmp/x/y", self.MOUNTS), ("tmpfs", "tmpfs"))
        self.assertEqual(testbed.filesystem_of("/tmpx", self.MOUNTS), ("ext4", "/dev/vda"))
        self.assertEqual(testbed.filesystem_of("/tmp/my disk/z", self.MOUNTS), ("xfs", "/dev/vdb"))

    def test_the_scratch_folder_goes_and_so_do_those_of_runs_that_were_killed(self):
        with tempfile.TemporaryDirectory() as parent:
            ended = subprocess.Popen(["true"])
            ended.wait()
            killed = pathlib.Path(parent) / f"run-{ended.pid}-x"
            alive = pathlib.Path(parent) / f"run-{os.getppid()}-x"
            for folder in (killed, alive):
                folder.mkdir()
            with testbed.Scratch(parent) as scratch:
                self.assertTrue(scratch.is_dir())
                self.assertEqual((killed.exists(), alive.exists()), (False, True))
            self.assertFalse(scratch.exists())


class Doubts(unittest.TestCase):
    def about(self, filesystem="ext4", siblings=False, apart=False):
        found, told = testbed.filesystem_of, machine.irq_time_is_apart
        testbed.filesystem_of, machine.irq_time_is_apart = (lambda *_: (filesystem, "device")), (lambda *_: apart)
        try:
            return " ".join(machine.doubts_about(samples.bed_of("/scratch", cores=cores.Cores(0, 1, siblings))))
        finally:
            testbed.filesystem_of, machine.irq_time_is_apart = found, told

    def test_a_plain_machine_has_none(self):
        self.assertEqual(self.about(), "")

    def test_a_disk_in_memory_siblings_and_interrupts_that_are_counted_apart(self):
        self.assertIn("costs nothing", self.about(filesystem="tmpfs"))
        self.assertIn("something else", self.about(filesystem="overlay"))
        self.assertIn("two threads of one core", self.about(siblings=True))
        self.assertIn("lacks what TCP did", self.about(apart=True))
        self.assertIn("may lack", self.about(apart=None))

    def test_kernels_say_how_they_account_interrupts(self):
        self.assertIs(machine.irq_time_is_apart("CONFIG_HAVE_IRQ_TIME_ACCOUNTING=y\nCONFIG_IRQ_TIME_ACCOUNTING=y\n"), True)
        self.assertIs(machine.irq_time_is_apart("CONFIG_HAVE_IRQ_TIME_ACCOUNTING=y\n# CONFIG_IRQ_TIME_ACCOUNTING is not set\n"), False)
        kernel_settings, machine.kernel_settings = machine.kernel_settings, lambda: ""
        self.addCleanup(setattr, machine, "kernel_settings", kernel_settings)
        self.assertIs(machine.irq_time_is_apart(), None)


class Bystanders(unittest.TestCase):
    STAT = "cpu  0 0 0 900 0 0 0\ncpu0 1 1 1 100 20 3 4 0\ncpu1 1 1 1 200 0 5 6 0\ncpu10 9 9 9 900 9 9 9 0\nintr 1\n"

    def test_only_processors_that_we_may_use_are_looked_at(self):
        idle, interrupts = bystanders.times_of({0, 1}, self.STAT)
        self.assertEqual((idle * bystanders.TICKS, interrupts * bystanders.TICKS), (320, 18))

    def test_what_nobody_accounts_for_is_that_of_others(self):
        of = {"wall": 10, "idle": 6, "interrupts": 3, "processes": 9, "carriers": 1, "count": 2}
        self.assertEqual(bystanders.others(**of, irq_time_is_apart=False), 4, "interrupts are in the time of processes already")
        self.assertEqual(bystanders.others(**of, irq_time_is_apart=True), 2)
        self.assertEqual(bystanders.others(**of, irq_time_is_apart=None), 4)

    def test_a_program_that_is_neither_server_nor_child_is_seen(self):
        """The server here is ourselves; what burns is a grandchild, whose time nobody has collected yet."""
        burn = "import os, subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'while True: pass']); print(p.pid, flush=True); sys.stdin.read(); p.kill(); p.wait()"
        child = subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(child.stdout.close)
        grandchild = int(child.stdout.readline())
        watch = bystanders.Bystanders(os.getpid(), False)
        begin = bystanders.cpu_seconds_of(grandchild)
        while bystanders.cpu_seconds_of(grandchild) - begin < 0.3:
            time.sleep(0.01)
        wall, found = time.monotonic() - watch.begin[0], watch.found()
        child.communicate()
        self.assertGreater(found["others"] * wall, 0.2)
        self.assertEqual(found["softirq"], 0)

    def test_a_kernel_that_counts_interrupts_apart_has_them_shown(self):
        watch = bystanders.Bystanders(os.getpid(), True)
        wall, idle, interrupts, processes, carriers, beside = watch.begin
        watch.begin = (wall - 10, idle, interrupts - 4, processes, carriers, beside)
        self.assertAlmostEqual(watch.found()["softirq"], 0.4, places=1)

    def test_what_the_kernel_carried_in_threads_of_its_own_is_shown(self):
        watch = bystanders.Bystanders(os.getpid(), False)
        wall, idle, interrupts, processes, carriers, beside = watch.begin
        watch.begin = (wall - 10, idle, interrupts, processes, carriers - 2, beside)
        found = watch.found()
        self.assertAlmostEqual(found["carriers"], 0.2, places=1)
        self.assertEqual(found["softirq"], 0)

    def test_what_serves_beside_the_server_is_no_bystander(self):
        used = 0.0
        watch = bystanders.Bystanders(None, False, lambda: used)
        wall, idle, *rest = watch.begin
        watch.begin = (wall - 10, idle - 10 * len(watch.processors.cores) + 5, *rest)   # five of the seconds were used
        without, used = watch.found(), 5.0
        found = watch.found()
        self.assertAlmostEqual(without["others"] - found["others"], 0.5, places=1)
        self.assertAlmostEqual(found["beside"], 0.5, places=1)


class Builds(unittest.TestCase):
    def facts_of(self, text):
        with tempfile.TemporaryDirectory() as folder:
            if text:
                (pathlib.Path(folder) / "CMakeCache.txt").write_text(text)
            return builds.facts_of(pathlib.Path(folder))

    def test_a_release_build_is_told_with_its_flags_and_not_doubted(self):
        facts = self.facts_of(CACHE.format(type="Release", sanitize=""))
        self.assertEqual((facts["type"], facts["flags"], facts["doubts"]), ("Release", "-march=native -O3 -DNDEBUG", []))

    def test_flags_are_those_with_which_the_server_was_compiled(self):
        with tempfile.TemporaryDirectory() as folder:
            tree = pathlib.Path(folder).resolve()
            (tree / "CMakeCache.txt").write_text(CACHE.format(type="Release", sanitize="") + f"CMAKE_HOME_DIRECTORY:INTERNAL={tree}\n")
            made = f"/usr/bin/c++ -I{tree} -isystem /opt/x -O3 -DNDEBUG -Wall -march=x86-64-v3 -mpclmul -ffile-prefix-map={tree}=. -o a.o -c"
            commands = [{"file": f"{tree}/core/net/a.cc", "command": f"{made} -fonly-here a.cc"}, {"file": f"{tree}/core/net/b.cc", "command": f"{made} b.cc"},
                        {"file": f"{tree}/bench/c.cc", "command": "c++ -O0 -c c.cc"}]
            (tree / "compile_commands.json").write_text(json.dumps(commands))
            self.assertEqual(builds.facts_of(tree)["flags"], "-O3 -DNDEBUG -march=x86-64-v3 -mpclmul")
            (tree / "compile_commands.json").write_text("[")
            self.assertEqual(builds.facts_of(tree)["flags"], "-march=native -O3 -DNDEBUG")

    def test_programs_that_differ_are_told_apart_whatever_their_commit(self):
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder) / "tools/uproar"
            program.parent.mkdir()
            digests = []
            for content in ("one", "one", "other"):
                program.write_text(content)
                digests.append(builds.facts_of(pathlib.Path(folder))["digest"])
            self.assertEqual(digests[0], digests[1])
            self.assertNotEqual(digests[1], digests[2])

    def test_any_other_is_doubted(self):
        self.assertIn("Debug, not Release", self.facts_of(CACHE.format(type="Debug", sanitize=""))["doubts"][0])
        self.assertIn("empty, not Release", self.facts_of(CACHE.format(type="", sanitize=""))["doubts"][0])
        self.assertIn("sanitizers (thread)", self.facts_of(CACHE.format(type="Release", sanitize="thread"))["doubts"][0])
        self.assertIn("nothing tells", self.facts_of("")["doubts"][0])

    def test_a_build_that_is_older_than_a_header_it_was_made_of(self):
        with tempfile.TemporaryDirectory() as folder:
            tree, build = pathlib.Path(folder).resolve(), pathlib.Path(folder).resolve() / "build"
            for path in ("tools", "build/tools"):
                (tree / path).mkdir(parents=True)
            (tree / "tools/uproar.h").write_text("")
            (build / "tools/uproar").write_text("")
            sources, builds.sources_of = builds.sources_of, lambda *_: {tree / "tools/uproar.h", pathlib.Path("/usr/include/stdio.h")}
            self.addCleanup(setattr, builds, "sources_of", sources)
            os.utime(build / "tools/uproar", (1000, 1000))
            os.utime(tree / "tools/uproar.h", (2000, 2000))
            self.assertEqual(builds.stale(build, tree, "Ninja"), ["tools/uproar is older than tools/uproar.h: build again"])
            os.utime(tree / "tools/uproar.h", (900, 900))
            self.assertEqual(builds.stale(build, tree, "Ninja"), [])


if __name__ == "__main__":
    unittest.main()
