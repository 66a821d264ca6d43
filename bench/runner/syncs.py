"""How often Uproar waited for its disk in the measured seconds, by bench/sync_count."""

import struct

LIBRARY = "bench/sync_count/libuproar_sync_count.so"
VARIABLE = "SYNC_COUNT_FILE"
WORD = struct.calcsize("q")


class TooMany(Exception):
    """More than the file holds: what came later would not be counted."""


def environment(build, path):
    return {"LD_PRELOAD": str(build / LIBRARY), VARIABLE: str(path)}


def times_of(path):
    """When each began, nanoseconds by the monotonic clock. [] if there were none, and the file was not made. Raises TooMany."""
    if not path.exists():
        return []
    with open(path, "rb") as file:
        count, = struct.unpack("q", file.read(WORD))
        if count > (most := path.stat().st_size // WORD - 1):
            raise TooMany(f"{count:,} syncs, of which the file holds {most:,}: measure for a shorter time")
        return list(struct.unpack(f"{count}q", file.read(count * WORD)))


def per_message(times, begin_ns, seconds, acked):
    """acked: messages acknowledged in the `seconds` from begin_ns."""
    within = sum(begin_ns <= time < begin_ns + seconds * 1e9 for time in times)
    return within / acked if acked else 0
