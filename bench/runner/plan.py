"""What is measured: scenarios with their variations, who takes part in each, and what is asked of the result."""

import dataclasses
import pathlib

from runner import yardsticks
from runner.bounds import BEST_PEER, Bound
from runner.cores import LOAD, SERVER

PEERS = ["bun", "ws", "socketio", "nchan", "nats", "gorilla", "beast"]
FLOORS = ["floor-send", "floor-gather", "floor-ring"]
RAW = [f"{name}-raw" for name in PEERS if name != "socketio"]   # bench/targets has these
EVENT_BYTES_BESIDE_DATA, STORED_FRAME_BYTES, FRAME_HEADER_BYTES = 148, 399, 4
# A payload of the floor's that makes its frame as long as the one of a stored message with 128 bytes of text.
STORED_AS_FLOOR = f"hall.payload_bytes={STORED_FRAME_BYTES - FRAME_HEADER_BYTES - EVENT_BYTES_BESIDE_DATA}"


@dataclasses.dataclass(frozen=True)
class Entrant:
    """One way in which a contender takes part in a cell."""
    contender: str              # uproar, a floor, a peer; NAME-raw is a peer without JSON
    name: str = ""              # in the report; the contender's if there is only one way
    settings: tuple = ()        # KEY=VALUE for uproar_load, after the cell's
    flags: tuple = ()           # for uproar, after the cell's
    cores: tuple = (SERVER,)    # of the server: roles of processors
    load_core: str | None = LOAD   # None: whichever is free
    build: pathlib.Path | None = None   # of uproar, where it is not the one that --build names

    def __post_init__(self):
        object.__setattr__(self, "name", self.name or self.contender)

    @property
    def base(self):
        """What --against calls it."""
        return self.contender.removesuffix("-raw")

    @property
    def is_peer(self):
        return self.contender not in ("uproar", *FLOORS, *yardsticks.NAMES) and not self.contender.endswith("-raw")

    @property
    def is_yardstick(self):
        """No server of clients: something that a database does by itself."""
        return self.contender in yardsticks.NAMES


@dataclasses.dataclass(frozen=True)
class Levels:
    """Open loop at fractions of the rate that a contender reached in the closed loop just before."""
    fractions: tuple
    traffic: str                # the one whose rate varies
    settings: tuple = ()        # KEY=VALUE, for these runs only
    acks: bool = False          # the latencies that count are those of acknowledgements
    bound_by: str = ""          # the entrant whose CPU for one publish to all members is the yardstick
    members: int = 0

    @property
    def headline(self):
        """The figure that must not spread for a level to be shown."""
        return "ack_p99" if self.acks else "p99"


@dataclasses.dataclass(frozen=True)
class Cell:
    name: str
    title: str
    scenario: str
    settings: tuple = ()        # KEY=VALUE for uproar_load
    entrants: tuple = ()        # Entrant, or just the contender's name; the first one is compared with the others
    headline: str = "cpu"       # what its chart shows: a key of report_html.HEADLINES
    flags: tuple = ()           # for uproar
    bounds: tuple = ()
    levels: Levels | None = None
    counts_syncs: bool = False  # of uproar, or of its database, under bench/sync_count
    on_postgres: bool = False   # uproar keeps everything in a PostgreSQL server beside it
    metrics: tuple = ()         # of uproar, to be shown: names as /metrics has them
    may_end: bool = False       # the server may end connections
    by_name: bool = False       # only when --cell names it
    seconds_max: int = 300      # of one run
    frames_as: str = ""         # an entrant whose deliveries are as long as those of the first one

    def __post_init__(self):
        object.__setattr__(self, "entrants", tuple(Entrant(one) if isinstance(one, str) else one for one in self.entrants))

    def fractions_of(self, entrant):
        """At which an entrant is measured besides its saturation; a yardstick is not."""
        return () if self.levels is None or entrant.is_yardstick or entrant.name == self.levels.bound_by else self.levels.fractions

    def runs_a_round(self, entrants):
        return sum(1 + len(self.fractions_of(entrant)) for entrant in entrants)


