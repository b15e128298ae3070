from __future__ import annotations

from typing import Any

import anyio
import pytest

from streamflow.event import TopicPartition
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import fetch_request
from streamflow.log.records import Producer, build_batch, build_marker, parse_header
from streamflow.log.server.broker import CloseConnectionError

pytestmark = pytest.mark.anyio
PARTITION = fetch_request.FetchPartition
LEAST = {"min_bytes": 1, "max_wait_ms": 0, "max_bytes": 1 << 20}


def request(*offsets: int, topic: str = "events", **given: Any) -> fetch_request.FetchRequest:
    """Partition 0 at the first offset, 1 at the second …"""
    bytes_max = given.pop("partition_bytes", 1 << 20)
    topic_id = given.pop("topic_id", b"\0" * 16)
    epoch = given.pop("epoch", -1)
    partitions = [
        PARTITION(partition=n, fetch_offset=o, partition_max_bytes=bytes_max, current_leader_epoch=epoch)
        for n, o in enumerate(offsets)
    ]
    named = [fetch_request.FetchTopic(topic=topic, topic_id=topic_id, partitions=partitions)] if offsets else []
    return fetch_request.FetchRequest(**{**LEAST, "session_epoch": -1, "topics": named, **given})


async def fetch(door, *offsets: int, **given: Any) -> list[Any]:
    version = 13 if "topic_id" in given else 12
    answer = await door.ask(request(*offsets, **given), version)
    return [p for t in answer.responses for p in t.partitions]


def bases(partition: Any) -> list[int]:
    """Base offsets of the batches."""
    found, at = [], 0
    while at < len(partition.records):
        header = parse_header(partition.records, at)
        found.append(header.base_offset)
        at += header.size
    return found


async def test_batches_come_as_they_lie_from_the_one_that_holds_the_offset(door) -> None:
    await door.topic()
    for values in ("a", "bcd", "e"):
        await door.append(*values)
    (partition,) = await fetch(door, 2)
    assert bases(partition) == [1, 4], "the whole batch: the client skips what it has"
    assert (partition.high_watermark, partition.last_stable_offset, partition.log_start_offset) == (5, 5, 0)


async def test_the_first_batch_is_whole_however_long_and_the_others_within_the_limits(door) -> None:
    """KIP-74."""
    await door.topic(partitions=2)
    for partition in (0, 1):
        for _ in range(3):
            await door.append("x" * 1000, partition=partition)
    first, second = await fetch(door, 0, 0, partition_bytes=10, max_bytes=10)
    assert (bases(first), bases(second)) == ([0], [])
    first, second = await fetch(door, 0, 0, partition_bytes=2500, max_bytes=3500)
    assert (bases(first), bases(second)) == ([0, 1], [0])
    first, second = await fetch(door, 3, 0, partition_bytes=10)
    assert (bases(first), bases(second)) == ([], [0]), "the first that has any"


@pytest.mark.parametrize("offset", [-1, 4])
async def test_an_offset_that_is_not_there_is_out_of_range(door, offset: int) -> None:
    await door.topic()
    await door.append("a", "b", "c")
    (partition,) = await fetch(door, offset)
    assert (partition.error_code, list(partition.records)) == (ErrorCode.offset_out_of_range, [])


async def test_unknown_topics_and_leader_epochs_are_told_apart(door) -> None:
    topic_id = await door.topic()
    assert [p.error_code for p in await fetch(door, 0, topic="none")] == [ErrorCode.unknown_topic_or_partition]
    assert [p.error_code for p in await fetch(door, 0, topic="", topic_id=b"x" * 16)] == [ErrorCode.unknown_topic_id]
    assert [p.error_code for p in await fetch(door, 0, topic="", topic_id=topic_id)] == [ErrorCode.none]
    assert [p.error_code for p in await fetch(door, 0, epoch=9)] == [ErrorCode.unknown_leader_epoch]


