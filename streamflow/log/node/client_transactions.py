"""Producers over the wire: their ids, their transactions, and what may be appended in them. What handlers call.

Promises, as Apache Kafka's: a transaction that a client was told of survives this node, and ends as the client says or
by its time-out; what is appended in it is part of it, and nothing else is; the offsets it commits become visible with
its records. Requests under one transactional id wait for each other, so that a client is seldom told to try again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from streamflow.event import Batch, TopicPartition
from streamflow.log.coordinators.events import ProducerSession
from streamflow.log.coordinators.records import OffsetValue
from streamflow.log.coordinators.topic_patterns import compile_pattern
from streamflow.log.coordinators.transaction_records import TransactionStatus, TransactionValue, TransactionVersion
from streamflow.log.coordinators.transactions import TransactionFilter
from streamflow.log.errors import (
    InvalidTransactionTimeoutError,
    OutOfOrderSequenceError,
)
from streamflow.log.node.effects import TransactionEffects
from streamflow.log.node.groups import OFFSETS, Groups
from streamflow.log.node.rows import build
from streamflow.log.node.topics import Topics
from streamflow.log.node.transactions import Client, Transactions
from streamflow.log.node.verification import Verification
from streamflow.log.records import BatchHeader, Producer
from streamflow.log.storage.producers import ProducerState

NOBODYS = ""
"""The transactional id of a producer that has none."""

_STATUSES = {status.title: status for status in TransactionStatus}
_PASSING = {"Dead", "PrepareEpochFence"}
"""Names of Kafka's that no transaction of ours is ever seen in."""


