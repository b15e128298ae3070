"""Records by time: what a log's time index says, and a look into the one batch it points at."""

from __future__ import annotations

from streamflow.log.node.fetch import DECODED_BYTES_MAX
from streamflow.log.records import decode
from streamflow.log.storage.partition import PartitionLog


def first_record_since(log: PartitionLog, timestamp_ms: int, up_to: int) -> tuple[int, int] | None:
    """Offset and timestamp of the first record below `up_to` that is at or after the time; None when there is none.

    Raises: CorruptBatchError.
    """
    found = log.offset_for_timestamp(timestamp_ms, up_to)
    if found is None:
        return None
    (view, *_) = log.read(max(found[0], log.log_start_offset), 1, up_to=up_to)
    columns = decode(view, DECODED_BYTES_MAX)
    offset, at = next((o, t) for o, t in zip(columns.offsets, columns.timestamps, strict=True) if t >= timestamp_ms)
    return max(offset, log.log_start_offset), at


def newest_record(log: PartitionLog, up_to: int) -> tuple[int, int] | None:
    """Offset and timestamp of the first record below `up_to` that has the newest timestamp. Raises: as above."""
    return first_record_since(log, log.max_timestamp, up_to) if log.max_timestamp >= 0 else None
