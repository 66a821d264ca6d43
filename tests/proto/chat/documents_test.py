"""The documents that users read name what the code's tables name, and nothing else.

Run: python3 documents_test.py CHAT_VOCABULARY (the program that prints the tables).
"""
import json
import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROTOCOL = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
ASYNC = json.loads((ROOT / "docs/api/asyncapi.json").read_text(encoding="utf-8"))
OPEN = json.loads((ROOT / "docs/api/openapi.json").read_text(encoding="utf-8"))
# Of the layer below, which knows nothing of the chat's table: (code, status) in its order.
TABLE = re.search(r'kConnectionCodes\[\] = \{(.*?)\n\};', (ROOT / "core/net/http_stage.cc").read_text(encoding="utf-8"), re.S)[1]
CONNECTION = [(name, status) for status, name in re.findall(r'\{(\d{3}), "(\w+)"\}', TABLE)]
VOCABULARY = {"command": [], "event": [], "error": []}


def own_codes():
    """Those of the connection that are no rows of the chat's table."""
    chat = {name for name, *_ in VOCABULARY["error"]}
    return [(name, status) for name, status in CONNECTION if name not in chat]


def types_in_examples(sign):
    return set(re.findall(r'^%s \{"type":"([^"]+)"' % sign, PROTOCOL, re.M))


def references(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolve(document, reference):
    node = document
    for part in reference.removeprefix("#/").split("/"):
        node = node[part.replace("~1", "/").replace("~0", "~")]
    return node


class Protocol(unittest.TestCase):
    def test_every_command_has_a_heading(self):
        headings = " ".join(re.findall(r"^### (.*)$", PROTOCOL, re.M)).replace(",", " ").split()
        for name, *_ in VOCABULARY["command"]:
            self.assertIn(name, headings)

    def test_examples_show_known_names_only(self):
        self.assertLessEqual(types_in_examples(">"), {name for name, *_ in VOCABULARY["command"]})
        self.assertLessEqual(types_in_examples("<"), {name for name, *_ in VOCABULARY["event"]})

    def test_every_event_is_shown(self):
        for name, *_ in VOCABULARY["event"]:
            self.assertIn(f'"type":"{name}"', PROTOCOL)

    def test_error_table_is_the_code_s(self):
        rows = re.findall(r"^\| `(\w+)` \| (\d{3}) \| \(?(\d*)\)? \|", PROTOCOL, re.M)
        wanted = [(name, status, "" if close == "0" else close) for name, status, close in VOCABULARY["error"]]
        self.assertEqual(rows, wanted)

    def test_connection_codes_are_the_code_s(self):
        rows = re.findall(r"^\| `(\w+)` \| (\d{3}) \|", PROTOCOL, re.M)
        own = [row for row in rows if row[0] not in {name for name, *_ in VOCABULARY["error"]}]
        self.assertEqual(own, own_codes())
        self.assertGreaterEqual(len(own), 10)

    def test_what_both_layers_name_has_one_status(self):
        chat = {name: status for name, status, _ in VOCABULARY["error"]}
        for name, status in CONNECTION:
            self.assertEqual(chat.get(name, status), status, name)

    def test_own_close_codes_are_explained(self):
        for name, _, close in VOCABULARY["error"]:
            if close != "0":
                self.assertIn(close, PROTOCOL, name)

    def test_no_line_of_an_example_is_broken_json(self):
        for line in re.findall(r"^[<>] (\{.*\})$", PROTOCOL, re.M):
            if "…" not in re.sub(r'"[^"]*"', '""', line):
                json.loads(line)


class AsyncApi(unittest.TestCase):
    def test_messages_are_the_commands_and_events(self):
        messages = ASYNC["components"]["messages"]
        commands = [m["name"] for key, m in messages.items() if key.endswith("Command")]
        events = [m["name"] for key, m in messages.items() if key.endswith("Event")]
        self.assertEqual(sorted(commands), sorted(name for name, *_ in VOCABULARY["command"]))
        self.assertEqual(sorted(events), sorted(name for name, *_ in VOCABULARY["event"]))
        self.assertEqual(ASYNC["asyncapi"], "3.0.0")

    def test_error_codes_are_the_table_s(self):
        codes = ASYNC["components"]["schemas"]["ErrorEvent"]["properties"]["code"]["enum"]
        self.assertEqual(codes, [name for name, *_ in VOCABULARY["error"]])

    def test_every_message_is_sent_or_received(self):
        used = {r for r in references(ASYNC["operations"]) if "/messages/" in r}
        self.assertEqual({r.rsplit("/", 1)[1] for r in used}, set(ASYNC["components"]["messages"]))

    def test_references_lead_somewhere(self):
        for reference in references(ASYNC):
            resolve(ASYNC, reference)


class OpenApi(unittest.TestCase):
    METHODS = {"get", "post", "put", "patch", "delete"}

    def operations(self):
        for path, item in OPEN["paths"].items():
            for method, operation in item.items():
                self.assertIn(method, self.METHODS)
                yield path, method, operation

    def test_routes_are_those_of_the_gateway(self):
        source = (ROOT / "core/gateway/rest_routes.cc").read_text(encoding="utf-8")
        routes = set()
        for method, path in re.findall(r'\{"([A-Z]+)", "([^"]+)"', source):
            routes.add((method.lower(), path.replace("{user}", "{user_id}")))
        documented = {(method, path) for path, method, _ in self.operations()
                      if (path.startswith("/api/") and not path.startswith("/api/v1/admin/")) or path == "/login"}   # those are AdminGateway's
        self.assertEqual(documented, routes)

    def test_routes_are_in_the_protocol_page(self):
        for path, _, _ in self.operations():
            if path.startswith("/api/v1"):
                last = [part for part in path.split("/") if not part.startswith("{")][-1]
                self.assertIn(last, PROTOCOL, path)

    def test_error_codes_are_the_table_s(self):
        codes = OPEN["components"]["schemas"]["Error"]["properties"]["code"]["enum"]
        self.assertEqual(codes, [name for name, *_ in VOCABULARY["error"]] + [name for name, _ in own_codes()])
        for name, status, _ in VOCABULARY["error"]:
            self.assertIn(name, OPEN["components"]["responses"]["E" + status]["description"])

    def test_operations_are_complete(self):
        ids = set()
        for path, method, operation in self.operations():
            self.assertNotIn(operation["operationId"], ids)
            ids.add(operation["operationId"])
            placed = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
            self.assertEqual(placed, set(re.findall(r"\{(\w+)\}", path)), f"{method} {path}")
            self.assertTrue(any(status.startswith("2") for status in operation["responses"]), f"{method} {path}")

    def test_references_lead_somewhere_and_nothing_is_left_over(self):
        used = set(references(OPEN))
        for reference in used:
            resolve(OPEN, reference)
        for name in OPEN["components"]["schemas"]:
            self.assertIn("#/components/schemas/" + name, used)
        self.assertTrue(OPEN["openapi"].startswith("3.1"))


if __name__ == "__main__":
    printed = subprocess.run([sys.argv.pop(1)], check=True, capture_output=True, text=True).stdout
    for line in printed.splitlines():
        kind, *rest = line.split()
        VOCABULARY[kind].append(tuple(rest))
    unittest.main()
