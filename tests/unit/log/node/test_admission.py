from __future__ import annotations

import pytest

from streamflow.log.errors import CorruptBatchError, InvalidRecordError, InvalidTimestampError, NotEnoughReplicasError
from streamflow.log.node.admission import Admission
from streamflow.log.records import build_batch, parse_header

NOW = 1_000_000
LIMITS = Admission(timestamp_after_ms_max=100, timestamp_before_ms_max=1000)


def check(limits: Admission, *timestamps: int) -> None:
    batch = build_batch([None] * len(timestamps), [b""] * len(timestamps), list(timestamps))
    limits.check_times(parse_header(batch), NOW)


def test_times_within_the_limits_are_taken() -> None:
    check(LIMITS, NOW - 1000, NOW, NOW + 100)
    check(LIMITS, -1)
    check(Admission(), 0, 2**62)


@pytest.mark.parametrize("timestamps", [(NOW + 101,), (NOW, NOW + 101), (NOW - 1001, NOW)])
def test_a_batch_that_begins_or_ends_beyond_them_is_refused(timestamps: tuple[int, ...]) -> None:
    with pytest.raises(InvalidTimestampError, match="takes 999000 to 1000100"):
        check(LIMITS, *timestamps)


def test_the_producers_times_do_not_count_where_the_brokers_does() -> None:
    check(Admission(timestamp_after_ms_max=0, append_time=True), NOW + 1)


def test_who_waits_for_all_replicas_needs_enough_of_them() -> None:
    Admission(in_sync_min=2).check_replicas(2)
    with pytest.raises(NotEnoughReplicasError, match=r"min\.insync\.replicas is 2"):
        Admission(in_sync_min=2).check_replicas(1)


@pytest.mark.parametrize("codec", [0, 1, 2, 3, 4])
def test_a_compacted_topic_takes_records_with_keys_alone(codec: int) -> None:
    def check(limits: Admission, *keys: bytes | None) -> None:
        batch = build_batch(list(keys), [b"v"] * len(keys), [NOW] * len(keys), codec=codec)
        limits.check_keys(memoryview(batch), parse_header(batch))

    check(Admission(compacted=True), b"a", b"")
    check(Admission(), b"a", None)
    with pytest.raises(InvalidRecordError, match="one here has none") as refused:
        check(Admission(compacted=True), b"a", None, b"b", None)
    assert refused.value.indexes == [1, 3]


def test_what_is_opened_is_checked_before() -> None:
    batch = build_batch([None], [b"v"], [NOW])
    batch[-1] ^= 1
    with pytest.raises(CorruptBatchError):
        Admission(compacted=True).check_keys(memoryview(batch), parse_header(batch))
