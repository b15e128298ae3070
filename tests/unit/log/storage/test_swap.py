"""A cleaned segment takes the place of neighbours, whole, whatever is cut short."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from streamflow.log.model import Identity
from streamflow.log.records import build_batch, decode, parse_header, stamp
from streamflow.log.storage.files import MemoryFiles
from streamflow.log.storage.recovery import segment_bases
from streamflow.log.storage.segment import Segment, Stored
from streamflow.log.storage.segments import Segments
from streamflow.log.storage.swap import Stage, Swap, finish_swaps

WHO = Identity("events", UUID(int=7), 3)
OLD = ["0:0", "1:1", "2:2", "3:3", "4:4"]
NEW = ["1:new", "2:empty", "3:3", "4:4"]


def batch(offset: int, value: str) -> bytearray:
    made = build_batch([b"k"], [value.encode()], [offset])
    stamp(made, offset, 0)
    return made


def filled() -> Segments:
    """Segments of one record each."""
    segments = Segments(MemoryFiles(), "d", WHO)
    for offset in range(5):
        segments.add(offset, 100)
        made = batch(offset, f"{offset}")
        segments.active.append([(parse_header(made), memoryview(made))], 0)
        segments.active.save_index()
    return segments


def rows(segments: Segments) -> list[str]:
    found = []
    for segment in segments.all:
        for stored in segment.walk():
            assert isinstance(stored, Stored), stored
            value = "".join(v.decode() for v in decode(stored.data, 1_000).values) or "empty"
            found.append(f"{stored.header.base_offset}:{value}")
    return found


def again(files: MemoryFiles) -> Segments:
    finish_swaps(files, "d", WHO)
    segments = Segments(files, "d", WHO)
    for base in segment_bases(files, "d"):
        segment = segments.open(base, 100)
        assert segment.load_tail() or list(segment.scan())
    assert not [n for n in files.names("d") if not n.endswith((".log", ".index"))]
    return segments


def begun(segments: Segments) -> tuple[Swap, list[Callable[[], None]]]:
    """Replaces the first three: of the last of them, only the offset is left."""
    swap = Swap(segments, segments.all[:3], 3, 100)
    last = parse_header(batch(2, "2"))

    def write() -> None:
        swap.append(batch(1, "new"))

    return swap, [write, lambda: swap.commit(last), swap.take_place, swap.remove_old, swap.settle]


@pytest.mark.parametrize("steps", range(6))
def test_whoever_reads_and_whoever_starts_sees_the_old_or_the_new(steps: int) -> None:
    segments = filled()
    _, todo = begun(segments)
    for step in todo[:steps]:
        step()
    assert rows(segments) == (NEW if steps >= 3 else OLD)
    assert rows(again(segments.files)) == (NEW if steps >= 2 else OLD)


@pytest.mark.parametrize("steps", range(6))
def test_what_is_cut_short_is_undone_or_finished(steps: int) -> None:
    segments = filled()
    swap, todo = begun(segments)
    for step in todo[:steps]:
        step()
    swap.abandon()
    swap.finish()
    assert swap.stage is Stage.OVER
    wanted = NEW if steps >= 3 else OLD
    assert rows(segments) == wanted
    assert not [n for n in segments.files.names("d") if not n.endswith((".log", ".index"))]
    assert rows(again(segments.files)) == wanted


def test_a_cleaned_segment_that_cannot_be_read_replaces_nothing_while_the_old_ones_are_there() -> None:
    segments = filled()
    _, (write, commit, *_) = begun(segments)
    write()
    commit()
    [path] = [p for p in segments.files.content if p.endswith(".swap")]
    segments.files.content[path][100] ^= 1
    assert rows(again(segments.files)) == OLD


def test_once_the_old_ones_are_gone_the_cleaned_segment_is_kept_as_it_is() -> None:
    segments = filled()
    _, todo = begun(segments)
    for step in todo[:4]:
        step()
    [path] = [p for p in segments.files.content if p.endswith(".swap")]
    segments.files.content[path][100] ^= 1
    finish_swaps(segments.files, "d", WHO)
    assert segment_bases(segments.files, "d") == [0, 3, 4]


def test_leftovers_of_what_never_was_are_removed() -> None:
    segments = filled()
    for name in ("00.cleaned", f"{0:020d}.log.tmp"):
        segments.files.replace(f"d/{name}", b"half")
    assert rows(again(segments.files)) == OLD


def test_the_new_segment_is_there_to_read_at_every_moment() -> None:
    segments = filled()
    _, todo = begun(segments)
    for step in todo:
        step()
        for segment in segments.all:
            segment.close()
        assert rows(segments) in (OLD, NEW)


def test_the_index_saved_with_it_is_its_own() -> None:
    segments = filled()
    _, todo = begun(segments)
    for step in todo:
        step()
    fresh = Segment(segments.files, "d", WHO, 0, 100)
    assert fresh.load_tail()
    assert fresh.next_offset == 3
