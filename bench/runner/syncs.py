"""How often Uproar waited for its disk in the measured seconds, by bench/sync_count."""

import struct

LIBRARY = "bench/sync_count/libuproar_sync_count.so"
VARIABLE = "SYNC_COUNT_FILE"
WORD = struct.calcsize("q")


def environment(build, path):
    return {"LD_PRELOAD": str(build / LIBRARY), VARIABLE: str(path)}


def times_of(path):
    """When each began, nanoseconds by the monotonic clock. [] if there were none, and the file was not made."""
    if not path.exists():
        return []
    with open(path, "rb") as file:
        count, = struct.unpack("q", file.read(WORD))
        kept = min(count, path.stat().st_size // WORD - 1)
        return list(struct.unpack(f"{kept}q", file.read(kept * WORD)))


def per_message(times, begin_ns, seconds, acked):
    """acked: messages acknowledged in the `seconds` from begin_ns."""
    within = sum(begin_ns <= time < begin_ns + seconds * 1e9 for time in times)
    return within / acked if acked else 0
