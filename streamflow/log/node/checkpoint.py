"""Recovery points, written down: how far each partition is known to be durable, so that a start after a crash checks
only what lies above. A hint that may be old, never ahead."""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct

import msgspec
import structlog
from crc32c import crc32c

from streamflow.log.storage.files import Files

log = structlog.get_logger("streamflow.log")

PATH = "recovery-points"
_CRC = Struct(">I")


def read_points(files: Files) -> dict[str, int]:
    """By the partition's path. Empty when there are none to be read: then everything is checked."""
    data = files.read(PATH)
    if data is None:
        return {}
    body = data[_CRC.size :]
    if len(data) < _CRC.size or _CRC.unpack_from(data) != (crc32c(body),):
        log.warning("recovery points can't be read; the whole log is checked", path=f"{files.root}/{PATH}")
        return {}
    return msgspec.msgpack.decode(body, type=dict[str, int])


def write_points(files: Files, points: Mapping[str, int]) -> None:
    """Blocks."""
    body = msgspec.msgpack.encode(points)
    files.replace(PATH, _CRC.pack(crc32c(body)) + body)
