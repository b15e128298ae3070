from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import list_offsets_request
from streamflow.log.records import Producer, build_batch

pytestmark = pytest.mark.anyio
PARTITION = list_offsets_request.ListOffsetsPartition


async def ask(door, timestamp: int, *, version: int = 11, isolation: int = 0, epoch: int = -1) -> Any:
    wanted = PARTITION(partition_index=0, timestamp=timestamp, current_leader_epoch=epoch)
    topic = list_offsets_request.ListOffsetsTopic(name="events", partitions=[wanted])
    request = list_offsets_request.ListOffsetsRequest(isolation_level=isolation, topics=[topic])
    return (await door.ask(request, version=version)).topics[0].partitions[0]


@pytest.fixture
async def filled(door):
    """Offsets 0 to 5 at 1000, 1001, 1002, 5000, 5001, 2000."""
    await door.topic()
    await door.append("a", "b", "c", at_ms=1000)
    await door.append("d", "e", at_ms=5000)
    await door.append("f", at_ms=2000)
    return door


@pytest.mark.parametrize(
    ("timestamp", "offset", "found"),
    [(0, 0, 1000), (1001, 1, 1001), (1003, 3, 5000), (2000, 3, 5000), (5001, 4, 5001), (5002, -1, -1)],
)
async def test_a_time_gives_the_first_record_at_or_after_it(filled, timestamp, offset, found) -> None:
    answer = await ask(filled, timestamp)
    assert (answer.offset, answer.timestamp) == (offset, found)


@pytest.mark.parametrize(
    ("timestamp", "offset", "found"), [(-1, 6, -1), (-2, 0, -1), (-3, 4, 5001), (-4, 0, -1), (-5, -1, -1), (-6, -1, -1)]
)
async def test_special_times_mean_places(filled, timestamp, offset, found) -> None:
    answer = await ask(filled, timestamp)
    assert (answer.error_code, answer.offset, answer.timestamp) == (ErrorCode.none, offset, found)


@pytest.mark.parametrize(("timestamp", "since"), [(-3, 7), (-4, 8), (-5, 9), (-6, 11)])
async def test_a_place_is_refused_in_versions_that_do_not_know_it(filled, timestamp, since) -> None:
    assert (await ask(filled, timestamp, version=since)).error_code == ErrorCode.none
    assert (await ask(filled, timestamp, version=since - 1)).error_code == ErrorCode.unsupported_version


async def test_the_end_for_who_reads_committed_records_is_the_first_open_transaction(filled) -> None:
    node, replica = filled.node, filled.replica()
    node.append_batches(replica, build_batch([None], [b"x"], [9000], producer=Producer(7, 0, 0, True)))
    await node.flusher.flush([replica])
    assert ((await ask(filled, -1)).offset, (await ask(filled, -1, isolation=1)).offset) == (7, 6)
    assert ((await ask(filled, 9000)).offset, (await ask(filled, 9000, isolation=1)).offset) == (6, -1)


async def test_what_was_deleted_is_not_found_by_time(filled) -> None:
    filled.replica().log.delete_before(1)
    answer = await ask(filled, 0)
    assert (answer.offset, answer.timestamp) == (1, 1001)


async def test_wrong_epochs_unknown_topics_and_double_questions_are_refused(filled) -> None:
    assert (await ask(filled, -1, epoch=9)).error_code == ErrorCode.unknown_leader_epoch
    topics = [
        list_offsets_request.ListOffsetsTopic(name="none", partitions=[PARTITION(timestamp=-1)]),
        list_offsets_request.ListOffsetsTopic(name="events", partitions=[PARTITION(timestamp=-1)] * 2),
    ]
    answer = await filled.ask(list_offsets_request.ListOffsetsRequest(topics=topics))
    errors = [[p.error_code for p in t.partitions] for t in answer.topics]
    assert errors == [[ErrorCode.unknown_topic_or_partition], [ErrorCode.invalid_request] * 2]
