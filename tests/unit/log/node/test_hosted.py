"""What a node among others does with its replicas, as applied metadata says."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from streamflow.event import TopicPartition
from streamflow.log.controller import records as r
from streamflow.log.node.checkpoint import HIGH_WATERMARKS, RECOVERY_POINTS, read_points
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.flusher import inline
from streamflow.log.node.membership import Endpoint, Membership
from streamflow.log.node.node import Node, Surroundings
from streamflow.log.records import build_batch
from streamflow.log.storage.files import MemoryFiles

pytestmark = pytest.mark.anyio
TOPIC, ID = "t", b"t" * 16
T0 = TopicPartition(TOPIC, 0)
VOTERS = {n: Endpoint("10.0.0.1", 9000 + n) for n in (1, 2, 3)}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Member:
    """Node 1 of three, told its metadata by hand."""

    def __init__(self, files: MemoryFiles | None = None) -> None:
        self.files = files or MemoryFiles()
        self.offset = 0
        self.node: Node

    async def open(self) -> Member:
        world = Surroundings(files=self.files, now_ms=lambda: 1_000, random_bytes=Random(1).randbytes, blocking=inline)
        membership = Membership(node_id=1, voters=VOTERS, client=Endpoint("c", 1), peer=VOTERS[1])
        self.node = await Node.open(world, NodeConfig.parse({}), clean=True, membership=membership)
        return self

    async def tell(self, *records: r.AnyRecord) -> None:
        for record in records:
            self.node.topics.metadata.image.apply(record)
        await self.node.topics.hosted.follow(self.node.topics.metadata.image, records)

    async def register(self) -> None:
        life = self.node.cluster.incarnation_id
        await self.tell(r.RegisterBroker(broker_id=1, broker_epoch=7, incarnation_id=life, fenced=True))

    @property
    def replicas(self) -> dict[TopicPartition, Any]:
        return self.node.topics.replicas


def created(leader: int = 1, replicas: tuple[int, ...] = (1, 2, 3)) -> list[r.AnyRecord]:
    partition = r.Partition(
        topic_id=ID,
        partition=0,
        leader=leader,
        isr=replicas,
        replicas=replicas,
        leader_epoch=0,
        partition_epoch=0,
    )
    return [r.Topic(name=TOPIC, topic_id=ID), partition]


async def test_what_is_older_than_this_life_makes_a_node_lead_nothing() -> None:
    member = await Member().open()
    await member.tell(*created(leader=1))
    await member.tell(r.RegisterBroker(broker_id=1, broker_epoch=3, incarnation_id=b"an earlier life", fenced=True))
    assert member.replicas == {}


async def test_from_its_registration_on_a_node_leads_and_follows_as_metadata_says() -> None:
    member = await Member().open()
    await member.tell(*created(leader=1))
    await member.register()
    assert member.replicas[T0].leads
    await member.tell(r.PartitionChange(topic_id=ID, partition=0, leader=2))
    assert not member.replicas[T0].leads
    assert member.replicas[T0].leader_epoch == 1


async def test_a_topic_that_was_removed_is_removed_from_the_disk() -> None:
    member = await Member().open()
    await member.register()
    await member.tell(*created())
    assert member.files.names("topics")
    await member.tell(r.RemoveTopic(topic_id=ID))
    assert member.replicas == {} and not member.files.names("topics")


async def test_a_replica_that_is_anothers_now_is_removed_and_its_neighbours_stay() -> None:
    member = await Member().open()
    await member.register()
    await member.tell(*created())
    second = r.Partition(
        topic_id=ID, partition=1, leader=2, isr=(2,), replicas=(2, 1), leader_epoch=0, partition_epoch=0
    )
    await member.tell(second)
    await member.tell(r.PartitionChange(topic_id=ID, partition=0, leader=2, isr=(2, 3), replicas=(2, 3)))
    assert list(member.replicas) == [TopicPartition(TOPIC, 1)]
    [directory] = member.files.names("topics")
    assert list(member.files.names(f"topics/{directory}")) == ["1"]


async def test_partitions_of_others_are_not_here() -> None:
    member = await Member().open()
    await member.register()
    await member.tell(*created(leader=2, replicas=(2, 3)))
    assert member.replicas == {}


async def test_a_directory_nobody_spoke_of_is_left_alone() -> None:
    member = await Member().open()
    member.files.make_directory(f"topics/stranger.{'ab' * 16}")
    await member.register()
    assert list(member.files.names("topics")) == [f"stranger.{'ab' * 16}"]


async def written(member: Member, values: int) -> Any:
    """Node 1 leads alone, and has that many records. Returns: its replica."""
    await member.register()
    await member.tell(*created())
    await member.tell(r.PartitionChange(topic_id=ID, partition=0, isr=(1,)))
    replica = member.replicas[T0]
    for _ in range(values):
        replica.append(build_batch([None], [b"x"], [0]), 0)
    await member.node.flusher.flush([replica])
    return replica


async def restarted(member: Member) -> Member:
    await member.node.close()
    image = member.node.topics.metadata.image
    fresh = await Member(member.files).open()
    fresh.node.topics.metadata.image.__dict__.update(image.__dict__)
    return fresh


@pytest.mark.parametrize("in_sync_min", ["1", "2"])
async def test_what_was_committed_is_served_again_at_once_whoever_else_is_there(in_sync_min: str) -> None:
    member = await Member().open()
    assert (await written(member, 5)).high_watermark == 5
    await member.tell(r.TopicConfig(topic_id=ID, name="min.insync.replicas", value=in_sync_min))
    await member.tell(r.PartitionChange(topic_id=ID, partition=0, isr=(1, 2)))
    member.replicas[T0].append(build_batch([None], [b"not committed"], [0]), 0)
    member = await restarted(member)
    await member.register()
    replica = member.replicas[T0]
    assert replica.leads
    assert (replica.high_watermark, replica.end) == (5, 6)


async def test_records_that_are_removed_are_not_taken_for_committed_when_others_are_in_their_place() -> None:
    member = await Member().open()
    replica = await written(member, 5)
    await member.node.tick()
    member.node._note_point(replica.path, 3)
    assert read_points(member.files, HIGH_WATERMARKS)[replica.path] == 3
    assert read_points(member.files, RECOVERY_POINTS)[replica.path] == 3


async def test_a_partition_that_was_moved_away_can_come_back() -> None:
    member = await Member().open()
    await written(member, 5)
    member = await restarted(member)
    await member.register()
    await member.tell(r.PartitionChange(topic_id=ID, partition=0, leader=2, isr=(2, 3), replicas=(2, 3)))
    assert member.replicas == {}
    await member.tell(r.PartitionChange(topic_id=ID, partition=0, replicas=(2, 3, 1)))
    assert (member.replicas[T0].end, member.replicas[T0].high_watermark) == (0, 0)
