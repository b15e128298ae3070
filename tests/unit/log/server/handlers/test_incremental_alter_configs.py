from __future__ import annotations

from typing import Any

import pytest

from streamflow.event import TopicPartition
from streamflow.log.controller.topics import NewTopic
from streamflow.log.errors import RecordTooLargeError
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import incremental_alter_configs_request as q
from streamflow.log.records import build_batch

pytestmark = pytest.mark.anyio
TOPIC, BROKER = 2, 4
SET, DELETE, APPEND, SUBTRACT = range(4)


def resource(kind: int, name: str, *changes: tuple[str, int, str | None]) -> Any:
    configs = [q.AlterableConfig(name=n, config_operation=o, value=v) for n, o, v in changes]
    return q.AlterConfigsResource(resource_type=kind, resource_name=name, configs=configs)


async def alter(door: Any, *resources: Any, version: int = 1, validate_only: bool = False) -> list[int]:
    request = q.IncrementalAlterConfigsRequest(resources=list(resources), validate_only=validate_only)
    answer = await door.ask(request, version)
    return [r.error_code for r in answer.responses]


def log_of(door: Any, name: str) -> Any:
    return door.broker.replica(door.broker.topic(name), 0).log


@pytest.fixture
async def topics(door: Any) -> Any:
    for name in ("a", "b"):
        await door.node.topics.create(NewTopic(name=name))
    return door


async def test_a_setting_holds_on_open_partitions_at_once_and_after_a_restart(topics: Any) -> None:
    door = topics
    changes = [("retention.ms", SET, "5000"), ("segment.bytes", SET, "9999"), ("max.message.bytes", SET, "100")]
    for version in (0, 1):
        assert await alter(door, resource(TOPIC, "a", *changes), version=version) == [ErrorCode.none]
    config = log_of(door, "a").config
    assert (config.retention_ms, config.segment_bytes, config.message_bytes_max) == (5000, 9999, 100)
    with pytest.raises(RecordTooLargeError):
        await door.node.append(TopicPartition("a", 0), build_batch([None], [b"x" * 100], [0]))
    assert log_of(door, "b").config.retention_ms == 7 * 86_400_000
    await door.restart()
    assert log_of(door, "a").config == config
    assert await alter(door, resource(TOPIC, "a", ("retention.ms", DELETE, None))) == [ErrorCode.none]
    assert log_of(door, "a").config.retention_ms == 7 * 86_400_000


async def test_the_clock_of_a_topic_may_be_switched(topics: Any) -> None:
    await alter(topics, resource(TOPIC, "a", ("message.timestamp.type", SET, "LogAppendTime")))
    await topics.node.append(TopicPartition("a", 0), build_batch([None], [b"x"], [5]))
    assert log_of(topics, "a").max_timestamp == topics.now


async def test_a_compacted_topic_is_kept_from_then_on(topics: Any) -> None:
    await alter(topics, resource(TOPIC, "a", ("cleanup.policy", APPEND, "compact")))
    assert topics.broker.topic("a").config == {"cleanup.policy": "delete,compact"}
    await alter(topics, resource(TOPIC, "a", ("cleanup.policy", SUBTRACT, "delete")))
    assert log_of(topics, "a").config.retention_ms == -1


async def test_each_resource_is_altered_as_a_whole_or_not_at_all(topics: Any) -> None:
    codes = await alter(
        topics,
        resource(TOPIC, "a", ("retention.ms", SET, "1"), ("segment.ms", SET, "x")),
        resource(TOPIC, "b", ("retention.ms", SET, "1")),
        resource(TOPIC, "nope", ("retention.ms", SET, "1")),
        resource(32, "g", ("consumer.session.timeout.ms", SET, "1")),
    )
    assert codes == [
        ErrorCode.invalid_config,
        ErrorCode.none,
        ErrorCode.unknown_topic_or_partition,
        ErrorCode.invalid_request,
    ]
    assert topics.broker.topic("a").config == {}
    assert topics.broker.topic("b").config == {"retention.ms": "1"}


async def test_a_resource_that_is_there_twice_is_left_alone(topics: Any) -> None:
    both = [resource(TOPIC, "a", ("retention.ms", SET, "1")), resource(TOPIC, "a", ("segment.ms", SET, "1"))]
    assert await alter(topics, *both) == [ErrorCode.invalid_request] * 2
    assert topics.broker.topic("a").config == {}


async def test_a_check_changes_nothing(topics: Any) -> None:
    wanted = resource(TOPIC, "a", ("retention.ms", SET, "1"))
    assert await alter(topics, wanted, validate_only=True) == [ErrorCode.none]
    assert await alter(topics, resource(TOPIC, "a", ("nope", SET, "1")), validate_only=True) == [
        ErrorCode.invalid_config
    ]
    assert topics.broker.topic("a").config == {}


async def test_a_brokers_setting_is_the_default_of_topics_that_have_none(topics: Any) -> None:
    door = topics
    await alter(door, resource(TOPIC, "a", ("retention.ms", SET, "1")))
    await alter(door, resource(BROKER, "", ("log.retention.ms", SET, "2")))
    assert [log_of(door, name).config.retention_ms for name in "ab"] == [1, 2]
    await alter(door, resource(BROKER, "1", ("log.retention.ms", SET, "3")))
    assert [log_of(door, name).config.retention_ms for name in "ab"] == [1, 3]
    await door.restart()
    assert [log_of(door, name).config.retention_ms for name in "ab"] == [1, 3]
    await alter(door, resource(BROKER, "1", ("log.retention.ms", DELETE, None)))
    assert [log_of(door, name).config.retention_ms for name in "ab"] == [1, 2]


async def test_a_brokers_setting_that_needs_a_restart_is_refused(topics: Any) -> None:
    assert await alter(topics, resource(BROKER, "1", ("num.partitions", SET, "3"))) == [ErrorCode.invalid_request]
    assert await alter(topics, resource(BROKER, "1", ("log.retention.ms", SET, "x"))) == [ErrorCode.invalid_request]
    assert await alter(topics, resource(BROKER, "9", ("log.retention.ms", SET, "3"))) == [ErrorCode.invalid_request]
    assert topics.node.topics.metadata.image.broker_settings == {}


async def test_the_logs_own_topics_stay_compacted(topics: Any) -> None:
    await topics.node.groups.ready()
    codes = await alter(topics, resource(TOPIC, "__consumer_offsets", ("cleanup.policy", SET, "delete")))
    assert codes == [ErrorCode.policy_violation]
