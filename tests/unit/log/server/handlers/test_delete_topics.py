from __future__ import annotations

from typing import Any

import anyio
import pytest

from streamflow.event import TopicPartition
from streamflow.log.controller.topics import NewTopic
from streamflow.log.coordinators.records import OffsetValue
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import delete_topics_request as q
from streamflow.log.protocol.messages import fetch_request

pytestmark = pytest.mark.anyio
UNKNOWN_ID = b"\7" * 16


async def delete(door: Any, *states: tuple[str | None, bytes | None]) -> list[Any]:
    topics = [q.DeleteTopicState(name=name, topic_id=topic_id or bytes(16)) for name, topic_id in states]
    return (await door.ask(q.DeleteTopicsRequest(topics=topics))).responses


async def made(door: Any, name: str) -> bytes:
    await door.node.topics.create(NewTopic(name=name))
    return door.broker.topic(name).topic_id


async def test_a_topic_is_deleted_by_name_in_every_version(door: Any) -> None:
    for version in range(1, 6):
        await made(door, "a")
        answer = await door.ask(q.DeleteTopicsRequest(topic_names=["a"]), version)
        assert [(r.name, r.error_code) for r in answer.responses] == [("a", ErrorCode.none)]
        assert door.broker.topic("a") is None


async def test_a_topic_is_deleted_by_name_or_id_and_the_answer_has_both(door: Any) -> None:
    first, second = await made(door, "a"), await made(door, "b")
    answers = await delete(door, ("a", None), (None, second))
    assert [(r.name, r.topic_id, r.error_code) for r in answers] == [("a", first, 0), ("b", second, 0)]


async def test_what_is_not_there_is_answered_by_name_or_id(door: Any) -> None:
    gone = await made(door, "a")
    await delete(door, ("a", None))
    await made(door, "a")
    answers = await delete(door, ("b", None), (None, gone), (None, UNKNOWN_ID))
    assert [r.error_code for r in answers] == [
        ErrorCode.unknown_topic_or_partition,
        ErrorCode.unknown_topic_id,
        ErrorCode.unknown_topic_id,
    ]
    assert door.broker.topic("a") is not None, "it has another id"


async def test_a_topic_named_twice_in_whatever_way_is_left_alone(door: Any) -> None:
    first, second = await made(door, "a"), await made(door, "b")
    answers = await delete(door, ("a", None), ("a", None), ("b", None), (None, second), ("a", first), (None, None))
    assert {r.error_code for r in answers} == {ErrorCode.invalid_request}
    assert door.broker.topic("a") is not None
    assert door.broker.topic("b") is not None


async def test_deletion_may_be_switched_off(door_with: Any) -> None:
    door = await door_with(**{"delete.topic.enable": "false"}).start()
    await made(door, "a")
    assert [r.error_code for r in await delete(door, ("a", None))] == [ErrorCode.topic_deletion_disabled]
    old = await door.ask(q.DeleteTopicsRequest(topic_names=["a"]), 2)
    assert old.responses[0].error_code == ErrorCode.invalid_request
    assert door.broker.topic("a") is not None


async def test_the_logs_own_topics_stay(door: Any) -> None:
    await door.node.groups.ready()
    (answer,) = await delete(door, ("__consumer_offsets", None))
    assert answer.error_code == ErrorCode.invalid_topic_exception


async def test_groups_have_no_offsets_of_a_deleted_topic(door: Any) -> None:
    await made(door, "a")
    await door.node.groups.commit("g", {TopicPartition("a", 0): OffsetValue(offset=7)})
    await delete(door, ("a", None))
    await made(door, "a")
    assert door.node.groups.offsets.topics() == set()


async def test_whoever_waits_for_a_deleted_topics_records_is_told_at_once(door: Any) -> None:
    topic_id = await made(door, "a")
    partition = fetch_request.FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1000)
    fetch = fetch_request.FetchRequest(
        max_wait_ms=60_000,
        min_bytes=1,
        max_bytes=1000,
        session_epoch=-1,
        topics=[fetch_request.FetchTopic(topic_id=topic_id, partitions=[partition])],
    )
    answers: list[Any] = []

    async def wait() -> None:
        answers.append(await door.ask(fetch))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            await delete(door, ("a", None))
    assert answers[0].responses[0].partitions[0].error_code == ErrorCode.unknown_topic_id
