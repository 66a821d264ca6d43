"""uproar_load against nodes of a cluster."""

import json
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


class LoadFailed(OSError):
    """The load tool found something lost, or could not run; the text has its words."""


def load(cluster, chosen, scenario, *, ports, pids, target="uproar", settings=(), extra=(), timeout=200):
    """Its result, as --json has it. The world is made once and kept beside the cluster's data."""
    out = cluster.folder / "load.json"
    command = [str(chosen.build / "bench/load/uproar_load"), str(ROOT / f"bench/scenarios/{scenario}.toml"), "--target", str(ROOT / f"bench/targets/{target}.toml"),
               "--port", ",".join(map(str, ports)), "--auth-key-file", str(cluster.auth_key_file), "--json", str(out), *extra]
    if pids:
        command += ["--pid", ",".join(map(str, pids))]
    for setting in settings:
        command += ["--set", setting]
    out.unlink(missing_ok=True)
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0 and not out.exists() and "--only-prepare" not in extra:
        raise LoadFailed(f"uproar_load: {(done.stderr or done.stdout)[-1000:]}")
    if "--only-prepare" in extra:
        if done.returncode != 0:
            raise LoadFailed(f"uproar_load: {done.stderr[-1000:]}")
        return None
    result = json.loads(out.read_text())
    result["is_well"] = done.returncode == 0
    return result


FAULTS = ("lost", "repeated", "unknown", "missing", "missing_acks", "strange_acks", "refused", "ended")


def faults_of(result):
    return {name: result[name] for name in FAULTS if result[name]}
