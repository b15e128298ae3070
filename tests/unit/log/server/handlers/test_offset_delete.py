from __future__ import annotations

from typing import Any

import pytest

from streamflow.event import TopicPartition
from streamflow.log.coordinators.records import OffsetValue
from streamflow.log.errors import StorageFailedError
from streamflow.log.node.group_coordinator import GroupCoordinator
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import offset_delete_request

pytestmark = pytest.mark.anyio
E0, E1 = TopicPartition("events", 0), TopicPartition("events", 1)


def delete(*partitions: int, topic: str = "events") -> offset_delete_request.OffsetDeleteRequest:
    asked = [offset_delete_request.OffsetDeleteRequestPartition(partition_index=n) for n in partitions]
    return offset_delete_request.OffsetDeleteRequest(
        group_id="g", topics=[offset_delete_request.OffsetDeleteRequestTopic(name=topic, partitions=asked)]
    )


def codes(answer: Any) -> list[int]:
    return [p.error_code for t in answer.topics for p in t.partitions]


@pytest.fixture
async def filled(door: Any) -> Any:
    await door.topic(partitions=2)
    await door.node.groups.commit("g", {E0: OffsetValue(offset=1), E1: OffsetValue(offset=2)})
    return door


async def test_offsets_are_forgotten_one_by_one_for_good(filled: Any) -> None:
    answer = await filled.ask(delete(0, 2))
    assert (answer.error_code, codes(answer)) == (0, [0, ErrorCode.unknown_topic_or_partition])
    await filled.restart()
    assert list(filled.node.groups.offsets.committed("g")) == [E1]
    assert codes(await filled.ask(delete(0))) == [0], "there is nothing to forget, and nothing wrong"


async def test_unknown_groups_and_topics_are_told(filled: Any) -> None:
    assert codes(await filled.ask(delete(0, topic="nowhere"))) == [ErrorCode.unknown_topic_or_partition]
    request = delete(0)
    request.group_id = "nobody"
    assert (await filled.ask(request)).error_code == ErrorCode.group_id_not_found


async def test_offsets_of_topics_that_members_read_stay(filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """KIP-496."""
    monkeypatch.setattr(GroupCoordinator, "reads", lambda _, group_id, topic: (group_id, topic) == ("g", "events"))
    assert codes(await filled.ask(delete(0))) == [ErrorCode.group_subscribed_to_topic]
    assert len(filled.node.groups.offsets.committed("g")) == 2


async def test_a_disk_that_fails_is_told(filled: Any) -> None:
    filled.node.flusher.failed = StorageFailedError("fsync failed")
    assert (await filled.ask(delete(0))).error_code == ErrorCode.coordinator_not_available
