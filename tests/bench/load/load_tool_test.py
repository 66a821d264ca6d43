"""uproar_load against servers that do something wrong, each of which it must notice: python3 load_tool_test.py PATH_OF_UPROAR_LOAD."""

import json
import os
import pathlib
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

TOOL = None
UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
TARGET = """
name = "played"
path = "/$room"
publish = 'publish $data'
publish_stored = 'store $n $data'
stored_ack = 'stored '
error = 'error '
"""
ROOMS = """
name = "rooms"
seconds = 0.3
warmup_seconds = 0.1
[[traffic]]
name = "rooms"
rooms = 2
members = 2
in_flight = 2
"""


class Client:
    """One connection as the server sees it. Whole frames are written under a lock."""

    def __init__(self, sock):
        self.sock, self.lock, self.input, self.room = sock, threading.Lock(), sock.makefile("rb"), ""

    def read_request(self):
        first = self.input.readline()
        while self.input.readline().strip():
            pass
        self.room = first.split()[1].decode().lstrip("/") if first else ""
        return bool(first)

    def read_text(self):
        head = self.input.read(2)
        if len(head) < 2:
            return None
        size = head[1] & 0x7F
        if size == 126:
            size = struct.unpack(">H", self.input.read(2))[0]
        mask = self.input.read(4)
        return bytes(byte ^ mask[i % 4] for i, byte in enumerate(self.input.read(size))).decode()

    def say(self, text):
        data = text.encode()
        head = bytes((0x81, len(data))) if len(data) < 126 else struct.pack(">BBH", 0x81, 126, len(data))
        with self.lock:
            try:
                self.sock.sendall(head + data)
            except OSError:
                pass   # gone: its own thread sees it

    def end(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


class Server:
    """Relays what is published to all in the room, and acknowledges what is stored. Faults are made by those who inherit."""

    def __init__(self):
        self.lock, self.clients, self.handshakes = threading.Lock(), set(), 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(Client(sock),), daemon=True).start()

    def serve(self, client):
        try:
            if not client.read_request():
                return
            with self.lock:
                self.handshakes += 1
                number = self.handshakes
            if not self.upgrade(client, number):
                return
            with self.lock:
                self.clients.add(client)
            client.sock.sendall(UPGRADED)
            while (text := client.read_text()) is not None:
                self.heard(client, text)
        except OSError:
            pass
        finally:
            with self.lock:
                self.clients.discard(client)
            client.end()

    def upgrade(self, client, number):
        """False: it is not, and the connection ends."""
        return True

    def heard(self, client, text):
        command, _, rest = text.partition(" ")
        if command == "store":
            number, _, rest = rest.partition(" ")
            self.acknowledge(client, number)
        self.deliver(client.room, rest)

    def acknowledge(self, client, number):
        client.say(f"stored {number}")

    def deliver(self, room, data):
        with self.lock:
            members = [one for one in self.clients if self.hears(one, room)]
        for one in members:
            one.say(f"event {data}")

    def hears(self, client, room):
        return client.room == room

    def stop(self):
        self.listener.close()
        with self.lock:
            for client in self.clients:
                client.end()


RESUME = """
resume_path = "/$room"
resume = 'resume $cursor'
resumed = 'level'
cursor = '#'
gathers = true
"""
STORM_OF_TALK = """
name = "storm-of-talk"
seconds = 0.3
warmup_seconds = 0.2
[[traffic]]
name = "rooms"
rooms = 2
members = 3
publishes_per_second = 200
stored = true
[storm]
fraction = 1.0
opening = 1
"""


STORM_CLIENTS = 6


class Remembers(Server):
    """Numbers what is said in a room and tells who resumes what came after the cursor. Handshakes take a moment, so that whoever comes later misses something."""

    def __init__(self):
        super().__init__()
        self.told, self.stored, self.resumed = {}, set(), 0

    def upgrade(self, client, number):
        time.sleep(0.02)
        client.is_level = number <= STORM_CLIENTS   # who comes back is told nothing before its page
        return True

    def hears(self, client, room):
        return client.is_level and super().hears(client, room)

    def heard(self, client, text):
        command, _, rest = text.partition(" ")
        with self.lock:
            log = self.told.setdefault(client.room, [])
            if command == "resume":
                self.resumed += 1
                page = self.page(log, int(rest))
                if page:
                    client.say("page " + " ".join(f"#{seq} {data}" for seq, data in page))
                client.say("level")
                client.is_level = True
                return
            number, _, data = rest.partition(" ")
            if number not in self.stored:
                self.stored.add(number)
                log.append((len(log) + 1, data))
                for one in self.clients:
                    if self.hears(one, client.room):
                        one.say(f"event #{len(log)} {data}")
            self.acknowledge(client, number)

    def page(self, log, cursor):
        return log[cursor:]


