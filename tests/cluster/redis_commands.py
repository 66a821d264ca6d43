"""One command to a Redis server, straight to its own port."""

import socket

WAIT_SECONDS = 30


class Refused(OSError):
    """The command was not carried out; the text has Redis' words."""


def packed(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in (str(each).encode() for each in words))


class Command:
    """Sent at once; answer() waits for the first line of what comes back."""

    def __init__(self, port, *words):
        self.connection = socket.create_connection(("127.0.0.1", port), WAIT_SECONDS)
        self.connection.sendall(packed(*words))

    def answer(self):
        with self.connection, self.connection.makefile("rb") as lines:
            line = lines.readline().rstrip().decode()
        if not line or line.startswith("-"):
            raise Refused(f"Redis: {line or 'no answer'}")
        return line


def number_of(line):
    """Of an answer that is a number."""
    return int(line.removeprefix(":"))


def redis_says(port, *words):
    return Command(port, *words).answer()
