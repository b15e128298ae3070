from __future__ import annotations

from typing import Any

import pytest

from streamflow.event import TopicPartition
from streamflow.log.errors import StorageFailedError, StorageFullError
from streamflow.log.node.groups import OFFSETS
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import offset_commit_request
from streamflow.log.server.broker import Later

pytestmark = pytest.mark.anyio
E0 = TopicPartition("events", 0)


def commit(*partitions: int, topic: Any = "events", **given: Any) -> offset_commit_request.OffsetCommitRequest:
    """Of a consumer that uses no group."""
    metadata = given.pop("metadata", None)
    asked = offset_commit_request.OffsetCommitRequestTopic(
        partitions=[
            offset_commit_request.OffsetCommitRequestPartition(
                partition_index=n, committed_offset=10 + n, committed_metadata=metadata
            )
            for n in partitions
        ]
    )
    if isinstance(topic, bytes):
        asked.topic_id = topic
    else:
        asked.name = topic
    group = {"group_id": "g", "generation_id_or_member_epoch": -1, **given}
    return offset_commit_request.OffsetCommitRequest(topics=[asked], **group)


def codes(answer: Any) -> list[int]:
    return [p.error_code for t in answer.topics for p in t.partitions]


@pytest.mark.parametrize("version", [2, 4, 5, 6, 7, 8, 9])
async def test_offsets_are_kept_by_topic_and_partition(door: Any, version: int) -> None:
    await door.topic(partitions=2)
    assert codes(await door.ask(commit(0, 1), version)) == [0, 0]
    found = door.node.groups.offsets.committed("g")
    assert {where.partition: value.offset for where, value in found.items()} == {0: 10, 1: 11}
    assert found[E0].metadata == ""
    assert found[E0].commit_timestamp_ms == door.now


async def test_topics_are_named_by_id(door: Any) -> None:
    """KIP-848, version 10."""
    topic_id = await door.topic()
    assert codes(await door.ask(commit(0, 1, topic=topic_id))) == [0, ErrorCode.unknown_topic_or_partition]
    answer = await door.ask(commit(0, topic=b"\x07" * 16))
    assert (answer.topics[0].topic_id, codes(answer)) == (b"\x07" * 16, [ErrorCode.unknown_topic_id])


async def test_what_isnt_there_is_refused_by_itself(door: Any) -> None:
    await door.topic()
    unknown = ErrorCode.unknown_topic_or_partition
    assert codes(await door.ask(commit(0, 1, -1), 9)) == [0, unknown, unknown]
    assert codes(await door.ask(commit(0, topic="nowhere"), 9)) == [unknown]


async def test_long_metadata_is_refused(door_with: Any) -> None:
    door = await door_with(**{"offset.metadata.max.bytes": "3"}).start()
    await door.topic()
    assert codes(await door.ask(commit(0, metadata="abc"), 9)) == [0]
    assert codes(await door.ask(commit(0, metadata="abcd"), 9)) == [ErrorCode.offset_metadata_too_large]
    assert door.node.groups.offsets.committed("g")[E0].metadata == "abc"


async def test_members_of_groups_that_arent_there_are_refused(door: Any) -> None:
    await door.topic()
    refused = commit(0, generation_id_or_member_epoch=4, member_id="m")
    assert codes(await door.ask(refused, 9)) == [ErrorCode.group_id_not_found]
    assert codes(await door.ask(refused, 8)) == [ErrorCode.illegal_generation]
    await door.ask(commit(0), 9)
    assert codes(await door.ask(refused, 9)) == [ErrorCode.unknown_member_id]
    long = commit(0, group_id="g" * 40_000)
    assert codes(await door.ask(long, 9)) == [ErrorCode.invalid_group_id]


async def test_it_is_answered_when_it_is_durable(door: Any) -> None:
    await door.topic()
    answer, _ = await door.begin(commit(0), 9)
    assert isinstance(answer, Later)
    assert door.node.topics.find(OFFSETS).unflushed
    assert codes(await answer.make()) == [0]
    assert not door.node.topics.find(OFFSETS).unflushed


async def test_a_disk_without_room_is_told_and_nothing_is_committed(door: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await door.topic()
    await door.ask(commit(0), 9)

    def full(*_: object, **__: object) -> None:
        raise StorageFullError("no space left")

    monkeypatch.setattr(door.node.topics.find(OFFSETS), "append", full)
    assert codes(await door.ask(commit(0, 1), 9)) == [
        ErrorCode.coordinator_not_available,
        ErrorCode.unknown_topic_or_partition,
    ]


async def test_a_disk_that_fails_is_told(door: Any) -> None:
    await door.topic()
    answer, _ = await door.begin(commit(0), 9)
    door.node.flusher.failed = StorageFailedError("fsync failed")
    assert codes(await answer.make()) == [ErrorCode.coordinator_not_available]
