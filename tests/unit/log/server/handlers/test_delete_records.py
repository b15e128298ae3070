from __future__ import annotations

from typing import Any

import anyio
import pytest

from streamflow.event import TopicPartition
from streamflow.log.controller import records as r
from streamflow.log.controller.topics import NewTopic
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import delete_records_request as q
from streamflow.log.records import build_batch
from streamflow.log.replication.events import Assignment, Fetched

pytestmark = pytest.mark.anyio


async def made(door: Any, name: str, records: int, **config: str) -> None:
    await door.node.topics.create(NewTopic(name=name, config=config))
    batch = build_batch([None] * records, [b"x"] * records, [door.now] * records)
    await door.node.append(TopicPartition(name, 0), batch)


async def delete(
    door: Any, name: str, partition: int, offset: int, version: int = 2, timeout_ms: int = 5_000
) -> tuple[int, int]:
    """The low watermark and the error."""
    wanted = [q.DeleteRecordsPartition(partition_index=partition, offset=offset)]
    topic = q.DeleteRecordsTopic(name=name, partitions=wanted)
    answer = await door.ask(q.DeleteRecordsRequest(topics=[topic], timeout_ms=timeout_ms), version)
    found = answer.topics[0].partitions[0]
    return found.low_watermark, found.error_code


async def test_records_below_the_offset_are_gone_and_the_low_watermark_is_told(door: Any) -> None:
    await made(door, "a", 10)
    assert await delete(door, "a", 0, 4, version=0) == (4, ErrorCode.none)
    assert await delete(door, "a", 0, 2, version=1) == (4, ErrorCode.none), "it never moves back"
    assert await delete(door, "a", 0, -1) == (10, ErrorCode.none), "-1 is the high watermark"
    await door.restart()
    assert door.broker.replica(door.broker.topic("a"), 0).log.log_start_offset == 10


@pytest.mark.parametrize("offset", [-2, 11])
async def test_an_offset_the_partition_does_not_have_is_out_of_range(door: Any, offset: int) -> None:
    await made(door, "a", 10)
    assert await delete(door, "a", 0, offset) == (-1, ErrorCode.offset_out_of_range)


async def test_an_unknown_partition_is_told(door: Any) -> None:
    await made(door, "a", 1)
    assert await delete(door, "a", 1, 0) == (-1, ErrorCode.unknown_topic_or_partition)
    assert await delete(door, "b", 0, 0) == (-1, ErrorCode.unknown_topic_or_partition)


async def test_a_compacted_topic_refuses_unless_it_deletes_too(door: Any) -> None:
    await made(door, "a", 1, **{"cleanup.policy": "compact"})
    await made(door, "b", 1, **{"cleanup.policy": "compact,delete"})
    assert await delete(door, "a", 0, -1) == (-1, ErrorCode.policy_violation)
    assert await delete(door, "b", 0, -1) == (1, ErrorCode.none)


async def test_the_logs_own_topics_forget_by_themselves(door: Any) -> None:
    await door.node.groups.ready()
    assert await delete(door, "__consumer_offsets", 0, -1) == (-1, ErrorCode.invalid_topic_exception)


class Follower:
    """Of partition 0 of topic a, on broker 7: has all records."""

    def __init__(self, door: Any) -> None:
        self._door = door
        self.replica = door.replica("a")
        me = door.node.membership.node_id
        door.node.topics.metadata.image.apply(r.RegisterBroker(broker_id=7, broker_epoch=1))
        self.replica.lead(Assignment(me=me, replicas=(me, 7), isr=(me,)), self.replica.leader_epoch + 1, door.now)

    def fetch(self, log_start_offset: int) -> None:
        fetched = Fetched(
            replica=7,
            broker_epoch=1,
            leader_epoch=self.replica.leader_epoch,
            offset=self.replica.end,
            last_epoch=0,
            log_start_offset=log_start_offset,
        )
        assert self.replica.fetched(fetched, self._door.now) is None

    def fence(self) -> None:
        self._door.node.topics.metadata.image.apply(r.BrokerChange(broker_id=7, broker_epoch=1, fenced=True))


async def test_the_answer_waits_until_every_living_replica_has_deleted_them_too(door: Any) -> None:
    await made(door, "a", 10)
    follower = Follower(door)
    follower.fetch(0)
    answers: list[tuple[int, int]] = []

    async def ask() -> None:
        answers.append(await delete(door, "a", 0, 4))

    with anyio.fail_after(3):
        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            follower.fetch(3)
            await anyio.wait_all_tasks_blocked()
            assert answers == []
            follower.fetch(4)
    assert answers == [(4, ErrorCode.none)]


async def test_who_has_not_deleted_them_in_time_is_told_by_the_low_watermark(door: Any) -> None:
    await made(door, "a", 10)
    follower = Follower(door)
    assert await delete(door, "a", 0, 4, timeout_ms=10) == (-1, ErrorCode.request_timed_out), "it hasn't fetched"
    follower.fetch(2)
    assert await delete(door, "a", 0, 4, timeout_ms=10) == (2, ErrorCode.request_timed_out)
    follower.fence()
    assert await delete(door, "a", 0, 4, timeout_ms=10) == (4, ErrorCode.none), "who is fenced isn't waited for"


async def test_who_waits_learns_that_the_leadership_is_lost(door: Any) -> None:
    await made(door, "a", 10)
    replica = Follower(door).replica
    answers: list[tuple[int, int]] = []

    async def ask() -> None:
        answers.append(await delete(door, "a", 0, 4))

    with anyio.fail_after(3):
        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            replica.follow(7, replica.leader_epoch + 1)
    assert answers == [(-1, ErrorCode.not_leader_or_follower)]
