from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.controller.records import RegisterBroker
from streamflow.log.controller.topics import NewTopic
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import alter_partition_reassignments_request as q
from streamflow.log.protocol.messages import list_partition_reassignments_request as listing

pytestmark = pytest.mark.anyio


async def reassign(door: Any, name: str, partition: int, replicas: list[int] | None, version: int = 1) -> int:
    wanted = q.ReassignablePartition(partition_index=partition, replicas=replicas)
    topics = [q.ReassignableTopic(name=name, partitions=[wanted])]
    answer = await door.ask(q.AlterPartitionReassignmentsRequest(topics=topics), version)
    assert answer.error_code == ErrorCode.none
    return answer.responses[0].partitions[0].error_code


async def test_a_partition_stays_where_it_is(door: Any) -> None:
    await door.node.topics.create(NewTopic(name="a"))
    for version in (0, 1):
        assert await reassign(door, "a", 0, [1], version) == ErrorCode.none
        assert await reassign(door, "a", 0, None, version) == ErrorCode.no_reassignment_in_progress
    for replicas in ([], [2], [1, 2], [1, 1], [-1]):
        assert await reassign(door, "a", 0, replicas) == ErrorCode.invalid_replica_assignment
    for where in (("a", 9), ("nope", 0)):
        assert await reassign(door, *where, [1]) == ErrorCode.unknown_topic_or_partition


async def test_a_partition_is_moved_and_the_move_is_listed_and_cancelled(door: Any) -> None:
    await door.node.topics.create(NewTopic(name="a"))
    door.node.topics.metadata.image.apply(RegisterBroker(broker_id=2, broker_epoch=9))
    assert await reassign(door, "a", 0, [2]) == ErrorCode.none
    for topics in (None, [listing.ListPartitionReassignmentsTopics(name="a", partition_indexes=[0])]):
        (topic,) = (await door.ask(listing.ListPartitionReassignmentsRequest(topics=topics))).topics
        (moving,) = topic.partitions
        assert (topic.name, moving.replicas, moving.adding_replicas, moving.removing_replicas) == (
            "a",
            [2, 1],
            [2],
            [1],
        )
    assert await reassign(door, "a", 0, None) == ErrorCode.none
    assert await reassign(door, "a", 0, None) == ErrorCode.no_reassignment_in_progress


async def test_more_replicas_are_refused_where_they_must_stay_as_many(door: Any) -> None:
    await door.node.topics.create(NewTopic(name="a"))
    door.node.topics.metadata.image.apply(RegisterBroker(broker_id=2, broker_epoch=9))
    wanted = [q.ReassignableTopic(name="a", partitions=[q.ReassignablePartition(partition_index=0, replicas=[1, 2])])]
    answer = await door.ask(q.AlterPartitionReassignmentsRequest(topics=wanted, allow_replication_factor_change=False))
    assert answer.responses[0].partitions[0].error_code == ErrorCode.invalid_replication_factor
