"""The broker's process: a node behind a socket, until it is told to stop.

Promises: it is ready when it says so, with the address; when it is told to stop it takes no more requests, answers
those it has begun, and closes the log, so that the next start needn't check it. Told a second time, it leaves the
answers and closes the log at once.
"""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

import anyio
import structlog
from anyio.abc import TaskGroup, TaskStatus

from streamflow.errors import ConfigError
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.embedded import EmbeddedLog
from streamflow.log.server.broker import Address, Broker
from streamflow.log.server.complaints import Complaints
from streamflow.log.server.connection import Connection, Door
from streamflow.log.server.figures import Figures, Histogram
from streamflow.log.server.link import Link
from streamflow.log.server.memory import Memory
from streamflow.log.server.open_files import raise_limit

log = structlog.get_logger("streamflow.broker")

BACKLOG = 1024
"""Connections that wait to be taken: 1,000 clients may start at once."""
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


async def run_broker(
    path: Path,
    config: NodeConfig,
    *,
    listen: Address,
    advertise: Address | None,
    metrics: Address | None = None,
    now_ms: Callable[[], int],
) -> None:
    """Serves the directory until SIGINT or SIGTERM.

    Args:
        listen: port 0 takes a free one.
        advertise: where clients reach the broker, if not at `listen`.
        metrics: where Prometheus asks, if it may.

    Raises: ConfigError for an address that can't be listened at; DirectoryInUseError, LogError.
    """
    async with AsyncExitStack() as stack:
        door = stack.enter_context(_bind(listen))
        scraped = None if metrics is None else stack.enter_context(_bind(metrics, "--metrics"))
        advertised = advertise or Address(_reachable(listen.host), door.getsockname()[1])
        embedded = await EmbeddedLog.open_directory(path, config, now_ms)
        stack.push_async_callback(embedded.close)
        broker = Broker(embedded.node, advertised)
        raise_limit(config.connections_max, len(broker.node.topics.replicas))
        server = Listener(broker)
        stop, loop = anyio.Event(), asyncio.get_running_loop()
        async with anyio.create_task_group() as group:
            await group.start(_stop_on_signal, stop, group)
            group.start_soon(broker.node.group_coordinator.run)
            if scraped is not None:
                stack.callback((await _serve_metrics(server, scraped)).close)
            log.info("ready", address=str(advertised), node=broker.node_id, data=str(path), flush=config.flush)
            await server.serve(lambda made: loop.create_server(made, sock=door, backlog=BACKLOG), stop)
            group.cancel_scope.cancel()
    log.info("stopped")


def _reachable(host: str) -> str:
    """Who listens everywhere is reached at this machine's loopback, unless told otherwise."""
    return "127.0.0.1" if host in ("", "0.0.0.0", "::") else host


async def _serve_metrics(server: Listener, door: socket.socket) -> asyncio.Server:
    """What it takes is loaded only when it is asked for."""
    from streamflow.log.server.metrics import exposition
    from streamflow.log.server.scrape import HEAD_BYTES_MAX, PATH, Scrape

    scrape = Scrape(lambda: exposition(server))
    log.info("metrics", at=f"http://{Address(*door.getsockname()[:2])}{PATH}")
    return await asyncio.start_server(scrape.answer, sock=door, limit=HEAD_BYTES_MAX)


def _bind(address: Address, option: str = "--listen") -> socket.socket:
    """Takes the address. Who connects before the node is there waits."""
    everywhere = address.host in ("", "::") and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if everywhere or ":" in address.host else socket.AF_INET
    try:
        return socket.create_server(
            (address.host, address.port), family=family, backlog=BACKLOG, dualstack_ipv6=everywhere
        )
    except OSError as error:
        why = "another process listens there" if error.errno == errno.EADDRINUSE else str(error)
        raise ConfigError(f"can't listen at {address}: {why}; choose another {option} HOST:PORT") from error


async def _stop_on_signal(stop: anyio.Event, group: TaskGroup, *, task_status: TaskStatus[None]) -> None:
    """The first says that it is time to stop, the second that there is no time."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for number in signals:
            name = signal.Signals(number).name
            if stop.is_set():
                log.warning("stopping at once", signal=name)
                group.cancel_scope.cancel()
                return
            log.info("stopping: requests that were begun are answered", signal=name, seconds_max=SHUTDOWN_SECONDS)
            stop.set()
