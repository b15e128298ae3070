"""The broker's process: a node behind a socket, until it is told to stop.

Promises: it is ready when it says so, with the address; when it is told to stop it takes no more requests, answers
those it has begun, and closes the log, so that the next start needn't check it.
"""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import structlog
from anyio.abc import SocketStream, TaskGroup, TaskStatus

from streamflow.errors import ConfigError
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.embedded import EmbeddedLog
from streamflow.log.server.broker import Address, Broker
from streamflow.log.server.connection import Connection

log = structlog.get_logger("streamflow.broker")

BACKLOG = 1024
"""Connections that wait to be taken: 1,000 clients may start at once."""
SWEEP_SECONDS = 1
"""How often is looked for connections that are idle or stuck."""
SHUTDOWN_SECONDS = 5
"""For requests that were begun to be answered."""


class Listener:
    """Serves a node to clients."""

    def __init__(self, broker: Broker, *, idle_seconds: float) -> None:
        self.broker = broker
        self.connections: set[Connection] = set()
        self._idle_seconds = idle_seconds

    async def serve(self, listeners: anyio.abc.Listener[SocketStream]) -> None:
        """Until cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._close_overdue)
            await listeners.serve(self._connected)

    async def _close_overdue(self) -> None:
        while True:
            await anyio.sleep(SWEEP_SECONDS)
            now = anyio.current_time()
            for connection in tuple(self.connections):
                reason = connection.overdue(now)
                if reason is not None:
                    await connection.close(reason)

    async def _connected(self, stream: SocketStream) -> None:
        connection = Connection(self.broker, stream, idle_seconds=self._idle_seconds)
        self.connections.add(connection)
        try:
            await connection.serve()
        finally:
            self.connections.discard(connection)


async def run_broker(
    path: Path,
    config: NodeConfig,
    *,
    listen: Address,
    advertise: Address | None,
    now_ms: Callable[[], int],
) -> None:
    """Serves the directory until SIGINT or SIGTERM.

    Args:
        listen: port 0 takes a free one.
        advertise: where clients reach the broker, if not at `listen`.

    Raises: ConfigError for an address that can't be listened at; DirectoryInUseError, LogError.
    """
    async with AsyncExitStack() as stack:
        listener = await _listen(listen)
        stack.push_async_callback(listener.aclose)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        advertised = advertise or Address(_reachable(listen.host), port)
        embedded = await EmbeddedLog.open_directory(path, config, now_ms)
        stack.push_async_callback(embedded.close)
        broker = Broker(embedded.node, advertised)
        server = Listener(broker, idle_seconds=config.connections_max_idle_ms / 1000)
        async with anyio.create_task_group() as group:
            await group.start(_stop_on_signal, group)
            group.start_soon(broker.node.group_coordinator.run)
            log.info("ready", address=str(advertised), node=broker.node_id, data=str(path), flush=config.flush)
            await server.serve(listener)
    log.info("stopped")


def _reachable(host: str) -> str:
    """Who listens everywhere is reached at this machine's loopback, unless told otherwise."""
    return "127.0.0.1" if host in ("", "0.0.0.0", "::") else host


async def _listen(address: Address) -> anyio.abc.Listener[SocketStream]:
    try:
        return await anyio.create_tcp_listener(
            local_host=address.host or None, local_port=address.port, backlog=BACKLOG, reuse_port=False
        )
    except OSError as error:
        why = "another process listens there" if error.errno == errno.EADDRINUSE else str(error)
        raise ConfigError(f"can't listen at {address}: {why}; choose another --listen HOST:PORT") from error


async def _stop_on_signal(group: TaskGroup, *, task_status: TaskStatus[None]) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for number in signals:
            log.info("stopping", signal=signal.Signals(number).name)
            group.cancel_scope.cancel()
            return
