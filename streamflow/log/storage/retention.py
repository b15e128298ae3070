"""What to delete of a partition by age and by size. PURE."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from streamflow.log.storage.segment import NO_TIMESTAMP, Segment


def retained_from(
    segments: Sequence[Segment], now_ms: int, limit_offset: int, *, retention_ms: int, retention_bytes: int
) -> int:
    """Where the log begins once segments too old or too many are gone: never the last, nor one above the limit.

    Args: retention_ms, retention_bytes: -1 is no limit.
    """
    start, size = segments[0].base_offset, sum(s.size for s in segments)
    for segment, following in pairwise(segments):
        # Where no batch can be read, no timestamp is known: it is as old as what came next.
        newest = segment.max_timestamp if segment.max_timestamp != NO_TIMESTAMP else following.max_timestamp
        old = newest != NO_TIMESTAMP and 0 <= retention_ms < now_ms - newest
        many = 0 <= retention_bytes < size - segment.size
        if following.base_offset > limit_offset or not (old or many):
            break
        start, size = following.base_offset, size - segment.size
    return start
