"""How a build was made: what a figure of it is worth. A debug build, or one that is older than its sources, is measured like any other, and doubted."""

import hashlib
import json
import os
import pathlib
import shlex
import subprocess

from runner.testbed import ROOT

PROGRAMS = ("tools/uproar", "bench/load/uproar_load", "bench/floor/uproar_floor")
KEYS = ("CMAKE_BUILD_TYPE", "CMAKE_CXX_COMPILER", "CMAKE_CXX_FLAGS", "UPROAR_SANITIZE", "CMAKE_HOME_DIRECTORY", "CMAKE_GENERATOR")
OPTIMISED = "Release"
MEASURED = ("proto", "storage", "core", "tools", "bench", "CMakeLists.txt", "CMakePresets.json")   # of the tree: what a figure depends on

NETWORK = "core/net"                                    # of the tree: its flags are those of what is measured
NO_MATTER = ("-I", "-isystem", "-W", "-M", "-o", "-c")   # flags that change no instruction


def output(*command, folder=ROOT):
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", errors="replace", check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def cache_of(build):
    """{name: value} of CMakeCache.txt; {} where there is none."""
    path = pathlib.Path(build) / "CMakeCache.txt"
    if not path.exists():
        return {}
    entries = (line.partition("=") for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if not line.startswith(("#", "//")))
    return {name.partition(":")[0]: value for name, _, value in entries if name}


def flags_of(build, tree):
    """Those with which all of the server's network code was compiled, without warnings and where headers lie; "" where nothing tells."""
    try:
        commands = json.loads((pathlib.Path(build) / "compile_commands.json").read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError):
        return ""
    of_file = [shlex.split(one["command"]) for one in commands if pathlib.Path(one["file"]).is_relative_to(tree / NETWORK)]
    if not of_file:
        return ""
    common = set.intersection(*map(set, of_file))
    return " ".join(word for word in of_file[0] if word in common and word.startswith("-") and not word.startswith(NO_MATTER) and "/" not in word)


def commit_of(folder):
    """(short hash, time, whether something is not committed) of the sources."""
    return (output("git", "rev-parse", "--short", "HEAD", folder=folder), output("git", "show", "-s", "--format=%cI", "HEAD", folder=folder),
            bool(output("git", "status", "--porcelain", "--", *MEASURED, folder=folder)))


def sources_of(build, program):
    """Files of the source tree that a program was made of, headers included, as Ninja knows them."""
    inputs = output("ninja", "-C", str(build), "-t", "inputs", program).splitlines()
    objects = [name for name in inputs if name.endswith(".o")]
    deps = output("ninja", "-C", str(build), "-t", "deps", *objects).splitlines() if objects else []
    named = {name for name in inputs if name.endswith((".cc", ".h"))} | {line.strip() for line in deps if line.startswith("    ")}
    return {pathlib.Path(os.path.normpath(build / name)) for name in named}


def newer_source(build, program, tree):
    """The newest file that a program was made of and that was changed since; None if none was."""
    built = (build / program).stat().st_mtime
    changed = [(path.stat().st_mtime, path) for path in sources_of(build, program) if path.is_relative_to(tree) and path.exists()]
    latest = max(changed, default=(0, None))
    return latest[1] if latest[0] > built else None


def digest_of(build):
    """Of its programs together: two builds of one commit with different changes that nobody committed have different ones."""
    sha = hashlib.sha256()
    for program in PROGRAMS:
        if (path := pathlib.Path(build) / program).exists():
            sha.update(path.read_bytes())
    return sha.hexdigest()[:16]


def facts_of(build):
    """{"version", "type", "compiler", "flags", "sanitize", "commit", "commit_time", "uncommitted", "digest", "doubts"} of a build folder. Paths stay out."""
    cache = cache_of(build)
    kind = cache.get("CMAKE_BUILD_TYPE", "")
    tree = pathlib.Path(cache.get("CMAKE_HOME_DIRECTORY") or "/nonexistent")
    commit, commit_time, uncommitted = commit_of(tree) if tree.is_dir() else ("", "", False)
    facts = {"version": next(iter(output(str(build / PROGRAMS[0]), "--version").splitlines()), ""), "type": kind,
             "compiler": next(iter(output(cache.get("CMAKE_CXX_COMPILER", "c++"), "--version").splitlines()), "") if cache else "",
             "flags": flags_of(build, tree) or " ".join(f"{cache.get('CMAKE_CXX_FLAGS', '')} {cache.get(f'CMAKE_CXX_FLAGS_{kind.upper()}', '')}".split()),
             "sanitize": cache.get("UPROAR_SANITIZE", ""), "commit": commit, "commit_time": commit_time, "uncommitted": uncommitted,
             "digest": digest_of(build)}
    return {**facts, "doubts": doubts_about(facts, bool(cache)) + stale(build, tree, cache.get("CMAKE_GENERATOR", ""))}


def doubts_about(facts, has_cache):
    if not has_cache:
        return ["nothing tells how it was made (no CMakeCache.txt)"]
    out = []
    if facts["type"] != OPTIMISED:
        out.append(f"its build type is {facts['type'] or 'empty'}, not {OPTIMISED}")
    if facts["sanitize"]:
        out.append(f"it was made with sanitizers ({facts['sanitize']})")
    if facts["uncommitted"]:
        out.append(f"its sources are not those of commit {facts['commit']}: something is not committed")
    return out


def stale(build, tree, generator):
    if generator != "Ninja":
        return []
    found = ((program, newer_source(build, program, tree)) for program in PROGRAMS if (build / program).exists())
    return [f"{program} is older than {path.relative_to(tree)}: build again" for program, path in found if path]


def line_of(name, facts):
    """For people."""
    made = ", ".join(part for part in (facts["type"], facts["compiler"], facts["flags"], facts["sanitize"]) if part)
    commit = f"commit {facts['commit']}{' and uncommitted changes' if facts['uncommitted'] else ''}" if facts["commit"] else "commit unknown"
    return f"{name}: {facts['version'] or 'no version'}; {commit}; {made or 'made nobody knows how'}"
