"""What is measured: scenarios with their variations, and who takes part in each."""

import dataclasses

PEERS = ["bun", "ws", "socketio", "nchan", "nats", "gorilla", "beast"]
FLOORS = ["floor-send", "floor-gather", "floor-ring"]


@dataclasses.dataclass(frozen=True)
class Cell:
    name: str
    title: str
    scenario: str
    settings: tuple = ()        # KEY=VALUE for uproar_load
    contenders: tuple = ("uproar", "floor-send", "floor-gather", "bun")
    headline: str = "cpu"       # what the first chart of it shows: cpu, rate, p99, memory or reconnect
    server_flags: tuple = ()    # for uproar


def cells(peers):
    rivals = tuple(peers)
    return [
        Cell("room-1000-1", "Room of 1,000, one in flight", "room-1000", ("hall.in_flight=1",),
             ("uproar", "floor-send", "floor-ring", *rivals)),
        Cell("room-1000-16", "Room of 1,000, sixteen in flight", "room-1000", ("hall.in_flight=16", "hall.publishers=16"),
             ("uproar", "floor-send", "floor-gather", *rivals), "rate"),
        Cell("room-10000-4", "Room of 10,000, four in flight", "room-1000",
             ("hall.members=10000", "hall.in_flight=4", "hall.publishers=4"), ("uproar", "floor-gather", *rivals), "rate"),
        Cell("rooms-of-2", "5,000 rooms of 2, 200 in flight", "rooms-of-2", (), ("uproar", "floor-send", "floor-ring", *rivals)),
        Cell("stored-1", "Room of 1,000, stored, one in flight", "room-1000", ("hall.stored=true", "hall.in_flight=1"),
             ("uproar",)),
        Cell("hall-and-pairs", "1,000 rooms of 2 beside a busy room of 10,000", "hall-and-pairs", (), ("uproar", *rivals), "p99"),
        Cell("slow-readers", "1,000 of 2,000 members never read", "slow-readers", (), ("uproar",), "p99"),
        Cell("idle", "Idle connections in rooms of 100", "idle", (), ("uproar", *rivals), "memory",
             ("--connections-max", "19000")),
        Cell("storm", "10,000 clients are cut and come back", "storm", (), ("uproar", *rivals), "reconnect"),
    ]
