#!/usr/bin/env python3
"""A PostgreSQL server for a test in another language. Says its URL and its superuser's database, then does what each line of stdin asks and answers
with the same word: start, stop, kill, pause, resume. Ends with stdin, and the server with it."""

import os
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools/cluster"))

from services import Postgres  # noqa: E402  the path comes first


def main():
    with tempfile.TemporaryDirectory(prefix="uproar-e2e-") as folder:
        os.chmod(folder, 0o755)   # the server runs as another user
        # Durable: what is killed comes back with all that it acknowledged.
        postgres = Postgres(folder, settings={"shared_buffers": "32MB"}).start()
        does = {name: getattr(postgres, name) for name in ("start", "stop", "kill", "pause", "resume")}
        try:
            print(postgres.url("postgres"), flush=True)
            for line in sys.stdin:
                does[line.strip()]()
                print(line.strip(), flush=True)
        finally:
            postgres.stop()


if __name__ == "__main__":
    main()
