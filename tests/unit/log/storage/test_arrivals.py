"""What is checked of batches before they are written."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.errors import CorruptBatchError, OutOfOrderSequenceError, RecordTooLargeError
from streamflow.log.model import Identity
from streamflow.log.records import (
    CONTROL,
    HEADER_BYTES,
    Producer,
    build_batch,
    build_marker,
    pack_batch,
    parse_header,
    stamp,
)
from streamflow.log.storage.arrivals import from_leader, from_producer
from streamflow.log.storage.producers import Producers

WHO = Identity("events", UUID(int=7), 3)


def batch(sequence: int = -1, count: int = 2) -> bytearray:
    producer = Producer(1 if sequence >= 0 else -1, 0, sequence)
    return build_batch([None] * count, [b"value"] * count, [0] * count, producer=producer)


def fetched(offset: int, epoch: int = 0, count: int = 2) -> bytearray:
    made = batch(count=count)
    stamp(made, offset, epoch)
    return made


def test_a_producers_batches_are_taken_together_or_not_at_all() -> None:
    producers = Producers()
    headers, there = from_producer(batch(0) + batch(2), producers, 1_000, WHO)
    assert ([h.base_sequence for h in headers], there) == ([0, 2], None)
    for header, base in zip(headers, (10, 12), strict=True):
        producers.appended(header, base)
    assert from_producer(batch(0) + batch(2), producers, 1_000, WHO)[1] == (10, 13)
    with pytest.raises(OutOfOrderSequenceError, match="1 of 2 batches"):
        from_producer(batch(2) + batch(4), producers, 1_000, WHO)
    with pytest.raises(OutOfOrderSequenceError):
        from_producer(batch(4) + batch(8), producers, 1_000, WHO)
    with pytest.raises(RecordTooLargeError, match=r"max\.message\.bytes is 70"):
        from_producer(batch(4), producers, 70, WHO)
    with pytest.raises(CorruptBatchError, match="nothing to append to events-3"):
        from_producer(bytearray(), producers, 1_000, WHO)


@given(st.integers(0, 300))
def test_of_what_a_leader_sent_whole_batches_are_taken_as_they_are(size: int) -> None:
    sent = [fetched(7, 1), fetched(9, 2), fetched(40, 5, count=1)]
    data = bytes(b"".join(sent))[:size]
    whole = [n for n in range(4) if sum(map(len, sent[:n])) <= len(data)][-1]
    if data and not whole:
        with pytest.raises(CorruptBatchError, match="no whole batch"):
            from_leader(memoryview(data), 7, WHO)
        return
    placed = from_leader(memoryview(data), 7, WHO)
    assert [bytes(b) for _, b in placed] == [bytes(b) for b in sent[:whole]]
    assert [(h.base_offset, h.leader_epoch) for h, _ in placed] == [(7, 1), (9, 2), (40, 5)][:whole]


def test_offsets_that_are_there_already_or_out_of_order_are_refused() -> None:
    for data, first in ((fetched(6), 7), (fetched(7) + fetched(8), 7)):
        with pytest.raises(CorruptBatchError, match="which comes after"):
            from_leader(memoryview(data), first, WHO)


@given(st.data())
def test_nothing_is_taken_of_what_was_changed_on_the_way(data: st.DataObject) -> None:
    sent = fetched(7) + fetched(9)
    at = data.draw(st.integers(len(sent) // 2 + 21, len(sent) - 1))  # What the batch's own checksum covers.
    sent[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CorruptBatchError):
        from_leader(memoryview(sent), 7, WHO)


def test_a_length_that_is_none_is_refused_and_not_waited_for() -> None:
    sent = fetched(7) + fetched(9)
    sent[len(sent) // 2 + 8] = 0x7F
    with pytest.raises(CorruptBatchError, match="claims"):
        from_leader(memoryview(sent), 7, WHO)


def test_a_control_record_that_is_no_marker_is_refused_before_it_is_written() -> None:
    marker = build_marker(commit=True, timestamp=0, producer=Producer(1, 0, -1, True))
    stamp(marker, 7, 0)
    assert [h.control for h, _ in from_leader(memoryview(marker), 7, WHO)] == [True]
    header = parse_header(fetched(7))
    odd = pack_batch(replace(header, attributes=CONTROL), bytes(fetched(7)[HEADER_BYTES:]))
    with pytest.raises(CorruptBatchError):
        from_leader(memoryview(odd), 7, WHO)
