from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.controller.topics import NewTopic
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import create_partitions_request as q
from streamflow.log.records import build_batch

pytestmark = pytest.mark.anyio


def topic(name: str, count: int, *assignments: list[int]) -> Any:
    given = [q.CreatePartitionsAssignment(broker_ids=brokers) for brokers in assignments]
    return q.CreatePartitionsTopic(name=name, count=count, assignments=given or None)


async def create(door: Any, *topics: Any, version: int = 3, validate_only: bool = False) -> dict[str, Any]:
    answer = await door.ask(q.CreatePartitionsRequest(topics=list(topics), validate_only=validate_only), version)
    return {t.name: t for t in answer.results}


async def test_new_partitions_take_records_and_outlast_a_restart(door: Any) -> None:
    await door.node.topics.create(NewTopic(name="a"))
    first = door.broker.replica(door.broker.topic("a"), 0)
    for version in range(4):
        assert (await create(door, topic("a", version + 2), version=version))["a"].error_code == ErrorCode.none
    image = door.broker.topic("a")
    assert len(image.partitions) == 5
    assert door.broker.replica(image, 0) is first, "what was open stays open"
    door.node.append_batches(door.broker.replica(image, 4), build_batch([None], [b"x"], [door.now]))
    await door.restart()
    assert door.broker.replica(door.broker.topic("a"), 4).high_watermark == 1


async def test_each_topic_is_judged_on_its_own(door: Any) -> None:
    for name in "abcdef":
        await door.node.topics.create(NewTopic(name=name, partitions=2))
    found = await create(
        door,
        topic("a", 2),
        topic("b", 0),
        topic("c", 4, [1]),
        topic("d", 3, [2]),
        topic("e", 3),
        topic("e", 4),
        topic("nope", 3),
        topic("f", 3, [1]),
    )
    assert {name: t.error_code for name, t in found.items()} == {
        "a": ErrorCode.invalid_partitions,
        "b": ErrorCode.invalid_partitions,
        "c": ErrorCode.invalid_replica_assignment,
        "d": ErrorCode.invalid_replica_assignment,
        "e": ErrorCode.invalid_request,
        "nope": ErrorCode.unknown_topic_or_partition,
        "f": ErrorCode.none,
    }
    assert "has 2 partitions; 2 would not be an increase" in found["a"].error_message
    assert {len(door.broker.topic(name).partitions) for name in "abcde"} == {2}
    assert len(door.broker.topic("f").partitions) == 3


async def test_a_check_changes_nothing(door: Any) -> None:
    await door.node.topics.create(NewTopic(name="a"))
    assert (await create(door, topic("a", 3), validate_only=True))["a"].error_code == ErrorCode.none
    assert len(door.broker.topic("a").partitions) == 1


async def test_the_logs_own_topics_keep_their_one_partition(door: Any) -> None:
    await door.node.groups.ready()
    found = await create(door, topic("__consumer_offsets", 2))
    assert found["__consumer_offsets"].error_code == ErrorCode.policy_violation
