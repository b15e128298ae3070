from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.controller.topics import NewTopic
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import alter_configs_request as q

pytestmark = pytest.mark.anyio
TOPIC = 2


async def alter(
    door: Any, *names: str, version: int = 2, validate_only: bool = False, **config: str | None
) -> list[int]:
    configs = [q.AlterableConfig(name=k.replace("_", "."), value=v) for k, v in config.items()]
    resources = [q.AlterConfigsResource(resource_type=TOPIC, resource_name=n, configs=configs) for n in names]
    answer = await door.ask(q.AlterConfigsRequest(resources=resources, validate_only=validate_only), version)
    return [r.error_code for r in answer.responses]


async def test_what_is_not_in_the_request_goes_back_to_its_default(door: Any) -> None:
    await door.node.topics.create(NewTopic(name="a", config={"retention.ms": "1", "segment.ms": "2"}))
    for version in range(3):
        assert await alter(door, "a", version=version, segment_ms="3") == [ErrorCode.none]
    assert door.broker.topic("a").config == {"segment.ms": "3"}
    config = door.broker.replica(door.broker.topic("a"), 0).log.config
    assert (config.segment_ms, config.retention_ms) == (3, 7 * 86_400_000)


async def test_what_cannot_be_changes_nothing(door: Any) -> None:
    await door.node.topics.create(NewTopic(name="a", config={"retention.ms": "1"}))
    assert await alter(door, "a", segment_ms="x") == [ErrorCode.invalid_config]
    assert await alter(door, "a", segment_ms=None) == [ErrorCode.invalid_request]
    assert await alter(door, "a", "a", segment_ms="3") == [ErrorCode.invalid_request] * 2
    assert await alter(door, "nope", segment_ms="3") == [ErrorCode.unknown_topic_or_partition]
    assert await alter(door, "a", validate_only=True, segment_ms="3") == [ErrorCode.none]
    assert door.broker.topic("a").config == {"retention.ms": "1"}
