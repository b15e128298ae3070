from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.controller.topics import NewTopic
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import incremental_alter_configs_request as alter
from streamflow.log.protocol.messages import produce_request
from streamflow.log.records import build_batch

pytestmark = pytest.mark.anyio
HOUR = 3_600_000


async def produce(door: Any, timestamp: int, acks: int = -1, name: str = "a", key: bytes | None = None) -> int:
    batch = build_batch([key], [b"x"], [timestamp])
    data = produce_request.PartitionProduceData(index=0, records=[batch])
    topic = produce_request.TopicProduceData(name=name, partition_data=[data])
    answer = await door.ask(produce_request.ProduceRequest(acks=acks, timeout_ms=1000, topic_data=[topic]), 9)
    return answer.responses[0].partition_responses[0].error_code


async def set_config(door: Any, name: str, value: str, kind: int = 2, resource: str = "a") -> None:
    change = alter.AlterableConfig(name=name, config_operation=0, value=value)
    wanted = alter.AlterConfigsResource(resource_type=kind, resource_name=resource, configs=[change])
    answer = await door.ask(alter.IncrementalAlterConfigsRequest(resources=[wanted]))
    assert answer.responses[0].error_code == ErrorCode.none


async def test_who_waits_for_all_replicas_is_refused_while_too_few_are_in_sync(door: Any) -> None:
    await door.node.topics.create(NewTopic(name="a", config={"min.insync.replicas": "2"}))
    assert await produce(door, door.now) == ErrorCode.not_enough_replicas
    assert await produce(door, door.now, acks=1) == ErrorCode.none
    await set_config(door, "min.insync.replicas", "1")
    assert await produce(door, door.now) == ErrorCode.none
    assert door.broker.replica(door.broker.topic("a"), 0).log.log_end_offset == 2


async def test_the_broker_says_how_many_where_the_topic_does_not(door: Any) -> None:
    await door.node.topics.create(NewTopic(name="a"))
    await set_config(door, "min.insync.replicas", "2", kind=4, resource="")
    assert await produce(door, door.now) == ErrorCode.not_enough_replicas


async def test_a_record_of_the_far_future_is_refused(door: Any) -> None:
    await door.node.topics.create(NewTopic(name="a"))
    assert await produce(door, door.now + HOUR) == ErrorCode.none
    assert await produce(door, door.now + HOUR + 1) == ErrorCode.invalid_timestamp
    assert await produce(door, 0) == ErrorCode.none, "the past is taken however long ago it is"
    await set_config(door, "message.timestamp.before.max.ms", "1000")
    assert await produce(door, door.now - 1001) == ErrorCode.invalid_timestamp
    await set_config(door, "message.timestamp.type", "LogAppendTime")
    assert await produce(door, 0) == ErrorCode.none, "the broker's clock counts"


async def test_nobody_writes_to_the_logs_own_topics(door: Any) -> None:
    """Garbage there would keep groups from loading."""
    await door.node.groups.ready()
    end = door.replica("__consumer_offsets").log.log_end_offset
    assert await produce(door, door.now, name="__consumer_offsets") == ErrorCode.invalid_topic_exception
    assert door.replica("__consumer_offsets").log.log_end_offset == end


async def test_a_compacted_topic_refuses_a_record_without_a_key(door: Any) -> None:
    await door.node.topics.create(NewTopic(name="a"))
    await set_config(door, "cleanup.policy", "compact,delete")
    assert await produce(door, door.now) == ErrorCode.invalid_record
    assert await produce(door, door.now, key=b"k") == ErrorCode.none
    await set_config(door, "cleanup.policy", "delete")
    assert await produce(door, door.now) == ErrorCode.none
