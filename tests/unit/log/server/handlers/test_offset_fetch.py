from __future__ import annotations

from typing import Any

import pytest

from streamflow.event import TopicPartition
from streamflow.log.coordinators.records import OffsetValue
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import offset_fetch_request

pytestmark = pytest.mark.anyio
Request = offset_fetch_request.OffsetFetchRequest
Group = offset_fetch_request.OffsetFetchRequestGroup
Topics = offset_fetch_request.OffsetFetchRequestTopics
E0, E1 = TopicPartition("events", 0), TopicPartition("events", 1)


@pytest.fixture
async def filled(door: Any) -> Any:
    """A group `g` that has read partition 0 of two up to 7."""
    await door.topic(partitions=2)
    value = OffsetValue(offset=7, metadata="m", leader_epoch=3, commit_timestamp_ms=1)
    await door.node.groups.commit("g", {E0: value})
    return door


def old(*partitions: int, name: str = "events", **given: Any) -> offset_fetch_request.OffsetFetchRequest:
    topic = offset_fetch_request.OffsetFetchRequestTopic(name=name, partition_indexes=list(partitions))
    return Request(group_id="g", topics=[topic], **given)


def told(topics: Any) -> list[tuple[int, int, int, str, int]]:
    return [
        (p.partition_index, p.committed_offset, p.committed_leader_epoch, p.metadata, p.error_code)
        for t in topics
        for p in t.partitions
    ]


@pytest.mark.parametrize("version", range(1, 8))
async def test_one_groups_offsets(filled: Any, version: int) -> None:
    answer = await filled.ask(old(0, 1, 5), version)
    epoch = 3 if version >= 5 else -1
    assert told(answer.topics) == [(0, 7, epoch, "m", 0), (1, -1, -1, "", 0), (5, -1, -1, "", 0)]
    assert answer.error_code == 0


async def test_unknown_groups_and_topics_have_no_offsets(filled: Any) -> None:
    request = old(0)
    request.group_id = "nobody"
    assert told((await filled.ask(request, 7)).topics) == [(0, -1, -1, "", 0)]
    assert told((await filled.ask(old(0, name="nowhere"), 7)).topics) == [(0, -1, -1, "", 0)]


@pytest.mark.parametrize("version", [2, 7])
async def test_all_offsets_of_a_group(filled: Any, version: int) -> None:
    answer = await filled.ask(Request(group_id="g", topics=None), version)
    assert [t.name for t in answer.topics] == ["events"]
    assert [row[:2] for row in told(answer.topics)] == [(0, 7)]


async def test_none_are_asked_for(filled: Any) -> None:
    assert (await filled.ask(Request(group_id="g", topics=[]), 7)).topics == []


@pytest.mark.parametrize("version", [8, 9])
async def test_several_groups_at_once(filled: Any, version: int) -> None:
    """KIP-709."""
    wanted = [
        Group(group_id="g", topics=[Topics(name="events", partition_indexes=[0])]),
        Group(group_id="h", topics=None),
        Group(group_id="g", topics=None),
    ]
    first, second, third = (await filled.ask(Request(groups=wanted), version)).groups
    assert (first.group_id, told(first.topics)) == ("g", [(0, 7, 3, "m", 0)])
    assert (second.group_id, second.topics) == ("h", [])
    assert [t.name for t in third.topics] == ["events"]


async def test_topics_by_id(filled: Any) -> None:
    """KIP-848, version 10."""
    topic_id = filled.node.topics.describe("events").topic_id
    await filled.node.groups.ready()
    stranger = b"\x07" * 16
    topics = [Topics(topic_id=topic_id, partition_indexes=[0]), Topics(topic_id=stranger, partition_indexes=[0, 1])]
    wanted = [Group(group_id="g", topics=topics), Group(group_id="g", topics=None)]
    some, everything = (await filled.ask(Request(groups=wanted), 10)).groups
    assert told(some.topics[:1]) == [(0, 7, 3, "m", 0)]
    assert some.topics[1].topic_id == stranger
    assert [row[4] for row in told(some.topics[1:])] == [ErrorCode.unknown_topic_id] * 2
    assert [t.topic_id for t in everything.topics] == [topic_id]


async def test_what_a_transaction_may_still_change_is_unstable_for_who_asks(filled: Any) -> None:
    """KIP-447."""
    producer = await filled.node.producer("p", codec=0)
    producer.begin()
    await producer.add_offsets("g", {E0: OffsetValue(offset=9)}, filled.now)
    unstable = (0, -1, -1, "", ErrorCode.unstable_offset_commit)
    assert told((await filled.ask(old(0, 1, require_stable=True), 7)).topics)[0] == unstable
    assert told((await filled.ask(old(0), 7)).topics) == [(0, 7, 3, "m", 0)]
    every = Request(groups=[Group(group_id="g", topics=None)], require_stable=True)
    assert told((await filled.ask(every, 8)).groups[0].topics) == [unstable]
    await producer.end(commit=True)
    assert told((await filled.ask(old(0, require_stable=True), 7)).topics)[0][1] == 9
