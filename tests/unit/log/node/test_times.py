from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.model import Identity
from streamflow.log.node.times import first_record_since, newest_record
from streamflow.log.records import build_batch
from streamflow.log.storage.files import MemoryFiles
from streamflow.log.storage.partition import PartitionLog, SegmentConfig


def log_of(batches: list[list[int]], config: SegmentConfig) -> PartitionLog:
    """Batches of records with these timestamps."""
    log = PartitionLog.open(
        MemoryFiles(), "t", Identity("t", UUID(int=1), 0), config, recovery_point=0, clean=True, now_ms=0
    )
    for times in batches:
        log.append(build_batch([None] * len(times), [b"v"] * len(times), times), leader_epoch=0, now_ms=0)
    return log


BATCHES = st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=4), max_size=12)


@given(BATCHES, st.integers(0, 55), st.integers(0, 20), st.integers(0, 40))
def test_the_first_record_since_a_time_is_what_a_walk_over_all_finds(
    batches: list[list[int]], since: int, start: int, up_to: int
) -> None:
    log = log_of(batches, SegmentConfig(segment_bytes=300, index_interval_bytes=1))
    log.delete_before(start)
    start = log.log_start_offset
    ends = [sum(map(len, batches[: n + 1])) for n in range(len(batches))]
    up_to = max((end for end in ends if end <= up_to), default=0)  # As watermarks: between batches.
    times = [t for batch in batches for t in batch]
    expected = next(((o, t) for o, t in enumerate(times) if t >= since and start <= o < up_to), None)
    assert first_record_since(log, since, up_to) == expected


def test_the_newest_record_is_the_first_of_those_with_the_newest_time() -> None:
    log = log_of([[5], [9, 7], [9]], SegmentConfig())
    assert newest_record(log, log.log_end_offset) == (1, 9)
    assert newest_record(log_of([], SegmentConfig()), 0) is None


@pytest.mark.parametrize("since", [0, 8])
def test_nothing_is_found_above_what_may_be_read(since: int) -> None:
    assert first_record_since(log_of([[5], [9]], SegmentConfig()), since, 0) is None
