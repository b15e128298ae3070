"""Reading one partition as a consumer that reads committed records only (KIP-98 `read_committed`).

Promises: records come in order, each once; control records and those of aborted transactions are passed over; nothing
at or above the last stable offset is returned. Costs are per batch.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque

from streamflow.errors import UnknownTopicError
from streamflow.event import Batch
from streamflow.log.errors import LogError, OffsetOutOfRangeError
from streamflow.log.model import Aborted
from streamflow.log.node.replica import Replica
from streamflow.log.records import BatchHeader, decode, parse_header

FETCH_BYTES = 1 << 20
"""Read at once: some batches, so that the log is asked seldom; little enough to be thrown away."""

DECODED_BYTES_MAX = 256 << 20
"""Of one batch: a batch that inflates to more is refused, not decoded."""


class Cursor:
    """Where a reader stands in a partition. Invariant: `position` never moves back, and skips only what is never to
    be read; `_fetched` begins with the batch that holds it, or the next."""

    def __init__(self, replica: Replica, position: int) -> None:
        self.replica = replica
        self.position = position
        self.paused = False
        self._fetched: deque[memoryview] = deque()
        self._aborted: list[Aborted] = []

    @property
    def lag(self) -> int:
        return max(0, self.replica.last_stable_offset - self.position)

    @property
    def ready(self) -> bool:
        """Whether `take` has something to do, be it to raise."""
        replica = self.replica
        return not self.paused and (
            self.position < replica.last_stable_offset
            or replica.deleted
            or not replica.log.log_start_offset <= self.position <= replica.log.log_end_offset
        )

    def take(self, records_max: int) -> Batch | None:
        """The next records, `records_max` or up to a batch more; None when there are none yet.

        Raises: UnknownTopicError when the topic was deleted; OffsetOutOfRangeError when the position isn't in the log;
            CorruptBatchError when what comes next is damaged.
        """
        self._check()
        found: list[Batch] = []
        count = 0
        try:
            while (view := self._next_batch()) is not None:
                header = parse_header(view)
                passed_over = header.control or not header.count or self._is_aborted(header)
                if count >= records_max and not passed_over:
                    break
                if not passed_over:
                    found.append(self._decode(view))
                    count += len(found[-1])
                self._fetched.popleft()
                self.position = header.last_offset + 1
        except LogError:
            if not found:
                raise
            # What was read isn't lost: the next call meets the error again.
        return Batch.concat(found) if found else None

    def _check(self) -> None:
        replica, log = self.replica, self.replica.log
        if replica.deleted:
            raise UnknownTopicError(replica.where.topic)
        if not log.log_start_offset <= self.position <= log.log_end_offset:
            raise OffsetOutOfRangeError(str(replica.where), self.position, log.log_start_offset, log.log_end_offset)

    def _next_batch(self) -> memoryview | None:
        """The batch that holds `position`, or the next after it."""
        end = self.replica.last_stable_offset
        if not self._fetched and self.position < end:
            log = self.replica.log
            self._fetched.extend(log.read(self.position, FETCH_BYTES, up_to=end))
            self._aborted = log.snapshot_aborted(self.position, end)
            if not self._fetched:
                self.position = end  # Nothing but ranges whose loss was accepted.
        return self._fetched[0] if self._fetched else None

    def _is_aborted(self, header: BatchHeader) -> bool:
        return header.transactional and any(
            a.producer_id == header.producer_id and a.first_offset <= header.base_offset <= a.last_offset
            for a in self._aborted
        )

    def _decode(self, view: memoryview) -> Batch:
        """The batch's records from `position` on: a reader may stand in the middle of one."""
        batch = Batch(*decode(view, DECODED_BYTES_MAX))
        skip = bisect_left(batch.offsets, self.position)
        return batch.slice(skip, len(batch)) if skip else batch
