"""Where to begin looking: a segment's batches by offset and by time, one entry every so many bytes.

A hint, never more: it is checksummed, bound to the size of the file it speaks of, made anew from the file wherever it
is missing or doubtful, and whatever it leads to is verified by the segment's own checks.

The file: head (what the segment came to when it was sealed) | offsets i64… | positions i64… | times i64…
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from crc32c import crc32c

FORMAT = 1
ENTRY_BYTES = 24

_HEAD = struct.Struct("<4sHxxqqqIII")
_CRC = struct.Struct("<I")
HEAD_BYTES = _HEAD.size + _CRC.size


@dataclass(frozen=True, slots=True)
class Tail:
    """What a segment comes to: its size in bytes, its next offset, how far timestamps came, its last check."""

    size: int
    next_offset: int
    max_timestamp: int
    check: int


class Index:
    """Invariant: offsets and positions grow; an entry's time is the largest before its batch, so times never fall."""

    def __init__(self) -> None:
        self.offsets, self.positions, self.times = array("q"), array("q"), array("q")

    def __len__(self) -> int:
        return len(self.positions)

    def add(self, offset: int, position: int, time_before: int) -> None:
        """A batch with the offset stands at the position, and no timestamp before it is above `time_before`."""
        self.offsets.append(offset)
        self.positions.append(position)
        self.times.append(time_before)

    def before_offset(self, offset: int) -> int | None:
        """The last known position that isn't behind the batch holding the offset."""
        at = bisect_right(self.offsets, offset) - 1
        return self.positions[at] if at >= 0 else None

    def before_time(self, timestamp: int) -> int | None:
        """The last known position that isn't behind the first record at or after the timestamp."""
        at = bisect_left(self.times, timestamp) - 1
        return self.positions[at] if at >= 0 else None

    def offset_at(self, position: int) -> int | None:
        """The offset of the batch at the position, if there is an entry for it."""
        at = bisect_right(self.positions, position) - 1
        return self.offsets[at] if at >= 0 and self.positions[at] == position else None

    def encode(self, tail: Tail) -> bytes:
        body = b"".join(_little(column).tobytes() for column in (self.offsets, self.positions, self.times))
        fields = (tail.size, tail.next_offset, tail.max_timestamp, tail.check, len(self), crc32c(body))
        head = _HEAD.pack(b"SFIX", FORMAT, *fields)
        return head + _CRC.pack(crc32c(head)) + body

    @classmethod
    def decode(cls, data: bytes) -> Index | None:
        """None for what isn't an index, whole and unchanged."""
        if decode_tail(data) is None:
            return None
        *_, count, crc = _HEAD.unpack_from(data)
        body = data[HEAD_BYTES:]
        if len(body) != count * ENTRY_BYTES or crc32c(body) != crc:
            return None
        self, column_bytes = cls(), count * 8
        for number, column in enumerate((self.offsets, self.positions, self.times)):
            column.frombytes(body[number * column_bytes : (number + 1) * column_bytes])
        self.offsets, self.positions, self.times = map(_little, (self.offsets, self.positions, self.times))
        return self


def decode_tail(data: bytes) -> Tail | None:
    """From the first `HEAD_BYTES` of an index; None for what isn't one."""
    if len(data) < HEAD_BYTES or crc32c(data[: _HEAD.size]) != _CRC.unpack_from(data, _HEAD.size)[0]:
        return None
    magic, version, size, next_offset, max_timestamp, check, _, _ = _HEAD.unpack_from(data)
    return Tail(size, next_offset, max_timestamp, check) if (magic, version) == (b"SFIX", FORMAT) else None


def _little(column: array[int]) -> array[int]:
    if sys.byteorder == "little":
        return column
    column = column[:]
    column.byteswap()
    return column
