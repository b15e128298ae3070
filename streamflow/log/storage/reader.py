"""Reads a partition's batches, from any offset or time. (`partition` says what is promised.)

What doesn't verify, or isn't there, is quarantined when it is met, and comes as such in the row of what is read: nobody
reads over it without being told.
"""

from __future__ import annotations

from collections.abc import Iterator

from streamflow.log.errors import CorruptBatchError, OffsetOutOfRangeError
from streamflow.log.storage.kept import Kept, Quarantine
from streamflow.log.storage.recovery import quarantine_damage
from streamflow.log.storage.segment import Damage, Segment, Stored
from streamflow.log.storage.segments import Segments

READ_BYTES_MAX = 8 * 1024 * 1024
READ_BYTES_MIN = 4096


class Reader:
    """Of one partition."""

    def __init__(self, segments: Segments, kept: Kept) -> None:
        self._identity = segments.identity
        self._segments = segments
        self._kept = kept

    def read(self, offset: int, max_bytes: int, up_to: int) -> list[memoryview]:
        """See `PartitionLog.read`."""
        start, end = self._kept.log_start_offset, self._segments.active.next_offset
        if offset < start or offset > end:
            raise OffsetOutOfRangeError(str(self._identity), offset, start, end)
        batches: list[memoryview] = []
        size = 0
        for found in self.walk(offset, min(max_bytes, READ_BYTES_MAX)):
            if isinstance(found, Quarantine):
                if found.accepted:
                    continue
                if batches or found.first_offset >= up_to:
                    break
                raise self._corrupt(found)
            if found.header.base_offset >= up_to or (batches and size + found.header.size > max_bytes):
                break
            if found.header.last_offset >= offset:
                batches.append(found.data)
                size += found.header.size
                if size >= max_bytes:
                    break
        return batches

    def walk(self, offset: int, read_bytes: int = READ_BYTES_MAX) -> Iterator[Stored | Quarantine]:
        """Batches and quarantined ranges from the one that holds the offset."""
        if offset < self._segments.bases[0] and (gap := self._kept.holding(offset)):
            yield gap
        for segment in self._segments.all[self._segments.number_of(offset) :]:
            self._segments.keep_warm(segment)
            for found in segment.walk(segment.position_of(offset), max(read_bytes, READ_BYTES_MIN)):
                if isinstance(found, Stored):
                    yield found
                    continue
                quarantine = self._quarantine(segment, found)
                if quarantine.next_offset > offset:
                    yield quarantine
            following = self._segments.end_of(segment)
            if segment.next_offset < following and (gap := self._kept.holding(max(offset, segment.next_offset))):
                yield gap

    def _quarantine(self, segment: Segment, damage: Damage) -> Quarantine:
        return quarantine_damage(self._kept, segment, damage, self._segments.end_of(segment))

    def _corrupt(self, found: Quarantine) -> CorruptBatchError:
        return CorruptBatchError(
            f"offsets {found.first_offset} to {found.next_offset - 1} of {self._identity} can't be read: "
            f"{found.reason} ({found.path}). The bytes are kept. To go on without them: streamflow topic accept-loss "
            f"{self._identity.topic} --partition {self._identity.partition}"
        )

    def offset_for_timestamp(self, timestamp: int, up_to: int) -> tuple[int, int] | None:
        """See `PartitionLog.offset_for_timestamp`."""
        for segment in self._segments.all:
            if segment.max_timestamp < timestamp:
                continue
            self._segments.keep_warm(segment)
            for found in segment.walk(segment.position_of_time(timestamp)):
                if isinstance(found, Damage):
                    self._quarantine(segment, found)
                elif found.header.base_offset >= up_to:
                    return None
                elif found.header.max_timestamp < timestamp or not found.header.count:
                    continue
                elif found.header.last_offset >= self._kept.log_start_offset:
                    return found.header.base_offset, found.header.max_timestamp
        return None
