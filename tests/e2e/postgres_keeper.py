#!/usr/bin/env python3
"""A PostgreSQL server for a test in another language. Says its URL and its superuser's database, then does what each line of stdin asks and answers
with the same word: start, stop, kill, pause, resume. Ends with stdin, and the server with it."""

import os
import pathlib
import signal
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools/cluster"))

from services import Postgres  # noqa: E402  the path comes first


def family_of(pid):
    """A process and all its descendants. Backends are process groups of their own, so that of the postmaster does not reach them."""
    try:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(one for child in children for one in family_of(int(child)))]


def signal_all(postgres, number):
    for pid in family_of(postgres.pid()):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue   # it has just ended


def kill(postgres):
    """As a power cut: nobody gets to say goodbye."""
    signal_all(postgres, signal.SIGKILL)
    postgres.process.wait()


def main():
    with tempfile.TemporaryDirectory(prefix="uproar-e2e-") as folder:
        os.chmod(folder, 0o755)   # the server runs as another user
        # Connections of a burst wait for each other; durable, so that what is killed comes back with all it acknowledged.
        postgres = Postgres(folder, settings={"shared_buffers": "32MB"}).start()
        does = {"start": postgres.start, "stop": postgres.stop, "kill": lambda: kill(postgres),
                "pause": lambda: signal_all(postgres, signal.SIGSTOP), "resume": lambda: signal_all(postgres, signal.SIGCONT)}
        try:
            print(postgres.url("postgres"), flush=True)
            for line in sys.stdin:
                does[line.strip()]()
                print(line.strip(), flush=True)
        finally:
            if postgres.is_running():
                signal_all(postgres, signal.SIGCONT)
            postgres.stop()


if __name__ == "__main__":
    main()
