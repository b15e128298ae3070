"""Watermarks in-band."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamflow.event import Batch
from streamflow.operators.regroup import WATERMARK_HEADER, Mark, decode_watermark, encode_watermark, split_marks


@given(st.integers(0, 2**31 - 1), st.integers(-(2**63), 2**63 - 1), st.booleans())
def test_a_mark_is_read_back_as_it_was_written(partition, watermark, idle) -> None:
    assert decode_watermark(encode_watermark(partition, watermark, idle), 5) == Mark(partition, watermark, idle, 5)


def columns(kinds, first=40):
    """A batch of events and marks: True is a mark. Each carries its place."""
    return Batch(
        [None if mark else b"k%d" % n for n, mark in enumerate(kinds)],
        [None if mark else b"v%d" % n for n, mark in enumerate(kinds)],
        list(range(len(kinds))),
        range(first, first + len(kinds)),
        [((WATERMARK_HEADER, encode_watermark(3, n, False)),) if mark else () for n, mark in enumerate(kinds)],
    )


@given(st.lists(st.booleans(), max_size=20))
def test_a_batch_is_cut_at_its_marks_and_nothing_is_lost_or_moved(kinds) -> None:
    batch = columns(kinds)
    seen = []
    for item in split_marks(batch):
        if isinstance(item, Mark):
            assert item.source_partition == 3
            seen.append((True, item.watermark_ms, item.offset))
        else:
            assert len(item) > 0
            assert item.keys == [b"k%d" % t for t in item.timestamps]
            seen += [(False, t, o) for t, o in zip(item.timestamps, item.offsets, strict=True)]
    assert seen == [(mark, n, 40 + n) for n, mark in enumerate(kinds)]


def test_a_batch_without_headers_is_handed_on_as_it_is() -> None:
    batch = Batch([b"k"], [b"v"], [1], range(1))
    assert split_marks(batch)[0] is batch
    assert split_marks(Batch([], [], [], range(0))) == []


def test_an_event_that_bears_the_header_of_a_mark_is_an_event() -> None:
    good = encode_watermark(0, 10, False)
    for key, value, data in ((b"k", None, good), (None, b"v", good), (None, None, None), (None, None, b"short")):
        batch = Batch([key], [value], [1], range(1), [((WATERMARK_HEADER, data),)])
        assert split_marks(batch) == [batch]
