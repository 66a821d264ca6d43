#!/usr/bin/env python3
"""Runs a command with a PostgreSQL server of its own beside it: on_postgres.py COMMAND…

server.mjs then gives each data folder a database on it (UPROAR_TEST_POSTGRES), so that the same tests speak to a node that keeps everything there."""

import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools/cluster"))

from services import Postgres  # noqa: E402  the path comes first


def main():
    with tempfile.TemporaryDirectory(prefix="uproar-e2e-") as folder:
        os.chmod(folder, 0o755)   # the server runs as another user
        postgres = Postgres(folder, durable=False).start()
        try:
            return subprocess.run(sys.argv[1:], env={**os.environ, "UPROAR_TEST_POSTGRES": postgres.url("postgres")}, check=False).returncode
        finally:
            postgres.stop()


if __name__ == "__main__":
    sys.exit(main())
