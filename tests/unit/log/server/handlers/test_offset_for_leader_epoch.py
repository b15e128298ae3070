from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import offset_for_leader_epoch_request

pytestmark = pytest.mark.anyio


async def ask(door, epoch: int, *, topic: str = "events", current: int = -1) -> Any:
    wanted = offset_for_leader_epoch_request.OffsetForLeaderPartition(
        partition=0, leader_epoch=epoch, current_leader_epoch=current
    )
    named = offset_for_leader_epoch_request.OffsetForLeaderTopic(topic=topic, partitions=[wanted])
    request = offset_for_leader_epoch_request.OffsetForLeaderEpochRequest(topics=[named])
    return (await door.ask(request)).topics[0].partitions[0]


async def test_the_end_of_an_epoch_is_told(door) -> None:
    await door.topic()
    await door.append("a", "b")
    epoch = door.replica().leader.leader_epoch
    assert ((await ask(door, epoch)).leader_epoch, (await ask(door, epoch)).end_offset) == (epoch, 2)
    unknown = await ask(door, epoch + 1)
    assert (unknown.error_code, unknown.leader_epoch, unknown.end_offset) == (ErrorCode.none, -1, -1)


async def test_unknown_topics_and_wrong_leader_epochs_are_refused(door) -> None:
    await door.topic()
    assert (await ask(door, 0, topic="none")).error_code == ErrorCode.unknown_topic_or_partition
    assert (await ask(door, 0, current=5)).error_code == ErrorCode.unknown_leader_epoch
