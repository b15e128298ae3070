"""Three brokers' replicas of one partition, with the real fetch handler between them, and a controller of one line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import anyio
import pytest

from streamflow.event import TopicPartition
from streamflow.log.controller import records as r
from streamflow.log.controller.image import MetadataImage, PartitionImage
from streamflow.log.controller.throttles import Side
from streamflow.log.errors import (
    NotEnoughReplicasAfterAppendError,
    NotLeaderError,
    PeerUnreachableError,
    RequestTimedOutError,
)
from streamflow.log.model import Identity
from streamflow.log.node.acknowledgement import committed
from streamflow.log.node.admission import Admission
from streamflow.log.node.ballast import Ballast
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.fetcher import Surroundings
from streamflow.log.node.flusher import Flusher, inline
from streamflow.log.node.membership import Membership
from streamflow.log.node.replica import Replica
from streamflow.log.node.replication import Replication
from streamflow.log.node.throttle import Throttle
from streamflow.log.protocol.messages import alter_partition_response, codec_of
from streamflow.log.records import build_batch
from streamflow.log.replication.follower import Follower
from streamflow.log.replication.leader import Leader
from streamflow.log.server.broker import Address, Broker, Later
from streamflow.log.server.handlers import fetch
from streamflow.log.storage.files import MemoryFiles
from streamflow.log.storage.partition import PartitionLog, SegmentConfig

pytestmark = pytest.mark.anyio
TOPIC_ID = b"\7" * 16
WHERE = TopicPartition("events", 0)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Member:
    """One broker: as much of a node as replication and the fetch handler need."""

    def __init__(self, cluster: Cluster, node_id: int) -> None:
        self.id = node_id
        self.config = replace(cluster.config)
        self.now_ms = lambda: int(anyio.current_time() * 1000)
        self.flusher = Flusher(inline, self.now_ms)
        files = MemoryFiles()
        identity = Identity("events", UUID(bytes=TOPIC_ID), 0)
        log = PartitionLog.open(files, "events", identity, SegmentConfig(), recovery_point=0, clean=True, now_ms=0)
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
        answer = await fetch.handle(context, request)  # type: ignore[arg-type]
        answer = await answer.make() if isinstance(answer, Later) else answer
        written = []
        codec_of("fetch", 18, "response").write(written, answer)
        return codec_of("fetch", 18, "response").read(memoryview(b"".join(written)), 0)[0]

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


@pytest.mark.parametrize("durable", [True, False])
async def test_what_is_committed_is_in_every_in_sync_log(durable: bool) -> None:
    async with running(Cluster(durable=durable)) as cluster:
        leader = cluster.members[1]
        end = [leader.append(f"{n}") for n in range(5)][-1]
        await committed(leader.flusher, {leader.replica: end}, timeout_ms=3000)
        assert leader.replica.high_watermark == 5
        assert all(member.values() == leader.values() for member in cluster.members.values())
        if durable:
            assert all(member.replica.log.recovery_point == 5 for member in cluster.members.values())
        await until(lambda: all(m.replica.high_watermark == 5 for m in cluster.members.values()))


async def test_a_follower_with_another_history_truncates_what_its_leader_has_not() -> None:
    async with running(Cluster()) as cluster:
        first = cluster.members[1]
        await committed(first.flusher, {first.replica: first.append("both")}, timeout_ms=3000)
        cluster.cut = {1}
        first.append("only here")
        second = await cluster.elect(2, (2, 3))
        await committed(second.flusher, {second.replica: second.append("instead")}, timeout_ms=3000)
        cluster.cut = set()
        await cluster.tell()
        await until(lambda: first.values() == second.values())
        await until(lambda: cluster.partition.isr == (1, 2, 3))
        assert first.replica.reign == 1


async def test_who_lags_leaves_the_isr_and_is_not_waited_for_until_it_has_caught_up() -> None:
    async with running(Cluster(**{"replica.lag.time.max.ms": "60"})) as cluster:
        leader = cluster.members[1]
        await committed(leader.flusher, {leader.replica: leader.append("a")}, timeout_ms=3000)
        cluster.cut = {3}
        await committed(leader.flusher, {leader.replica: leader.append("b")}, timeout_ms=3000)
        assert cluster.partition.isr == (1, 2)
        cluster.cut = set()
        await until(lambda: cluster.partition.isr == (1, 2, 3))
        assert cluster.members[3].values() == leader.values()


async def test_nothing_is_committed_with_too_few_in_sync() -> None:
    async with running(Cluster(**{"replica.lag.time.max.ms": "60"})) as cluster:
        leader = cluster.members[1]
        cluster.cut = {2, 3}
        with pytest.raises(NotEnoughReplicasAfterAppendError):
            await committed(leader.flusher, {leader.replica: leader.append("a")}, timeout_ms=3000)
        assert leader.replica.high_watermark == 0


async def test_who_waits_learns_that_the_leadership_is_lost_and_that_time_is_up() -> None:
    async with running(Cluster()) as cluster:
        leader = cluster.members[1]
        cluster.cut = {2, 3}
        end = leader.append("a")
        with pytest.raises(RequestTimedOutError):
            await committed(leader.flusher, {leader.replica: end}, timeout_ms=10)
        failures: list[Exception] = []

        async def wait() -> None:
            try:
                await committed(leader.flusher, {leader.replica: end}, timeout_ms=3000)
            except NotLeaderError as error:
                failures.append(error)

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            await cluster.elect(2, (1, 2))
        assert len(failures) == 1


async def test_a_stopped_replica_is_neither_leader_nor_follower() -> None:
    async with running(Cluster()) as cluster:
        leader = cluster.members[1]
        await leader.replication.stop(leader.replica)
        with pytest.raises(NotLeaderError):
            leader.append("a")
        assert repr(leader.replication) == "<Replication: leads 0, follows 0>"


async def test_a_replica_that_was_opened_as_a_leader_alone_goes_on_as_one_of_its_partition() -> None:
    member = Cluster().members[1]
    member.replica.role = Leader(leader_epoch=0, end=0, flush_before_commit=True)
    alone = PartitionImage(leader=1, isr=(1,), replicas=(1,), leader_epoch=0, partition_epoch=0)
    await member.replication.lead(member.replica, alone)
    await committed(member.flusher, {member.replica: member.append("a")}, timeout_ms=1000)
    assert member.replica.high_watermark == 1


@pytest.mark.parametrize("side", Side)
async def test_who_is_not_in_sync_is_copied_no_faster_than_the_throttle_says_and_the_others_at_once(side: Side) -> None:
    cluster = Cluster()
    cluster.image.apply(r.PartitionChange(topic_id=TOPIC_ID, partition=0, isr=(1, 2)))
    leader, added = cluster.members[1], cluster.members[3].replica
    await cluster.tell()
    end = [leader.append(f"{n:2}") for n in range(20)][-1]
    cluster.rates[side] = 2 * len(leader.values()[0])  # Two batches a second.
    async with running(cluster):
        await committed(leader.flusher, {leader.replica: end}, timeout_ms=3000)
        await anyio.sleep(0.06)
        assert added.end == 0
        for copied in (2, 4, 6):
            cluster.throttle_ms += 1_000
            await until(lambda copied=copied: added.end >= copied)  # type: ignore[misc]
            await anyio.sleep(0.06)
            assert added.end == copied
        assert cluster.partition.isr == (1, 2)
        cluster.rates.clear()
        await until(lambda: cluster.partition.isr == (1, 2, 3))
        await committed(leader.flusher, {leader.replica: leader.append("on")}, timeout_ms=3000)
        assert added.end == 21


async def test_followers_delete_what_the_leader_has_deleted_and_tell_it_without_waiting_for_records() -> None:
    async with running(Cluster(**{"replica.fetch.wait.max.ms": "60000"})) as cluster:
        leader = cluster.members[1]
        end = [leader.append(f"{n}") for n in range(5)][-1]
        await committed(leader.flusher, {leader.replica: end}, timeout_ms=3000)
        leader.replica.delete_before(3)
        await until(lambda: leader.replica.leader.low_watermark(3, lambda follower: True) == 3)
        assert all(member.values() == leader.values() for member in cluster.members.values())
