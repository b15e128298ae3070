"""A node's door: takes connections, serves each, and closes those that are idle or stuck.

Promises: no more connections are served than the limits allow, in all and from one host; told to stop, it takes no
more, and answers what was begun.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Protocol

import anyio
import structlog
from anyio.abc import TaskGroup

from streamflow.log.server.broker import Broker
from streamflow.log.server.complaints import Complaints
from streamflow.log.server.connection import Connection, Door
from streamflow.log.server.figures import Figures, Histogram
from streamflow.log.server.link import Link
from streamflow.log.server.memory import Memory

log = structlog.get_logger("streamflow.broker")

SWEEP_SECONDS = 1
"""How often is looked for connections that are idle or stuck."""
SHUTDOWN_SECONDS = 5
"""For requests that were begun to be answered."""


class Accepting(Protocol):
    """What takes new connections, until it is closed."""

    def close(self) -> None: ...


Listen = Callable[[Callable[[], Link]], Awaitable[Accepting]]
"""Begins to take connections: each is given a link that is made for it."""


class Listener:
    """Serves a node to clients.

    Args:
        for_peers: serves it to the other nodes instead, with memory of their own: what clients hold doesn't keep
            replicas from following, and what nodes say to each other is taken here alone.
    """

    def __init__(self, broker: Broker, *, for_peers: bool = False) -> None:
        config = broker.node.config
        self.broker: Broker = broker
        self._for_peers = for_peers
        self.connections: set[Connection] = set()
        self.refused: int = 0
        self._by_host: Counter[str] = Counter()
        self._limits = (config.connections_max, config.connections_per_ip_max)
        self.requests: Memory = Memory(config.queued_request_bytes_max)
        self.figures: Figures = Figures()
        self.flushes: Histogram = Histogram()
        if not for_peers:
            broker.node.flusher.observe = self.flushes.observe
        self._complaints = Complaints(time.monotonic)
        self._door = Door(
            broker,
            self._complaints,
            self.requests,
            self.figures,
            idle_seconds=config.connections_max_idle_ms / 1000,
        )
        self._bytes_before = (0, 0)
        self._group: TaskGroup | None = None
        self._left = anyio.Event()
        """Set, and made anew, whenever a connection has ended."""

    def __repr__(self) -> str:
        return f"<Listener of {self.broker!r}: {len(self.connections)} connections>"

    @property
    def bytes_in(self) -> int:
        """Received from clients, those that have gone included."""
        return self._bytes_before[0] + sum(connection.bytes_in_out[0] for connection in self.connections)

    @property
    def bytes_out(self) -> int:
        return self._bytes_before[1] + sum(connection.bytes_in_out[1] for connection in self.connections)

    async def serve(self, listen: Listen, stop: anyio.Event) -> None:
        """Until `stop` is set and what was begun by then is answered, or the time for that is up."""
        async with anyio.create_task_group() as self._group:
            self._group.start_soon(self._sweep)
            server = await listen(lambda: Link(self._opened, from_peers=self._for_peers))
            await stop.wait()
            server.close()
            await self._drain()
            self._group.cancel_scope.cancel()

    async def _drain(self) -> None:
        self.broker.stop()
        for connection in tuple(self.connections):
            connection.drain()
        with anyio.move_on_after(SHUTDOWN_SECONDS):
            while self.connections:
                await self._left.wait()
        if self.connections:
            log.warning("requests are left unanswered", connections=len(self.connections))

    def _opened(self, link: Link) -> None:
        reason = self._refusal(link.host)
        if reason is not None or self._group is None:
            self.refused += 1
            self._complaints.say("warning", "connection refused", client=link.client, reason=reason)
            link.abort()
            return
        connection = Connection(self._door, link)
        self.connections.add(connection)
        self._by_host[link.host] += 1
        self._group.start_soon(self._serve, connection, link.host)

    def _refusal(self, host: str) -> str | None:
        most, most_of_one = self._limits
        if len(self.connections) >= most:
            return f"max.connections is {most}"
        return f"max.connections.per.ip is {most_of_one}" if self._by_host[host] >= most_of_one else None

    async def _serve(self, connection: Connection, host: str) -> None:
        try:
            await connection.serve()
        finally:
            self.connections.discard(connection)
            (came, went), (before_in, before_out) = connection.bytes_in_out, self._bytes_before
            self._bytes_before = (before_in + came, before_out + went)
            self._by_host[host] -= 1
            if not self._by_host[host]:
                del self._by_host[host]
            self._left.set()
            self._left = anyio.Event()

    async def _sweep(self) -> None:
        while True:
            await anyio.sleep(SWEEP_SECONDS)
            self._complaints.tell()
            now = anyio.current_time()
            for connection in tuple(self.connections):
                reason = connection.overdue(now)
                if reason is not None:
                    connection.hang_up()
                    if reason:
                        self._complaints.say("info", "connection closed", client=connection.client, reason=reason)
