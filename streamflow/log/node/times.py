"""Records by time: from where the log's time index points on, a look into those batches that may hold one."""

from __future__ import annotations

from streamflow.log.node.fetch import DECODED_BYTES_MAX
from streamflow.log.records import decode, parse_header
from streamflow.log.storage.partition import PartitionLog

READ_BYTES = 1 << 20


def first_record_since(log: PartitionLog, timestamp_ms: int, up_to: int) -> tuple[int, int] | None:
    """Offset and timestamp of the first record below `up_to` that is at or after the time; None when there is none.

    Raises: CorruptBatchError.
    """
    found = log.offset_for_timestamp(timestamp_ms, up_to)
    if found is None:
        return None
    start = log.log_start_offset
    position = max(found[0], start)
    while position < up_to and (batches := log.read(position, READ_BYTES, up_to=up_to)):
        for batch in batches:
            header = parse_header(batch)
            position = header.last_offset + 1
            if header.max_timestamp < timestamp_ms:
                continue
            columns = decode(batch, DECODED_BYTES_MAX)
            for offset, at_ms in zip(columns.offsets, columns.timestamps, strict=True):
                if at_ms >= timestamp_ms and offset >= start:
                    return offset, at_ms
    return None


def newest_record(log: PartitionLog, up_to: int) -> tuple[int, int] | None:
    """Offset and timestamp of the first record below `up_to` that has the newest timestamp. Raises: as above."""
    return first_record_since(log, log.max_timestamp, up_to) if log.max_timestamp >= 0 else None
