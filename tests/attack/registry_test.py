"""Every defence of proto/base/weakness.h is asked for in a source, compiled into uproar_weakened and attacked by a test; and nothing else is."""

import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
attack = root / "tests/attack"
problems = []

header = (root / "proto/base/weakness.h").read_text()
registry = dict(re.findall(r'X\((k\w+), "(\w+)"\)', header.split("#define UPROAR_WEAKNESSES(X)", 1)[1]))
if not registry:
    problems.append("proto/base/weakness.h lists nothing: this test reads it no more")

# Who asks, by the source file that compiles it.
includers = {}
asked = {}
sources = [path for folder in ("proto", "storage", "core", "tools") for path in (root / folder).rglob("*") if path.suffix in (".h", ".cc")]
texts = {str(path.relative_to(root)): path.read_text() for path in sources}
for name, text in texts.items():
    for included in re.findall(r'#include "([^"]+-inl\.h)"', text):
        includers.setdefault(included, set()).add(name)


def compiled_in(name, seen=()):
    if name.endswith(".cc"):
        return {name}
    return {source for above in includers.get(name, ()) if above not in seen for source in compiled_in(above, (*seen, name))}


expected = {"proto/base/weakness.cc"}
for name, text in texts.items():
    if name == "proto/base/weakness.h":
        continue
    found = re.findall(r"weakened\(\s*Weakness::(k\w+)\s*\)", text)
    if not found:
        continue
    if name.endswith(".h") and not name.endswith("-inl.h"):
        problems.append(f"{name} asks weakened(): only a source file or an -inl.h may (weakness.h says why)")
    homes = compiled_in(name)
    if len(homes) != 1:
        problems.append(f"{name} asks weakened() and is compiled in {sorted(homes) or 'no source'}: one source file must include it")
    expected |= homes
    for constant in found:
        asked.setdefault(constant, []).append(name)

listed = set(re.search(r"set\(weakened_sources\s+([^)]*)\)", (attack / "CMakeLists.txt").read_text()).group(1).split())
for name in sorted(expected - listed):
    problems.append(f"{name} asks weakened() and stands not in weakened_sources of tests/attack/CMakeLists.txt")
for name in sorted(listed - expected):
    problems.append(f"{name} stands in weakened_sources of tests/attack/CMakeLists.txt and asks nothing")

attacked = {}
for path in sorted(attack.glob("*.attack.mjs")):
    named = re.search(r"weakness: (?:'(\w+)'|\[([^\]]+)\])", path.read_text())
    names = re.findall(r"\w+", named.group(1) or named.group(2)) if named else []
    if not names:
        problems.append(f"{path.name} names no weakness: what does its test show?")
    for weakness in names:
        attacked.setdefault(weakness, []).append(path.name)

for constant, name in registry.items():
    if constant not in asked:
        problems.append(f"{constant} is asked for nowhere: the defence is gone, or its line is")
    if name not in attacked:
        problems.append(f"{name} has no attack in tests/attack that fails without it")
for name in sorted(set(attacked) - set(registry.values())):
    problems.append(f"{', '.join(attacked[name])}: {name} is no weakness of proto/base/weakness.h")

for problem in problems:
    print(problem, file=sys.stderr)
print(f"{len(registry)} defences, {sum(map(len, attacked.values()))} attacks on them, {len(listed)} sources")
sys.exit(1 if problems else 0)
