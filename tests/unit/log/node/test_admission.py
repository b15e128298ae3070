from __future__ import annotations

import pytest

from streamflow.log.errors import InvalidTimestampError, NotEnoughReplicasError
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
