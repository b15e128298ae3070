from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import alter_client_quotas_request as q

pytestmark = pytest.mark.anyio
REMOVE = None


def entry(*entity: tuple[str, str | None], **values: float | None) -> Any:
    return q.EntryData(
        entity=[q.EntityData(entity_type=kind, entity_name=name) for kind, name in entity],
        ops=[q.OpData(key=k, value=v or 0.0, remove=v is REMOVE) for k, v in values.items()],
    )


async def alter(door: Any, *entries: Any, version: int = 1, validate_only: bool = False) -> list[int]:
    answer = await door.ask(q.AlterClientQuotasRequest(entries=list(entries), validate_only=validate_only), version)
    assert len(answer.entries) == len(entries)
    return [e.error_code for e in answer.entries]


async def test_quotas_are_kept_over_a_restart_and_taken_away(door: Any) -> None:
    for version in (0, 1):
        wanted = entry(("user", "u"), ("client-id", None), producer_byte_rate=10, request_percentage=0.5)
        assert await alter(door, wanted, version=version) == [ErrorCode.none]
    await door.restart()
    quotas = door.node.topics.metadata.image.quotas
    assert quotas == {(("client-id", None), ("user", "u")): {"producer_byte_rate": 10, "request_percentage": 0.5}}
    gone = entry(("client-id", None), ("user", "u"), producer_byte_rate=REMOVE, request_percentage=REMOVE)
    assert await alter(door, gone) == [ErrorCode.none]
    assert door.node.topics.metadata.image.quotas == {}


async def test_each_entity_is_judged_on_its_own_and_altered_as_a_whole(door: Any) -> None:
    codes = await alter(
        door,
        entry(("user", "a"), producer_byte_rate=1, nope=1),
        entry(("user", "b"), producer_byte_rate=1),
        entry(("user", "c"), producer_byte_rate=1),
        entry(("user", "c"), producer_byte_rate=2),
        entry(("user", "d"), ("user", "e"), producer_byte_rate=1),
        entry(producer_byte_rate=1),
    )
    assert codes == [ErrorCode.invalid_request, ErrorCode.none, *[ErrorCode.invalid_request] * 4]
    assert door.node.topics.metadata.image.quotas == {(("user", "b"),): {"producer_byte_rate": 1}}


async def test_a_check_changes_nothing(door: Any) -> None:
    assert await alter(door, entry(("user", "a"), producer_byte_rate=1), validate_only=True) == [ErrorCode.none]
    assert door.node.topics.metadata.image.quotas == {}
