from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from streamflow.event import TopicPartition
from streamflow.log.controller.image import NO_LEADER, BrokerImage
from streamflow.log.records import build_batch
from streamflow.log.replication.events import Assignment, Fetched
from streamflow.log.server.cluster_figures import fenced, follower_lags, led, offline, under_min_isr, under_replicated

pytestmark = pytest.mark.anyio


def put(door: Any, partition: int, replicas: tuple[int, ...], isr: tuple[int, ...]) -> None:
    """This node leads the partition, among others."""
    replica = door.replica("a", partition)
    replica.lead(Assignment(me=1, replicas=replicas, isr=isr), replica.leader_epoch + 1, door.now)


async def test_partitions_that_lack_replicas_are_told_by_their_leader_alone(door: Any) -> None:
    await door.topic("a", 5, min_insync_replicas="2")
    put(door, 0, (1, 2, 3), (1, 2, 3))
    put(door, 1, (1, 2, 3), (1, 2))
    put(door, 2, (1, 2, 3), (1,))
    door.replica("a", 3).follow(2, 9)
    node = door.node
    assert [replica.where.partition for replica in led(node)] == [0, 1, 2, 4]
    assert under_replicated(node) == 2
    assert under_min_isr(node) == 2, "of one replica, two can't be in sync"


async def test_what_nobody_leads_or_cannot_be_opened_is_offline(door: Any) -> None:
    await door.topic("a", 4)
    topic = door.node.topics.describe("a")
    topic.partitions[0] = replace(topic.partitions[0], leader=NO_LEADER)
    topic.partitions[1] = replace(topic.partitions[1], leader=2)
    for partition in (1, 2):
        del door.node.topics.replicas[TopicPartition("a", partition)]
    assert offline(door.node) == 2, "another node's replicas aren't missed here"
    door.node.topics.hosted.serving = False
    assert offline(door.node) == 1, "nothing is opened yet"


async def test_a_follower_is_as_far_behind_as_where_it_lacks_most(door: Any) -> None:
    await door.topic("a", 2)
    for partition in (0, 1):
        put(door, partition, (1, 2, 3), (1, 2, 3))
        door.replica("a", partition).append(build_batch([None] * 5, [b"v"] * 5, [1000] * 5), door.now)
    for partition, offset in ((0, 5), (1, 3)):
        replica = door.replica("a", partition)
        epoch = replica.leader_epoch
        fetch = Fetched(
            replica=2, broker_epoch=1, leader_epoch=epoch, offset=offset, last_epoch=epoch, log_start_offset=0
        )
        assert replica.fetched(fetch, door.now) is None
    assert follower_lags(door.node) == {2: 2, 3: 5}, "broker 3 hasn't fetched"


async def test_brokers_that_are_fenced_are_counted(door: Any) -> None:
    assert fenced(door.node) == 0
    brokers = door.node.topics.metadata.image.brokers
    brokers[2] = BrokerImage(broker_id=2, broker_epoch=1, fenced=True)
    assert fenced(door.node) == 1


async def test_who_is_not_the_active_controller_leaves_that_to_it(door: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await door.topic("a")
    topic = door.node.topics.describe("a")
    topic.partitions[0] = replace(topic.partitions[0], leader=NO_LEADER)
    metadata = door.node.topics.metadata
    metadata.image.brokers[2] = BrokerImage(broker_id=2, broker_epoch=1, fenced=True)
    assert (offline(door.node), fenced(door.node)) == (1, 1)
    monkeypatch.setattr(type(metadata), "active", False)
    assert (offline(door.node), fenced(door.node)) == (0, 0)
