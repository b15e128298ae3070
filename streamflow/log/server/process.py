"""The broker's process: a node behind its sockets, until it is told to stop.

Promises: it is ready when it says so, with the address. When it is told to stop, a node among others has them lead in
its place; then it takes no more requests, answers those it has begun, and closes the log, so that the next start
needn't check it. Told a second time, it leaves the answers and closes the log at once.
"""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import anyio
import structlog
from anyio.abc import TaskGroup, TaskStatus

from streamflow.errors import ConfigError, StreamflowError
from streamflow.log.controller.image import MetadataImage
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.embedded import EmbeddedLog
from streamflow.log.node.membership import Membership
from streamflow.log.node.node import Node
from streamflow.log.server.broker import Address, Broker
from streamflow.log.server.forwarding import Forwarding
from streamflow.log.server.link import Link
from streamflow.log.server.listener import SHUTDOWN_SECONDS, Accepting, Listener
from streamflow.log.server.open_files import raise_limit
from streamflow.log.server.peers import SocketPeers, reached_at

log = structlog.get_logger("streamflow.broker")

BACKLOG = 1024
"""Connections that wait to be taken: 1,000 clients may start at once."""
HAND_OVER_MS = 10_000
"""For others to lead in the place of a broker that stops."""
SAY_SECONDS = 5
"""Between two lines that say what a start waits for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a broker listens and what it is told of others.

    Args:
        listen: port 0 takes a free one.
        advertise: where clients reach the broker, if not at `listen`.
        membership: of a node among others; its `client` is where clients reach this one.
        peer_listen: where nodes are served, of a node among others.
        metrics: where Prometheus asks, if it may.
    """

    listen: Address
    advertise: Address | None = None
    membership: Membership | None = None
    peer_listen: Address | None = None
    metrics: Address | None = None


@dataclass(frozen=True, slots=True)
class _Doors:
    clients: socket.socket
    peers: socket.socket | None
    metrics: socket.socket | None


async def run_broker(path: Path, config: NodeConfig, place: Place, *, now_ms: Callable[[], int]) -> None:
    """Serves the directory until SIGINT or SIGTERM.

    Raises: ConfigError for an address that can't be listened at; DirectoryInUseError, LogError.
    """
    try:
        async with AsyncExitStack() as stack:
            doors = _Doors(
                stack.enter_context(_bind(place.listen, "--listen")),
                None if place.peer_listen is None else stack.enter_context(_bind(place.peer_listen, "--peer-listen")),
                None if place.metrics is None else stack.enter_context(_bind(place.metrics, "--metrics")),
            )
            advertised = place.advertise or Address(_reachable(place.listen.host), doors.clients.getsockname()[1])
            broker = await _open(stack, path, config, place.membership, now_ms, advertised)
            raise_limit(config.connections_max, len(broker.node.topics.replicas))
            await _serve(stack, broker, doors, path)
    except BaseExceptionGroup as errors:
        raise _first(errors) from errors
    log.info("stopped")


async def _open(
    stack: AsyncExitStack,
    path: Path,
    config: NodeConfig,
    membership: Membership | None,
    now_ms: Callable[[], int],
    advertised: Address,
) -> Broker:
    if membership is None or membership.alone:
        embedded = await EmbeddedLog.open_directory(path, config, now_ms)
        stack.push_async_callback(embedded.close)
        return Broker(embedded.node, advertised)
    opened: list[Node] = []
    image = MetadataImage()
    peers = SocketPeers(
        f"node-{membership.node_id}",
        reached_at(membership.voters, lambda: opened[0].topics.metadata.image if opened else image),
    )
    stack.callback(peers.close)
    embedded = await EmbeddedLog.open_directory(path, config, now_ms, membership=membership, peers=peers)
    stack.push_async_callback(embedded.close)
    opened.append(embedded.node)
    return Broker(embedded.node, advertised, Forwarding(membership.node_id, embedded.node.topics.metadata, peers))


async def _serve(stack: AsyncExitStack, broker: Broker, doors: _Doors, path: Path) -> None:
    node, config = broker.node, broker.node.config
    told, stop = anyio.Event(), anyio.Event()
    server = Listener(broker)
    async with anyio.create_task_group() as group:
        await group.start(_stop_on_signal, told, group)
        group.start_soon(node.group_coordinator.run)
        if doors.peers is not None:
            peers_server = Listener(broker, for_peers=True)
            group.start_soon(peers_server.serve, _listen(doors.peers), anyio.Event())
            group.start_soon(node.run)
        if doors.metrics is not None:
            stack.callback((await _serve_metrics(server, doors.metrics)).close)
        if await _admitted(node, told):
            group.start_soon(_hand_over, node, told, stop)
            log.info("ready", address=str(broker.advertised), node=broker.node_id, data=str(path), flush=config.flush)
            await server.serve(_listen(doors.clients), stop)
        group.cancel_scope.cancel()


def _listen(door: socket.socket) -> Callable[[Callable[[], Link]], Awaitable[Accepting]]:
    loop = asyncio.get_running_loop()
    return lambda made: loop.create_server(made, sock=door, backlog=BACKLOG)


async def _admitted(node: Node, told: anyio.Event) -> bool:
    """Waits until a node among others may serve. False when it is told to stop before."""
    if node.membership.alone or not node.membership.broker:
        return True
    async with anyio.create_task_group() as group:

        async def either(event: anyio.Event) -> None:
            await event.wait()
            group.cancel_scope.cancel()

        group.start_soon(either, told)
        group.start_soon(either, node.cluster.lifecycle.unfenced)
        while True:
            await anyio.sleep(SAY_SECONDS)
            log.info("waiting to be admitted to the cluster", quorum=repr(node.topics.metadata), me=repr(node.cluster))
    return not told.is_set()


async def _hand_over(node: Node, told: anyio.Event, stop: anyio.Event) -> None:
    """Once told to stop: others lead first."""
    await told.wait()
    if not node.membership.alone and not await node.cluster.stop(HAND_OVER_MS):
        log.warning("stopping without having handed over", seconds=HAND_OVER_MS / 1000)
    stop.set()


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one that says why, of those that came of it."""
    found = errors.exceptions[0]
    for error in errors.exceptions:
        inner = _first(error) if isinstance(error, BaseExceptionGroup) else error
        if isinstance(inner, StreamflowError):
            return inner
    return _first(found) if isinstance(found, BaseExceptionGroup) else found


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


def _bind(address: Address, option: str) -> socket.socket:
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
