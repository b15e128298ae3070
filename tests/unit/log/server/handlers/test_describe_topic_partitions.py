from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.controller.topics import NewTopic
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import describe_topic_partitions_request as q

pytestmark = pytest.mark.anyio


@pytest.fixture
async def topics(door: Any) -> Any:
    for name, partitions in (("b", 4), ("a", 3)):
        await door.node.topics.create(NewTopic(name=name, partitions=partitions))
    return door


async def page(door: Any, *names: str, limit: int = 100, cursor: tuple[str, int] | None = None) -> Any:
    """The partitions of each topic, and the cursor of the next page."""
    wanted = q.DescribeTopicPartitionsRequest(
        topics=[q.TopicRequest(name=name) for name in names],
        response_partition_limit=limit,
        cursor=None if cursor is None else q.Cursor(topic_name=cursor[0], partition_index=cursor[1]),
    )
    answer = await door.ask(wanted)
    found = {t.name: t.error_code or [p.partition_index for p in t.partitions] for t in answer.topics}
    following = answer.next_cursor
    return found, None if following is None else (following.topic_name, following.partition_index)


async def test_a_topic_is_described_with_leader_and_replicas(topics: Any) -> None:
    answer = await topics.ask(q.DescribeTopicPartitionsRequest(topics=[q.TopicRequest(name="a")]))
    (topic,) = answer.topics
    assert (topic.name, topic.topic_id, topic.is_internal) == ("a", topics.broker.topic("a").topic_id, False)
    first = topic.partitions[0]
    assert (first.leader_id, first.replica_nodes, first.isr_nodes) == (1, [1], [1])
    assert (first.eligible_leader_replicas, first.last_known_elr, first.offline_replicas) == ([], [], [])


async def test_topics_come_by_name_each_once_and_all_when_none_is_named(topics: Any) -> None:
    assert await page(topics, "b", "nope", "a", "b") == (
        {"a": [0, 1, 2], "b": [0, 1, 2, 3], "nope": ErrorCode.unknown_topic_or_partition},
        None,
    )
    assert await page(topics) == ({"a": [0, 1, 2], "b": [0, 1, 2, 3]}, None)


@pytest.mark.parametrize("limit", range(1, 9))
async def test_pages_together_have_everything_once_whatever_their_size(topics: Any, limit: int) -> None:
    seen: list[tuple[str, int]] = []
    cursor: tuple[str, int] | None = None
    while True:
        found, cursor = await page(topics, "a", "b", limit=limit, cursor=cursor)
        taken = [(name, number) for name, numbers in found.items() for number in numbers]
        assert len(taken) <= limit
        seen += taken
        if cursor is None:
            break
    assert seen == [("a", n) for n in range(3)] + [("b", n) for n in range(4)]


async def test_a_page_has_one_partition_at_least(topics: Any) -> None:
    assert await page(topics, "a", limit=0) == ({"a": [0]}, ("a", 1))


async def test_a_cursor_whose_topic_is_gone_goes_on_with_the_next(topics: Any) -> None:
    assert await page(topics, cursor=("aa", 7)) == ({"b": [0, 1, 2, 3]}, None)


@pytest.mark.parametrize("cursor", [("c", 0), ("a", -1)])
async def test_a_cursor_that_cannot_be_is_refused(topics: Any, cursor: tuple[str, int]) -> None:
    invalid = ErrorCode.invalid_request
    assert await page(topics, "a", "b", cursor=cursor) == ({"a": invalid, "b": invalid}, None)
