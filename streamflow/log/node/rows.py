"""Reading and writing the log's own topics: rows of keys and values, in batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from streamflow.event import Batch
from streamflow.log.records import NOBODY, BatchHeader, Producer, build_batch, parse_header
from streamflow.log.storage.partition import PartitionLog

Row = tuple[bytes, bytes | None]

READ_BYTES = 1 << 20
BATCH_BYTES = 256 << 10
"""Of rows in one batch: a quarter of what `max.message.bytes` allows by default."""
ROW_BYTES_MAX = 64 << 20

SEQUENCES = 2**31
"""Sequence numbers begin anew after so many."""


def batches_of(log: PartitionLog) -> Iterator[tuple[BatchHeader, memoryview]]:
    """Every batch of the log, committed or not, from its start."""
    offset = log.log_start_offset
    while views := log.read(offset, READ_BYTES, up_to=log.log_end_offset):
        for view in views:
            header = parse_header(view)
            yield header, view
            offset = header.last_offset + 1


def row_batches(rows: Iterable[Row], now_ms: int) -> bytearray:
    """The rows as batches one after the other, of bounded size."""
    built, keys, values, size = bytearray(), list[bytes | None](), list[bytes | None](), 0
    for key, value in rows:
        keys.append(key)
        values.append(value)
        size += len(key) + len(value or b"")
        if size >= BATCH_BYTES:
            built += build_batch(keys, values, [now_ms] * len(keys))
            keys, values, size = [], [], 0
    if keys:
        built += build_batch(keys, values, [now_ms] * len(keys))
    return built


def build(batch: Batch, *, codec: int, bytes_max: int, producer: Producer = NOBODY) -> bytearray:
    """The events as one batch of the log, or as several in a row where one would be larger than the partition takes.
    A single event that is too large is left to be refused."""
    built = build_batch(batch.keys, batch.values, batch.timestamps, batch.headers, codec=codec, producer=producer)
    if len(built) <= bytes_max or len(batch) == 1:
        return built
    middle = len(batch) // 2
    later = replace(producer, sequence=(producer.sequence + middle) % SEQUENCES) if producer.sequence >= 0 else producer
    return build(batch.slice(0, middle), codec=codec, bytes_max=bytes_max, producer=producer) + build(
        batch.slice(middle, len(batch)), codec=codec, bytes_max=bytes_max, producer=later
    )
