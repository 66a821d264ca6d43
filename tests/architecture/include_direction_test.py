"""Reads every #include of the product and prints each edge that the layering does not allow.

The folders are a straight line, proto <- storage <- core <- tools. ALLOWED is the picture in docs/architecture.md as a
table; THIRD_PARTY names the one folder (or few) that may include a library's headers. Run: python3 FILE [ROOT].
"""
import pathlib
import re
import sys
import tempfile
import unittest

BASE = {"proto/base"}
EVERYTHING = {"proto/*", "storage", "storage/*", "core/*"}
ALLOWED = {
    "proto/base": set(),
    "proto/http": BASE,
    "proto/crypto": BASE,
    "proto/chat": BASE | {"proto/crypto"},   # the digest behind direct conversation ids, docs/decisions/0009
    "proto/ws": BASE | {"proto/http", "proto/crypto"},
    "proto/auth": BASE | {"proto/crypto", "proto/chat"},   # ids and error codes
    "proto/s3": BASE | {"proto/crypto"},
    "storage": BASE | {"proto/chat"},
    "storage/*": BASE | {"proto/chat", "storage"},
    "storage/etcd": BASE | {"storage", "proto/crypto"},   # base64
    "core/runtime": BASE,
    "core/net": BASE | {"core/runtime", "proto/http", "proto/ws"},
    "core/chat": BASE | {"proto/chat", "storage"},
    "core/gateway": {"proto/*", "core/chat", "core/net", "storage"},
    "core/server": EVERYTHING,
    "tools": BASE | {"core/server"},
}
THIRD_PARTY = {
    r"liburing": {"core/runtime"},
    r"linux/io_uring\.h": {"core/runtime"},
    r"simdjson": {"proto/chat", "storage/etcd"},
    r"zlib\.h": {"proto/ws"},
    r"openssl/": {"proto/crypto"},
    r"(sodium|jansson)\.h|sodium/|cjose/": {"proto/auth"},
    r"sqlite3": {"storage/sqlite"},
    r"libpq|postgres": {"storage/postgres"},
    r"hiredis": {"storage/redis"},
    r"curl/": {"core/server", "storage/etcd"},
    r"toml|CLI/": {"core/server", "tools"},
    r"spdlog/|fmt/": {"core/server"},
    r"prometheus/": {"core/server"},
    r"seccomp\.h": {"core/server"},
    r"mimalloc": {"tools"},
}
SYSTEM = re.compile(r"(sys|net|netinet|arpa|linux|asm|bits)/|(unistd|fcntl|link|semaphore|poll|pthread|sched|signal|errno|time|netdb|ifaddrs|"
                    r"pwd|grp|dirent|dlfcn|getopt|malloc|execinfo|cpuid|immintrin|x86intrin|arm_neon|"
                    r"stdio|stdlib|string|strings|math|limits|stdint|stddef)\.h$")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
ROOTS = ("proto", "storage", "core", "tools")


def folder_of(path):
    """proto/ws/frame.h -> proto/ws; storage/record.h -> storage; tools/cmake/x.h -> tools."""
    parts = pathlib.PurePosixPath(path).parts
    return parts[0] if parts[0] == "tools" or len(parts) < 3 else "/".join(parts[:2])


def wildcard(folder):
    return folder.split("/")[0] + "/*" if "/" in folder else folder


def may_include(folder, target):
    allowed = ALLOWED.get(folder, ALLOWED.get(wildcard(folder)))
    if allowed is None:
        return False
    return target == folder or target in allowed or wildcard(target) in allowed


def fault_of(folder, quote, header):
    """None when the include is in order, else what is wrong with it."""
    if header.startswith("absl/"):   # by its own custom between quotes
        return "proto/base may not include abseil" if folder == "proto/base" else None
    if quote == '"':
        if header.split("/")[0] not in ROOTS or "/" not in header or ".." in header:
            return f'"{header}" is not a path from the root of the tree'
        target = folder_of(header)
        return None if may_include(folder, target) else f"{folder} may not include {target} ({header})"
    for pattern, homes in THIRD_PARTY.items():
        if re.match(pattern, header):
            return None if folder in homes else f"<{header}> belongs to {', '.join(sorted(homes))}, not to {folder}"
    if ("." not in header and "/" not in header) or SYSTEM.match(header):
        return None
    return f"<{header}> is not a library that a folder owns; decide where it lives (docs/decisions), then list it here"


