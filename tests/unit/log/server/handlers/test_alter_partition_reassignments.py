from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.controller.topics import NewTopic
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import alter_partition_reassignments_request as q

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
