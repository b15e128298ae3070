"""Segments in a row: which holds an offset, which go, and which stand for others."""

from __future__ import annotations

from uuid import UUID

from streamflow.log.model import Identity
from streamflow.log.storage.files import MemoryFiles
from streamflow.log.storage.segment import Segment
from streamflow.log.storage.segments import WARM_SEGMENTS, Segments

WHO = Identity("events", UUID(int=7), 3)


def row(*bases: int) -> Segments:
    segments = Segments(MemoryFiles(), "d", WHO)
    for base in bases:
        segments.add(base, 100)
    return segments


def test_an_offset_is_held_by_the_last_segment_that_begins_at_it_or_below() -> None:
    segments = row(10, 20, 30)
    assert [segments.number_of(offset) for offset in (0, 10, 19, 20, 29, 30, 99)] == [0, 0, 0, 1, 1, 2, 2]
    assert [segments.end_of(segment) for segment in segments.all] == [20, 30, 30]


def test_those_wholly_below_an_offset_go_and_never_the_last() -> None:
    segments = row(10, 20, 30)
    assert [segments.drop_below(offset) for offset in (19, 20, 99)] == [0, 1, 1]
    assert segments.bases == [30]
    assert segments.files.names("d") == [f"{30:020d}.log"]


def test_those_above_an_offset_go_and_never_the_first() -> None:
    segments = row(10, 20, 30)
    segments.drop_above(20)
    assert segments.bases == [10, 20]
    segments.drop_above(0)
    assert segments.bases == [10] and segments.active.base_offset == 10


def test_neighbours_are_replaced_by_one_and_their_files_stay() -> None:
    segments = row(10, 20, 30, 40)
    old = segments.all[1:3]
    segments.keep_warm(old[0])
    new = Segment(segments.files, "d", WHO, 20, 100, path="d/new")
    segments.replace(old, new)
    assert segments.bases == [10, 20, 40]
    assert segments.all[1] is new and segments.active.base_offset == 40
    assert len(segments.files.names("d")) == 4


def test_those_read_long_ago_let_go_of_their_files() -> None:
    segments = row(*range(0, 100, 10))
    for segment in segments.all:
        segment.file.size()
        segments.keep_warm(segment)
    assert sum(s._file is not None for s in segments.all) == WARM_SEGMENTS
    assert segments.active._file is not None
