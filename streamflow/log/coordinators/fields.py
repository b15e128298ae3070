"""The fields that Kafka's own records are made of, read and written one by one. PURE.

Plain: big-endian numbers, texts behind a length of 16 bits. Flexible (KIP-482): lengths as unsigned varints, one above
the length so that 0 is null, and tagged fields at the end of each struct.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct, error

I16 = Struct(">h")
I32 = Struct(">i")
I64 = Struct(">q")

_VARINT_BITS = 35
"""Of an unsigned varint: 32 bits in groups of seven."""


class Cursor:
    """Reads fields in order.

    Raises: struct.error or UnicodeDecodeError where the bytes end too early or aren't text.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, fields: Struct) -> tuple[int, ...]:
        values = fields.unpack_from(self._data, self._at)
        self._at += fields.size
        return values

    def raw(self, length: int) -> bytes:
        start, self._at = self._at, self._at + length
        if not 0 <= length <= len(self._data) - start:
            raise error(f"{length} bytes run past the end")
        return self._data[start : self._at]

    def string(self) -> str:
        (length,) = self.take(I16)
        return self.raw(length).decode()

    def uvarint(self) -> int:
        value = 0
        for shift in range(0, _VARINT_BITS, 7):
            (byte,) = self.raw(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise error("a varint of more than 32 bits")

    def compact_string(self) -> str:
        return self.raw(self.uvarint() - 1).decode()

    def tagged(self) -> dict[int, bytes]:
        """Tagged fields as bytes: who doesn't know a tag leaves it."""
        return {self.uvarint(): self.raw(self.uvarint()) for _ in range(self.uvarint())}


def string(text: str) -> bytes:
    data = text.encode()
    return I16.pack(len(data)) + data


def uvarint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def compact_string(text: str) -> bytes:
    data = text.encode()
    return uvarint(len(data) + 1) + data


def tagged(fields: Mapping[int, bytes]) -> bytes:
    parts = [uvarint(len(fields))]
    for tag in sorted(fields):
        parts += (uvarint(tag), uvarint(len(fields[tag])), fields[tag])
    return b"".join(parts)
