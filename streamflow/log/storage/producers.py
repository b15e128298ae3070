"""What a partition knows of its producers: what came twice, what is missing, which transactions are open. PURE state.

Rebuilt from the log's batches in order, so that it is the same after a crash; `snapshot` saves the reading.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import msgspec

from streamflow.log.errors import (
    CoordinatorFencedError,
    DuplicateSequenceError,
    InvalidProducerEpochError,
    OutOfOrderSequenceError,
    TransactionError,
)
from streamflow.log.model import Aborted
from streamflow.log.records import BatchHeader, Marker

REMEMBERED_BATCHES = 5
"""Of a producer: as many as it may have in flight (KIP-98, max.in.flight.requests.per.connection)."""

_SEQUENCE_END = 2**31


@dataclass(frozen=True, slots=True)
class ProducerState:
    """What a partition knows of a producer, as DescribeProducers tells it (KIP-664). -1 is "nothing"; `open_since` is
    where its open transaction begins."""

    producer_id: int
    epoch: int
    last_sequence: int
    last_timestamp: int
    coordinator_epoch: int
    open_since: int


@dataclass(slots=True)
class _Producer:
    """`run`: how many sequence numbers up to the last were appended without a gap, as far as is known.

    `heard`: since what is old was last forgotten.
    """

    epoch: int
    batches: deque[tuple[int, int, int, int]] = field(default_factory=lambda: deque(maxlen=REMEMBERED_BATCHES))
    """(first sequence, last sequence, base offset, last offset)"""
    run: int = 0
    last_timestamp: int = -1
    coordinator_epoch: int = -1
    heard: bool = True

    def following(self) -> int:
        """The sequence that comes next."""
        return (self.batches[-1][1] + 1) % _SEQUENCE_END if self.batches else 0

    def remember(self, before: _Producer) -> None:
        """Of the same epoch."""
        batches = sorted({*before.batches, *self.batches}, key=lambda batch: batch[2])
        self.batches = deque(batches, maxlen=REMEMBERED_BATCHES)
        self.run = max(self.run, before.run)
        self.last_timestamp = max(self.last_timestamp, before.last_timestamp)
        self.coordinator_epoch = max(self.coordinator_epoch, before.coordinator_epoch)


class _Kept(msgspec.Struct, array_like=True):
    producers: dict[int, tuple[int, list[tuple[int, int, int, int]]]]
    open: dict[int, int]
    aborted: list[tuple[int, int, int]]
    more: dict[int, tuple[int, int, int]] = {}  # run, last timestamp, coordinator epoch


class Producers:
    """Of one partition."""

    def __init__(self) -> None:
        self._known: dict[int, _Producer] = {}
        self._open: dict[int, int] = {}
        self._aborted: list[Aborted] = []
        """By last offset: markers come in the order of the log."""

    def check(self, header: BatchHeader, before: BatchHeader | None = None) -> tuple[int, int] | None:
        """Whether the batch may be appended; where it stands already, as (base offset, last offset), if it does.

        A producer that isn't known may begin anywhere: what it wrote before may be deleted, or expired.

        Args: before: the producer's batch that is to be appended just before, together with this one.

        Raises: InvalidProducerEpochError for an epoch of the past; OutOfOrderSequenceError for a gap;
            DuplicateSequenceError for what was appended before the batches that are remembered; TransactionError
            outside of the transaction that the producer has open.
        """
        if header.producer_id < 0 or header.control:
            return None
        known = self._known.get(header.producer_id)
        if known is not None and header.producer_epoch < known.epoch:
            raise InvalidProducerEpochError(
                f"producer {header.producer_id} at epoch {header.producer_epoch} was replaced by epoch {known.epoch}; "
                "another instance with its transactional id runs: stop this one"
            )
        if not header.transactional and header.producer_id in self._open:
            raise TransactionError(f"producer {header.producer_id} has a transaction open, and writes outside of it")
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
        elif known is not None:
            expected = known.following() if same_epoch else 0
        if expected is not None and header.base_sequence != expected:
            if known is not None and same_epoch and before is None and _is_long_past(known, header):
                raise DuplicateSequenceError(
                    f"producer {header.producer_id} sent sequence {header.base_sequence}, expected {expected}: it was "
                    f"appended before the last {REMEMBERED_BATCHES} batches"
                )
            raise OutOfOrderSequenceError(
                f"producer {header.producer_id} sent sequence {header.base_sequence}, expected {expected}: a batch "
                "before it was lost or given up"
            )
        return None

    def check_marker(self, producer_id: int, epoch: int, coordinator_epoch: int, *, bumped: bool) -> bool:
        """Whether a marker that another coordinator, or an administrator, sends has something to end or to fence.

        Args:
            bumped: its epoch is one above the transaction's, as with `transaction.version` 2 (KIP-1228): one that isn't
                comes late, and would end the next transaction.

        Raises: InvalidProducerEpochError; CoordinatorFencedError for a coordinator that was replaced.
        """
        known = self._known.get(producer_id)
        if known is None:
            return False
        is_open = producer_id in self._open
        if epoch < known.epoch or (bumped and epoch == known.epoch and is_open):
            raise InvalidProducerEpochError(
                f"a marker for producer {producer_id} is of epoch {epoch}, and the producer at epoch {known.epoch}"
            )
        if coordinator_epoch < known.coordinator_epoch:
            raise CoordinatorFencedError(
                f"a marker for producer {producer_id} comes from coordinator epoch {coordinator_epoch}, after one from "
                f"epoch {known.coordinator_epoch}"
            )
        return is_open or epoch > known.epoch

    def appended(self, header: BatchHeader, base_offset: int, *, marker: Marker | None = None) -> None:
        """The batch stands at `base_offset`. `marker` is what a transaction's marker says; None for other batches."""
        if header.producer_id < 0:
            return
        last_offset = base_offset + header.last_offset_delta
        known = self._known.get(header.producer_id)
        if known is None or header.producer_epoch > known.epoch:
            coordinator_epoch = -1 if known is None else known.coordinator_epoch
            known = _Producer(header.producer_epoch, coordinator_epoch=coordinator_epoch)
            self._known[header.producer_id] = known
        known.heard, known.last_timestamp = True, header.max_timestamp
        if marker is not None:
            known.coordinator_epoch = marker.coordinator_epoch
            first = self._open.pop(header.producer_id, None)
            if first is not None and not marker.commits:
                self._aborted.append(Aborted(header.producer_id, first, last_offset))
            return
        if header.base_sequence >= 0:
            unbroken = header.base_sequence == known.following()
            known.run = min(known.run * unbroken + _count(header), _SEQUENCE_END - 1)
            known.batches.append((header.base_sequence, _last_sequence(header), base_offset, last_offset))
        if header.transactional:
            self._open.setdefault(header.producer_id, base_offset)

    def open_since(self, producer_id: int) -> int | None:
        """Where the producer's open transaction begins; None when it has none."""
        return self._open.get(producer_id)

    def is_open(self, producer_id: int, epoch: int) -> bool:
        """Whether the producer has a transaction of that epoch open."""
        return producer_id in self._open and self._known[producer_id].epoch == epoch

    def open_transactions(self) -> list[tuple[int, int]]:
        """Producer id and epoch of every transaction without a marker."""
        return [(producer_id, self._known[producer_id].epoch) for producer_id in self._open]

    def states(self) -> Iterator[ProducerState]:
        for producer_id, known in self._known.items():
            yield ProducerState(
                producer_id,
                known.epoch,
                known.batches[-1][1] if known.batches else -1,
                known.last_timestamp,
                known.coordinator_epoch,
                self._open.get(producer_id, -1),
            )

    def last_batches(self) -> dict[int, tuple[int, int]]:
        """By producer: the last offset of its last batch of records, -1 when it has none in its epoch, and that."""
        return {pid: (p.batches[-1][3] if p.batches else -1, p.epoch) for pid, p in self._known.items()}

    def is_known(self, producer_id: int) -> bool:
        """Whether anything is remembered of the producer."""
        return producer_id in self._known

    def expire(self, before_ms: int) -> None:
        """Forgets producers whose newest record is older, and that weren't heard of since this was last asked: its
        timestamps are the producer's, who may be writing what happened long ago. Never one with an open transaction."""
        for producer_id, known in list(self._known.items()):
            if known.heard:
                known.heard = False
            elif known.last_timestamp < before_ms and producer_id not in self._open:
                del self._known[producer_id]

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

    def forget_aborted(self, over: Collection[Aborted]) -> None:
        """Nothing of these transactions is left."""
        if over:
            gone = set(over)
            self._aborted = [a for a in self._aborted if a not in gone]

    def remember(self, before: Producers) -> None:
        """What was known before: for a log that was read again, of which some had been deleted or compacted away since
        it was read first. What is said of the batches that are left holds."""
        for producer_id, old in before._known.items():
            known = self._known.get(producer_id)
            if known is None or known.epoch < old.epoch:
                self._known[producer_id] = old
                if producer_id in before._open:
                    self._open[producer_id] = before._open[producer_id]
            elif known.epoch == old.epoch:
                known.remember(old)
            if producer_id in self._open and producer_id in before._open:
                self._open[producer_id] = min(self._open[producer_id], before._open[producer_id])
        found: dict[tuple[int, int], int] = {}
        for a in (*before._aborted, *self._aborted):
            ends = (a.producer_id, a.last_offset)
            found[ends] = min(found.get(ends, a.first_offset), a.first_offset)
        self._aborted = sorted((Aborted(pid, first, last) for (pid, last), first in found.items()), key=_by_end)

    def snapshot(self) -> bytes:
        producers = {pid: (p.epoch, list(p.batches)) for pid, p in self._known.items()}
        aborted = [(a.producer_id, a.first_offset, a.last_offset) for a in self._aborted]
        more = {pid: (p.run, p.last_timestamp, p.coordinator_epoch) for pid, p in self._known.items()}
        return msgspec.msgpack.encode(_Kept(producers, self._open, aborted, more))

    @classmethod
    def restored(cls, data: bytes) -> Producers:
        """Raises: msgspec.DecodeError for what isn't a snapshot."""
        kept = msgspec.msgpack.decode(data, type=_Kept)
        self = cls()
        for pid, (epoch, batches) in kept.producers.items():
            remembered = deque(batches, maxlen=REMEMBERED_BATCHES)
            self._known[pid] = _Producer(epoch, remembered, *kept.more.get(pid, ()))
        self._open = dict(kept.open)
        self._aborted = [Aborted(*a) for a in kept.aborted]
        return self


def _by_end(transaction: Aborted) -> int:
    return transaction.last_offset


def _is_long_past(known: _Producer, header: BatchHeader) -> bool:
    """Whether all of the batch was appended in the producer's unbroken run, and none of it in a batch that is
    remembered. Where the run may have a gap this isn't known: to say "duplicate" then would lose the records."""
    following = known.following()
    behind = (following - header.base_sequence) % _SEQUENCE_END
    remembered = (following - known.batches[0][0]) % _SEQUENCE_END if known.batches else 0
    return remembered + _count(header) <= behind <= known.run


def _last_sequence(header: BatchHeader) -> int:
    """Sequences begin anew at 0 behind the largest int32."""
    return (header.base_sequence + header.last_offset_delta) % _SEQUENCE_END


def _count(header: BatchHeader) -> int:
    """Of the records its producer sent: some may be compacted away."""
    return header.last_offset_delta + 1
