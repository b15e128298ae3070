"""The transaction coordinator (KIP-98, KIP-360, KIP-447, KIP-890). PURE.

A transaction goes, for each transactional id,

    Empty -> Ongoing -> PrepareCommit -> CompleteCommit -> Ongoing ...
                     -> PrepareAbort  -> CompleteAbort  -> Ongoing ...

and its outcome is decided in the instant `PrepareCommit` is durable: before that, whatever happens it isn't committed;
after that, whatever happens its markers are written. So what a commit promises is durable in this order: its records
and offsets, then the decision. Markers needn't be: `recover` writes the missing ones again. That holds as long as the
decision is the id's last record, so a record that replaces it waits for the markers to be durable (`unsettled`): only
then does the id's next transaction begin.

Clients over the wire outlive us. Their transaction begins, and gets each partition, with a durable `Ongoing`: after a
restart it goes on, and nothing is appended that the journal doesn't know (`verify`, KIP-890). An embedded producer dies
with us. Its `Ongoing` isn't written, and what it left undecided is aborted by `recover`; where the coordinator and the
partitions are one node, that misses none. Of it, whatever is durable in partitions is at most one epoch above the id's
last durable record, and opening goes further: an epoch is never given out twice.

Which transaction an end is about: with V2 the epoch says it, since each end bumps it; a late one can't decide the
transaction that follows (KAFKA-17754). With V1 all transactions of a producer share one epoch. A repeated end that
meets the outcome it asked for succeeds. One that comes so late that it meets the next transaction ongoing ends that
one, as with Kafka: nothing in the request tells the two apart.

Rule for whoever edits this: `value` changes in `_persisted`, `_markers_written` and `recover` only, but for an embedded
producer's partitions; what raises leaves everything as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from streamflow.event import TopicPartition
from streamflow.log.coordinators.events import (
    AddPartitions,
    Effect,
    End,
    Event,
    Expire,
    Flush,
    Forget,
    Forgotten,
    Initialise,
    MarkersWritten,
    Opened,
    Persist,
    Persisted,
    PersistFailed,
    ProducerSession,
    Retire,
    WriteMarkers,
)
from streamflow.log.coordinators.transaction import (
    OUTCOME,
    S,
    Transaction,
    V,
    completed,
    decided,
    fenced,
    opened,
    with_partitions,
)
from streamflow.log.coordinators.transaction_records import (
    TransactionStatus,
    TransactionValue,
    decode_transaction_key,
    decode_transaction_value,
    encode_transaction_key,
    encode_transaction_value,
)
from streamflow.log.coordinators.transaction_recovery import OpenTransactions, settle
from streamflow.log.errors import (
    ConcurrentTransactionsError,
    InvalidProducerEpochError,
    InvalidProducerIdMappingError,
    PartitionNotAddedError,
    ProducerFencedError,
    TransactionalIdNotFoundError,
    TransactionError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionFilter:
    """Which transactions to list; what is empty, negative or None leaves none out (KIP-664, KIP-994, KIP-1152)."""

    statuses: frozenset[TransactionStatus] | None = None
    producer_ids: frozenset[int] = frozenset()
    running_longer_ms: int = -1
    matches: Callable[[str], bool] | None = None

    def takes(self, name: str, value: TransactionValue, now_ms: int) -> bool:
        return (
            (self.statuses is None or value.status in self.statuses)
            and (not self.producer_ids or value.producer_id in self.producer_ids)
            and (self.running_longer_ms < 0 or now_ms - value.started_ms > self.running_longer_ms)
            and (self.matches is None or self.matches(name))
        )


class TransactionCoordinator:
    def __init__(self) -> None:
        self._transactions: dict[str, Transaction] = {}

    def __repr__(self) -> str:
        ongoing = sum(t.value.status is S.ONGOING for t in self._transactions.values())
        return f"<TransactionCoordinator of {len(self._transactions)} ids, {ongoing} ongoing>"

    # Start

    def clear(self) -> None:
        """Nothing is known."""
        self._transactions.clear()

    def load(self, rows: Iterable[tuple[bytes | None, bytes | None]]) -> None:
        """Folds records of `__transaction_state`, in order."""
        for key, data in rows:
            name = None if key is None else decode_transaction_key(key)
            if name is None:
                continue
            if data is None:
                self._transactions.pop(name, None)
            else:
                self._transactions[name] = Transaction(decode_transaction_value(data))

    def recover(self, open_transactions: OpenTransactions) -> list[Effect]:
        """See `transaction_recovery`. Not reported back: who does the effects raises, or has done them all."""
        return settle(self._transactions, open_transactions)

    # The only way in

    def step(self, event: Event, now_ms: int) -> Sequence[Effect]:
        """Raises: ProducerFencedError for a producer that another has replaced; TransactionError for a call that the
        transaction's state doesn't allow."""
        match event:
            case Initialise():
                return self._initialise(event, now_ms)
            case AddPartitions():
                return self._add_partitions(event, now_ms)
            case End():
                return self._end(event, now_ms)
            case Expire():
                return self._expire(event.transactional_id, now_ms)
            case Retire():
                return self._retire(event)
            case Persisted():
                return self._persisted(event.transactional_id)
            case PersistFailed():
                return self._persist_failed(event.transactional_id)
            case MarkersWritten():
                return self._markers_written(event.transactional_id, now_ms)
            case Forgotten():
                del self._transactions[event.transactional_id]
                return ()
            case _:
                assert_never(event)

    def deadline_ms(self) -> int | None:
        """When the first ongoing transaction's time is up."""
        values = (t.value for t in self._transactions.values())
        return min((v.started_ms + v.timeout_ms for v in values if v.status is S.ONGOING), default=None)

    def expired(self, now_ms: int) -> list[str]:
        """Ids to send `Expire` for."""
        ids = self._transactions.items()
        return [name for name, t in ids if t.is_expired(now_ms) or t.value.status in OUTCOME]

    def idle_since(self, before_ms: int) -> list[str]:
        """Ids to send `Retire` for."""
        return [name for name, t in self._transactions.items() if t.is_idle_since(before_ms)]

    def check(self) -> None:
        """Asserts the invariants."""
        ids = [t.value.producer_id for t in self._transactions.values()]
        assert len(ids) == len(set(ids)), "a producer id belongs to one transactional id"
        for transaction in self._transactions.values():
            if transaction.value.status not in (S.ONGOING, *OUTCOME):
                assert not transaction.value.partitions, "only an unfinished transaction has partitions"

    def snapshot(self) -> list[tuple[bytes, bytes | None]]:
        """What to replace all records by. Only when not `busy`, and when `unsettled` partitions are durable."""
        assert not self.busy, "a decision on its way to the disk isn't overtaken"
        rows: list[tuple[bytes, bytes | None]] = []
        for name, transaction in self._transactions.items():
            value = transaction.value
            if value.status is S.ONGOING and value.version is V.EMBEDDED:
                value = replace(value, status=S.EMPTY, partitions=frozenset())
            rows.append((encode_transaction_key(name), encode_transaction_value(value)))
        return rows

    @property
    def busy(self) -> bool:
        return any(t.pending is not None for t in self._transactions.values())

    @property
    def size(self) -> int:
        """Ids known."""
        return len(self._transactions)

    @property
    def unsettled(self) -> frozenset[TopicPartition]:
        """Partitions whose markers would be lost if the ids' last records were replaced now."""
        return frozenset(w for t in self._transactions.values() for w in t.unsettled)

    # Answers

    def verify(self, session: ProducerSession, where: TopicPartition) -> None:
        """To be asked in the instant before a transactional batch is appended: else one that comes late would open a
        transaction that nobody ends (KIP-890, part 1).

        Raises: InvalidProducerIdMappingError, InvalidProducerEpochError, ConcurrentTransactionsError,
            PartitionNotAddedError.
        """
        name = session.transactional_id
        transaction = self._transactions.get(name)
        if transaction is None or session.producer_id != transaction.value.producer_id:
            raise _not_the_ids(session)
        value = transaction.value
        if session.producer_epoch != value.producer_epoch:
            raise InvalidProducerEpochError(
                f"producer {session.producer_id} of '{name}' is at epoch {value.producer_epoch}, not at "
                f"{session.producer_epoch}: its transaction was ended, or another instance runs"
            )
        if transaction.ending:
            raise ConcurrentTransactionsError(f"the transaction of '{name}' is being ended; wait for it before writing")
        if where not in value.partitions:
            raise PartitionNotAddedError(
                f"{where} isn't part of an ongoing transaction of '{name}'; abort, and retry it"
            )

    def uses(self, transactional_id: str, producer_id: int) -> bool:
        """Whether the id has the producer id, or gets it next."""
        transaction = self._transactions.get(transactional_id)
        value = None if transaction is None else transaction.value
        return value is not None and producer_id in (value.producer_id, value.next_producer_id)

    def describe(self, transactional_id: str) -> TransactionValue:
        """Raises: TransactionalIdNotFoundError."""
        transaction = self._transactions.get(transactional_id)
        if transaction is None:
            raise TransactionalIdNotFoundError(f"nothing is known of transactional id '{transactional_id}'")
        return transaction.value

    def find(self, wanted: TransactionFilter, now_ms: int) -> list[tuple[str, TransactionValue]]:
        found = ((name, t.value) for name, t in self._transactions.items())
        return [(name, value) for name, value in found if wanted.takes(name, value, now_ms)]

    # Steps

    def _initialise(self, event: Initialise, now_ms: int) -> Sequence[Effect]:
        name = event.transactional_id
        transaction = self._transactions.get(name)
        if transaction is None:
            unknown = TransactionValue(
                producer_id=event.spare_producer_id, producer_epoch=-1, timeout_ms=event.timeout_ms
            )
            transaction = self._transactions[name] = Transaction(unknown)
        assert transaction.pending is None, "events of one id don't overlap"
        if event.expected is not None and transaction.was_opened_by(event.expected):
            return (Opened(session=transaction.session(name)),)
        transaction.opening = event
        if transaction.value.status is S.ONGOING:
            return self._persist(name, fenced(transaction.value, now_ms))
        if transaction.value.status in OUTCOME:
            return (self._markers(name, transaction.value),)
        return self._open(name, transaction, event, now_ms)

    def _open(self, name: str, transaction: Transaction, opening: Initialise, now_ms: int) -> Sequence[Effect]:
        return self._persist(name, opened(transaction.value, opening, now_ms))

    def _add_partitions(self, event: AddPartitions, now_ms: int) -> Sequence[Effect]:
        name = event.session.transactional_id
        transaction = self._of(event.session)
        if transaction.ending:
            raise ConcurrentTransactionsError(f"the transaction of '{name}' is being ended; wait for it before writing")
        value = transaction.value
        if value.status is S.ONGOING and event.partitions <= value.partitions:
            return ()
        more = with_partitions(value, event.partitions, event.version, now_ms)
        if event.version is not V.EMBEDDED:
            return self._persist(name, more)
        transaction.value = more
        return ()

    def _end(self, event: End, now_ms: int) -> Sequence[Effect]:
        name = event.session.transactional_id
        wanted = S.PREPARE_COMMIT if event.commit else S.PREPARE_ABORT
        transaction = self._transactions.get(name)
        again = event.version is V.V2 and transaction is not None and transaction.was_ended_by(event.session)
        if not again or transaction is None:
            transaction = self._of(event.session)
        if transaction.pending is not None:
            raise ConcurrentTransactionsError(f"the transaction of '{name}' is being ended already")
        value = transaction.value
        if value.status is S.ONGOING:
            return self._persist(name, decided(value, wanted, event.version, event.spare_producer_id, now_ms))
        if value.status is wanted:
            return (self._markers(name, value),)
        if event.version is V.EMBEDDED and value.status not in OUTCOME:
            return ()
        if event.version is V.V2 and not again and not event.commit and value.status not in OUTCOME:
            return self._persist(name, decided(value, wanted, event.version, event.spare_producer_id, now_ms))
        if value.status is OUTCOME[wanted] and (again or event.version is V.V1):
            return (Opened(session=transaction.session(name)),)
        if value.status in OUTCOME:
            raise TransactionError(f"the transaction of '{name}' is decided the other way: {value.status.title}")
        raise TransactionError(
            f"'{name}' has no transaction to {'commit' if event.commit else 'abort'}: it is in state "
            f"{value.status.title}"
        )

    def _expire(self, name: str, now_ms: int) -> Sequence[Effect]:
        transaction = self._transactions.get(name)
        if transaction is None or transaction.pending is not None:
            return ()
        if transaction.value.status in OUTCOME:
            return (self._markers(name, transaction.value),)
        return self._persist(name, fenced(transaction.value, now_ms)) if transaction.is_expired(now_ms) else ()

    def _retire(self, event: Retire) -> Sequence[Effect]:
        transaction = self._transactions.get(event.transactional_id)
        if transaction is None or not transaction.is_idle_since(event.before_ms):
            return ()
        forget = Forget(transactional_id=event.transactional_id)
        return (Flush(partitions=transaction.unsettled), forget) if transaction.unsettled else (forget,)

    def _persist(self, name: str, value: TransactionValue) -> Sequence[Effect]:
        transaction = self._transactions[name]
        transaction.pending = value
        first = transaction.unsettled | (value.partitions if value.status is S.PREPARE_COMMIT else frozenset())
        durable = value.status is not S.PREPARE_ABORT or value.version is not V.EMBEDDED
        persist = Persist(transactional_id=name, value=value, durable=durable)
        return (Flush(partitions=first), persist) if first else (persist,)

    def _persist_failed(self, name: str) -> Sequence[Effect]:
        transaction = self._transactions[name]
        transaction.pending = transaction.opening = None
        if transaction.value.producer_epoch < 0:
            del self._transactions[name]  # No producer was ever given it.
        return ()

    def _persisted(self, name: str) -> Sequence[Effect]:
        transaction = self._transactions[name]
        assert transaction.pending is not None, "persisted because it was ordered"
        value = transaction.value = transaction.pending
        transaction.pending, transaction.unsettled = None, frozenset()
        if value.status is S.ONGOING:
            return ()
        if value.status in OUTCOME:
            return (self._markers(name, value),)
        transaction.opening = None
        return (Opened(session=transaction.session(name)),)

    def _markers_written(self, name: str, now_ms: int) -> Sequence[Effect]:
        transaction = self._transactions[name]
        ended = transaction.value
        if ended.status is S.PREPARE_COMMIT or ended.version is not V.EMBEDDED:
            transaction.unsettled = ended.partitions
        transaction.value = completed(ended)
        if transaction.opening is not None:
            return self._open(name, transaction, transaction.opening, now_ms)
        if ended.status is S.PREPARE_ABORT and ended.version is V.EMBEDDED:
            return ()
        return (Opened(session=transaction.session(name)),)

    # Parts

    def _of(self, session: ProducerSession) -> Transaction:
        name = session.transactional_id
        transaction = self._transactions.get(name)
        if transaction is None or session.producer_id != transaction.value.producer_id:
            raise _not_the_ids(session)
        if session.producer_epoch != transaction.value.producer_epoch:
            raise ProducerFencedError(
                f"this writer's transactional id '{name}' was taken over by a newer writer, or its transaction "
                f"outlived its time-out; nothing of it will be committed. Open a new writer to go on"
            )
        return transaction

    @staticmethod
    def _markers(name: str, value: TransactionValue) -> WriteMarkers:
        return WriteMarkers(
            transactional_id=name,
            producer_id=value.producer_id,
            producer_epoch=value.producer_epoch,
            partitions=value.partitions,
            commit=value.status is S.PREPARE_COMMIT,
        )


def _not_the_ids(session: ProducerSession) -> InvalidProducerIdMappingError:
    return InvalidProducerIdMappingError(
        f"producer {session.producer_id} isn't the one of transactional id '{session.transactional_id}': the id was "
        f"forgotten, or taken over by a newer writer. Open a new writer to go on"
    )
