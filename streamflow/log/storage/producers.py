"""What a partition knows of its producers: what came twice, what is missing, which transactions are open. PURE state.

Rebuilt from the log's batches in order, so that it is the same after a crash; `snapshot` saves the reading.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field

import msgspec

from streamflow.log.errors import OutOfOrderSequenceError, ProducerFencedError
from streamflow.log.model import Aborted
from streamflow.log.records import BatchHeader

REMEMBERED_BATCHES = 5
"""Of a producer: as many as it may have in flight (KIP-98, max.in.flight.requests.per.connection)."""

_SEQUENCE_END = 2**31


@dataclass(slots=True)
class _Producer:
    epoch: int
    batches: deque[tuple[int, int, int, int]] = field(default_factory=lambda: deque(maxlen=REMEMBERED_BATCHES))
    """(first sequence, last sequence, base offset, last offset)"""


class _Kept(msgspec.Struct, array_like=True):
    producers: dict[int, tuple[int, list[tuple[int, int, int, int]]]]
    open: dict[int, int]
    aborted: list[tuple[int, int, int]]


class Producers:
    """Of one partition."""

    def __init__(self) -> None:
        self._known: dict[int, _Producer] = {}
        self._open: dict[int, int] = {}
        self._aborted: list[Aborted] = []
        """By last offset: markers come in the order of the log."""

    def check(self, header: BatchHeader, before: BatchHeader | None = None) -> tuple[int, int] | None:
        """Whether the batch may be appended; where it stands already, as (base offset, last offset), if it does.

        Args: before: the producer's batch that is to be appended just before, together with this one.

        Raises: ProducerFencedError for an epoch of the past; OutOfOrderSequenceError for a gap.
        """
        if header.producer_id < 0 or header.control:
            return None
        known = self._known.get(header.producer_id)
        if known is not None and header.producer_epoch < known.epoch:
            raise ProducerFencedError(
                f"producer {header.producer_id} at epoch {header.producer_epoch} was replaced by epoch {known.epoch}; "
                "another instance with its transactional id runs: stop this one"
            )
        if header.base_sequence < 0:
            return None
        same_epoch = known is not None and known.epoch == header.producer_epoch
        if known is not None and same_epoch:
            last = _last_sequence(header)
            for first_sequence, last_sequence, base_offset, last_offset in known.batches:
                if (first_sequence, last_sequence) == (header.base_sequence, last):
                    return base_offset, last_offset
        expected: int | None = None
        if before is not None and before.producer_epoch == header.producer_epoch:
            expected = (_last_sequence(before) + 1) % _SEQUENCE_END
        elif known is not None and same_epoch and known.batches:
            expected = (known.batches[-1][1] + 1) % _SEQUENCE_END
        elif known is not None:
            expected = 0
        if expected is not None and header.base_sequence != expected:
            raise OutOfOrderSequenceError(
                f"producer {header.producer_id} sent sequence {header.base_sequence}, expected {expected}: a batch "
                "before it was lost or given up"
            )
        return None

    def appended(self, header: BatchHeader, base_offset: int, *, commits: bool | None = None) -> None:
        """The batch stands at `base_offset`. `commits` is what a transaction marker says; None for other batches."""
        if header.producer_id < 0:
            return
        last_offset = base_offset + header.last_offset_delta
        known = self._known.get(header.producer_id)
        if known is None or header.producer_epoch > known.epoch:
            known = self._known[header.producer_id] = _Producer(header.producer_epoch)
        if commits is not None:
            first = self._open.pop(header.producer_id, None)
            if first is not None and not commits:
                self._aborted.append(Aborted(header.producer_id, first, last_offset))
            return
        if header.base_sequence >= 0:
            known.batches.append((header.base_sequence, _last_sequence(header), base_offset, last_offset))
        if header.transactional:
            self._open.setdefault(header.producer_id, base_offset)

    def open_since(self, producer_id: int) -> int | None:
        """Where the producer's open transaction begins; None when it has none."""
        return self._open.get(producer_id)

    def open_transactions(self) -> list[tuple[int, int]]:
        """Producer id and epoch of every transaction without a marker."""
        return [(producer_id, self._known[producer_id].epoch) for producer_id in self._open]

    def first_open(self) -> int | None:
        """Where the earliest open transaction begins: the last stable offset, if there is one."""
        return min(self._open.values(), default=None)

    def aborted(self, start: int, end: int) -> list[Aborted]:
        """Aborted transactions that touch [start, end), by first offset."""
        from_here = bisect_left(self._aborted, start, key=lambda a: a.last_offset)
        found = [a for a in self._aborted[from_here:] if a.first_offset < end]
        return sorted(found, key=lambda a: (a.first_offset, a.producer_id))

    def forget_before(self, offset: int) -> None:
        """The log begins there now."""
        self._aborted = [a for a in self._aborted if a.last_offset >= offset]

    def snapshot(self) -> bytes:
        producers = {pid: (p.epoch, list(p.batches)) for pid, p in self._known.items()}
        aborted = [(a.producer_id, a.first_offset, a.last_offset) for a in self._aborted]
        return msgspec.msgpack.encode(_Kept(producers, self._open, aborted))

    @classmethod
    def restored(cls, data: bytes) -> Producers:
        """Raises: msgspec.DecodeError for what isn't a snapshot."""
        kept = msgspec.msgpack.decode(data, type=_Kept)
        self = cls()
        for pid, (epoch, batches) in kept.producers.items():
            self._known[pid] = _Producer(epoch, deque(batches, maxlen=REMEMBERED_BATCHES))
        self._open = dict(kept.open)
        self._aborted = [Aborted(*a) for a in kept.aborted]
        return self


def _last_sequence(header: BatchHeader) -> int:
    """Sequences begin anew at 0 behind the largest int32."""
    return (header.base_sequence + header.count - 1) % _SEQUENCE_END
