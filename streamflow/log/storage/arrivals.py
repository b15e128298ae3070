"""Batches on their way into a log, checked before anything of them is written. PURE.

A producer's are held against what is known of it, and refused, or known to be there already. A leader's are taken as
they are, offsets, epochs and times, once it is certain that they are what it sent: it has decided about them.
"""

from __future__ import annotations

import struct

from streamflow.log.errors import CorruptBatchError, OutOfOrderSequenceError, RecordTooLargeError
from streamflow.log.model import Identity
from streamflow.log.records import (
    LENGTH_BYTES,
    BatchHeader,
    check_count,
    check_crc,
    parse_header,
    read_marker,
)
from streamflow.log.storage.producers import Producers
from streamflow.log.storage.segment import BATCH_BYTES_MAX


def from_producer(
    data: bytearray, producers: Producers, bytes_max: int, into: Identity
) -> tuple[list[BatchHeader], tuple[int, int] | None]:
    """The batches' headers; their first and last offset, if all of them are there already.

    Raises: CorruptBatchError, RecordTooLargeError, and what `Producers.check` refuses.
    """
    headers: list[BatchHeader] = []
    duplicates: list[tuple[int, int]] = []
    before: dict[int, BatchHeader] = {}
    at = 0
    while at < len(data):
        header = parse_header(data, at)
        check_crc(data, header, at)
        check_count(header)
        if header.size > bytes_max:
            raise RecordTooLargeError(
                f"a batch of {header.size} bytes for {into}: max.message.bytes is {bytes_max}; send smaller records, "
                "or raise it"
            )
        duplicate = producers.check(header, before.get(header.producer_id))
        if duplicate is not None:
            duplicates.append(duplicate)
        headers.append(header)
        before[header.producer_id] = header
        at += header.size
    if not headers:
        raise CorruptBatchError(f"nothing to append to {into}")
    if not duplicates:
        return headers, None
    if len(duplicates) < len(headers):
        raise OutOfOrderSequenceError(
            f"{len(duplicates)} of {len(headers)} batches sent together are in {into} already"
        )
    return headers, (duplicates[0][0], duplicates[-1][1])


Placed = list[tuple[BatchHeader, memoryview]]
"""Batches that have their offsets."""


def from_leader(data: memoryview, first: int, into: Identity) -> Placed:
    """Whole batches, in the order of their offsets, none below `first`. One cut short at the end is left out: answers
    end where they are full.

    Raises: CorruptBatchError.
    """
    placed: Placed = []
    at = 0
    while (size := _whole(data, at, into)) is not None:
        header, batch = parse_header(data, at), data[at : at + size]
        check_crc(batch, header)
        if header.base_offset < first:
            raise CorruptBatchError(
                f"a leader sent a batch at offset {header.base_offset} for {into}, which comes after {first}"
            )
        if header.count > header.last_offset_delta + 1:
            raise CorruptBatchError(f"a batch of {header.count} records ends at delta {header.last_offset_delta}")
        if header.control:
            read_marker(batch)
        placed.append((header, batch))
        first, at = header.last_offset + 1, at + size
    if len(data) and not placed:
        raise CorruptBatchError(f"{len(data)} bytes from a leader for {into} hold no whole batch")
    return placed


def _whole(data: memoryview, at: int, into: Identity) -> int | None:
    """The size of the batch at `at`; None when it isn't all there."""
    if len(data) - at < LENGTH_BYTES:
        return None
    (length,) = struct.unpack_from(">i", data, at + 8)
    if not 0 <= length < BATCH_BYTES_MAX:
        raise CorruptBatchError(f"a batch from a leader for {into} claims {length} bytes")
    size: int = length + LENGTH_BYTES
    return size if size <= len(data) - at else None
