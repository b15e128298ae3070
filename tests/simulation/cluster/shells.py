"""How a node is opened, run, asked and stopped: the one place that knows its face."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import anyio
import anyio.lowlevel

from streamflow.log.errors import LogError
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.flusher import inline
from streamflow.log.node.membership import Endpoint, Membership
from streamflow.log.node.node import Node, Surroundings
from streamflow.log.node.peers import Peers
from streamflow.log.protocol.frames import RequestHeader
from streamflow.log.server.broker import Address, Broker
from streamflow.log.server.dispatch import dispatch
from streamflow.log.server.forwarding import Forwarding
from tests.simulation.cluster.disks import NodeDisk
from tests.simulation.cluster.network import Serve

TICK_SECONDS = 0.5
PORT, PEER_PORT = 9092, 9093
HAND_OVER_MS = 5_000

CONFIG = replace(
    NodeConfig.parse(
        {
            "checkpoint_interval_ms": "2000",
            "transaction_timeout_ms": "8000",
            "ballast_bytes": "100",
            "group.initial.rebalance.delay.ms": "100",
            "broker.session.timeout.ms": "3000",
            "replica.lag.time.max.ms": "2500",
            "leader.imbalance.check.interval.seconds": "5",
        }
    ),
    internal_log_bytes=4000,
)
"""Small, that what is done seldom happens in a run of seconds."""


def world(disk: NodeDisk, now_ms: Callable[[], int], chance: Random, peers: Peers) -> Surroundings:
    """What a node is given."""
    return Surroundings(files=disk, now_ms=now_ms, random_bytes=chance.randbytes, blocking=inline, peers=peers)


async def open_node(world: Surroundings, node_id: int, size: int, *, clean: bool) -> Node:
    """Raises: LogError."""
    return await Node.open(world, CONFIG, clean=clean, membership=_membership(node_id, size))


def _membership(node_id: int, size: int) -> Membership:
    """Every node is a broker and a voter. Nobody connects to the addresses: nodes are reached by their numbers."""
    if size == 1:
        return Membership()
    voters = {n: Endpoint(f"node-{n}", PEER_PORT) for n in range(1, size + 1)}
    me = f"node-{node_id}"
    return Membership(node_id=node_id, voters=voters, client=Endpoint(me, PORT), peer=Endpoint(me, PEER_PORT))


async def run(node: Node, scope: anyio.CancelScope) -> None:
    """Its background, until the scope is cancelled. Raises: LogError when the node can't go on."""
    failed: list[LogError] = []
    with scope:
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(node.group_coordinator.run)
                if not node.membership.alone:
                    group.start_soon(node.run)
                failed.append(await _tick(node))
                group.cancel_scope.cancel()
        except BaseExceptionGroup as errors:
            raise _first(errors) from errors
    if failed:
        raise failed[0]


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one that says why."""
    found = errors.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found


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
    return node.topics.metadata.active


async def stop(node: Node, scope: anyio.CancelScope) -> bool:
    """As `server.process`: others lead, the background ends, the log is closed. Returns: whether its files may be
    trusted."""
    if not node.membership.alone:
        await node.cluster.stop(HAND_OVER_MS)
        scope.cancel()
        await anyio.lowlevel.checkpoint()
    return await node.close()


def doors(node: Node, node_id: int, peers: Peers) -> tuple[Serve, Serve]:
    """What clients ask, once the node is admitted, and what nodes ask."""
    forwarding = None if node.membership.alone else Forwarding(node_id, node.topics.metadata, peers)
    broker = Broker(node, Address(f"node-{node_id}", PORT), forwarding)

    async def serve(header: RequestHeader, frame: memoryview, *, from_peer: bool = False) -> Any:
        if not from_peer and not node.membership.alone:
            await node.cluster.lifecycle.unfenced.wait()
        return await dispatch(broker, header, frame, "10.0.0.1", from_peer=from_peer)

    return serve, partial(serve, from_peer=True)
