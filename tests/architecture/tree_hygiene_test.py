"""House rules that a script can hold: file sizes, README files, no paths of somebody's machine, lock files without
download addresses, no clock in the pure layers. Run: python3 FILE [ROOT].
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

LINES_MAX = 600   # above it, look for the second concept in the file
PRODUCT = ("proto", "storage", "core", "tools")
TOP = PRODUCT + ("tests", "bench", "docs")
MIRRORED = {"tests/proto", "tests/storage", "tests/core", "tests/tools",   # tests/README.md speaks for these
            "bench/proto", "bench/storage", "bench/core"}
TEXT = {".h", ".cc", ".md", ".txt", ".cmake", ".py", ".js", ".mjs", ".json", ".toml", ".yaml", ".yml", ".html", ".css", ""}
MACHINE_PATH = re.compile(r"(?<![\w.$}/])/(root|work|home/\w+)/")
CLOCK = re.compile(r"clock_gettime|_clock::now|\bgettimeofday\b|\btime\(nullptr\)|\bsleep_for\b")
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")   # relative targets of Markdown links, without their anchors
SECTION_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)#([^)\s]+)\)")
# The comment of a line, and the documents that a comment names ("docs/tour.md", "README.md").
COMMENT = {**dict.fromkeys((".h", ".cc", ".js", ".mjs"), re.compile(r"(?:^|\s)(?://|/?\*)(.*)")),
           **dict.fromkeys((".py", ".txt", ".cmake", ".sh", ""), re.compile(r"(?:^|\s)#(.*)"))}
CITED = re.compile(r"(?<![\w./-])[\w-][\w./-]*\.md\b")
# A function that a document names (`name()`), links to C++ files, and where paragraphs, list items and table rows begin.
FUNCTION = re.compile(r"`(?:\w+::)*(\w+)\(\)`")
SOURCE_LINK = re.compile(r"\]\(([^)#\s]+\.(?:h|cc))\b")
LINK_BEHIND = re.compile(r"\s+\(\[[^]]*" + SOURCE_LINK.pattern)
BLOCK = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*|]|\d+\.)\s)")
# A declaration or definition: a type stands before the name. Before the name of a call stands nothing, a sign or `return`.
DECLARED = re.compile(r"(?!(?:return|else|throw|case)\b)\b\w+[>&*]*\s+(?:\w+(?:<\w+>)?::)*(\w+)\(")
TEST_NAME = re.compile(r"`([A-Z]\w+\.\w+)`")   # `Suite.Test`
TEST = re.compile(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", re.MULTILINE)
PURE = ("proto/", "core/chat/", "storage/memory/")
SKIPPED_PARTS = {".git", "build", "node_modules", "__pycache__"}


def files_of(root):
    """Tracked and new files, without ignored ones; every file when this is no git checkout."""
    command = ["git", "-C", str(root), "ls-files", "-co", "--exclude-standard"]
    git = subprocess.run(command, text=True, capture_output=True, check=False) if shutil.which("git") else None
    if git is not None and git.returncode == 0:
        return sorted(line for line in git.stdout.splitlines() if (root / line).is_file())
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*")
                  if path.is_file() and not SKIPPED_PARTS & set(path.relative_to(root).parts))


def without_code_blocks(text):
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def sections_of(text):
    """Its headings, as links name them."""
    headings = re.findall(r"^#+ (.*)", without_code_blocks(text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def functions_named_in(text):
    """(function, file) for each `function()` of a document: the file that is linked in parentheses right behind it, else
    the last one linked before it in the same paragraph, list item or row, else None.
    """
    for block in BLOCK.split(without_code_blocks(text)):
        for function in FUNCTION.finditer(block):
            behind = LINK_BEHIND.match(block, function.end())
            before = SOURCE_LINK.findall(block, 0, function.start())
            yield function[1], behind[1] if behind else before[-1] if before else None


def declared_in(text):
    return set(DECLARED.findall(re.sub(r"//.*", "", text)))


class Tree(unittest.TestCase):
    root = pathlib.Path(".")

    @classmethod
    def setUpClass(cls):
        cls.files = files_of(cls.root)

    def text(self, name):
        return (self.root / name).read_text(encoding="utf-8", errors="replace")

    def assert_none(self, found):
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_there_is_a_tree_to_look_at(self):
        self.assertIn("CMakeLists.txt", self.files)

    def test_no_product_file_is_too_long(self):
        self.assert_none([f"{name}: {lines} lines, look for the second concept" for name in self.files
                          if name.startswith(PRODUCT) and name.endswith((".h", ".cc", ".js", ".mjs", ".css", ".html"))
                          and (lines := self.text(name).count("\n")) > LINES_MAX])

    def test_every_folder_says_what_it_is_for(self):
        folders = set(TOP)
        for name in self.files:
            parts = pathlib.PurePosixPath(name).parts
            if parts[0] in TOP and len(parts) > 2:
                folders.add("/".join(parts[:2]))
            if parts[0] in ("tests", "bench") and name.endswith((".cc", ".mjs")):
                folders.add("/".join(parts[:-1]))
        self.assert_none([f"{folder}/README.md is missing" for folder in sorted(folders - MIRRORED)
                          if f"{folder}/README.md" not in self.files])

    def test_no_path_of_a_machine(self):
        found = []
        for name in self.files:
            path = pathlib.PurePosixPath(name)
            if path.suffix not in TEXT or path.name == pathlib.Path(__file__).name:
                continue
            found += [f"{name}:{number}: {line.strip()[:100]}" for number, line in enumerate(self.text(name).splitlines(), 1)
                      if MACHINE_PATH.search(line)]
        self.assert_none(found)

    def test_lock_files_hold_no_download_address(self):
        self.assert_none([f"{name}: has \"resolved\"; set omit-lockfile-registry-resolved=true in .npmrc" for name in self.files
                          if name.endswith("package-lock.json") and '"resolved"' in self.text(name)])

    def test_links_in_documents_lead_somewhere(self):
        found = []
        for name in self.files:
            if name.endswith(".md"):
                for target in LINK.findall(without_code_blocks(self.text(name))):
                    if not (self.root / pathlib.Path(name).parent / target).exists():
                        found.append(f"{name}: {target} is not there")
        self.assert_none(found)

    def test_links_to_sections_lead_to_a_heading(self):
        sections = {name: sections_of(self.text(name)) for name in self.files if name.endswith(".md")}
        found = []
        for name in sections:
            for target, section in SECTION_LINK.findall(without_code_blocks(self.text(name))):
                file = os.path.normpath(pathlib.PurePosixPath(name).parent / target) if target else name
                if section not in sections.get(file, {section}):
                    found.append(f"{name}: {file} has no section {section}")
        self.assert_none(found)

    def test_functions_that_documents_name_stand_where_they_say(self):
        """A linked .cc defines it, a linked header declares it; one without a file stands anywhere in the tree."""
        declared = {name: declared_in(self.text(name)) for name in self.files if name.endswith((".h", ".cc"))}
        anywhere = set().union(*declared.values())
        found = []
        for name in self.files:
            for function, link in functions_named_in(self.text(name)) if name.endswith(".md") else ():
                file = link and os.path.normpath(pathlib.PurePosixPath(name).parent / link)
                if function not in (declared.get(file, set()) if file else anywhere):
                    found.append(f"{name}: {function}() is not in {file or 'any file'}")
        self.assert_none(found)

    def test_documents_that_comments_cite_are_there(self):
        """From the root, or from the folder of the file that cites."""
        found = []
        for name in self.files:
            path = pathlib.PurePosixPath(name)
            comment = COMMENT.get(path.suffix)
            if comment is None or path.name == pathlib.Path(__file__).name:
                continue
            for number, line in enumerate(self.text(name).splitlines(), 1):
                said = comment.search(line)
                found += [f"{name}:{number}: {cited} is not there" for cited in CITED.findall(said.group(1) if said else "")
                          if not (self.root / cited).exists() and not (self.root / path.parent / cited).exists()]
        self.assert_none(found)

    def test_tests_that_the_contract_names_exist(self):
        there = {".".join(test) for name in self.files if name.startswith("tests/") and name.endswith(".cc")
                 for test in TEST.findall(self.text(name))}
        scripts = {pathlib.PurePosixPath(name).name for name in self.files if name.endswith(".test.mjs")}
        found = []
        for name in ("docs/contract.md", "docs/rings.md"):
            text = self.text(name)
            found += [f"{name}: there is no test {test}" for test in TEST_NAME.findall(text) if test not in there]
            found += [f"{name}: there is no {script}" for script in re.findall(r"\b[a-z_]+\.test\.mjs", text)
                      if script not in scripts]
        self.assert_none(found)

    def test_pure_layers_read_no_clock(self):
        self.assert_none([f"{name}:{number}: {line.strip()}" for name in self.files
                          if name.startswith(PURE) and name.endswith((".h", ".cc"))
                          for number, line in enumerate(self.text(name).splitlines(), 1)
                          if CLOCK.search(line.split("//")[0])])

    def test_no_open_ends_in_the_product(self):
        self.assert_none([f"{name}:{number}: {line.strip()}" for name in self.files
                          if name.startswith(PRODUCT) and name.endswith((".h", ".cc", ".js", ".mjs"))
                          for number, line in enumerate(self.text(name).splitlines(), 1)
                          if re.search(r"\b(TODO|FIXME|XXX)\b", line)])


class Patterns(unittest.TestCase):
    """The patterns themselves."""

    def test_machine_paths(self):
        for bad in ("cp /root/x .", '"/work/main/core"', "see /home/ann/src"):
            self.assertTrue(MACHINE_PATH.search(bad), bad)
        for good in ("GET /work HTTP/1.1", "docs/work/plan", "build/root/x", "$HOME/root/x", "/workflow/x"):
            self.assertFalse(MACHINE_PATH.search(good), good)

    def test_links(self):
        text = "[a](docs/x.md#part) [b](https://example.org/) [c](#here) ![d](e.png)"
        self.assertEqual(LINK.findall(text), ["docs/x.md", "e.png"])

    def test_sections(self):
        text = "[a](x.md#the-part) [b](#here) [c](https://example.org/#d) [e](f.md)"
        self.assertEqual(SECTION_LINK.findall(text), [("x.md", "the-part"), ("", "here")])
        self.assertEqual(sections_of("# D1 A `b_c`, d\n```\n# no\n```\n## TLS"), {"d1-a-b_c-d", "tls"})

    def test_functions(self):
        def named(text):
            return list(functions_named_in(text))
        self.assertEqual(named("[a.cc](x/a.cc) `f()`, then `A::g()`: [b](b.h)."), [("f", "x/a.cc"), ("g", "x/a.cc")])
        self.assertEqual(named("[a.cc](a.cc) and `f()`\n([b.h](../b.h#L2), `g()`)"), [("f", "../b.h"), ("g", "../b.h")])
        self.assertEqual(named("- [a.cc](a.cc)\n- `f()`\n\n`g(1)`, `k` of [b.md](b.md) `h()`"), [("f", None), ("h", None)])
        self.assertEqual(named("[a.cc](a.cc)\n```\n`f()`\n```\n"), [])

    def test_declarations(self):
        for there in ("void f(int);", "std::vector<A*> f();", "A& f() {", "template <class T>\nA* B<T>::f() {"):
            self.assertEqual(declared_in(there), {"f"}, there)
        for called in ("f();", "return f();", "a = f();", "a.f();", "if (!f()) g();", "a > f()", "// of the\n  f();"):
            self.assertEqual(declared_in(called), set(), called)

    def test_citations(self):
        def cited(suffix, line):
            said = COMMENT[suffix].search(line)
            return CITED.findall(said.group(1)) if said else []
        self.assertEqual(cited(".h", "int a;  // see docs/tour.md, and README.md."), ["docs/tour.md", "README.md"])
        self.assertEqual(cited(".cc", "// (io_uring.md section 6)"), ["io_uring.md"])
        self.assertEqual(cited(".cc", 'open("notes.md"); // there'), [])
        self.assertEqual(cited(".py", 'read("notes.md")  # as docs/tour.md says'), ["docs/tour.md"])

    def test_names_of_tests(self):
        self.assertEqual(TEST_NAME.findall("`Suite.a_test`, `file.h`, `kName`, `docs/a.md`"), ["Suite.a_test"])
        self.assertEqual(TEST.findall("TEST_F(Suite,\n       a_test) {"), [("Suite", "a_test")])

    def test_clocks(self):
        for bad in ("std::chrono::steady_clock::now()", "clock_gettime(CLOCK_MONOTONIC, &t);"):
            self.assertTrue(CLOCK.search(bad), bad)
        self.assertFalse(CLOCK.search("now.monotonic_us"))


if __name__ == "__main__":
    Tree.root = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else ".")
    unittest.main()