async def test_a_fetch_waits_for_enough_bytes_and_no_longer_than_it_says(door) -> None:
    await door.topic()
    await door.append("a")
    got: list[Any] = []

    async def wait() -> None:
        got.extend(await fetch(door, 0, min_bytes=150, max_wait_ms=60_000))

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert got == [], "69 bytes aren't enough"
        await door.append("b")
        await anyio.wait_all_tasks_blocked()
        await door.append("c")
    assert bases(got[0]) == [0, 1, 2]
    assert not len(door.replica().listeners), "nobody listens any more"
    with anyio.fail_after(5):
        assert bases((await fetch(door, 3, min_bytes=1, max_wait_ms=20))[0]) == []


async def test_a_fetch_that_waits_ends_when_the_topic_goes_and_when_the_client_goes(door) -> None:
    await door.topic()
    got: list[Any] = []

    async def wait() -> None:
        got.extend(await fetch(door, 0, max_wait_ms=60_000))

    replica = door.replica()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            await door.node.delete_topic("events")
    assert [p.error_code for p in got] == [ErrorCode.unknown_topic_or_partition]
    await door.topic()
    replica = door.replica()
    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert len(replica.listeners) == 1
        group.cancel_scope.cancel()
    assert not len(replica.listeners)


async def test_who_reads_committed_records_sees_no_open_transaction_and_is_told_the_aborted(door) -> None:
    await door.topic()
    where = TopicPartition("events", 0)
    node = door.node

    def append(data: bytes | bytearray) -> None:
        node.append_batches(node.topics.find(where), data)

    for producer_id in (7, 8):
        append(build_batch([None], [b"x"], [0], producer=Producer(producer_id, 0, 0, True)))
    append(build_marker(commit=False, timestamp=0, producer=Producer(8, 0, -1, True)))
    append(build_batch([None], [b"y"], [0]))
    await node.flusher.flush([door.replica()])
    (committed,) = await fetch(door, 0, isolation_level=1)
    assert (bases(committed), committed.last_stable_offset, committed.high_watermark) == ([], 0, 4)
    append(build_marker(commit=False, timestamp=0, producer=Producer(7, 0, -1, True)))
    await node.flusher.flush([door.replica()])
    (committed,) = await fetch(door, 0, isolation_level=1)
    aborted = [(a.producer_id, a.first_offset) for a in committed.aborted_transactions]
    assert (bases(committed), aborted) == ([0, 1, 2, 3, 4], [(7, 0), (8, 1)]), "by first offset"
    (everything,) = await fetch(door, 0)
    assert everything.aborted_transactions is None


async def test_in_a_session_only_news_is_told(door) -> None:
    """KIP-227."""
    await door.topic(partitions=2)
    first = await door.ask(request(0, 0, session_epoch=0), 12)
    assert first.session_id > 0
    assert len(first.responses[0].partitions) == 2
    nothing = await door.ask(request(session_id=first.session_id, session_epoch=1), 12)
    assert (nothing.responses, nothing.session_id) == ([], first.session_id)
    await door.append("a", partition=1)
    news = await door.ask(request(session_id=first.session_id, session_epoch=2), 12)
    assert [p.partition_index for t in news.responses for p in t.partitions] == [1]


@pytest.mark.parametrize(
    ("session_id", "epoch", "error"),
    [(99, 1, ErrorCode.fetch_session_id_not_found), (1, 5, ErrorCode.invalid_fetch_session_epoch)],
)
async def test_a_session_that_is_not_there_or_out_of_step_is_refused(door, session_id, epoch, error) -> None:
    await door.topic()
    await door.ask(request(0, session_epoch=0), 12)
    answer = await door.ask(request(session_id=session_id, session_epoch=epoch), 12)
    assert (answer.error_code, answer.responses) == (error, [])


async def test_a_followers_fetch_on_the_clients_listener_is_refused(door) -> None:
    await door.topic()
    state = fetch_request.ReplicaState(replica_id=1, replica_epoch=0)
    for request, version in (
        (fetch_request.FetchRequest(replica_state=state, max_wait_ms=0), 18),
        (fetch_request.FetchRequest(replica_id=1, max_wait_ms=0), 11),
    ):
        with pytest.raises(CloseConnectionError):
            await door.ask(request, version=version)
