"""What can't be read is replaced by another replica's copy: the segment around it is written anew, and swapped.

Promises: of the other offsets nothing changes, and bytes that can't be read elsewhere in the segment are kept as they
are. After a crash the segment is the old one or the new.
"""

from __future__ import annotations

from streamflow.log.errors import CorruptBatchError
from streamflow.log.records import BatchHeader
from streamflow.log.storage.arrivals import Placed
from streamflow.log.storage.kept import Quarantine
from streamflow.log.storage.segment import SCAN_BYTES, Segment, Stored
from streamflow.log.storage.segments import Segments
from streamflow.log.storage.survivors import NO_TIMESTAMP
from streamflow.log.storage.swap import Swap


def within(batches: Placed, lost: Quarantine) -> Placed:
    """Those that hold offsets of what was lost. Raises: CorruptBatchError for one that goes beyond."""
    found = [(h, b) for h, b in batches if h.base_offset < lost.next_offset and h.last_offset >= lost.first_offset]
    if found and found[-1][0].last_offset >= lost.next_offset:
        raise CorruptBatchError(
            f"a batch for offsets {lost.first_offset} to {lost.next_offset - 1} ends at {found[-1][0].last_offset}"
        )
    return found


def replace_lost(segments: Segments, lost: Quarantine, batches: Placed, index_bytes: int) -> None:
    """`batches` are all that another replica has of what was lost, which isn't in the active segment."""
    first = segments.bases[0]
    if lost.first_offset >= first:
        segment = segments.all[segments.number_of(lost.first_offset)]
        following = segments.end_of(segment)
        swap = Swap(segments, [segment], following, index_bytes)
        ends = lost.next_offset == following or segment.next_offset == following
        last = _write_around(swap, segment, lost, batches)
    else:
        following, ends = first, True
        begins = min([lost.first_offset, *(header.base_offset for header, _ in batches)])
        swap = Swap(segments, [], following, index_bytes, first=begins)
        last = _write(swap, batches)
    try:
        swap.commit(_end(following, last) if ends else None)
    except BaseException:
        swap.abandon()
        raise
    swap.take_place()
    swap.finish()


def _write_around(swap: Swap, segment: Segment, lost: Quarantine, batches: Placed) -> int:
    """Returns: the newest leader epoch, -1 without any."""
    epoch, waiting = -1, True
    for found in segment.walk(read_bytes=SCAN_BYTES):
        at = found.header.base_offset if isinstance(found, Stored) else found.offset
        if waiting and at >= lost.first_offset:
            epoch, waiting = max(epoch, _write(swap, batches)), False
        if lost.first_offset <= at < lost.next_offset:
            continue
        if isinstance(found, Stored):
            swap.append(found.data)
            epoch = max(epoch, found.header.leader_epoch)
        else:
            swap.keep_damaged(segment.file.read(found.position, found.next_position - found.position))
    return max(epoch, _write(swap, batches)) if waiting else epoch


def _write(swap: Swap, batches: Placed) -> int:
    for _, batch in batches:
        swap.append(batch)
    return max((header.leader_epoch for header, _ in batches), default=-1)


def _end(following: int, epoch: int) -> BatchHeader:
    """Of a batch of nobody's that stands right before `following`."""
    return BatchHeader(
        base_offset=following - 1,
        size=0,
        leader_epoch=epoch,
        crc=0,
        attributes=0,
        last_offset_delta=0,
        base_timestamp=NO_TIMESTAMP,
        max_timestamp=NO_TIMESTAMP,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        count=0,
    )
