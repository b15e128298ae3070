from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.controller.quotas import QuotaChange
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import describe_client_quotas_request as q

pytestmark = pytest.mark.anyio
EXACT, DEFAULT, SPECIFIED = range(3)


async def describe(door: Any, *components: tuple[str, int, str | None], strict: bool = False, version: int = 1) -> Any:
    wanted = [q.ComponentData(entity_type=t, match_type=m, match=n) for t, m, n in components]
    answer = await door.ask(q.DescribeClientQuotasRequest(components=wanted, strict=strict), version)
    if answer.entries is None:
        return answer.error_code
    return [
        ({e.entity_type: e.entity_name for e in entry.entity}, {v.key: v.value for v in entry.values})
        for entry in answer.entries
    ]


async def test_a_filter_finds_entities_with_their_quotas(door: Any) -> None:
    await door.node.admin.alter_quotas({"user": "u"}, [QuotaChange("producer_byte_rate", 1)])
    await door.node.admin.alter_quotas({"user": "u", "client-id": "c"}, [QuotaChange("producer_byte_rate", 2)])
    await door.node.admin.alter_quotas({"user": None}, [QuotaChange("request_percentage", 0.5)])
    one, both = ({"user": "u"}, {"producer_byte_rate": 1}), ({"client-id": "c", "user": "u"}, {"producer_byte_rate": 2})
    default = ({"user": None}, {"request_percentage": 0.5})
    for version in (0, 1):
        assert await describe(door, ("user", EXACT, "u"), version=version) == [one, both]
    assert await describe(door, ("user", EXACT, "u"), strict=True) == [one]
    assert await describe(door, ("user", SPECIFIED, None), strict=True) == [one, default]
    assert await describe(door, ("user", DEFAULT, None)) == [default]
    assert await describe(door) == [one, both, default]
    assert await describe(door, ("ip", SPECIFIED, None)) == []


async def test_a_filter_nobody_can_answer_is_refused(door: Any) -> None:
    assert await describe(door, ("group", SPECIFIED, None)) == ErrorCode.unsupported_version
    assert await describe(door, ("", SPECIFIED, None)) == ErrorCode.invalid_request
    assert await describe(door, ("user", EXACT, None)) == ErrorCode.invalid_request