def room_cells():
    return [
        Cell("room-1000-1", "Room of 1,000, one in flight", "room-1000", ("hall.in_flight=1",),
             ("uproar", "floor-send", "floor-ring", *PEERS),
             bounds=(Bound("cpu", "CPU per delivery", most=1.00, against="floor-send"),
                     Bound("cpu", "CPU per delivery", most=1.00, against=BEST_PEER))),
        Cell("room-1000-16", "Room of 1,000, sixteen in flight", "room-1000", ("hall.in_flight=16", "hall.publishers=16"),
             ("uproar", "floor-send", "floor-gather", *PEERS, *RAW), "rate",
             bounds=(Bound("rate", "deliveries a second", least=2.0, against="bun"),
                     Bound("rate", "deliveries a second", least=1.5, against="bun-raw"),
                     Bound("p99", "p99", most=0.7, against="bun"))),
        Cell("room-10000-4", "Room of 10,000, four in flight", "room-1000",
             ("hall.members=10000", "hall.in_flight=4", "hall.publishers=4"), ("uproar", "floor-gather", *PEERS, *RAW), "rate",
             bounds=(Bound("rate", "deliveries a second", least=1.7, against="bun"),)),
        Cell("rooms-of-2", "5,000 rooms of 2, 200 in flight", "rooms-of-2", (), ("uproar", "floor-send", "floor-ring", *PEERS),
             bounds=(Bound("cpu", "CPU per delivery", most=0.85, against=BEST_PEER),)),
        Cell("two-shards", "Room of 1,000 spread over two shards, one in flight", "room-1000", ("hall.in_flight=1",),
             (Entrant("uproar", "two shards", flags=("--shards", "2"), cores=(SERVER, LOAD), load_core=None),
              Entrant("uproar", "one shard"), Entrant("uproar", "one shard, load on its core", load_core=SERVER)),
             bounds=(Bound("cpu", "CPU per delivery", most=1.15, against="one shard"),)),
        Cell("hall-and-pairs", "1,000 rooms of 2 beside a busy room of 10,000", "hall-and-pairs", (), ("uproar", *PEERS), "p99",
             bounds=(Bound("p99", "the pairs' p99", most=10, unit="ms"), Bound("p99", "the pairs' p99", most=0.2, against="bun"))),
        Cell("slow-readers", "1,000 of 2,000 members never read", "slow-readers", (),
             ("uproar", Entrant("uproar", "all read", settings=("hall.members=1000", "hall.silent=0"))), "p99.9",
             metrics=("uproar_net_dropped_ephemeral_total", "uproar_net_closed_slow_total"), may_end=True,
             bounds=(Bound("p99.9", "the others' p99.9", most=1.1, against="all read", warmup_min=8),
                     Bound("grown_mib", "growth of memory (--egress-mb-max, per shard)", most=256, unit="MiB", warmup_min=8))),
        Cell("mixed", "Everything at once: a hall, chats that are stored, typing, silence", "mixed", (), ("uproar",), "p99"),
    ]


def stored_cells():
    pairs = ("pairs.rooms=1000", "pairs.in_flight=200")
    at_rate = ("pairs.rooms=1000", "pairs.in_flight=0", "pairs.publishes_per_second=1000")
    return [
        # Ten seconds: one message at a time makes few acknowledgements, and a p99 takes 1,000 of them.
        Cell("stored-1", "Room of 1,000, stored, one in flight", "room-1000", ("hall.in_flight=1", "seconds=10"),
             (Entrant("uproar", settings=("hall.stored=true",)), Entrant("floor-send", settings=(STORED_AS_FLOOR,))),
             counts_syncs=True, frames_as="floor-send"),
        Cell("one-to-one", "1,000 pairs, 200 in flight", "rooms-of-2", pairs, ("uproar", "floor-send", *PEERS)),
        Cell("one-to-one-rate", "1,000 pairs, 1,000 publishes a second", "rooms-of-2", at_rate, ("uproar", "floor-send", *PEERS), "p99"),
        Cell("one-to-one-stored", "1,000 pairs, stored, 200 in flight", "rooms-of-2", (*pairs, "pairs.stored=true"), ("uproar",),
             "acked", counts_syncs=True),
        Cell("one-to-one-stored-rate", "1,000 pairs, 1,000 stored messages a second", "rooms-of-2", (*at_rate, "pairs.stored=true"),
             ("uproar",), "ack_p99", counts_syncs=True),
    ]


