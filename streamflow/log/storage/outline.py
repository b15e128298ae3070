"""Where the records of a batch stand in its bytes, and what their keys are: all that compaction asks of them. PURE.

A record is kept as the bytes it is: neither value nor headers are looked at, and offsets don't change. Only its
timestamp, a difference to the batch's, is written anew where the batch's changes.

Rules for whoever edits this: the loop is the cleaner's hottest, so measure it before and after; what it accepts must be
what `records.decode` reads, offset by offset and key by key, for every batch that one reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from streamflow.log.errors import CorruptBatchError
from streamflow.log.records import BatchHeader, varint


class Outline(NamedTuple):
    """Of a batch's records, a list a field. Record n stands from `ends[n]` to `ends[n + 1]`."""

    keys: list[bytes | None]
    deltas: Sequence[int]
    """Of their offsets to the batch's base offset."""
    ends: list[int]
    tombstones: list[int]
    """Which have no value."""


def outline(data: bytes, header: BatchHeader) -> Outline:
    """Of the records in `data`, unpacked.

    Raises: CorruptBatchError for records that contradict the header or themselves.
    """
    try:
        return _outline(data, header)
    except IndexError as error:
        raise CorruptBatchError(f"the records at offset {header.base_offset} are cut short or garbled") from error


def _outline(data: bytes, header: BatchHeader) -> Outline:
    """One pass with varints of one and two bytes inlined, as `records.decode`."""
    keys: list[bytes | None] = []
    ends, tombstones, moved = [0], list[int](), dict[int, int]()
    add_key, add_end = keys.append, ends.append
    at, size = 0, len(data)
    for index in range(header.count):
        n = data[at]
        at += 1
        if n > 127:
            n, at = (n & 127 | data[at] << 7, at + 1) if data[at] < 128 else number_at(data, at - 1)
        end = at + (n >> 1)
        if n & 1 or end > size:
            raise CorruptBatchError(f"record {index} at offset {header.base_offset} claims {n >> 1} bytes")
        at += 1
        while data[at] > 127:
            at += 1
        n = data[at + 1]
        at += 2
        if n > 127:
            n, at = (n & 127 | data[at] << 7, at + 1) if data[at] < 128 else number_at(data, at - 1)
        if n != index + index:
            moved[index] = (n >> 1) ^ -(n & 1)
        n = data[at]
        at += 1
        if n > 127:
            n, at = (n & 127 | data[at] << 7, at + 1) if data[at] < 128 else number_at(data, at - 1)
        if n & 1:
            add_key(None)
        else:
            stop = at + (n >> 1)
            add_key(data[at:stop])
            at = stop
        if at >= end:
            raise CorruptBatchError(f"record {index} at offset {header.base_offset} doesn't end where it says")
        if data[at] & 1:
            tombstones.append(index)
        at = end
        add_end(end)
    if at != size:
        raise CorruptBatchError(f"{size - at} bytes follow the last record at offset {header.base_offset}")
    return Outline(keys, _deltas(header, moved), ends, tombstones)


def _deltas(header: BatchHeader, moved: dict[int, int]) -> Sequence[int]:
    """0, 1, 2 … but for those `moved`."""
    if not moved:
        deltas: Sequence[int] = range(header.count)
    else:
        deltas = [moved.get(n, n) for n in range(header.count)]
        if deltas[0] < 0 or any(b <= a for a, b in pairwise(deltas)):
            raise CorruptBatchError(f"the records at offset {header.base_offset} aren't in the order of their offsets")
    if deltas and deltas[-1] > header.last_offset_delta:
        raise CorruptBatchError(f"the records at offset {header.base_offset} go beyond {header.last_offset}")
    return deltas


def number_at(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned varint, and where it ends."""
    n = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        n |= (byte & 0x7F) << shift
        if byte < 128:
            return n, at
    raise CorruptBatchError("a varint is longer than ten bytes")


def timestamp_delta(data: bytes, start: int) -> tuple[int, int, int]:
    """Of the record that begins at `start`: what is added to the batch's time, and where that number stands."""
    _, at = number_at(data, start)
    n, end = number_at(data, at + 1)
    return (n >> 1) ^ -(n & 1), at + 1, end


def with_timestamp_delta(data: bytes, start: int, end: int, moved_by: int) -> bytes:
    """The record from `start` to `end`, with so much more added to the batch's time."""
    delta, at, after = timestamp_delta(data, start)
    body = b"".join((data[at - 1 : at], varint(delta + moved_by), data[after:end]))
    return varint(len(body)) + body