class LoadTool(unittest.TestCase):
    def played(self, server, scenario=ROOMS, settings=(), arguments=(), target=TARGET, out=None, **run):
        """(exit status, JSON or None, what was printed to standard error)."""
        self.addCleanup(server.stop)
        with tempfile.TemporaryDirectory() as folder:
            files = {name: pathlib.Path(folder) / name for name in ("scenario.toml", "target.toml", "out.json")}
            files["scenario.toml"].write_text(scenario)
            files["target.toml"].write_text(target)
            command = [TOOL, files["scenario.toml"], "--target", files["target.toml"], "--port", str(server.port), "--json", out or files["out.json"], *arguments]
            for setting in settings:
                command += ["--set", setting]
            ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, **run)
            result = json.loads(files["out.json"].read_text()) if files["out.json"].exists() else None
            return ended.returncode, result, ended.stderr

    def test_a_server_that_does_all_right_is_not_blamed(self):
        status, result, _ = self.played(Server(), settings=("rooms.stored=true",), arguments=("--pid", str(os.getpid())))
        self.assertEqual(status, 0)
        for what in ("lost", "repeated", "unknown", "missing", "missing_acks", "strange_acks", "refused", "ended", "retried"):
            self.assertEqual(result[what], 0, what)
        self.assertEqual(result["server_error"], "")
        self.assertGreater(result["server"]["cpu_us_per_delivery"], 0)
        traffic = result["traffic"][0]
        self.assertGreater(traffic["acked"], 0)
        self.assertGreater(traffic["deliveries"], 0)
        self.assertGreater(traffic["ack_us"]["count"], 0)

    def test_a_delivery_to_the_wrong_room_is_seen(self):
        class Leaks(Server):
            def hears(self, client, room):
                return True

        status, result, _ = self.played(Leaks())
        self.assertEqual(status, 1)
        self.assertGreater(result["unknown"], 0)
        self.assertEqual(result["lost"] + result["repeated"] + result["missing"], 0)

    def test_a_delivery_that_was_cut_short_is_unknown(self):
        class Cuts(Server):
            def deliver(self, room, data):
                super().deliver(room, data[:40])

        status, result, _ = self.played(Cuts(), settings=("rooms.payload_bytes=128",))
        self.assertEqual(status, 1)
        self.assertGreater(result["unknown"], 0)

    def test_one_that_was_cut_short_among_those_of_a_frame_is_unknown_too(self):
        class Gathers(Server):
            """The third publish comes with the first two, which lack their ends if they are `cut`."""

            def __init__(self, cut=None):
                self.cut, self.held = cut, []
                super().__init__()

            def deliver(self, room, data):
                with self.lock:
                    self.held.append(data)
                    if len(self.held) < 3:
                        return
                    frame, self.held = "\nevent ".join([*(one[:self.cut] for one in self.held[:2]), self.held[2]]), []
                super().deliver(room, frame)

        target, one_room = TARGET + "gathers = true\n", ("rooms.rooms=1", "rooms.in_flight=3", "rooms.payload_bytes=128")
        for cut in (None, 40):
            status, result, _ = self.played(Gathers(cut), settings=one_room, target=target)
            self.assertEqual(status, 0 if cut is None else 1)
            self.assertEqual(result["unknown"] > 0, cut is not None)
            self.assertEqual(result["traffic"][0]["deliveries"] > 0, cut is None, "whose publishes are never complete says no more")

    def test_a_frame_of_an_impossible_length_ends_the_connection(self):
        class Boasts(Server):
            def heard(self, client, text):
                client.sock.sendall(struct.pack(">BBQ", 0x81, 127, 2**64 - 10))

        status, result, _ = self.played(Boasts(), settings=("rooms.in_flight=0", "heartbeat_seconds=0.2"))
        self.assertEqual(status, 1)
        self.assertIn("a frame of 18446744073709551606 bytes", result["first_end"])

    def test_what_a_close_says_is_fit_for_a_terminal(self):
        class Swears(Server):
            def heard(self, client, text):
                client.sock.sendall(b"\x88\x0a\x03\xf1\x1b[31m\xff\xfe\n")

        _, result, said = self.played(Swears(), settings=("rooms.in_flight=0", "heartbeat_seconds=0.2"))
        self.assertIn("1009 ?[31m???", result["first_end"])
        self.assertNotIn("\x1b", said)

    def test_a_processor_that_is_not_there_is_refused(self):
        status, result, said = self.played(Server(), arguments=("--core", "1000"))
        self.assertEqual((status, result), (1, None))
        self.assertIn("cannot run on processor 1000 alone", said)

    def test_arguments_that_mean_nothing_are_refused_before_the_run(self):
        for said, of in (("--core", {"arguments": ("--core", "-7")}), ("--pid", {"arguments": ("--pid", "-5")}),
                         ("cannot write /nonexistent/out.json", {"out": "/nonexistent/out.json"})):
            server = Server()
            status, _, told = self.played(server, **of)
            self.assertNotEqual(status, 0)
            self.assertIn(said, told)
            self.assertEqual(server.handshakes, 0, said)

    def test_acknowledgements_that_never_come_are_missing(self):
        class Forgets(Server):
            def acknowledge(self, client, number):
                pass

        status, result, _ = self.played(Forgets(), settings=("rooms.stored=true",))
        self.assertEqual(status, 1)
        self.assertGreater(result["missing_acks"], 0)
        self.assertEqual(result["traffic"][0]["acked"], 0)

    def test_acknowledgements_of_nothing_are_strange(self):
        class Doubles(Server):
            def acknowledge(self, client, number):
                client.say(f"stored {number}")
                client.say(f"stored {number}")

        status, result, _ = self.played(Doubles(), settings=("rooms.stored=true",))
        self.assertEqual(status, 1)
        self.assertGreater(result["strange_acks"], 0)
        self.assertEqual(result["missing_acks"], 0)

    def test_what_the_server_refuses_is_counted_and_quoted(self):
        class Refuses(Server):
            def heard(self, client, text):
                client.say("error too_fast")
                super().heard(client, text)

        status, result, _ = self.played(Refuses())
        self.assertEqual(status, 1)
        self.assertGreater(result["refused"], 0)
        self.assertRegex(result["first_refused"], r"^client \d+: error too_fast$")

    def test_a_stall_across_the_end_is_in_the_latencies(self):
        class Stalls(Server):
            """Nobody hears anything until nothing new has been said for half a second."""

            def __init__(self):
                self.held, self.timer = [], None
                super().__init__()

            def deliver(self, room, data):
                with self.lock:
                    self.held.append((room, data))
                    if self.timer:
                        self.timer.cancel()
                    self.timer = threading.Timer(0.5, self.release)
                    self.timer.start()

            def release(self):
                with self.lock:
                    held, self.held = self.held, []
                for room, data in held:
                    super().deliver(room, data)

        settings = ("rooms.in_flight=0", "rooms.publishes_per_second=100", "seconds=1", "warmup_seconds=0")
        status, result, _ = self.played(Stalls(), settings=settings)
        self.assertEqual(status, 0)
        traffic = result["traffic"][0]
        self.assertEqual(traffic["deliveries"], 0, "none came in the measured second")
        self.assertGreater(traffic["delivery_us"]["count"], 100, "but those due in it count")
        self.assertGreaterEqual(traffic["delivery_us"]["p50"], 500_000)
        self.assertGreater(traffic["late"], 50)

    def test_a_handshake_that_finds_the_server_full_is_made_again(self):
        class FullAtFirst(Server):
            def upgrade(self, client, number):
                if number == 2:
                    client.sock.sendall(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
                return number not in (2, 3)   # the third is cut off without an answer

        status, result, _ = self.played(FullAtFirst())
        self.assertEqual(status, 0)
        self.assertEqual(result["retried"], 2)
        self.assertIn("client ", result["first_retried"])

    def test_a_handshake_that_is_never_answered_is_made_again(self):
        class Deaf(Server):
            def upgrade(self, client, number):
                return number != 1 or client.input.read() is None   # reads until the other end goes

        status, result, _ = self.played(Deaf())
        self.assertEqual(status, 0)
        self.assertEqual(result["retried"], 1)
        self.assertIn("no answer", result["first_retried"])

    def test_a_server_that_is_full_for_good_is_named(self):
        class Full(Server):
            def upgrade(self, client, number):
                client.sock.sendall(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
                return False

        status, result, said = self.played(Full())
        self.assertEqual((status, result), (1, None))
        self.assertRegex(said, r"refused 16 times, the last time client \d+: HTTP/1\.1 503 Service Unavailable; is the server, or one of its shards, full\?")

    def test_a_refusal_for_good_ends_the_run_at_once(self):
        class Forbids(Server):
            def upgrade(self, client, number):
                client.sock.sendall(b"HTTP/1.1 401 Unauthorized\r\n\r\n")
                return False

        status, result, said = self.played(Forbids())
        self.assertEqual((status, result), (1, None))
        self.assertRegex(said, r"^refused: client \d+: HTTP/1\.1 401 Unauthorized$")

    def test_connections_that_the_server_ended_make_the_run_fail(self):
        class Ends(Server):
            def heard(self, client, text):
                client.end()

        nobody_speaks = ("rooms.in_flight=0", "heartbeat_seconds=0.2")
        status, result, _ = self.played(Ends(), settings=nobody_speaks)
        self.assertEqual(status, 1)
        self.assertEqual(result["ended"], 4)
        status, result, _ = self.played(Ends(), settings=nobody_speaks, arguments=("--may-end",))
        self.assertEqual(status, 0)
        self.assertEqual(result["ended"], 4)

    def test_a_storm_has_figures_of_its_own(self):
        storm = ROOMS + "[storm]\nfraction = 1.0\nopening = 2\n"
        status, result, _ = self.played(Server(), storm, settings=("rooms.in_flight=0", "rooms.rooms=50"), arguments=("--pid", str(os.getpid())))
        self.assertEqual(status, 0)
        self.assertEqual(result["reconnect_us"]["count"], 100)
        self.assertGreater(result["reconnect_seconds"], 0)
        self.assertGreater(result["storm_busy"], 0)
        self.assertLessEqual(result["storm_busy"], 1)
        self.assertGreater(result["server"]["reconnect_cpu_us"], 0)

    def test_who_is_cut_resumes_and_hears_what_was_said_meanwhile(self):
        server = Remembers()
        status, result, words = self.played(server, STORM_OF_TALK, target=TARGET + RESUME)
        self.assertEqual(status, 0, words)
        self.assertEqual(server.resumed, STORM_CLIENTS)
        self.assertEqual(result["reconnect_us"]["count"], STORM_CLIENTS)
        traffic = result["traffic"][0]
        self.assertGreater(traffic["acked"], 0)
        self.assertGreater(traffic["deliveries"], 0)

    def test_a_resume_that_lacks_something_is_seen(self):
        class Forgets(Remembers):
            def page(self, log, cursor):
                return log[cursor + 1:]

        status, result, _ = self.played(Forgets(), STORM_OF_TALK, target=TARGET + RESUME)
        self.assertEqual(status, 1)
        self.assertGreater(result["lost"], 0)

    def test_a_resume_that_repeats_something_is_seen(self):
        class Repeats(Remembers):
            def page(self, log, cursor):
                return log[max(0, cursor - 1):]

        status, result, _ = self.played(Repeats(), STORM_OF_TALK, target=TARGET + RESUME)
        self.assertEqual(status, 1)
        self.assertGreater(result["repeated"], 0)

    def test_talk_in_a_storm_needs_a_target_that_resumes(self):
        status, _, words = self.played(Server(), STORM_OF_TALK)
        self.assertNotEqual(status, 0)
        self.assertIn("does not resume", words)

    def test_clients_take_several_ports_in_turn(self):
        first, second = Remembers(), Remembers()
        self.addCleanup(second.stop)
        status, _, _ = self.played(first, arguments=("--port", str(second.port)), settings=("rooms.in_flight=0", "rooms.members=4"))
        self.assertEqual(status, 0)
        self.assertEqual((first.handshakes, second.handshakes), (4, 4))

    def test_a_process_that_is_not_there_is_a_fault(self):
        gone = subprocess.Popen(["true"])
        gone.wait()
        status, result, _ = self.played(Server(), arguments=("--pid", str(gone.pid)))
        self.assertEqual(status, 1)
        self.assertIn("of process", result["server_error"])

    def test_who_gives_way_sleeps_while_nothing_comes(self):
        slept = []
        for arguments in ((), ("--gives-way",)):
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_nvcsw
            status, result, _ = self.played(Server(), settings=("rooms.in_flight=0", "rooms.publishes_per_second=20", "seconds=1"), arguments=arguments)
            slept.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_nvcsw - before)
            self.assertEqual(status, 0)
            self.assertGreater(result["traffic"][0]["deliveries"], 20)
        self.assertGreater(slept[1], slept[0] + 500)   # some 10,000 times a second, if nobody else is there

    def test_too_few_descriptors_are_named(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

        status, _, said = self.played(Server(), preexec_fn=limit)
        self.assertEqual(status, 1)
        self.assertIn("the limit of descriptors is 40: raise it", said)


if __name__ == "__main__":
    TOOL = sys.argv.pop(1)
    unittest.main(verbosity=2)
