from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.controller.topics import NewTopic
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import list_config_resources_request as q

pytestmark = pytest.mark.anyio


async def listed(door: Any, *types: int, version: int = 1) -> Any:
    answer = await door.ask(q.ListConfigResourcesRequest(resource_types=list(types)), version)
    return answer.error_code, [(r.resource_type, r.resource_name) for r in answer.config_resources]


async def test_topics_and_this_broker_have_settings(door: Any) -> None:
    for name in ("b", "a"):
        await door.node.topics.create(NewTopic(name=name))
    everything = [(2, "a"), (2, "b"), (4, "1")]
    assert await listed(door) == (ErrorCode.none, everything)
    assert await listed(door, 2) == (ErrorCode.none, everything[:2])
    assert await listed(door, 4, 16, 32, 8) == (ErrorCode.none, everything[2:])


async def test_a_type_nobody_knows_is_unsupported(door: Any) -> None:
    assert await listed(door, 2, 3) == (ErrorCode.unsupported_version, [])


async def test_the_first_version_asks_for_client_metrics_of_which_there_are_none(door: Any) -> None:
    assert await listed(door, version=0) == (ErrorCode.none, [])
