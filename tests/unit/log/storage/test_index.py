"""Sparse indexes: never behind what is looked for, and never taken when a bit is wrong."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.storage.index import HEAD_BYTES, Index, Tail, decode_tail

TAIL = Tail(5_000, 321, 1_700_000_000_000, 0xDEADBEEF)

entries = st.lists(st.tuples(st.integers(1, 100), st.integers(2, 10_000), st.integers(0, 50)), max_size=40)
"""Steps of offset, position and time from one entry to the next."""


def made(steps: list[tuple[int, int, int]]) -> Index:
    index, offset, position, time = Index(), 0, 64, -(2**63)
    for step in steps:
        index.add(offset, position, time)
        offset, position, time = offset + step[0], position + step[1], max(time, -1_000) + step[2]
    return index


@given(entries, st.integers(-5, 4_100))
def test_a_seek_by_offset_begins_at_the_last_entry_that_is_not_behind_it(steps: list, offset: int) -> None:
    index = made(steps)
    candidates = [p for o, p in zip(index.offsets, index.positions, strict=True) if o <= offset]
    assert index.before_offset(offset) == (candidates[-1] if candidates else None)


@given(entries, st.integers(-1_100, 1_100))
def test_a_seek_by_time_begins_where_no_record_before_reaches_it(steps: list, timestamp: int) -> None:
    index = made(steps)
    candidates = [p for t, p in zip(index.times, index.positions, strict=True) if t < timestamp]
    assert index.before_time(timestamp) == (candidates[-1] if candidates else None)


@given(entries)
def test_an_index_read_back_is_the_same(steps: list) -> None:
    index = made(steps)
    data = index.encode(TAIL)
    again = Index.decode(data)
    assert again is not None
    assert (again.offsets, again.positions, again.times) == (index.offsets, index.positions, index.times)
    assert decode_tail(data[:HEAD_BYTES]) == TAIL
    for offset, position in zip(index.offsets, index.positions, strict=True):
        assert again.offset_at(position) == offset
        assert again.offset_at(position + 1) is None


def test_an_index_with_any_bit_changed_or_any_byte_missing_is_not_taken() -> None:
    data = made([(1, 100, 1)] * 5).encode(TAIL)
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        assert Index.decode(bytes(changed)) is None
        assert Index.decode(data[:at]) is None
    for at in range(HEAD_BYTES):
        changed = bytearray(data)
        changed[at] ^= 0x80
        assert decode_tail(bytes(changed)) is None
    assert Index.decode(data + b"\0") is None


def test_an_index_means_the_same_on_a_machine_of_the_other_byte_order(monkeypatch: pytest.MonkeyPatch) -> None:
    data = made([(1, 100, 1)] * 3).encode(TAIL)
    assert data[HEAD_BYTES + 8 : HEAD_BYTES + 16] == (1).to_bytes(8, "little")
    monkeypatch.setattr(sys, "byteorder", "big")
    swapped = Index.decode(data)
    assert swapped is not None
    assert swapped.offsets[1] == int.from_bytes((1).to_bytes(8, "little"), "big")
