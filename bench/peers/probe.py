"""Asks a port whether it serves: connects and joins a room, in the words of a target file (bench/load/target.h has the keys)."""

import os
import pathlib
import socket
import struct
import tomllib

ROOM = "room-ready00"


class NotServing(Exception):
    """Refused, silent, or answered by something else; the text says what."""


class Client:
    """One WebSocket connection, as far as a handshake and a join need it."""

    def __init__(self, port, path, headers, binary, seconds):
        self.opcode, self.bytes = (2 if binary else 1), b""
        self.socket = socket.create_connection(("127.0.0.1", port), seconds)
        lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", *headers]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.bytes:
            self.receive()
        head, self.bytes = self.bytes.split(b"\r\n\r\n", 1)
        if not head.startswith(b"HTTP/1.1 101 "):
            raise NotServing(f"the handshake was answered by {head.splitlines()[0].decode(errors='replace')}")

    def receive(self):
        more = self.socket.recv(65536)
        if not more:
            raise NotServing("the stream ended")
        self.bytes += more

    def take(self, count):
        while len(self.bytes) < count:
            self.receive()
        taken, self.bytes = self.bytes[:count], self.bytes[count:]
        return taken

    def payload(self):
        _, length = self.take(2)
        if length == 126:
            length, = struct.unpack(">H", self.take(2))
        elif length == 127:
            length, = struct.unpack(">Q", self.take(8))
        return self.take(length).decode(errors="replace")

    def wait_for(self, beginning):
        while not self.payload().startswith(beginning):
            pass

    def send(self, text):
        payload, mask = text.encode(), os.urandom(4)
        size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack(">H", len(payload))
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        self.socket.sendall(bytes([0x80 | self.opcode]) + size + mask + masked)


def join(port, target_file, seconds):
    """Returns when a client is in a room; raises NotServing or OSError."""
    target = tomllib.loads(pathlib.Path(target_file).read_text(encoding="utf-8"))

    def filled(text):
        return text.replace("$room", ROOM).replace("$client", "0")
    client = Client(port, filled(target["path"]), map(filled, target.get("headers", [])), target.get("binary", False), seconds)
    with client.socket:
        if target.get("ready"):
            client.wait_for(target["ready"])
        if target.get("join"):
            client.send(filled(target["join"]))
            if target.get("joined"):
                client.wait_for(target["joined"])
