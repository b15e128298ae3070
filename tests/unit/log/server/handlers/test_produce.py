from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from streamflow.log.errors import StorageFailedError
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import produce_request, produce_response
from streamflow.log.records import Producer, build_batch
from streamflow.log.server.broker import CloseConnectionError, Later

pytestmark = pytest.mark.anyio


def batch(*values: str) -> bytearray:
    return build_batch([None] * len(values), [v.encode() for v in values], [1000] * len(values))


def to(
    records: bytes | bytearray | None,
    *,
    topic: str = "events",
    acks: int = -1,
    partition: int = 0,
    topic_id: bytes = b"\0" * 16,
) -> produce_request.ProduceRequest:
    data = produce_request.PartitionProduceData(index=partition, records=None if records is None else [records])
    return produce_request.ProduceRequest(
        acks=acks,
        topic_data=[produce_request.TopicProduceData(name=topic, topic_id=topic_id, partition_data=[data])],
    )


async def send(
    door, request: produce_request.ProduceRequest, version: int = 9
) -> produce_response.PartitionProduceResponse:
    answer = await door.ask(request, version=version)
    return answer.responses[0].partition_responses[0]


async def test_batches_are_appended_as_they_are_and_answered_with_their_offset(door) -> None:
    await door.topic()
    first = await send(door, to(batch("a", "b")))
    assert (first.error_code, first.base_offset, first.log_append_time_ms) == (ErrorCode.none, 0, -1)
    assert (await send(door, to(batch("c")))).base_offset == 2


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (to(batch("a"), topic="none"), ErrorCode.unknown_topic_or_partition),
        (to(batch("a"), partition=5), ErrorCode.unknown_topic_or_partition),
        (to(batch("a"), acks=2), ErrorCode.invalid_required_acks),
        (to(None), ErrorCode.invalid_record),
        (to(b""), ErrorCode.invalid_record),
        (to(batch("a") + batch("b")), ErrorCode.invalid_record),
        (to(b"x" * 70), ErrorCode.corrupt_message),
    ],
)
async def test_what_cannot_be_appended_is_refused_and_nothing_of_it_is_kept(door, request_, error: ErrorCode) -> None:
    await door.topic()
    answer = await send(door, request_)
    assert (answer.error_code, answer.base_offset) == (error, -1)
    assert door.replica().log.log_end_offset == 0


async def test_a_flipped_bit_is_corrupt_and_a_long_batch_too_large(door) -> None:
    await door.topic(max_message_bytes="200")
    damaged = batch("a")
    damaged[-1] ^= 1
    assert (await send(door, to(damaged))).error_code == ErrorCode.corrupt_message
    assert (await send(door, to(batch("x" * 300)))).error_code == ErrorCode.message_too_large


async def test_a_batch_sent_twice_is_answered_with_where_it_is_and_a_gap_is_refused(door) -> None:
    await door.topic()

    def of(sequence: int) -> bytearray:
        return build_batch([None], [b"v"], [0], producer=Producer(7, 0, sequence, False))

    assert [(await send(door, to(of(n)))).base_offset for n in (0, 1, 0)] == [0, 1, 0]
    assert (await send(door, to(of(5)))).error_code == ErrorCode.out_of_order_sequence_number
    assert door.replica().log.log_end_offset == 2


async def test_append_time_is_told(door) -> None:
    await door.topic(message_timestamp_type="LogAppendTime")
    assert (await send(door, to(batch("a")))).log_append_time_ms == door.now


async def test_without_acknowledgement_nothing_is_answered_and_a_failure_hangs_up(door) -> None:
    await door.topic()
    assert await door.ask(to(batch("a"), acks=0), 9) is None
    assert door.replica().high_watermark == 1, "and readers see it"
    assert door.replica().log.log_end_offset == 1
    with pytest.raises(CloseConnectionError, match="none-0 answers unknown_topic_or_partition"):
        await door.ask(to(batch("a"), topic="none", acks=0), 9)


async def test_the_answer_waits_for_the_disk_and_those_behind_it_do_not(door, monkeypatch) -> None:
    await door.topic()
    flushing = anyio.Event()
    done: list[Sequence[int]] = []
    blocking = door.node.flusher._blocking

    async def slow(work):
        await flushing.wait()
        return await blocking(work)

    monkeypatch.setattr(door.node.flusher, "_blocking", slow)
    first, _ = await door.begin(to(batch("a")), 9)
    second, _ = await door.begin(to(batch("b")), 9)
    assert isinstance(first, Later) and not first.ready()
    assert door.replica().log.log_end_offset == 2, "both are appended"
    assert door.replica().high_watermark == 0, "and neither can be read yet"

    async def answer(later: Later) -> None:
        done.append([(await later.make()).responses[0].partition_responses[0].base_offset])

    async with anyio.create_task_group() as group:
        group.start_soon(answer, first)
        group.start_soon(answer, second)
        await anyio.wait_all_tasks_blocked()
        assert done == []
        flushing.set()
    assert sorted(done) == [[0], [1]]
    assert second.ready()
    assert door.replica().high_watermark == 2


async def test_a_disk_that_fails_is_said_and_takes_no_more(door, monkeypatch) -> None:
    await door.topic()

    def fail():
        raise StorageFailedError("no more disk")

    monkeypatch.setattr(door.replica().log, "flush", fail)
    answer = await send(door, to(batch("a")))
    assert (answer.error_code, answer.base_offset) == (ErrorCode.kafka_storage_error, -1)
    assert "no more disk" in answer.error_message
    assert (await send(door, to(batch("b")))).error_code == ErrorCode.kafka_storage_error
    assert door.replica().high_watermark == 0
