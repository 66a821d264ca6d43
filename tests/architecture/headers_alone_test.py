"""Every header must compile by itself.

A header x.h whose x.cc includes it first is proven by that file's own compilation; for those only the order is checked.
The others are compiled alone. Run: python3 FILE ROOT GENERATED COMPILER [FLAGS...].
"""
import concurrent.futures
import pathlib
import re
import subprocess
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
ROOTS = ("proto", "storage", "core", "tools", "tests", "bench")


def is_proven_by_source(root, header):
    source = header.with_suffix(".cc")
    if not source.exists():
        return False
    first = INCLUDE.search(source.read_text(encoding="utf-8"))
    return first is not None and first[1] == header.relative_to(root).as_posix()


def compile_alone(root, generated, compiler, flags, header):
    name = header.relative_to(root).as_posix()
    command = [*compiler.split(), *flags, f"-I{root}", f"-I{generated}", "-fsyntax-only", "-x", "c++", "-"]
    done = subprocess.run(command, input=f'#include "{name}"\n', text=True, capture_output=True, check=False)
    return (name, done.returncode == 0, done.stderr)


def main():
    root, generated, compiler, *flags = sys.argv[1:]
    root = pathlib.Path(root)
    headers = [path for top in ROOTS for path in sorted((root / top).rglob("*.h"))
               if "node_modules" not in path.parts and "cases" not in path.parts]
    alone = [header for header in headers if not is_proven_by_source(root, header)]
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        results = list(pool.map(lambda header: compile_alone(root, generated, compiler, flags, header), alone))
    for name, compiles, errors in results:
        if not compiles:
            print(f"{name} does not compile alone:\n{errors}")
    failed = sum(not compiles for _, compiles, _ in results)
    print(f"{len(headers)} headers, {len(alone)} compiled alone, {failed} failed")
    return 1 if failed or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
