"""What goes by age and by size."""

from __future__ import annotations

from uuid import UUID

import pytest

from streamflow.log.model import Identity
from streamflow.log.storage.files import MemoryFiles
from streamflow.log.storage.retention import retained_from
from streamflow.log.storage.segment import NO_TIMESTAMP, Segment

WHO = Identity("events", UUID(int=7), 3)


def segment(base: int, size: int, newest: int) -> Segment:
    made = Segment(MemoryFiles(), "d", WHO, base, 100)
    made.size, made.max_timestamp = size, newest
    return made


ROW = [segment(0, 100, 10), segment(10, 200, NO_TIMESTAMP), segment(20, 300, 30), segment(30, 400, 5)]


@pytest.mark.parametrize(
    ("now_ms", "age_ms", "size", "limit", "start"),
    [
        (1_000, -1, -1, 99, 0),
        (20, 10, -1, 99, 0),
        (21, 10, -1, 99, 10),
        (40, 10, -1, 99, 10),
        (41, 10, -1, 99, 30),
        (41, 10, -1, 29, 20),
        (41, 10, -1, 9, 0),
        (0, -1, 1_000, 99, 0),
        (0, -1, 900, 99, 0),
        (0, -1, 899, 99, 10),
        (0, -1, 0, 99, 30),
    ],
)
def test_segments_too_old_or_too_many_go_but_not_the_last(
    now_ms: int, age_ms: int, size: int, limit: int, start: int
) -> None:
    """One without a readable batch is as old as the one behind it."""
    assert retained_from(ROW, now_ms, limit, retention_ms=age_ms, retention_bytes=size) == start
