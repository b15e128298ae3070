"""How a node is opened, run, asked and stopped: the one place that knows its face."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import anyio

from streamflow.log.errors import LogError
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.flusher import inline
from streamflow.log.node.node import Node, Surroundings
from streamflow.log.node.peers import Peers
from streamflow.log.protocol.frames import RequestHeader
from streamflow.log.server.broker import Address, Broker
from streamflow.log.server.dispatch import dispatch
from tests.simulation.cluster.disks import NodeDisk
from tests.simulation.cluster.network import Serve

TICK_SECONDS = 0.5
PORT = 9092

CONFIG = replace(
    NodeConfig.parse(
        {
            "checkpoint_interval_ms": "2000",
            "transaction_timeout_ms": "8000",
            "ballast_bytes": "100",
            "group.initial.rebalance.delay.ms": "100",
        }
    ),
    internal_log_bytes=4000,
)
"""Small, that what is done seldom happens in a run of seconds."""


def world(disk: NodeDisk, now_ms: Callable[[], int], chance: Random) -> Surroundings:
    """What a node is given."""
    return Surroundings(files=disk, now_ms=now_ms, random_bytes=chance.randbytes, blocking=inline)


async def open_node(world: Surroundings, node_id: int, size: int, peers: Peers, *, clean: bool) -> Node:
    """Raises: LogError."""
    return await Node.open(world, CONFIG, clean=clean)


async def run(node: Node) -> None:
    """Its background, until it is cancelled. Raises: LogError when the node can't go on."""
    async with anyio.create_task_group() as group:
        group.start_soon(node.group_coordinator.run)
        failed = await _tick(node)
        group.cancel_scope.cancel()
    raise failed


async def _tick(node: Node) -> LogError:
    """Returns: what the node can't go on after."""
    while True:
        await anyio.sleep(TICK_SECONDS)
        try:
            await node.tick()
        except LogError:
            if node.flusher.failed is not None:
                return node.flusher.failed


def leads_quorum(node: Node) -> bool:
    """Whether it believes to."""
    return bool(getattr(node.topics.metadata, "active", True))


async def stop(node: Node) -> bool:
    """Returns: whether its files may be trusted."""
    return await node.close()


def doors(node: Node, node_id: int, size: int) -> tuple[Serve, Serve]:
    """What clients ask, and what nodes ask."""
    broker = Broker(node, Address(f"node-{node_id}", PORT))

    async def serve(header: RequestHeader, frame: memoryview, *, from_peer: bool = False) -> Any:
        return await dispatch(broker, header, frame, "10.0.0.1", from_peer=from_peer)

    return serve, partial(serve, from_peer=True)
