"""Reading from any offset or time, and never over what can't be read."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.errors import CorruptBatchError, OffsetOutOfRangeError
from streamflow.log.model import Identity
from streamflow.log.records import build_batch, parse_header, stamp
from streamflow.log.storage.files import MemoryFiles
from streamflow.log.storage.kept import Kept, Quarantine
from streamflow.log.storage.reader import Reader
from streamflow.log.storage.segments import Segments

WHO = Identity("events", UUID(int=7), 3)


def filled(lengths: list[int], per_segment: int = 3) -> tuple[Segments, Kept, list[int]]:
    """Batches of so many records. Returns also where they begin."""
    files, base, bases = MemoryFiles(), 0, []
    segments = Segments(files, "d", WHO)
    for n, length in enumerate(lengths):
        if n % per_segment == 0:
            segments.add(base, 100)
        made = build_batch([None] * length, [b"v" * 50] * length, [base] * length)
        stamp(made, base, 0)
        segments.active.append([(parse_header(made), memoryview(made))], base)
        bases.append(base)
        base += length
    return segments, Kept(files, "d", WHO, 0), bases


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=12), st.integers(0, 60), st.integers(0, 60), st.integers(1, 900)
)
def test_it_begins_with_the_batch_that_holds_the_offset_and_ends_below_the_limit(
    lengths: list[int], offset: int, up_to: int, bytes_max: int
) -> None:
    segments, kept, bases = filled(lengths)
    reader, end = Reader(segments, kept), sum(lengths)
    if offset > end:
        with pytest.raises(OffsetOutOfRangeError):
            reader.read(offset, bytes_max, up_to)
        return
    found = [parse_header(b) for b in reader.read(offset, bytes_max, up_to)]
    ends = [*bases[1:], end]
    wanted = [base for base, after in zip(bases, ends, strict=True) if after > offset and base < up_to]
    assert [h.base_offset for h in found] == wanted[: len(found)]
    assert bool(found) == bool(wanted), "one at least"
    assert len(found) <= 1 or sum(h.size for h in found) <= bytes_max


def test_what_does_not_verify_is_quarantined_and_ends_a_read_or_refuses_it() -> None:
    segments, kept, bases = filled([2] * 9)
    reader = Reader(segments, kept)
    segments.files.content[segments.all[1].path][100] ^= 1  # type: ignore[attr-defined]
    assert [parse_header(b).base_offset for b in reader.read(0, 10_000, 99)] == bases[:3]
    [quarantined] = kept.quarantined
    assert (quarantined.first_offset, quarantined.next_offset) == (6, 8)
    with pytest.raises(CorruptBatchError, match="offsets 6 to 7 of events-3"):
        reader.read(6, 10_000, 99)
    assert reader.read(6, 10_000, 6) == []
    walked = [f.first_offset if isinstance(f, Quarantine) else f.header.base_offset for f in reader.walk(6)]
    assert walked == bases[3:]
    kept.accept()
    assert [parse_header(b).base_offset for b in reader.read(6, 10_000, 99)] == bases[4:]


def test_the_first_batch_at_or_after_a_time_is_found() -> None:
    segments, kept, bases = filled([2] * 9)
    reader = Reader(segments, kept)
    for timestamp in range(17):
        first = next(base for base in bases if base >= timestamp)
        assert reader.offset_for_timestamp(timestamp, 99) == (first, first)
        assert reader.offset_for_timestamp(timestamp, first) is None
    assert reader.offset_for_timestamp(17, 99) is None