class ClientTransactions:
    """Args:
    timeout_ms_max: of a transaction.
    """

    def __init__(
        self,
        transactions: Transactions,
        effects: TransactionEffects,
        topics: Topics,
        groups: Groups,
        verification: Verification,
        *,
        timeout_ms_max: int,
        now_ms: Callable[[], int],
    ) -> None:
        self._transactions = transactions
        self._coordinator = transactions.coordinator
        self._effects = effects
        self._topics = topics
        self._groups = groups
        self.verification = verification
        self._timeout_ms_max = timeout_ms_max
        self._now_ms = now_ms

    # Producers

    async def open(
        self, transactional_id: str | None, timeout_ms: int, expected: tuple[int, int] | None = None
    ) -> ProducerSession:
        """InitProducerId. Waits for the end of what the producer before left open.

        Args:
            transactional_id: None for a producer that is only idempotent.
            expected: the producer id and epoch it has, where it opens again as itself (KIP-360).

        Raises: InvalidTransactionTimeoutError, ProducerFencedError, LogError.
        """
        if transactional_id is None:
            producer_id = await self._transactions.producer_ids.take()
            return ProducerSession(transactional_id=NOBODYS, producer_id=producer_id, producer_epoch=0)
        if not 0 < timeout_ms <= self._timeout_ms_max:
            raise InvalidTransactionTimeoutError(
                f"a transaction time-out of {timeout_ms} ms was asked for; it is above 0 and at most "
                f"{self._timeout_ms_max} ms (transaction.max.timeout.ms)"
            )
        client = Client(version=TransactionVersion.V1, timeout_ms=timeout_ms, expected=expected)
        return await self._transactions.open(transactional_id, client)

    # Transactions

    async def add_partitions(
        self, session: ProducerSession, partitions: Collection[TopicPartition], version: TransactionVersion
    ) -> None:
        """AddPartitionsToTxn; and before a produce of `transaction.version` 2, which adds what it writes to.

        Raises: InvalidProducerIdMappingError, ProducerFencedError, ConcurrentTransactionsError, LogError.
        """
        await self._transactions.add_partitions(session, frozenset(partitions), version)

    async def add_offsets(self, session: ProducerSession) -> None:
        """AddOffsetsToTxn. Raises: as `add_partitions`."""
        await self._groups.ready()
        await self.add_partitions(session, (OFFSETS,), TransactionVersion.V1)

    async def end(self, session: ProducerSession, *, commit: bool, version: TransactionVersion) -> ProducerSession:
        """EndTxn: returns once the outcome holds and is visible, with who the producer is from now on.

        Raises: InvalidProducerIdMappingError, ProducerFencedError, ConcurrentTransactionsError, LogError;
            TransactionError when there is nothing to end, or it was ended the other way.
        """
        return await self._transactions.end(session, commit=commit, version=version)

    async def ready_for_offsets(self, session: ProducerSession, version: TransactionVersion) -> None:
        """TxnOffsetCommit, before the group is asked: V2 adds where offsets are kept to its transaction by this.

        Raises: as `add_partitions`.
        """
        await self._groups.ready()
        added = version is TransactionVersion.V2
        if not self.verification.here:
            refusals = await self.verification.ask(session, (OFFSETS,), add=added)
            if refusals:
                raise refusals[OFFSETS]
        elif added:
            await self.add_partitions(session, (OFFSETS,), version)

    def append_offsets(
        self, session: ProducerSession, group: str, offsets: Mapping[TopicPartition, OffsetValue]
    ) -> None:
        """TxnOffsetCommit, in the instant the group has agreed (KIP-447): the offsets are visible once the transaction
        is committed, and durable once `Groups.flush` returns.

        Raises: InvalidProducerIdMappingError, InvalidProducerEpochError, PartitionNotAddedError,
            ConcurrentTransactionsError, LogError.
        """
        self._effects.check()
        self._groups.coordination.check()
        self.verification.check(session, OFFSETS)
        rows, now_ms = self._groups.offsets.commit(group, offsets), self._now_ms()
        replica = self._topics.find(OFFSETS)
        producer = Producer(session.producer_id, session.producer_epoch, -1, True)
        batch = Batch([k for k, _ in rows], [v for _, v in rows], [now_ms] * len(rows), range(len(rows)))
        replica.append(build(batch, codec=0, bytes_max=replica.log.config.message_bytes_max, producer=producer), now_ms)
        self._groups.offsets.written(rows, session.producer_id)

    # Appending

    def check_batch(self, session: ProducerSession, where: TopicPartition, header: BatchHeader, *, added: bool) -> None:
        """To be asked in the instant before a client's transactional batch is appended (KIP-890, part 1).

        Args:
            added: by this very request, as with V2; such a producer begins in a partition at sequence 0.

        Raises: InvalidProducerIdMappingError, InvalidProducerEpochError, PartitionNotAddedError,
            ConcurrentTransactionsError, OutOfOrderSequenceError.
        """
        self.verification.check(session, where)
        known = self._topics.find(where).log.producers.is_known(header.producer_id)
        if added and header.base_sequence and not known:
            raise OutOfOrderSequenceError(
                f"producer {header.producer_id} begins in {where} with sequence {header.base_sequence}; a batch before "
                f"it was lost"
            )

    def verify(self, session: ProducerSession, where: TopicPartition) -> None:
        """Whether the partition is part of the session's ongoing transaction. Raises: as `check_batch`; LogError."""
        self._transactions.coordination.check()
        self._coordinator.verify(session, where)

    # Answers for administrators

    def describe(self, transactional_id: str) -> TransactionValue:
        """DescribeTransactions. Raises: TransactionalIdNotFoundError, NotCoordinatorError, CoordinatorLoadingError."""
        self._transactions.coordination.check()
        return self._coordinator.describe(transactional_id)

    def find(
        self, states: Collection[str], producer_ids: Collection[int], running_longer_ms: int, pattern: str | None
    ) -> tuple[list[tuple[str, TransactionValue]], list[str]]:
        """ListTransactions: the transactions, and those of the `states` asked for that no transaction can be in.

        Args:
            states: by Kafka's names; none for all. As are the others empty, negative, None.

        Raises: InvalidPatternError, NotCoordinatorError, CoordinatorLoadingError.
        """
        self._transactions.coordination.check()
        wanted = TransactionFilter(
            statuses=frozenset(_STATUSES[s] for s in states if s in _STATUSES) if states else None,
            producer_ids=frozenset(producer_ids),
            running_longer_ms=running_longer_ms,
            matches=_whole(pattern) if pattern else None,
        )
        unknown = [s for s in states if s not in _STATUSES and s not in _PASSING]
        return self._coordinator.find(wanted, self._now_ms()), unknown

    def producers(self, where: TopicPartition) -> list[ProducerState]:
        """DescribeProducers. Raises: UnknownTopicError, InvalidTopicError."""
        return list(self._topics.find(where).log.producers.states())


def _whole(pattern: str) -> Callable[[str], bool]:
    """In time that grows with the id's length alone, whatever the expression. What it says of characters that topics'
    names don't have matches only as it is written. Raises: InvalidPatternError."""
    matches = compile_pattern(pattern)
    return lambda name: name == pattern or matches(name)
