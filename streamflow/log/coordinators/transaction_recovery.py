"""What the last run left of transactions, and how it is settled before anything else is read or written. PURE.

The journal says what was decided and which transactions clients over the wire have ongoing; the partitions say which
have no marker yet. Decided ones get the markers they lack. Ongoing ones that the journal knows whole go on. All others
are aborted: an embedded producer's that wasn't decided, and whatever journal and partitions disagree about, as they may
when a flush policy let the power cut tear them. A client whose transaction was torn is fenced, so that it can't go on
and commit the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from streamflow.event import TopicPartition
from streamflow.log.coordinators.events import Effect, Flush, Persist, WriteMarkers
from streamflow.log.coordinators.transaction import OUTCOME, S, Transaction, V, completed, fenced, transaction_epoch

OpenTransactions = Mapping[TopicPartition, Iterable[tuple[int, int]]]
"""By partition, producer id and epoch of every transaction without a marker."""


def settle(transactions: Mapping[str, Transaction], open_transactions: OpenTransactions) -> list[Effect]:
    """Brings `transactions` to where they are after the effects, which leave nothing unsettled."""
    names = {t.value.producer_id: name for name, t in transactions.items()}
    lacking: dict[tuple[str, int, int, bool], set[TopicPartition]] = {}
    for producer_id, found in _by_producer(open_transactions).items():
        name = names.get(producer_id, "")
        transaction = transactions.get(name)
        if transaction is not None and _goes_on(transaction, found):
            continue
        for where, epoch in found.items():
            commit, marker_epoch = _outcome(transaction, where, epoch)
            lacking.setdefault((name, producer_id, marker_epoch, commit), set()).add(where)
    effects: list[Effect] = [
        WriteMarkers(
            transactional_id=name,
            producer_id=producer_id,
            producer_epoch=epoch,
            partitions=frozenset(partitions),
            commit=commit,
        )
        for (name, producer_id, epoch, commit), partitions in lacking.items()
    ]
    return effects + _complete(transactions, {w for partitions in lacking.values() for w in partitions})


def _by_producer(open_transactions: OpenTransactions) -> dict[int, dict[TopicPartition, int]]:
    found: dict[int, dict[TopicPartition, int]] = {}
    for where, producers in open_transactions.items():
        for producer_id, epoch in producers:
            found.setdefault(producer_id, {})[where] = epoch
    return found


def _is_of(transaction: Transaction, where: TopicPartition, epoch: int) -> bool:
    value = transaction.value
    return where in value.partitions and epoch == transaction_epoch(value)


def _goes_on(transaction: Transaction, found: Mapping[TopicPartition, int]) -> bool:
    """Whether what is open in the partitions is the client's ongoing transaction and nothing else. If it should be, and
    isn't, the client is fenced."""
    status = transaction.value.status
    if status is S.ONGOING and all(_is_of(transaction, w, e) for w, e in found.items()):
        return True
    if status not in OUTCOME and transaction.value.version is not V.EMBEDDED:
        transaction.value = fenced(transaction.value, transaction.value.updated_ms)
    return False


def _outcome(transaction: Transaction | None, where: TopicPartition, epoch: int) -> tuple[bool, int]:
    """Whether what the partition has open is committed, and the epoch its marker fences."""
    if transaction is None or transaction.value.status not in OUTCOME:
        return False, epoch
    value = transaction.value
    return value.status is S.PREPARE_COMMIT and _is_of(transaction, where, epoch), max(epoch, value.producer_epoch)


def _complete(transactions: Mapping[str, Transaction], marked: set[TopicPartition]) -> list[Effect]:
    """The decided ones are complete, durably, once all markers are durable."""
    effects: list[Effect] = []
    touched = marked | {w for t in transactions.values() if t.value.status in OUTCOME for w in t.value.partitions}
    if touched:
        effects.append(Flush(partitions=frozenset(touched)))
    for name, transaction in transactions.items():
        value = transaction.value
        if value.status in OUTCOME:
            transaction.value = completed(value)
            effects.append(Persist(transactional_id=name, value=transaction.value, durable=True))
        elif value.status is S.COMPLETE_COMMIT and value.version is V.EMBEDDED:
            # The record may be of the commit; the epoch that follows from it isn't written.
            transaction.value = replace(value, producer_epoch=value.producer_epoch + 1)
    return effects
