"""Which batches belong to aborted transactions, and which markers have nothing left to end, as a walk over a log from
its start passes them. PURE.

A marker stays until a walk finds no batch of its transaction: whoever reads then needs it no more. The entry of an
aborted transaction goes at the same time, and before the marker: a reader that is told of the one and never meets the
other would leave out all its producer writes after it.
"""

from __future__ import annotations

from collections.abc import Iterable

from streamflow.log.model import Aborted
from streamflow.log.records import BatchHeader


class PassedTransactions:
    """Args:
    aborted: those that touch what is walked over.
    """

    def __init__(self, aborted: Iterable[Aborted]) -> None:
        self.over: list[Aborted] = []
        """Aborted transactions of which nothing is left but the marker, if that."""
        self._aborted: dict[int, list[Aborted]] = {}
        for transaction in sorted(aborted, key=lambda a: a.first_offset, reverse=True):
            self._aborted.setdefault(transaction.producer_id, []).append(transaction)
        self._seen: set[int] = set()
        """Producers with a batch since their last marker."""
        self._sees_all = True

    def lose_sight(self) -> None:
        """What can't be read is passed: it may be of any transaction that a marker behind it ends."""
        self._sees_all = False

    def data(self, header: BatchHeader) -> bool:
        """A batch of records is passed. Returns: whether its transaction was aborted."""
        if not header.transactional:
            return False
        self._seen.add(header.producer_id)
        current = self._current(header)
        return current is not None and current.first_offset <= header.base_offset

    def marker(self, header: BatchHeader) -> bool:
        """A marker is passed. Returns: whether no batch of its transaction was."""
        nothing = self._sees_all and header.producer_id not in self._seen
        self._seen.discard(header.producer_id)
        current = self._current(header)
        if nothing and current is not None and current.last_offset == header.last_offset:
            self.over.append(current)
        return nothing

    def _current(self, header: BatchHeader) -> Aborted | None:
        """The producer's first aborted transaction that ends with the batch, or after it."""
        entries = self._aborted.get(header.producer_id, [])
        while entries and entries[-1].last_offset < header.base_offset:
            entries.pop()
        return entries[-1] if entries else None
