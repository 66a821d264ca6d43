"""The links between nodes and services, each through a relay that can hold it: a network that is split, for as long as one likes.

While a link is held no byte passes, connections stay as they are and new ones are taken and told nothing, as behind a router that drops packets.
What was on its way comes through afterwards, as TCP would send it again. cut() resets the connections instead."""

import asyncio
import threading

WATER_BYTES = 1 << 16


class Relay(asyncio.Protocol):
    """One end of one connection; `peer` is the other."""

    def __init__(self, link, peer=None):
        self.link, self.peer, self.transport = link, peer, None
        self.early = []   # came before the other end was there
        self.ended = False

    def connection_made(self, transport):
        self.transport = transport
        transport.set_write_buffer_limits(WATER_BYTES)
        self.link.ends.add(self)
        if self.link.is_held:
            transport.pause_reading()
        if self.peer is None:
            self.link.open(self)
        else:
            self.peer.flush()

    def flush(self):
        for data in self.early:
            self.peer.transport.write(data)
        self.early.clear()
        if self.ended:
            self.peer.transport.write_eof()

    def is_through(self):
        return self.peer is not None and self.peer.transport is not None

    def data_received(self, data):
        if self.is_through():
            self.peer.transport.write(data)
        else:
            self.early.append(data)

    def eof_received(self):
        self.ended = True
        if self.is_through() and self.peer.transport.can_write_eof() and not self.peer.transport.is_closing():
            self.peer.transport.write_eof()
        return True   # the other direction may go on

    def connection_lost(self, error):
        self.link.ends.discard(self)
        if self.is_through():
            self.peer.transport.close()

    def pause_writing(self):
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self):
        if self.peer is not None and self.peer.transport is not None and not self.link.is_held:
            self.peer.transport.resume_reading()


class Link:
    """A loopback port that leads to another. Everything but the constructor and `port` belongs to the loop's thread."""

    def __init__(self, loop, target_port):
        self.loop, self.target_port = loop, target_port
        self.is_held = False
        self.ends = set()
        self.unopened = []   # taken while it was held
        self.server = None
        self.port = None

    async def listen(self):
        self.server = await self.loop.create_server(lambda: Relay(self), "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    def open(self, near):
        if self.is_held:
            self.unopened.append(near)
        else:
            self.loop.create_task(self.connect(near))

    async def connect(self, near):
        far = Relay(self, near)
        near.peer = far
        try:
            await self.loop.create_connection(lambda: far, "127.0.0.1", self.target_port)
        except OSError:
            near.peer = None
            near.transport.abort()   # nobody listens: the reset that a client would have met

    def hold(self):
        """Both ends of how many connections."""
        self.is_held = True
        for end in self.ends:
            end.transport.pause_reading()
        return len(self.ends)

    def release(self):
        self.is_held = False
        for end in list(self.ends):
            end.transport.resume_reading()
        for near in self.unopened:
            self.loop.create_task(self.connect(near))
        self.unopened.clear()

    def cut(self):
        """As hold()."""
        ends = list(self.ends)
        for end in ends:
            end.transport.abort()
        self.unopened.clear()
        return len(ends)


class Links:
    """All links of a cluster, carried by one thread. between() fits Cluster's parameter of that name."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.of = {}   # (node, service) -> Link
        self.thread = threading.Thread(target=self.loop.run_forever, name="links", daemon=True)
        self.thread.start()

    def call(self, function, *arguments):
        """Runs it in the loop's thread and waits: what it does has been done when this returns."""
        async def run():
            return function(*arguments)
        return asyncio.run_coroutine_threadsafe(run(), self.loop).result()

    def between(self, node, service, port):
        link = Link(self.loop, port)
        asyncio.run_coroutine_threadsafe(link.listen(), self.loop).result()
        self.of[node, service] = link
        return link.port

    def hold(self, node, *services):
        """How many ends of connections it bears upon, here and in cut(); 0 when that is none of one of them."""
        return self.on_each(Link.hold, node, services)

    def release(self, node, *services):
        for service in services:
            self.call(self.of[node, service].release)

    def cut(self, node, *services):
        return self.on_each(Link.cut, node, services)

    def on_each(self, action, node, services):
        met = [self.call(action, self.of[node, service]) for service in services]
        return sum(met) if all(met) else 0

    def close(self):
        def end():
            for link in self.of.values():
                link.server.close()
                link.cut()
        self.call(end)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
