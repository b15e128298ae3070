from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.controller.topics import NewTopic
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import describe_configs_request as q

pytestmark = pytest.mark.anyio
TOPIC, BROKER = 2, 4


async def describe(door: Any, kind: int, name: str, *keys: str, version: int = 4, **flags: bool) -> Any:
    wanted = q.DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=list(keys) or None)
    answer = await door.ask(q.DescribeConfigsRequest(resources=[wanted], **flags), version)
    return answer.results[0]


async def test_a_topics_setting_has_its_value_source_type_and_synonyms(door: Any) -> None:
    await door.node.topics.create(NewTopic(name="a", config={"segment.bytes": "5000"}))
    (found,) = (await describe(door, TOPIC, "a", "segment.bytes", include_synonyms=True)).configs
    assert (found.name, found.value, found.config_source, found.config_type) == ("segment.bytes", "5000", 1, 3)
    assert (found.read_only, found.is_sensitive, found.documentation) == (False, False, None)
    assert [(s.name, s.value, s.source) for s in found.synonyms] == [
        ("segment.bytes", "5000", 1),
        ("log.segment.bytes", str(128 << 20), 5),
    ]


async def test_synonyms_and_documentation_come_when_they_are_asked_for(door: Any) -> None:
    (plain,) = (await describe(door, BROKER, "1", "num.partitions")).configs
    assert (plain.synonyms, plain.documentation) == ([], None)
    (full,) = (
        await describe(door, BROKER, "1", "num.partitions", include_synonyms=True, include_documentation=True)
    ).configs
    assert [(s.name, s.value, s.source) for s in full.synonyms] == [("num.partitions", "1", 5)]
    assert full.documentation.startswith("As Kafka: of topics")


async def test_what_the_broker_was_started_with_is_static_and_read_only_unless_it_may_be_altered(
    door_with: Any,
) -> None:
    door = await door_with(**{"num.partitions": "3", "log.retention.hours": "1"}).start()
    await door.node.topics.create(NewTopic(name="a"))
    found = {c.name: c for c in (await describe(door, BROKER, "1")).configs}
    partitions, retention = found["num.partitions"], found["log.retention.ms"]
    assert (partitions.value, partitions.config_source, partitions.read_only) == ("3", 4, True)
    assert (retention.value, retention.config_source, retention.read_only) == ("3600000", 4, False)
    (of_topic,) = (await describe(door, TOPIC, "a", "retention.ms")).configs
    assert (of_topic.value, of_topic.config_source) == ("3600000", 4)
    assert door.broker.replica(door.broker.topic("a"), 0).log.config.retention_ms == 3_600_000


async def test_every_version_is_answered_with_every_setting_when_none_is_named(door: Any) -> None:
    await door.node.topics.create(NewTopic(name="a"))
    for version in range(1, 5):
        result = await describe(door, TOPIC, "a", version=version)
        assert len(result.configs) > 30


async def test_names_that_are_no_settings_are_left_out(door: Any) -> None:
    await door.node.topics.create(NewTopic(name="a"))
    assert (await describe(door, TOPIC, "a", "nope")).configs == []


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [
        (TOPIC, "nope", ErrorCode.unknown_topic_or_partition),
        (TOPIC, "", ErrorCode.invalid_topic_exception),
        (BROKER, "2", ErrorCode.invalid_request),
        (16, "metrics", ErrorCode.invalid_request),
        (99, "x", ErrorCode.invalid_request),
    ],
)
async def test_what_has_no_settings_is_refused(door: Any, kind: int, name: str, code: ErrorCode) -> None:
    result = await describe(door, kind, name)
    assert (result.error_code, result.resource_type, result.resource_name) == (code, kind, name)
    assert result.error_message