def broken_edges(root):
    root = pathlib.Path(root)
    for top in ROOTS:
        for path in sorted((root / top).rglob("*")):
            if path.suffix not in (".h", ".cc"):
                continue
            relative = path.relative_to(root).as_posix()
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                found = INCLUDE.match(line)
                fault = found and fault_of(folder_of(relative), found[1], found[2])
                if fault:
                    yield f"{relative}:{number}: {fault}"


class PlantedIncludes(unittest.TestCase):
    """The checker itself: every line here must be caught, and every line there must not."""

    BAD = [
        ("proto/base/x.h", '#include "proto/chat/ids.h"'), ("proto/base/x.h", "#include <absl/strings/str_cat.h>"),
        ("proto/chat/x.h", '#include "proto/ws/frame_parser.h"'), ("proto/http/x.h", '#include "proto/ws/handshake.h"'),
        ("storage/x.h", '#include "storage/sqlite/sqlite_store.h"'), ("storage/x.h", '#include "core/net/limits.h"'),
        ("storage/memory/x.cc", '#include "storage/sqlite/sqlite_store.h"'),
        ("core/runtime/x.h", '#include "proto/http/request_parser.h"'), ("core/net/x.h", '#include "proto/chat/ids.h"'),
        ("core/net/x.h", '#include "core/chat/session.h"'), ("core/chat/x.h", '#include "core/runtime/ring.h"'),
        ("core/chat/x.cc", '#include "storage/memory/memory_store.h"'), ("core/chat/x.cc", "#include <simdjson.h>"),
        ("core/gateway/x.cc", '#include "core/server/config.h"'), ("core/net/x.cc", "#include <liburing.h>"),
        ("tools/x.cc", '#include "core/chat/session.h"'), ("proto/chat/x.cc", '#include "ids.h"'),
        ("core/server/x.cc", "#  include <openssl/evp.h>"), ("proto/ws/x.cc", "#include <boost/asio.hpp>"),
        ("core/extra/x.cc", '#include "core/chat/session.h"'),
    ]
    GOOD = [
        ("proto/chat/x.h", '#include "proto/base/uuid.h"'), ("proto/chat/x.cc", "#include <simdjson.h>"),
        ("storage/sqlite/x.cc", '#include "storage/record.h"'), ("core/chat/x.h", '#include "storage/message_log.h"'),
        ("core/server/x.cc", '#include "storage/sqlite/sqlite_store.h"'), ("core/net/x.h", "#include <sys/socket.h>"),
        ("core/net/x.h", '#include "absl/container/flat_hash_map.h"'),
        ("core/chat/x.h", "#include <absl/container/flat_hash_map.h>"), ("tools/x.cc", '#include "core/server/server.h"'),
        ("core/gateway/x.cc", '#include "proto/auth/token.h"'), ("proto/ws/x.cc", '// #include "core/net/limits.h"'),
    ]

    def edges_of(self, path, line):
        with tempfile.TemporaryDirectory() as root:
            file = pathlib.Path(root, path)
            file.parent.mkdir(parents=True)
            file.write_text("#pragma once\n" + line + "\n", encoding="utf-8")
            return list(broken_edges(root))

    def test_bad_includes_are_caught_with_file_and_line(self):
        for path, line in self.BAD:
            with self.subTest(path=path, line=line):
                found = self.edges_of(path, line)
                self.assertEqual(len(found), 1)
                self.assertTrue(found[0].startswith(path + ":2: "))

    def test_good_includes_pass(self):
        for path, line in self.GOOD:
            with self.subTest(path=path, line=line):
                self.assertEqual(self.edges_of(path, line), [])


class Tree(unittest.TestCase):
    root = "."

    def test_no_include_goes_up(self):
        self.assertTrue(pathlib.Path(self.root, "proto/base").is_dir(), f"{self.root} is not the tree")
        found = list(broken_edges(self.root))
        self.assertEqual(found, [], "\n" + "\n".join(found))


if __name__ == "__main__":
    Tree.root = sys.argv.pop(1) if len(sys.argv) > 1 else "."
    unittest.main()
