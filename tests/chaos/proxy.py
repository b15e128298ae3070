"""A network between processes on one machine that can be cut: TCP proxies, one at every node's door.

Everyone is told the proxies' addresses in place of the nodes'. A connection runs from its source (a node, found by the
process that holds the socket, or `CLIENTS`) to a door's node, and each of its two directions is an edge. On a cut edge
bytes wait, as they do in the senders' buffers when packets are dropped; when it heals they arrive, late. A new
connection over a cut edge is silence, not a refusal: so is a lost SYN.

Rules for whoever edits this: `Network` is used from other threads, everything else lives on its own loop.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass

CLIENTS = 0
"""Everyone who is no node."""
CHUNK_BYTES = 1 << 16
START_SECONDS = 10

Edge = tuple[int, int]
"""From whom, to whom: bytes on their way, not connections."""


@dataclass(frozen=True, slots=True)
class Door:
    """A node's, and where it listens behind the proxy."""

    node: int
    host: str
    port: int


class Network:
    """Proxies on a loop in a thread of its own, and the edges that are cut or slow."""

    def __init__(self, pids: Callable[[], dict[int, int]]) -> None:
        """Args: pids: each running node's process now, by node."""
        self._pids = pids
        self._loop = asyncio.new_event_loop()
        self._cut: frozenset[Edge] = frozenset()
        self._slow: dict[Edge, float] = {}
        self._changed = asyncio.Event()
        self._servers: list[asyncio.Server] = []
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def close(self) -> None:
        """Ends every connection."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(START_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_SECONDS)
        self._loop.close()

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def listen(self, door: Door) -> str:
        """Put a proxy before a door; its address, HOST:PORT."""
        opening = asyncio.start_server(lambda r, w: self._connected(door, r, w), "127.0.0.1", 0)
        server = asyncio.run_coroutine_threadsafe(opening, self._loop).result(START_SECONDS)
        self._servers.append(server)
        host, port = server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    def cut(self, edges: Iterable[Edge]) -> None:
        """These are cut from now on, beside those that were."""
        self._set(self._cut | frozenset(edges), self._slow)

    def slow(self, edges: Iterable[Edge], seconds: float) -> None:
        """Whatever goes over these takes so much longer."""
        self._set(self._cut, {**self._slow, **dict.fromkeys(edges, seconds)})

    def heal(self, edges: Collection[Edge] | None = None) -> None:
        """These are whole again; unless given, all are."""
        healed = self._cut | self._slow.keys() if edges is None else frozenset(edges)
        self._set(self._cut - healed, {e: s for e, s in self._slow.items() if e not in healed})

    def _set(self, cut: frozenset[Edge], slow: dict[Edge, float]) -> None:
        def change() -> None:
            self._cut, self._slow = cut, slow
            self._changed.set()
            self._changed = asyncio.Event()

        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (change(), done.set()))
        done.wait(START_SECONDS)

    async def _passes(self, edge: Edge) -> None:
        while edge in self._cut:
            await self._changed.wait()

    async def _connected(self, door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer, here = writer.get_extra_info("peername"), writer.get_extra_info("sockname")
        source = owner(peer[1], here[1], self._pids()) if peer else CLIENTS
        try:
            await self._passes((source, door.node))
            there, onward = await asyncio.open_connection(door.host, door.port)
        except (OSError, asyncio.CancelledError):
            abort(writer)
            return
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry((source, door.node), reader, onward))
                both.create_task(self._carry((door.node, source), there, writer))
        except* (OSError, asyncio.CancelledError):
            pass  # A process was killed or the network closed: the other side learns it below.
        finally:
            abort(onward)
            abort(writer)

    async def _carry(self, edge: Edge, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await self._passes(edge)
            some = await reader.read(CHUNK_BYTES)
            if edge in self._slow:
                await asyncio.sleep(self._slow[edge])
            await self._passes(edge)
            if not some:
                raise ConnectionResetError("one side has closed")
            writer.write(some)
            await writer.drain()


def abort(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, RuntimeError):
        writer.close()


def owner(port: int, to: int, pids: dict[int, int]) -> int:
    """Which node holds the loopback connection from `port` to `to`; CLIENTS if none does. Linux alone can tell."""
    wanted = f"socket:[{inode(port, to)}]"
    for node, pid in pids.items():
        with suppress(OSError):
            for handle in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    if os.readlink(f"/proc/{pid}/fd/{handle}") == wanted:
                        return node
    return CLIENTS


def inode(port: int, to: int) -> str | None:
    """Of the socket that is bound to one port and connected to the other; JVMs have theirs in the table of IPv6."""
    ends = (f":{port:04X}", f":{to:04X}")
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError), open(table) as lines:
            for line in lines:
                fields = line.split()
                if fields[1].endswith(ends[0]) and fields[2].endswith(ends[1]):
                    return fields[9]
    return None


def both_ways(one: Iterable[int], other: Iterable[int]) -> frozenset[Edge]:
    """All edges between two sides."""
    there = {(a, b) for a in one for b in other if a != b}
    return frozenset(there | {(b, a) for a, b in there})
