"""How far each partition had come, written down now and then, by its directory. Hints: they may be old, never ahead.

recovery points     how far it is known to be durable: a start after a crash checks only what lies above
high watermarks     how far it is known to be committed: a cluster that starts serves that at once, as before, even
                    while too few replicas are there to commit anything more (Kafka's replication-offset-checkpoint)
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct

import msgspec
import structlog
from crc32c import crc32c

from streamflow.log.storage.files import Files

log = structlog.get_logger("streamflow.log")

RECOVERY_POINTS = "recovery-points"
HIGH_WATERMARKS = "high-watermarks"
_CRC = Struct(">I")


def read_points(files: Files, path: str) -> dict[str, int]:
    """Empty when there are none to be read: then nothing is known."""
    data = files.read(path)
    if data is None:
        return {}
    body = data[_CRC.size :]
    if len(data) < _CRC.size or _CRC.unpack_from(data) != (crc32c(body),):
        log.warning("a checkpoint can't be read; it is done without", path=f"{files.root}/{path}")
        return {}
    return msgspec.msgpack.decode(body, type=dict[str, int])


def write_points(files: Files, path: str, points: Mapping[str, int]) -> None:
    """Blocks."""
    body = msgspec.msgpack.encode(points)
    files.replace(path, _CRC.pack(crc32c(body)) + body)
