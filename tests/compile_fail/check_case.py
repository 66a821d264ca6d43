"""Compiles one case of tests/compile_fail twice; see CMakeLists.txt. Run: python3 FILE CASE COMPILER [FLAGS...].

The first line of a case is `// expect: REGEX`, matched against the compiler's errors. Without it any typing mistake in
the case would pass for a proof. Alternatives (a|b) cover the words of g++ and of clang.
"""
import re
import subprocess
import sys


def syntax_errors(command):
    done = subprocess.run([*command, "-fsyntax-only"], text=True, capture_output=True, check=False,
                          env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"})
    return None if done.returncode == 0 else done.stderr


def main():
    case, *compiler = sys.argv[1:]
    with open(case, encoding="utf-8") as file:
        expect = re.match(r"// expect: (.+)", file.readline())
    if expect is None:
        return f"{case}: the first line must be `// expect: REGEX`"
    good = syntax_errors([*compiler, case])
    if good is not None:
        return f"{case}: the good half does not compile, so nothing is proven\n{good}"
    bad = syntax_errors([*compiler, "-DMUST_NOT_COMPILE", case])
    if bad is None:
        return f"{case}: compiles although it must not"
    if not re.search(expect[1], bad):
        return f"{case}: refused, but not for /{expect[1]}/:\n{bad}"
    return 0


if __name__ == "__main__":
    sys.exit(main())
