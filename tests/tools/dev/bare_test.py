"""`tools/dev bare`: the command runs in a root of its own, its outcome comes back, and nothing stays behind, however it ends.

The namespaces, mounts and signals are real. mmdebstrap is a stand-in, which downloads nothing: its root borrows the /usr of this machine.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
MMDEBSTRAP = r"""#!/bin/bash
set -e
if [ -n "$FAIL_MMDEBSTRAP" ]; then echo "E: no mirror" >&2; exit 1; fi
root="${@: -2:1}"
mkdir -p "$root"/{usr,etc,proc,sys,dev,run,tmp}
mount --rbind /usr "$root/usr"
mount -t tmpfs tmpfs "$root/usr/local"   # what this machine has added to its own Debian
mkdir -p "$root/usr/local/share/ca-certificates" "$root/usr/local/sbin"
ln -s /bin/true "$root/usr/local/sbin/update-ca-certificates"
for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done
cp -a /etc/alternatives /etc/ld.so.cache /etc/passwd /etc/group "$root/etc/"
"""
SCRIPTS = ("tools/dev", "tools/bare")   # the tree that is copied into the root: as small as it may be


class Bare(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        base = pathlib.Path(folder.name)
        self.tree, self.roots, programs = base / "tree", base / "roots", base / "programs"
        for made in (self.tree / "tools", self.roots, programs):
            made.mkdir(parents=True)
        for script in SCRIPTS:
            shutil.copy(ROOT / script, self.tree / script)
        (self.tree / ".gitignore").write_text("build/\n")
        (self.tree / "new").write_text("not committed\n")
        subprocess.run(["git", "init", "--quiet", self.tree], check=True)
        (programs / "mmdebstrap").write_text(MMDEBSTRAP)
        (programs / "mmdebstrap").chmod(0o755)
        self.environment = {**os.environ, "TMPDIR": str(self.roots), "PATH": f"{programs}:{os.environ['PATH']}"}
        self.outcome = self.tree / "build/bare/trixie"

    def bare(self, *words, **variables):
        return subprocess.run([self.tree / "tools/dev", "bare", *words], text=True, capture_output=True, check=False, stdin=subprocess.DEVNULL,
                              env={**self.environment, **variables})

    def assert_nothing_is_left(self, but_files=False):
        self.assertNotIn(str(self.roots), pathlib.Path("/proc/self/mountinfo").read_text())
        if not but_files:
            self.assertEqual(list(self.roots.iterdir()), [])

    def test_the_command_runs_in_a_checkout_of_the_tree_and_its_outcome_comes_back(self):
        run = self.bare("trixie", "bash", "-c", "cat new; git ls-files; cat /etc/hosts; mkdir -p build/release/Testing build/asan; "
                        "echo tests >build/release/Testing/a; echo words >build/asan/b.log; echo object >build/asan/c.o; exit 7")
        self.assertEqual(run.returncode, 7, run.stdout + run.stderr)
        self.assertIn("not committed\n.gitignore\nnew\ntools/bare\ntools/dev\n", run.stdout)
        self.assertIn("127.0.0.1 localhost", run.stdout)
        self.assertEqual((self.outcome / "release/Testing/a").read_text(), "tests\n")
        self.assertEqual((self.outcome / "asan/b.log").read_text(), "words\n")
        self.assertFalse((self.outcome / "asan/c.o").exists())
        self.assertIn("ended with 7", (self.outcome / "log").read_text())
        self.assert_nothing_is_left()

    def test_the_command_sees_nothing_of_the_host(self):
        run = self.bare("trixie", "bash", "-c", f"ls -d {self.tree} || true; ls /outcome /ccache; env")
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        self.assertIn(f"cannot access '{self.tree}'", run.stdout)
        self.assertNotIn(str(self.roots), run.stdout.split("cannot access")[1])

    def test_a_compiler_cache_is_kept(self):
        cache = self.tree / "build/cache"
        run = self.bare("trixie", "--ccache", str(cache), "bash", "-c", 'echo kept >"$CCACHE_DIR/object"')
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        self.assertEqual((cache / "object").read_text(), "kept\n")
        self.assert_nothing_is_left()

    def test_a_root_that_cannot_be_made_fails(self):
        run = self.bare("trixie", "true", FAIL_MMDEBSTRAP="yes")
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("E: no mirror", run.stdout)
        self.assert_nothing_is_left()

    def end_by(self, number):
        """Sends a signal to the outer shell while the command runs; returns when every process that could say something has ended."""
        run = subprocess.Popen([self.tree / "tools/dev", "bare", "trixie", "bash", "-c", "sleep 1000 & echo it runs; wait"], text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.environment)
        with run:
            for line in run.stdout:
                if line == "it runs\n":
                    break
            else:
                self.fail("the command never ran")
            run.send_signal(number)
            run.stdout.read()   # ends when the last process that holds the pipe has ended: sleep is one of them
        return run.returncode

    def test_a_signal_ends_the_command_and_removes_the_root(self):
        self.assertEqual(self.end_by(signal.SIGTERM), 143)
        self.assert_nothing_is_left()

    def test_a_kill_leaves_no_process_and_no_mount(self):
        self.assertEqual(self.end_by(signal.SIGKILL), -signal.SIGKILL)
        self.assert_nothing_is_left(but_files=True)

    def test_a_call_that_makes_no_sense_is_refused(self):
        for words, said in (((), "say which Debian"), (("sid", "true"), "unknown suite 'sid'"), (("trixie",), "say what to run"),
                            (("trixie", "--fast", "true"), "unknown option --fast")):
            with self.subTest(words=words):
                run = self.bare(*words)
                self.assertEqual(run.returncode, 2)
                self.assertIn(said, run.stderr)
        self.assertEqual(self.bare("--help").returncode, 0)

    def test_what_is_missing_is_named(self):
        programs = self.tree / "programs"
        programs.mkdir()
        for name in ("bash", "env", "dirname", "readlink", "nproc", "id"):
            (programs / name).symlink_to(shutil.which(name))
        run = self.bare("trixie", "true", PATH=str(programs))
        self.assertEqual(run.returncode, 2)
        self.assertIn("mmdebstrap is missing: apt-get install mmdebstrap", run.stderr)


if __name__ == "__main__":
    unittest.main()
