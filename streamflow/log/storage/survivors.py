"""What compaction leaves of a batch: itself, a smaller one at the same offsets, an empty one, or nothing. PURE.

- Of each key the newest record stays; of one that was deleted, the tombstone, until its horizon: `delete.retention.ms`
  after it was first met, noted in the batch (KIP-534), so that readers who began before have seen it.
- Records of aborted transactions go; a marker goes once nothing of its transaction is left, and its horizon has passed.
- A batch whose number a producer may still send again stays, empty if it must: without its sequence a retry would look
  like news.
- A batch that can't be opened stays as it is: the log isn't who decides that nobody can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from streamflow.log.compression import compress
from streamflow.log.errors import CorruptBatchError, RecordTooLargeError, UnsupportedCompressionError
from streamflow.log.records import (
    CODEC_MASK,
    DELETE_HORIZON,
    LOG_APPEND_TIME,
    BatchHeader,
    pack_batch,
    unpack,
)
from streamflow.log.storage.offset_map import OffsetMap
from streamflow.log.storage.outline import Outline, outline, timestamp_delta, with_timestamp_delta
from streamflow.log.storage.passed_transactions import PassedTransactions

UNPACKED_BYTES_MAX = 128 << 20
"""Of one batch: one that inflates to more is kept as it is."""
UNREADABLE = (CorruptBatchError, RecordTooLargeError, UnsupportedCompressionError)
NO_TIMESTAMP = -1
_FAR = 2**62
"""A record this far from its batch's time keeps it there: the difference to a horizon might not fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survival:
    """Who survives a run.

    Args:
        last_of_producers: of each producer, the last offset of its last batch of records (-1 for one that has none)
            and its epoch.
        held_markers: by producer and offset: of aborted transactions that a reading saved on disk tells of.
    """

    newest: OffsetMap
    now_ms: int
    delete_retention_ms: int
    last_of_producers: Mapping[int, tuple[int, int]]
    held_markers: frozenset[tuple[int, int]]

    def of(self, header: BatchHeader, batch: memoryview, passed: PassedTransactions) -> memoryview | bytearray | None:
        """What is left of the batch; the very same object when it is all of it."""
        if header.control:
            return self._of_marker(header, batch, may_go=passed.marker(header))
        aborted = passed.data(header)
        if aborted:
            return self._emptied(header)
        if not header.count:
            return batch if self._is_last(header) else None
        if header.base_offset > self.newest.last_offset:
            return batch
        try:
            data = unpack(batch, header, UNPACKED_BYTES_MAX)
            found = outline(data, header)
        except UNREADABLE:
            return batch
        return self._of_records(header, batch, data, found)

    def _of_marker(self, header: BatchHeader, batch: memoryview, *, may_go: bool) -> memoryview | bytearray | None:
        last = self.last_of_producers.get(header.producer_id)
        if not may_go or last == (-1, header.producer_epoch):
            return batch
        if header.delete_horizon_ms is None:
            data = unpack(batch, header, UNPACKED_BYTES_MAX)
            return self._built(header, data, [0, len(data)], [0], horizon=True)
        held = (header.producer_id, header.last_offset) in self.held_markers
        return batch if held or self.now_ms < header.delete_horizon_ms else None

    def _of_records(
        self, header: BatchHeader, batch: memoryview, data: bytes, found: Outline
    ) -> memoryview | bytearray | None:
        base, tombstones = header.base_offset, set(found.tombstones)
        horizon_ms = header.delete_horizon_ms
        gone = tombstones if horizon_ms is not None and horizon_ms <= self.now_ms else ()
        newest = self.newest.newest(found.keys)
        kept = [
            n
            for n, (key, delta, last) in enumerate(zip(found.keys, found.deltas, newest, strict=True))
            if (last is None or last <= base + delta) and key is not None and n not in gone
        ]
        first_met = horizon_ms is None and not tombstones.isdisjoint(kept)
        if len(kept) == header.count and not first_met:
            return batch
        if not kept:
            return self._emptied(header)
        return self._built(header, data, found.ends, kept, horizon=first_met)

    def _is_last(self, header: BatchHeader) -> bool:
        return self.last_of_producers.get(header.producer_id, (-1, -1))[0] == header.last_offset

    def _emptied(self, header: BatchHeader) -> bytearray | None:
        return empty(header) if self._is_last(header) else None

    def _built(self, header: BatchHeader, data: bytes, ends: list[int], kept: list[int], *, horizon: bool) -> bytearray:
        """The batch with the records kept, compressed as it was."""
        deltas = [timestamp_delta(data, ends[n])[0] for n in kept]
        newest = header.base_timestamp + max(deltas)
        if header.attributes & LOG_APPEND_TIME:
            newest = header.max_timestamp
        horizon_ms = self.now_ms + self.delete_retention_ms
        moved_by = header.base_timestamp - horizon_ms
        if horizon and abs(moved_by) < _FAR and max(map(abs, deltas)) < _FAR:
            parts = [with_timestamp_delta(data, ends[n], ends[n + 1], moved_by) for n in kept]
            header = replace(header, base_timestamp=horizon_ms, attributes=header.attributes | DELETE_HORIZON)
        else:
            parts = [data[ends[n] : ends[n + 1]] for n in kept]
        packed = compress(header.codec, b"".join(parts))
        return pack_batch(replace(header, count=len(kept), max_timestamp=newest), packed)


def empty(header: BatchHeader) -> bytearray:
    """A batch without records: its offsets, and what its producer's next is held against."""
    bare = header.attributes & ~(CODEC_MASK | DELETE_HORIZON)
    return pack_batch(replace(header, attributes=bare, base_timestamp=NO_TIMESTAMP, count=0), b"")


def placeholder(header: BatchHeader) -> bytearray:
    """A batch of nobody's, without records, that says only how far its segment comes."""
    return pack_batch(
        replace(
            header,
            attributes=0,
            base_timestamp=NO_TIMESTAMP,
            max_timestamp=NO_TIMESTAMP,
            producer_id=-1,
            producer_epoch=-1,
            base_sequence=-1,
            count=0,
        ),
        b"",
    )
