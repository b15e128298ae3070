"""Three brokers' replicas of one partition, with the real fetch handler between them, and a controller of one line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import anyio

from streamflow.event import TopicPartition
from streamflow.log.controller import records as r
from streamflow.log.controller.image import MetadataImage, PartitionImage
from streamflow.log.controller.throttles import Side
from streamflow.log.errors import (
    PeerUnreachableError,
)
from streamflow.log.model import Identity
from streamflow.log.node.admission import Admission
from streamflow.log.node.ballast import Ballast
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.fetcher import Surroundings
from streamflow.log.node.flusher import Flusher, inline
from streamflow.log.node.membership import Membership
from streamflow.log.node.replica import Replica
from streamflow.log.node.replication import Replication
from streamflow.log.node.throttle import Throttle
from streamflow.log.protocol.messages import alter_partition_response, codec_of, fetch_request, fetch_response
from streamflow.log.records import build_batch
from streamflow.log.replication.follower import Follower
from streamflow.log.server.broker import Address, Broker, Later
from streamflow.log.server.handlers import fetch
from streamflow.log.storage.files import MemoryFiles
from streamflow.log.storage.partition import PartitionLog, SegmentConfig
from streamflow.log.storage.segment import Stored

TOPIC_ID = b"\7" * 16
WHERE = TopicPartition("events", 0)


class Member:
    """One broker: as much of a node as replication and the fetch handler need."""

    def __init__(self, cluster: Cluster, node_id: int) -> None:
        self.id = node_id
        self.config = replace(cluster.config)
        self.now_ms = lambda: int(anyio.current_time() * 1000)
        self.flusher = Flusher(inline, self.now_ms)
        self.files = files = MemoryFiles()
        log = self._open(recovery_point=0)
        role = Follower(leader_epoch=-1, end=0, flush_before_fetch=cluster.durable)
        self.replica = Replica(WHERE, "events", log, role, Ballast(files, 0), Admission(in_sync_min=2))
        metadata = SimpleNamespace(node_id=node_id, image=cluster.image)
        self.topics = SimpleNamespace(metadata=metadata, replicas={WHERE: self.replica})
        self.broker = Broker(self, Address("here", node_id))  # type: ignore[arg-type]
        world = Surroundings(
            membership=Membership(node_id=node_id),
            image=lambda: cluster.image,
            peers=SimpleNamespace(ask=lambda to, message, *, timeout_ms: cluster.ask(node_id, to, message)),
            channel=SimpleNamespace(ask=cluster.alter),
            broker_epoch=lambda: cluster.image.brokers[node_id].broker_epoch,
            note_point=lambda replica, offset: None,
            throttle=cluster.throttle(Side.FOLLOWER),
            now_ms=self.now_ms,
        )
        self.cluster = SimpleNamespace(throttles={Side.LEADER: cluster.throttle(Side.LEADER)})
        self.replication = Replication(world, self.flusher, self.config)

    def _open(self, recovery_point: int) -> PartitionLog:
        identity, config = Identity("events", UUID(bytes=TOPIC_ID), 0), SegmentConfig(segment_bytes=500)
        return PartitionLog.open(
            self.files, "events", identity, config, recovery_point=recovery_point, clean=True, now_ms=0
        )

    def reopen(self) -> None:
        """The log is read from its files again."""
        self.replica.log.close()
        self.replica.log = self._open(self.replica.log.recovery_point)

    def damage(self, offset: int) -> Callable[[], None]:
        """A bit of the batch that begins there flips. Returns: what flips it back."""

        def flip() -> None:
            self.files.content[path][at] ^= 4

        path, at = next(
            (segment.path, found.position + 60)
            for segment in self.replica.log._segments.all
            for found in segment.walk()
            if isinstance(found, Stored) and found.header.base_offset == offset
        )
        flip()
        return flip

    def values(self) -> list[bytes]:
        read = self.replica.log.read(self.replica.log.log_start_offset, 1 << 20, up_to=self.replica.log.log_end_offset)
        return [bytes(batch) for batch in read]

    def append(self, value: str) -> int:
        self.replica.append(build_batch([None], [value.encode()], [0]), 0)
        return self.replica.end


class Cluster:
    def __init__(self, *, durable: bool = True, **settings: str) -> None:
        self.durable = durable
        self.config = NodeConfig.parse(
            {"replica.fetch.wait.max.ms": "20", "replica.fetch.backoff.ms": "20", **settings}
        )
        self.image = MetadataImage()
        for n in (1, 2, 3):
            self.image.apply(r.RegisterBroker(broker_id=n, broker_epoch=10 + n))
        self.image.apply(r.Topic(name="events", topic_id=TOPIC_ID))
        self.image.apply(
            r.Partition(
                topic_id=TOPIC_ID,
                partition=0,
                leader=1,
                isr=(1, 2, 3),
                replicas=(1, 2, 3),
                leader_epoch=0,
                partition_epoch=0,
            )
        )
        self.cut: set[int] = set()
        self.rates: dict[Side, int] = {}
        self.throttle_ms = 0
        self.members = {n: Member(self, n) for n in (1, 2, 3)}

    @property
    def partition(self) -> PartitionImage:
        return self.image.topics["events"].partitions[0]

    def throttle(self, side: Side) -> Throttle:
        """Its clock stands still unless it is moved."""
        return Throttle(lambda replica: self.rates.get(side), lambda: self.throttle_ms)

    async def ask(self, asking: int, to: int, message: Any) -> Any:
        if to in self.cut or asking in self.cut:
            raise PeerUnreachableError(f"{to} can't be reached")
        written: list[Any] = []
        codec_of("fetch", 18, "request").write(written, message)
        request, _ = codec_of("fetch", 18, "request").read(memoryview(b"".join(written)), 0)
        context = SimpleNamespace(broker=self.members[to].broker, node=self.members[to], version=18, from_peer=True)
        return await self._answer(context, request)

    async def _answer(self, context: Any, request: Any) -> Any:
        answer = await fetch.handle(context, request)
        answer = await answer.make() if isinstance(answer, Later) else answer
        written: list[Any] = []
        codec_of("fetch", 18, "response").write(written, answer)
        return codec_of("fetch", 18, "response").read(memoryview(b"".join(written)), 0)[0]

    async def consume(self, node_id: int, offset: int, rack: str = "") -> fetch_response.PartitionData:
        """What a consumer is answered there."""
        wanted = fetch_request.FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=1 << 20)
        request = fetch_request.FetchRequest(
            max_wait_ms=0,
            min_bytes=0,
            rack_id=rack,
            topics=[fetch_request.FetchTopic(topic_id=TOPIC_ID, partitions=[wanted])],
        )
        member = self.members[node_id]
        context = SimpleNamespace(broker=member.broker, node=member, version=18, from_peer=False)
        answer = await self._answer(context, request)
        found: fetch_response.PartitionData = answer.responses[0].partitions[0]
        return found

    async def alter(self, request: Any, *, timeout_ms: int) -> Any:
        wanted = request.topics[0].partitions[0]
        isr = tuple(member.broker_id for member in wanted.new_isr_with_epochs)
        if wanted.partition_epoch == self.partition.partition_epoch:
            self.image.apply(r.PartitionChange(topic_id=TOPIC_ID, partition=0, isr=isr))
        known = alter_partition_response.PartitionData(
            leader_id=self.partition.leader,
            leader_epoch=self.partition.leader_epoch,
            isr=list(self.partition.isr),
            partition_epoch=self.partition.partition_epoch,
        )
        return alter_partition_response.AlterPartitionResponse(
            topics=[alter_partition_response.TopicData(topic_id=TOPIC_ID, partitions=[known])]
        )

    async def elect(self, leader: int, isr: tuple[int, ...] = (1, 2, 3)) -> Member:
        self.image.apply(r.PartitionChange(topic_id=TOPIC_ID, partition=0, leader=leader, isr=isr))
        await self.tell()
        return self.members[leader]

    async def tell(self) -> None:
        for n, member in self.members.items():
            if n not in self.cut:
                does = member.replication.lead if n == self.partition.leader else member.replication.follow
                await does(member.replica, self.partition)


@asynccontextmanager
async def running(cluster: Cluster) -> AsyncIterator[Cluster]:
    await cluster.tell()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            for member in cluster.members.values():
                group.start_soon(member.replication.run)
            yield cluster
            group.cancel_scope.cancel()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await anyio.lowlevel.checkpoint()
