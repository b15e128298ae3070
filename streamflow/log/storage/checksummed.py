"""Small files written whole: a magic, a CRC, and the content. What fails them is no content."""

from __future__ import annotations

import struct

from crc32c import crc32c

_HEAD = struct.Struct(">4sI")
MAGIC = b"SFSM"


def wrap(content: bytes) -> bytes:
    return _HEAD.pack(MAGIC, crc32c(content)) + content


def unwrap(data: bytes) -> bytes | None:
    """The content; None when a bit of it, or of what vouches for it, isn't as it was written."""
    if len(data) < _HEAD.size:
        return None
    magic, crc = _HEAD.unpack_from(data)
    content = data[_HEAD.size :]
    return content if magic == MAGIC and crc == crc32c(content) else None
