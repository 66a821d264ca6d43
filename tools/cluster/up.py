#!/usr/bin/env python3
"""`tools/dev cluster N`: a cluster to play with, until Ctrl-C."""

import argparse
import json
import pathlib
import signal
import sys
import time

from cluster import Cluster
from services import Unavailable

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOOK_SECONDS = 0.2

EXAMPLE = """example:
  tools/dev cluster 3
  tools/dev cluster 2 --json > cluster.json      one JSON object when all of it runs, then nothing until it ends

Kill a node (kill -9 PID) or pause Redis (kill -STOP PID) and see what clients notice; docs/cluster.md says what they should."""

DEMO = """
Register two people, and give each a terminal ({front} is nginx: any node answers):

  token() {{ curl -sS {front}/api/v1/$1 -d "{{\\"name\\":\\"$2\\",\\"password\\":\\"$3\\"}}" | sed -nE 's/.*"access_token":"([^"]+)".*/\\1/p'; }}
  python3 -m websockets "{ws}/ws?token=$(token register ann 'correct horse 1')"
  python3 -m websockets "{ws}/ws?token=$(token register ben 'correct horse 2')"
  > {{"type":"message.send","id":1,"to":"USER_ID OF ANN","client_id":"b1","content":"hello ann"}}

`wscat -c` takes the same address. The page for browsers is at {front}/, each node has /readyz at its own address and /metrics beside it
({admin}/metrics is the first one's).
Stop all of it with Ctrl-C."""


class Stopped(Exception):
    """Somebody wants it to end."""


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop_signal(number, frame):
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)   # it is on its way
    raise Stopped


def address(part):
    return part.url("uproar") if part.name == "postgres" else part.url()


def picture(cluster):
    """What runs where, for programs."""
    return {"folder": str(cluster.folder.resolve()), "auth_key_file": str(cluster.auth_key_file.resolve()), "url": cluster.nginx.url(),
            "ws_url": cluster.nginx.url().replace("http", "ws", 1) + "/ws",
            "nodes": [{"name": node.name, "url": node.url(), "ws_url": node.ws_url() + "/ws", "admin_url": node.admin_url(), "pid": node.pid(), "log": str(node.folder / "log")} for node in cluster.nodes],
            "services": {part.name: {"url": address(part), "pid": part.pid(), "log": str(part.folder / "log")}
                         for part in (cluster.nginx, cluster.postgres, cluster.redis, cluster.etcd)}}


def table(cluster):
    rows = [("what", "where", "pid", "log")]
    rows += [(part.name, address(part), str(part.pid()), str(part.folder / "log")) for part in reversed(cluster.parts())]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return "\n".join("  " + "  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows)


def watch(cluster, tell):
    """Until somebody wants it to end: says which part died. It is not started again: to see what follows is what this cluster is for."""
    alive = set(cluster.parts())
    while any(node in alive for node in cluster.nodes):
        for part in [part for part in cluster.parts() if part in alive and not part.is_running()]:
            alive.remove(part)
            status = part.process.returncode
            how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
            tell(f"{part.name} (pid {part.pid()}) {how}; its last words, of {part.folder / 'log'}:\n{part.last_words().rstrip()}")
        time.sleep(LOOK_SECONDS)
    tell("no node is left")
    return 1


def main(arguments):
    parser = argparse.ArgumentParser(prog="tools/dev cluster", epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     description="Starts PostgreSQL, Redis, etcd, N nodes and nginx before them on free loopback ports; Ctrl-C stops all of it.")
    parser.add_argument("nodes", type=int, nargs="?", default=3, metavar="N", help="nodes (default 3)")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "build" / "cluster", help="folder of all data and logs (default build/cluster); accounts and messages are kept")
    parser.add_argument("--port", type=int, help="of nginx (default: a free one)")
    parser.add_argument("--shards", type=int, default=1, help="of each node (default 1)")
    parser.add_argument("--node-lease", default="10s", help="after how long without a sign a node counts as dead (default 10s)")
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "build" / "release" / "tools" / "uproar", help="default build/release/tools/uproar")
    parser.add_argument("--json", action="store_true", help="say what runs where as one JSON object on stdout")
    chosen = parser.parse_args(arguments)
    if not 1 <= chosen.nodes <= 64:
        parser.error(f"N: expected 1 to 64 nodes, got {chosen.nodes}")
    for number in SIGNALS:
        signal.signal(number, stop_signal)

    def tell(text):
        print(text, file=sys.stderr if chosen.json else sys.stdout, flush=True)

    cluster = Cluster(chosen.data, chosen.nodes, binary=chosen.binary, shards=chosen.shards, lease=chosen.node_lease, port=chosen.port)
    status = 0
    try:
        cluster.start(lambda part: tell(f"{part.name} answers at {address(part)}"))
        if chosen.json:
            print(json.dumps(picture(cluster)), flush=True)
        else:
            tell(f"\nA cluster of {chosen.nodes}, in {cluster.folder}\n\n{table(cluster)}")
            tell(DEMO.format(front=cluster.nginx.url(), ws=cluster.nginx.url().replace("http", "ws", 1), admin=cluster.nodes[0].admin_url()))
        status = watch(cluster, tell)
    except Stopped:
        tell("\nstopping")
    except Unavailable as error:
        tell(f"tools/dev cluster: {error}")
        status = 1
    except OSError as error:   # no right, no room, a file where a folder should be
        tell(f"tools/dev cluster: {error.filename or cluster.folder}: {error.strerror}. Try: another folder (--data)")
        status = 1
    for name in cluster.stop():
        tell(f"{name} did not stop in time and was killed; see {cluster.folder / name / 'log'}")
        status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