def level_cells():
    room = ("hall.in_flight=16", "hall.publishers=16")
    return [
        Cell("latency-room-1000", "Latency over load, room of 1,000", "room-1000", room,
             ("uproar", Entrant("floor-send", settings=("hall.in_flight=1", "hall.publishers=1")), "bun", "ws", "gorilla"),
             "rate", levels=Levels((0.1, 0.25, 0.5, 0.7, 0.9), "hall", bound_by="floor-send", members=1000),
             bounds=(Bound("p99.9", "p99.9 at 70 % of saturation", most=2.0, against="floor-send", at=0.7),)),
        Cell("latency-stored", "Latency over load, stored messages of 1,000 pairs", "rooms-of-2",
             ("pairs.rooms=1000", "pairs.in_flight=200", "pairs.stored=true"), ("uproar",), "acked",
             levels=Levels((0.25, 0.5, 0.75), "pairs", settings=("seconds=10",), acks=True), counts_syncs=True),
        # As many in flight as an open batch takes (storage/limits.h), ten for each pair: a busy server, whose batches are large.
        Cell("stored-postgres", "Stored messages on PostgreSQL, 100 pairs, ten in flight each", "rooms-of-2",
             ("pairs.rooms=100", "pairs.in_flight=1000", "pairs.stored=true"), ("uproar", *yardsticks.NAMES), "acked",
             on_postgres=True, counts_syncs=True, levels=Levels((0.25, 0.5, 0.75), "pairs", settings=("seconds=10",), acks=True),
             bounds=(Bound("acked", "messages acknowledged a second", least=20, against=yardsticks.ONE_ROW),
                     Bound("acked", "messages acknowledged a second", least=0.5, against=yardsticks.SAME_KEYS),
                     Bound("acked", "messages acknowledged a second", least=0.5, against=yardsticks.KEY_ALONE))),
        Cell("stored-postgres-1000", "Stored messages on PostgreSQL, 1,000 pairs, one in flight each", "rooms-of-2",
             ("pairs.rooms=1000", "pairs.in_flight=1000", "pairs.stored=true"), ("uproar", *yardsticks.NAMES), "acked",
             on_postgres=True, counts_syncs=True),
        Cell("stalls", "Ten minutes at 70 % of saturation, room of 1,000", "room-1000", room, ("uproar",), "rate",
             levels=Levels((0.7,), "hall", settings=("seconds=600",)), by_name=True, seconds_max=900,
             bounds=(Bound("late", "publishes in ten minutes that not everybody had within 50 ms", most=0, at=0.7, seconds_min=600, worst=True),
                     Bound("max", "longest delivery in ten minutes", most=50, at=0.7, unit="ms", seconds_min=600,
                           worst=True))),
    ]


def memory_cells():
    return [
        Cell("idle", "Idle connections in rooms of 100", "idle", (), ("uproar", *PEERS), "memory", ("--connections-max", "19000")),
        # RLIMIT_NOFILE bounds the direct descriptors of each ring, so that many connections take many shards.
        Cell("idle-250000", "250,000 idle connections in rooms of 100", "idle", ("rooms.rooms=2500",),
             (Entrant("uproar", flags=("--shards", "13", "--connections-max", "19900")),), "memory", by_name=True, seconds_max=1800,
             bounds=(Bound("memory", "bytes per connection", most=512, unit="B"),
                     Bound("cores", "cores used while idle", most=0.02, unit="cores"))),
        # As many heartbeats a second as 250,000 clients say, from as many connections as the floors may hold.
        Cell("heartbeats", "5,200 heartbeats a second of 18,000 connections", "idle", ("heartbeat_seconds=3.46",),
             ("uproar", "floor-send", "floor-ring", *PEERS), "heartbeat_cpu", ("--connections-max", "19000")),
        Cell("storm", "10,000 clients are cut and come back", "storm", (), ("uproar", *PEERS), "reconnect"),
    ]


def names():
    """Of all who take part in any cell."""
    return {*PEERS, *FLOORS, *RAW, *yardsticks.NAMES, BEST_PEER, *(one.name for cell in cells() for one in cell.entrants)}


def cells():
    return [*room_cells(), *stored_cells(), *level_cells(), *memory_cells()]
