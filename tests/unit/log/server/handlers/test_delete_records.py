from __future__ import annotations

from typing import Any

import pytest

from streamflow.event import TopicPartition
from streamflow.log.controller.topics import NewTopic
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import delete_records_request as q
from streamflow.log.records import build_batch

pytestmark = pytest.mark.anyio


async def made(door: Any, name: str, records: int, **config: str) -> None:
    await door.node.topics.create(NewTopic(name=name, config=config))
    batch = build_batch([None] * records, [b"x"] * records, [door.now] * records)
    await door.node.append(TopicPartition(name, 0), batch)


async def delete(door: Any, name: str, partition: int, offset: int, version: int = 2) -> tuple[int, int]:
    """The low watermark and the error."""
    wanted = [q.DeleteRecordsPartition(partition_index=partition, offset=offset)]
    answer = await door.ask(
        q.DeleteRecordsRequest(topics=[q.DeleteRecordsTopic(name=name, partitions=wanted)]), version
    )
    found = answer.topics[0].partitions[0]
    return found.low_watermark, found.error_code


async def test_records_below_the_offset_are_gone_and_the_low_watermark_is_told(door: Any) -> None:
    await made(door, "a", 10)
    assert await delete(door, "a", 0, 4, version=0) == (4, ErrorCode.none)
    assert await delete(door, "a", 0, 2, version=1) == (4, ErrorCode.none), "it never moves back"
    assert await delete(door, "a", 0, -1) == (10, ErrorCode.none), "-1 is the high watermark"
    await door.restart()
    assert door.broker.replica(door.broker.topic("a"), 0).log.log_start_offset == 10


@pytest.mark.parametrize("offset", [-2, 11])
async def test_an_offset_the_partition_does_not_have_is_out_of_range(door: Any, offset: int) -> None:
    await made(door, "a", 10)
    assert await delete(door, "a", 0, offset) == (-1, ErrorCode.offset_out_of_range)


async def test_an_unknown_partition_is_told(door: Any) -> None:
    await made(door, "a", 1)
    assert await delete(door, "a", 1, 0) == (-1, ErrorCode.unknown_topic_or_partition)
    assert await delete(door, "b", 0, 0) == (-1, ErrorCode.unknown_topic_or_partition)


async def test_a_compacted_topic_refuses_unless_it_deletes_too(door: Any) -> None:
    await made(door, "a", 1, **{"cleanup.policy": "compact"})
    await made(door, "b", 1, **{"cleanup.policy": "compact,delete"})
    assert await delete(door, "a", 0, -1) == (-1, ErrorCode.policy_violation)
    assert await delete(door, "b", 0, -1) == (1, ErrorCode.none)


async def test_the_logs_own_topics_forget_by_themselves(door: Any) -> None:
    await door.node.groups.ready()
    assert await delete(door, "__consumer_offsets", 0, -1) == (-1, ErrorCode.invalid_topic_exception)
