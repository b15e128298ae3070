"""Watermarks that travel in-band through a repartition topic, behind the records they speak of. PURE."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from streamflow.event import Batch

WATERMARK_HEADER = "streamflow.watermark"

_FORMAT = struct.Struct(">iq?")


@dataclass(frozen=True, slots=True)
class Mark:
    """The upstream task on `source_partition` has come to `watermark_ms`, or is idle. `offset` is the record's."""

    source_partition: int
    watermark_ms: int
    idle: bool
    offset: int


def encode_watermark(source_partition: int, watermark_ms: int, idle: bool) -> bytes:
    return _FORMAT.pack(source_partition, watermark_ms, idle)


def decode_watermark(data: bytes, offset: int) -> Mark:
    source_partition, watermark_ms, idle = _FORMAT.unpack(data)
    return Mark(source_partition, watermark_ms, idle, offset)


def split_marks(batch: Batch) -> list[Batch | Mark]:
    """A fetched batch cut at its marks, in order."""
    if batch.headers is None:
        return [batch] if len(batch) else []
    items: list[Batch | Mark] = []
    start = 0
    for at, headers in enumerate(batch.headers):
        if not headers or headers[0][0] != WATERMARK_HEADER:
            continue
        data = headers[0][1]
        if data is None or len(data) != _FORMAT.size or batch.keys[at] is not None or batch.values[at] is not None:
            continue  # an event that somebody gave a header of this name: headers travel along
        if at > start:
            items.append(batch.slice(start, at))
        items.append(decode_watermark(data, batch.offsets[at]))
        start = at + 1
    if start < len(batch):
        items.append(batch.slice(start, len(batch)))
    return items
