#!/usr/bin/env python3
"""Runs a command with the services of a cluster beside it: with_services.py COMMAND…

The command is told in UPROAR_TEST_SERVICES, as JSON: {"postgres": URL, "redis": {"url", "pid", "command"}, "etcd": URL, "etcd_pid"}. With pid and command it may kill
Redis and start it again, and pause etcd; what runs at the end is ended here."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tools/cluster"))

from services import Etcd, Postgres, Redis  # noqa: E402  the path comes first


def main():
    with tempfile.TemporaryDirectory(prefix="uproar-cluster-") as folder:
        os.chmod(folder, 0o755)   # PostgreSQL runs as another user
        started = []
        try:
            for service in (Postgres(folder, durable=False), Redis(folder), Etcd(folder)):
                started.append(service.start())
            postgres, redis, etcd = started
            told = {"postgres": postgres.url(), "redis": {"url": redis.url(), "pid": redis.pid(), "command": redis.command()}, "etcd": etcd.url(),
                    "etcd_pid": etcd.pid()}
            return subprocess.run(sys.argv[1:], env={**os.environ, "UPROAR_TEST_POSTGRES": postgres.url(), "UPROAR_TEST_SERVICES": json.dumps(told)},
                                  check=False).returncode
        finally:
            for service in started:
                service.stop()


if __name__ == "__main__":
    sys.exit(main())
