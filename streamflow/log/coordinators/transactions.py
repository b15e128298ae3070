"""The transaction coordinator (KIP-98, KIP-360, KIP-890). PURE.

A transaction goes, for each transactional id,

    Empty -> Ongoing -> PrepareCommit -> CompleteCommit -> Ongoing ...
                     -> PrepareAbort  -> CompleteAbort  -> Ongoing ...

and its outcome is decided in the instant `PrepareCommit` is durable: before that, whatever happens aborts it; after
that, whatever happens its markers are written. So what a commit promises is durable in this order: its records and
offsets, then the decision. Markers needn't be: `recover` writes the missing ones again. That holds as long as the
decision is the id's last record, so a record that replaces it waits for the markers to be durable (`unsettled`).

What isn't durable: Ongoing. A transaction that partitions know as open and that isn't decided is aborted by `recover`;
where the coordinator and the partitions are one node, that misses none.

The producer epoch is bumped when a producer opens, which fences the one before, when a transaction outlives its
time-out, and by each commit: so a decision names by producer id and epoch the one transaction it is about, and can't
decide the next (KIP-890). An abort keeps the epoch: then whatever is durable in partitions is at most one epoch above
the id's last durable record, and an epoch is never given out twice.

Rule for whoever edits this: `status` changes in `_persisted` and `_markers_written` only, but for the start of a
transaction; what raises leaves everything as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from streamflow.event import TopicPartition
from streamflow.log.coordinators.events import (
    AddPartitions,
    Effect,
    End,
    Event,
    Expire,
    Flush,
    Initialise,
    MarkersWritten,
    Opened,
    Persist,
    Persisted,
    PersistFailed,
    ProducerSession,
    WriteMarkers,
)
from streamflow.log.coordinators.records import (
    TransactionStatus,
    TransactionValue,
    decode_transaction_key,
    decode_transaction_value,
    encode_transaction_key,
    encode_transaction_value,
)
from streamflow.log.errors import ProducerFencedError, TransactionError

EPOCH_MAX = 2**15 - 2
"""The last epoch a producer gets; the one above is kept to fence it (as Kafka). Then it gets another producer id."""

S = TransactionStatus
OUTCOME = {S.PREPARE_COMMIT: S.COMPLETE_COMMIT, S.PREPARE_ABORT: S.COMPLETE_ABORT}


@dataclass(slots=True)
class Transaction:
    """What is known of one transactional id.

    Invariant: `partitions` is empty in Empty and Complete states; `deciding` is the state being persisted.
    """

    producer_id: int
    producer_epoch: int
    timeout_ms: int
    status: TransactionStatus = S.EMPTY
    partitions: set[TopicPartition] = field(default_factory=set)
    started_ms: int = -1
    updated_ms: int = -1
    deciding: TransactionStatus | None = None
    unsettled: frozenset[TopicPartition] = frozenset()
    opening: Initialise | None = None
    spare_producer_id: int = -1

    def bump(self, spare_producer_id: int) -> None:
        if self.producer_epoch >= EPOCH_MAX:
            self.producer_id, self.producer_epoch = spare_producer_id, -1
        self.producer_epoch += 1

    def session(self, transactional_id: str) -> ProducerSession:
        return ProducerSession(
            transactional_id=transactional_id, producer_id=self.producer_id, producer_epoch=self.producer_epoch
        )

    def value(self, status: TransactionStatus) -> TransactionValue:
        return TransactionValue(
            producer_id=self.producer_id,
            producer_epoch=self.producer_epoch,
            timeout_ms=self.timeout_ms,
            status=status,
            partitions=frozenset(self.partitions),
            updated_ms=self.updated_ms,
            started_ms=self.started_ms,
        )


class TransactionCoordinator:
    def __init__(self) -> None:
        self._transactions: dict[str, Transaction] = {}

    def __repr__(self) -> str:
        ongoing = sum(t.status is S.ONGOING for t in self._transactions.values())
        return f"<TransactionCoordinator of {len(self._transactions)} ids, {ongoing} ongoing>"

    # Start

    def load(self, rows: Iterable[tuple[bytes | None, bytes | None]]) -> None:
        """Folds records of `__transaction_state`, in order."""
        for key, data in rows:
            name = None if key is None else decode_transaction_key(key)
            if name is None:
                continue
            if data is None:
                self._transactions.pop(name, None)
                continue
            value = decode_transaction_value(data)
            self._transactions[name] = Transaction(
                producer_id=value.producer_id,
                producer_epoch=value.producer_epoch,
                timeout_ms=value.timeout_ms,
                status=value.status,
                partitions=set(value.partitions),
                started_ms=value.started_ms,
                updated_ms=value.updated_ms,
            )

    def recover(self, open_transactions: Mapping[TopicPartition, Iterable[tuple[int, int]]]) -> list[Effect]:
        """Ends what the last run left, before anything else is read or written: decided transactions get the markers
        they lack, all others are aborted. After the effects nothing is unsettled.

        Args:
            open_transactions: by partition, producer id and epoch of every transaction without a marker.
        """
        decided = {
            (t.producer_id, t.producer_epoch): t.partitions
            for t in self._transactions.values()
            if t.status is S.PREPARE_COMMIT
        }
        names = {t.producer_id: name for name, t in self._transactions.items()}
        lacking: dict[tuple[int, int, bool], set[TopicPartition]] = {}
        for where, producers in open_transactions.items():
            for producer_id, epoch in producers:
                commit = where in decided.get((producer_id, epoch), ())
                lacking.setdefault((producer_id, epoch, commit), set()).add(where)
        effects: list[Effect] = [
            WriteMarkers(
                transactional_id=names.get(producer_id, ""),
                producer_id=producer_id,
                producer_epoch=epoch,
                partitions=frozenset(partitions),
                commit=commit,
            )
            for (producer_id, epoch, commit), partitions in lacking.items()
        ]
        unfinished = {name: t for name, t in self._transactions.items() if t.status in OUTCOME}
        touched = frozenset(w for t in unfinished.values() for w in t.partitions) | open_transactions.keys()
        if touched:
            effects.append(Flush(partitions=touched))
        for name, transaction in unfinished.items():
            transaction.status = OUTCOME[transaction.status]
            transaction.partitions.clear()
            effects.append(self._persist(name, transaction, transaction.status, durable=True))
        for transaction in self._transactions.values():
            transaction.producer_epoch += transaction.status is S.COMPLETE_COMMIT
        return effects

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
            case Persisted():
                return self._persisted(event.transactional_id)
            case PersistFailed():
                transaction = self._transactions[event.transactional_id]
                transaction.deciding = transaction.opening = None
                return ()
            case MarkersWritten():
                return self._markers_written(event.transactional_id, now_ms)
            case _:
                assert_never(event)

    def deadline_ms(self) -> int | None:
        """When the first ongoing transaction's time is up."""
        return min(
            (t.started_ms + t.timeout_ms for t in self._transactions.values() if t.status is S.ONGOING), default=None
        )

    def expired(self, now_ms: int) -> list[str]:
        """Ids to send `Expire` for."""
        return [name for name, t in self._transactions.items() if self._is_expired(t, now_ms)]

    def check(self) -> None:
        """Asserts the invariants."""
        ids = [t.producer_id for t in self._transactions.values()]
        assert len(ids) == len(set(ids)), "a producer id belongs to one transactional id"
        for transaction in self._transactions.values():
            if transaction.status not in (S.ONGOING, S.PREPARE_COMMIT, S.PREPARE_ABORT):
                assert not transaction.partitions, "only an unfinished transaction has partitions"

    def snapshot(self) -> list[tuple[bytes, bytes | None]]:
        """What to replace all records by. Only when not `busy`, and when `unsettled` partitions are durable."""
        assert not self.busy, "a decision on its way to the disk isn't overtaken"
        return [
            (
                encode_transaction_key(name),
                encode_transaction_value(t.value(S.EMPTY if t.status is S.ONGOING else t.status)),
            )
            for name, t in self._transactions.items()
        ]

    @property
    def busy(self) -> bool:
        return any(t.deciding is not None for t in self._transactions.values())

    @property
    def size(self) -> int:
        """Ids known."""
        return len(self._transactions)

    @property
    def unsettled(self) -> frozenset[TopicPartition]:
        """Partitions whose markers would be lost if the ids' last records were replaced now."""
        return frozenset(w for t in self._transactions.values() for w in t.unsettled)

    # Steps

    def _initialise(self, event: Initialise, now_ms: int) -> Sequence[Effect]:
        name = event.transactional_id
        transaction = self._transactions.get(name)
        if transaction is None:
            transaction = Transaction(event.spare_producer_id, -1, event.timeout_ms)
            self._transactions[name] = transaction
        assert transaction.deciding is None, "events of one id don't overlap"
        transaction.opening = event
        if transaction.status is S.ONGOING:
            transaction.producer_epoch += 1
            return self._decide(name, S.PREPARE_ABORT, now_ms)
        if transaction.status in OUTCOME:
            return (self._markers(name, transaction),)
        return self._open(name, transaction, now_ms)

    def _open(self, name: str, transaction: Transaction, now_ms: int) -> Sequence[Effect]:
        opening = transaction.opening
        assert opening is not None, "opened because a producer asked"
        transaction.bump(opening.spare_producer_id)
        transaction.timeout_ms = opening.timeout_ms
        return self._decide(name, S.EMPTY, now_ms)

    def _add_partitions(self, event: AddPartitions, now_ms: int) -> Sequence[Effect]:
        transaction = self._of(event.session)
        if transaction.deciding is not None or transaction.status in OUTCOME:
            raise TransactionError(
                f"the transaction of '{event.session.transactional_id}' is being ended; wait for it before writing"
            )
        if transaction.status is not S.ONGOING:
            transaction.status, transaction.started_ms = S.ONGOING, now_ms
        transaction.partitions |= event.partitions
        return ()

    def _end(self, event: End, now_ms: int) -> Sequence[Effect]:
        name = event.session.transactional_id
        transaction = self._of(event.session)
        wanted = S.PREPARE_COMMIT if event.commit else S.PREPARE_ABORT
        if transaction.deciding is not None:
            raise TransactionError(f"the transaction of '{name}' is being ended already")
        if transaction.status in OUTCOME:
            if transaction.status is not wanted:
                raise TransactionError(
                    f"the transaction of '{name}' is decided the other way: {transaction.status.name}"
                )
            return (self._markers(name, transaction),)
        if transaction.status is not S.ONGOING:
            return ()
        transaction.spare_producer_id = event.spare_producer_id
        return self._decide(name, wanted, now_ms)

    def _expire(self, name: str, now_ms: int) -> Sequence[Effect]:
        transaction = self._transactions[name]
        if transaction.deciding is not None or not self._is_expired(transaction, now_ms):
            return ()
        transaction.producer_epoch += 1
        return self._decide(name, S.PREPARE_ABORT, now_ms)

    def _decide(self, name: str, status: TransactionStatus, now_ms: int) -> Sequence[Effect]:
        transaction = self._transactions[name]
        transaction.deciding, transaction.updated_ms = status, now_ms
        commit = status is S.PREPARE_COMMIT
        first = transaction.unsettled | transaction.partitions if commit else transaction.unsettled
        persist = self._persist(name, transaction, status, durable=status is not S.PREPARE_ABORT)
        return (Flush(partitions=frozenset(first)), persist) if first else (persist,)

    def _persisted(self, name: str) -> Sequence[Effect]:
        transaction = self._transactions[name]
        assert transaction.deciding is not None, "persisted because it was decided"
        transaction.status, transaction.deciding = transaction.deciding, None
        transaction.unsettled = frozenset()
        if transaction.status in OUTCOME:
            return (self._markers(name, transaction),)
        transaction.opening = None
        return (Opened(session=transaction.session(name)),)

    def _markers_written(self, name: str, now_ms: int) -> Sequence[Effect]:
        transaction = self._transactions[name]
        if transaction.status is S.PREPARE_COMMIT:
            transaction.unsettled = frozenset(transaction.partitions)
        transaction.status = OUTCOME[transaction.status]
        transaction.partitions.clear()
        if transaction.opening is not None:
            return self._open(name, transaction, now_ms)
        if transaction.status is S.COMPLETE_ABORT:
            return ()
        transaction.bump(transaction.spare_producer_id)
        return (Opened(session=transaction.session(name)),)

    # Parts

    def _of(self, session: ProducerSession) -> Transaction:
        transaction = self._transactions.get(session.transactional_id)
        mine = (session.producer_id, session.producer_epoch)
        if transaction is None or mine != (transaction.producer_id, transaction.producer_epoch):
            raise ProducerFencedError(
                f"this writer's transactional id '{session.transactional_id}' was taken over by a newer writer, or its "
                f"transaction outlived its time-out; nothing of it will be committed. Open a new writer to go on"
            )
        return transaction

    @staticmethod
    def _is_expired(transaction: Transaction, now_ms: int) -> bool:
        return transaction.status is S.ONGOING and transaction.started_ms + transaction.timeout_ms <= now_ms

    @staticmethod
    def _persist(name: str, transaction: Transaction, status: TransactionStatus, *, durable: bool) -> Persist:
        return Persist(transactional_id=name, value=transaction.value(status), durable=durable)

    @staticmethod
    def _markers(name: str, transaction: Transaction) -> WriteMarkers:
        return WriteMarkers(
            transactional_id=name,
            producer_id=transaction.producer_id,
            producer_epoch=transaction.producer_epoch,
            partitions=frozenset(transaction.partitions),
            commit=transaction.status is S.PREPARE_COMMIT,
        )
