"""What every simulated client has: connections, what it knows of the cluster, and time-outs.

A client that had no answer takes a new connection; what it had asked may still be done later.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random
from typing import Any

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import find_coordinator_request, metadata_request
from tests.simulation.cluster.history import History
from tests.simulation.cluster.loop import SimulatedLoop
from tests.simulation.cluster.network import Connection, Network, NoAnswer, NotSent

TIMEOUT_SECONDS = 3.0
GROUP, TRANSACTION = 0, 1


@dataclass(slots=True)
class World:
    """What all clients of a run share. `over`: they finish what they do."""

    loop: SimulatedLoop
    network: Network
    history: History
    nodes: tuple[int, ...]
    topics: dict[str, int]
    over: bool = False
    numbers: dict[str, int] = field(default_factory=dict)
    ids: dict[str, bytes] = field(default_factory=dict)
    """Topics' ids."""

    def value(self, partition: str) -> int:
        """One that was never sent to the partition."""
        self.numbers[partition] = self.numbers.get(partition, 0) + 1
        return self.numbers[partition]

    @property
    def partitions(self) -> list[str]:
        """All, as 'topic-number'."""
        return [f"{topic}-{n}" for topic, count in self.topics.items() for n in range(count)]


class Client:
    """Draws from its own chance, so that what others do doesn't change what it does."""

    def __init__(self, name: str, world: World, chance: Random) -> None:
        self.name = name
        self.world = world
        self.chance = chance
        self._connections: dict[int, Connection] = {}
        self._leaders: dict[str, int] = {}
        self._coordinators: dict[tuple[int, str], int] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    async def run(self) -> None:
        """Until the run is over."""
        while not self.world.over:
            await self.step()
            await self.pause(0.05, 0.4)

    async def step(self) -> None:
        raise NotImplementedError

    async def pause(self, least: float, most: float) -> None:
        await asyncio.sleep(self.chance.uniform(least, most))

    async def ask(
        self, node_id: int, message: Any, version: int | None = None, timeout: float = TIMEOUT_SECONDS
    ) -> Any:
        """Raises: NoAnswer, NotSent."""
        return await self.connection(node_id).ask(message, timeout, version)

    def connection(self, node_id: int) -> Connection:
        """The one there is, or another if that broke."""
        connection = self._connections.get(node_id)
        if connection is None or not connection.open:
            connection = self._connections[node_id] = self.world.network.connect(self.name, node_id)
        return connection

    async def leader(self, partition: str) -> int:
        """As far as is known. Raises: NotSent, NoAnswer, if nobody can be asked, or there is none."""
        if partition not in self._leaders:
            await self._learn()
        if partition not in self._leaders:
            raise NotSent(f"nobody leads {partition}")
        return self._leaders[partition]

    def forget(self, partition: str) -> None:
        """Its leader is looked for anew."""
        self._leaders.pop(partition, None)

    async def _learn(self) -> None:
        topic = metadata_request.MetadataRequestTopic
        request = metadata_request.MetadataRequest(topics=[topic(name=n) for n in self.world.topics])
        answer = await self.ask(self.chance.choice(self.world.nodes), request)
        for found in answer.topics:
            if found.error_code == ErrorCode.none:
                self.world.ids[found.name] = found.topic_id
                for partition in found.partitions:
                    name = f"{found.name}-{partition.partition_index}"
                    self._leaders.pop(name, None)
                    if partition.leader_id >= 0:
                        self._leaders[name] = partition.leader_id

    async def coordinator(self, kind: int, key: str) -> int:
        """Of a group, or of a transactional id. Raises: NotSent, NoAnswer."""
        if (kind, key) not in self._coordinators:
            request = find_coordinator_request.FindCoordinatorRequest(key_type=kind, coordinator_keys=[key])
            [found] = (await self.ask(self.chance.choice(self.world.nodes), request)).coordinators
            if found.error_code != ErrorCode.none:
                raise NotSent(f"no coordinator of {key}: {found.error_code}")
            self._coordinators[kind, key] = found.node_id
        return self._coordinators[kind, key]

    def forget_coordinator(self, kind: int, key: str) -> None:
        """It is looked for anew."""
        self._coordinators.pop((kind, key), None)


TROUBLE = (NoAnswer, NotSent)
RETRIABLE = frozenset(
    {
        ErrorCode.not_leader_or_follower,
        ErrorCode.leader_not_available,
        ErrorCode.unknown_topic_or_partition,
        ErrorCode.unknown_topic_id,
        ErrorCode.not_enough_replicas,
        ErrorCode.not_enough_replicas_after_append,
        ErrorCode.request_timed_out,
        ErrorCode.kafka_storage_error,
        ErrorCode.not_coordinator,
        ErrorCode.coordinator_not_available,
        ErrorCode.coordinator_load_in_progress,
        ErrorCode.concurrent_transactions,
        ErrorCode.fenced_leader_epoch,
        ErrorCode.unknown_leader_epoch,
        ErrorCode.offset_not_available,
        ErrorCode.network_exception,
        ErrorCode.broker_not_available,
        ErrorCode.not_controller,
    }
)
"""What Kafka's clients try again."""
