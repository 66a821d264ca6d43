#!/usr/bin/env python3
"""The must-reject lists of RFC 6455, 7692 and 9112 against a live server.

Each input is delivered whole, byte by byte and at every two-way split; the verdict must be the same each time. Every
delivery is a connection of its own, many run at once. With --server the program is started here (on a free port) and
stopped; with --address a running one is used. It must take messages of up to 65,536 bytes and run with --deflate.
"""

import argparse
import asyncio
import os
import re
import struct
import subprocess
import sys
import zlib

CONCURRENT = 200
MASK = b"\x11\x22\x33\x44"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def frame(opcode, payload=b"", fin=True, rsv=0, mask=True, length=None, form=None):
    """A client frame; `length` and `form` (7, 16, 64) override what would be right."""
    n = len(payload) if length is None else length
    form = form or (7 if n <= 125 else 16 if n <= 0xFFFF else 64)
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if form == 7:
        head += bytes([bit | n])
    elif form == 16:
        head += bytes([bit | 126]) + struct.pack(">H", n)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", n)
    if not mask:
        return head + payload
    return head + MASK + bytes(b ^ MASK[i % 4] for i, b in enumerate(payload))


def close(code, reason=b""):
    return frame(8, struct.pack(">H", code) + reason)


def deflated(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def handshake(*, method="GET", version="1.1", drop=(), replace=None, extra=()):
    lines = {"Host": "h", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": KEY,
             "Sec-WebSocket-Version": "13"}
    lines.update(replace or {})
    head = f"{method} /ws HTTP/{version}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in lines.items() if name not in drop)
    head += "".join(line + "\r\n" for line in extra)
    return (head + "\r\n").encode("latin-1")


def http_cases():
    """(name, bytes, statuses that refuse it)"""
    host = "GET / HTTP/1.1\r\nHost: h\r\n"
    post = "POST / HTTP/1.1\r\nHost: h\r\n"
    yield "method not GET", handshake(method="POST"), {400, 405}
    yield "HTTP/1.0 handshake", handshake(version="1.0"), {400, 426, 505}
    yield "HTTP/2.0", handshake(version="2.0"), {400, 505}
    yield "missing Host", handshake(drop=("Host",)), {400}
    yield "repeated Host", handshake(extra=("Host: h",)), {400}
    yield "no websocket in Upgrade", handshake(replace={"Upgrade": "h2c"}), {400, 426}
    yield "no Upgrade header", handshake(drop=("Upgrade",)), {400, 426}
    yield "no Upgrade in Connection", handshake(replace={"Connection": "keep-alive"}), {400, 426}
    yield "key missing", handshake(drop=("Sec-WebSocket-Key",)), {400}
    yield "key repeated", handshake(extra=(f"Sec-WebSocket-Key: {KEY}",)), {400}
    yield "key of 15 bytes", handshake(replace={"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAA"}), {400}
    yield "key of 17 bytes", handshake(replace={"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAAA="}), {400}
    yield "key not base64", handshake(replace={"Sec-WebSocket-Key": "!!hlIHNhbXBsZSBub25jZQ=="}), {400}
    yield "version 8", handshake(replace={"Sec-WebSocket-Version": "8"}), {426}
    yield "version missing", handshake(drop=("Sec-WebSocket-Version",)), {400, 426}
    yield "handshake with a body", handshake(extra=("Content-Length: 2",)) + b"hi", {400}
    yield "handshake with chunks", handshake(extra=("Transfer-Encoding: chunked",)) + b"0\r\n\r\n", {400}
    yield "foreign origin", handshake(extra=("Origin: https://evil.example",)), {403}
    yield "bare CR in the request line", b"GET / HTTP/1.1\rHost: h\r\n\r\n", {400}
    yield "bare CR in a value", (host + "X: a\rb\r\n\r\n").encode(), {400}
    yield "space before colon", (host + "X : a\r\n\r\n").encode(), {400}
    yield "obs-fold", (host + "X: a\r\n b\r\n\r\n").encode(), {400}
    yield "NUL in a value", (host + "X: a\0b\r\n\r\n").encode(), {400}
    yield "CL with TE", (post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").encode(), {400}
    yield "differing CL", (post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd").encode(), {400}
    yield "list CL", (post + "Content-Length: 3, 3\r\n\r\nabc").encode(), {400}
    yield "signed CL", (post + "Content-Length: +3\r\n\r\nabc").encode(), {400}
    yield "negative CL", (post + "Content-Length: -3\r\n\r\nabc").encode(), {400}
    yield "hex CL", (post + "Content-Length: 0x3\r\n\r\nabc").encode(), {400}
    yield "huge CL", (post + "Content-Length: 99999999999999999999\r\n\r\n").encode(), {400, 413}
    yield "unknown TE", (post + "Transfer-Encoding: gzip\r\n\r\n").encode(), {400, 501}
    yield "chunked not last", (post + "Transfer-Encoding: chunked, gzip\r\n\r\n").encode(), {400, 501}
    yield "chunked twice", (post + "Transfer-Encoding: chunked, chunked\r\n\r\n").encode(), {400, 501}
    yield "bad TE", (post + "Transfer-Encoding: chu nked\r\n\r\n").encode(), {400, 501}
    chunked = post + "Transfer-Encoding: chunked\r\n\r\n"
    yield "signed chunk size", (chunked + "+3\r\nabc\r\n0\r\n\r\n").encode(), {400}
    yield "0x chunk size", (chunked + "0x3\r\nabc\r\n0\r\n\r\n").encode(), {400}
    yield "empty chunk size", (chunked + "\r\nabc\r\n0\r\n\r\n").encode(), {400}
    yield "overflowing chunk size", (chunked + "11111111111111111\r\nabc\r\n").encode(), {400, 413}
    yield "chunk longer than said", (chunked + "3\r\nabcd\r\n0\r\n\r\n").encode(), {400}
    yield "bad chunk end", (chunked + "3\r\nabcXY0\r\n\r\n").encode(), {400}
    yield "long request line", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", {414}
    yield "large head", (host + "X: " + "a" * 20000 + "\r\n\r\n").encode(), {431}
    yield "too many headers", (host + "X: a\r\n" * 200 + "\r\n").encode(), {431}


def frame_cases():
    """(name, bytes after the handshake, close code)"""
    yield "unmasked", frame(1, b"x", mask=False), 1002
    for rsv in (1, 2, 3, 4, 5, 6, 7):
        yield f"RSV {rsv} without extension", frame(1, b"x", rsv=rsv), 1002
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        yield f"reserved opcode {opcode}", frame(opcode, b"x"), 1002
    yield "64-bit length with top bit", frame(2, b"", length=1 << 63, form=64), 1002
    yield "16-bit length below 126", frame(2, b"a" * 125, form=16), 1002
    yield "64-bit length below 65,536", frame(2, b"a" * 200, form=64), 1002
    for opcode in (8, 9, 10):
        yield f"control frame {opcode} over 125 bytes", frame(opcode, b"\x03\xe8" + b"a" * 124), 1002
        yield f"control frame {opcode} fragmented", frame(opcode, b"", fin=False), 1002
    yield "continuation with nothing open", frame(0, b"x"), 1002
    yield "text while a message is open", frame(1, b"a", fin=False) + frame(1, b"b"), 1002
    yield "binary while a message is open", frame(1, b"a", fin=False) + frame(2, b"b"), 1002
    yield "close body of 1 byte", frame(8, b"\x03"), 1002
    for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
        yield f"close code {code}", close(code), 1002
    for name, text in (("lone continuation", b"\x80"), ("overlong", b"\xc0\xaf"), ("overlong 3", b"\xe0\x80\xaf"),
                       ("surrogate", b"\xed\xa0\x80"), ("above U+10FFFF", b"\xf4\x90\x80\x80"), ("F5", b"\xf5\x80\x80\x80"),
                       ("cut short", b"\xe2\x82"), ("FF", b"ok\xff")):
        yield f"invalid UTF-8 in text: {name}", frame(1, b"h\xc3\xa9 " + text), 1007
        yield f"invalid UTF-8 in a close reason: {name}", close(1000, text), 1007
    yield "invalid UTF-8 over fragments", frame(1, b"\xe2", fin=False) + frame(9) + frame(0, b"\x28\xa1"), 1007
    yield "fails fast: bad byte in the first fragment", frame(1, b"\xff", fin=False), 1007
    yield "too big", frame(2, b"", length=1 << 20, form=64), 1009
    yield "too big over fragments", frame(2, b"a" * 60000, fin=False) + frame(0, b"", length=60000, form=16), 1009


def deflate_cases():
    yield "RSV1 on a continuation", frame(1, deflated(b"abc"), fin=False, rsv=4) + frame(0, b"x", rsv=4), 1002
    yield "RSV1 on a ping", frame(9, b"x", rsv=4), 1002
    yield "RSV2 with the extension", frame(1, b"x", rsv=2), 1002
    yield "deflate bomb", frame(2, deflated(b"\0" * 8_000_000), rsv=4), 1009
    yield "not deflate", frame(2, b"\xff\xff\xff\xff", rsv=4), 1007
    yield "invalid UTF-8 compressed", frame(1, deflated(b"ok\xff"), rsv=4), 1007


def accepted_cases():
    """Neighbours of the rejected ones that must pass, so that refusing everything fails."""
    yield "text", frame(1, "h\u00e9llo \U0001F600".encode()), b"\x81\x0b" + "h\u00e9llo \U0001F600".encode()
    yield "fragments round a ping", frame(1, b"\xe2", fin=False) + frame(9, b"?") + frame(0, b"\x82\xac"), (
        b"\x8a\x01?" + b"\x81\x03\xe2\x82\xac")
    yield "126 bytes", frame(2, b"a" * 126), b"\x82\x7e\x00\x7e" + b"a" * 126
    yield "empty", frame(1, b""), b"\x81\x00"
    for code in (1000, 1001, 1003, 1007, 1011, 3000, 4999):
        yield f"close {code}", close(code, b"bye"), b"\x88\x02" + struct.pack(">H", code)
    yield "close without a body", frame(8), b"\x88\x00"


def deliveries(data):
    yield "whole", [data]
    if len(data) <= 600:
        yield "byte by byte", [data[i:i + 1] for i in range(len(data))]
        cuts = range(1, len(data))
    else:
        # Every cut of a long input would say nothing new: its ends and a hundred places between.
        step = max(1, len(data) // 100)
        cuts = sorted(set(range(1, 64)) | set(range(64, len(data) - 64, step)) | set(range(len(data) - 64, len(data))))
    for cut in cuts:
        yield f"cut at {cut}", [data[:cut], data[cut:]]


class Verdicts:
    def __init__(self, host, port):
        self.host, self.port = host, port
        self.gate = asyncio.Semaphore(CONCURRENT)
        self.failures = []
        self.tried = 0

    async def exchange(self, first, pieces):
        """Everything the server says until it ends TCP."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.get_extra_info("socket").setsockopt(6, 1, 1)   # TCP_NODELAY: a piece is a packet
            answer = b""
            if first:
                writer.write(first)
                answer = await reader.readuntil(b"\r\n\r\n")
                if not answer.startswith(b"HTTP/1.1 101 "):
                    return answer, b"", "no upgrade"
            listening = asyncio.ensure_future(self.listen(reader))
            for piece in pieces:
                if listening.done():
                    break   # the server has ended TCP; saying more would only earn a reset
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0 if len(pieces) > 2 else 0.0005)
            said, end = await listening
            return answer, said, end
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            return b"", b"", f"reset: {error!r}"
        finally:
            writer.close()

    @staticmethod
    async def listen(reader):
        said = b""
        try:
            while True:
                more = await asyncio.wait_for(reader.read(65536), 30)
                if not more:
                    return said, "closed"
                said += more
        except ConnectionError as error:
            return said, f"reset: {error!r}"
        except asyncio.TimeoutError:
            return said, "the server did not end TCP"

    async def check(self, name, how, first, pieces, judge):
        async with self.gate:
            self.tried += 1
            answer, said, end = await self.exchange(first, pieces)
            wrong = end if end != "closed" else judge(said)
            if wrong:
                self.failures.append(f"{name}, {how}: {wrong}; said {said[:120]!r}")


def judge_http(statuses):
    def judge(said):
        match = re.match(rb"(?:HTTP/1\.1 100 Continue\r\n\r\n)?HTTP/1\.1 (\d{3}) ", said)
        if not match:
            return "no status line"
        if int(match[1]) not in statuses:
            return f"status {int(match[1])} instead of {sorted(statuses)}"
        if b"\r\nConnection: close\r\n" not in said:
            return "no Connection: close"
        if b'{"type":"error","code":"' not in said:
            return "no JSON error"
        return ""
    return judge


def judge_frames(code):
    def judge(said):
        at = said.rfind(b"\x88")
        while at >= 0:
            if at + 1 < len(said) and at + 2 + said[at + 1] == len(said) and said[at + 1] >= 2:
                got = struct.unpack(">H", said[at + 2:at + 4])[0]
                return "" if got == code else f"close {got} instead of {code}"
            at = said.rfind(b"\x88", 0, at)
        return "no close frame at the end"
    return judge


def judge_same(expected):
    return lambda said: "" if said == expected else f"instead of {expected!r}"


async def run(host, port):
    verdicts = Verdicts(host, port)
    jobs = []
    for name, data, statuses in http_cases():
        for how, pieces in deliveries(data):
            jobs.append(verdicts.check(name, how, b"", pieces, judge_http(statuses)))
    plain = handshake()
    squeezed = handshake(extra=("Sec-WebSocket-Extensions: permessage-deflate",))
    for name, data, code in frame_cases():
        for how, pieces in deliveries(data):
            jobs.append(verdicts.check(name, how, plain, pieces, judge_frames(code)))
    for name, data, code in deflate_cases():
        for how, pieces in deliveries(data):
            jobs.append(verdicts.check(name, how, squeezed, pieces, judge_frames(code)))
    for name, data, expected in accepted_cases():
        goodbye = b"" if expected[:1] == b"\x88" else close(1000)
        answer = expected if not goodbye else expected + b"\x88\x02\x03\xe8"
        for how, pieces in deliveries(data + goodbye):
            jobs.append(verdicts.check(name, how, plain, pieces, judge_same(answer)))
    await asyncio.gather(*jobs)
    return verdicts


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--server", help="the echo server to start")
    arguments.add_argument("--address", help="HOST:PORT of one that runs")
    options = arguments.parse_args()
    server = None
    address = options.address
    if options.server:
        server = subprocess.Popen([options.server, "--listen", "127.0.0.1:0", "--message-bytes-max", "65536", "--deflate"],
                                  stdout=subprocess.PIPE, text=True)
        line = server.stdout.readline()
        match = re.search(r"port (\d+)", line)
        if not match:
            print(f"the server did not start: {line!r}")
            return 1
        address = f"127.0.0.1:{match[1]}"
    host, port = address.rsplit(":", 1)
    try:
        verdicts = asyncio.run(run(host, int(port)))
        alive = server is None or server.poll() is None
    finally:
        if server:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
    for failure in verdicts.failures[:40]:
        print(failure)
    print(f"{verdicts.tried} deliveries, {len(verdicts.failures)} wrong")
    if not alive:
        print("the server ended")
    if server and server.returncode != 0:
        print(f"the server ended with {server.returncode}")
        return 1
    return 0 if not verdicts.failures and alive and verdicts.tried > 1000 else 1


if __name__ == "__main__":
    sys.exit(main())
