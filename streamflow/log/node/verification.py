"""Whether what a producer writes here is part of its ongoing transaction, wherever that is coordinated (KIP-890).

Promises: a transactional batch is appended only to a transaction that the journal has with this partition. The
coordinator is asked for the first batch of each transaction; what is open in the log is known to be ongoing. A marker
that comes between the coordinator's answer and the append takes the answer back.
"""

from __future__ import annotations

from collections.abc import Collection

from streamflow.errors import StreamflowError
from streamflow.event import TopicPartition
from streamflow.log.coordinators.events import ProducerSession
from streamflow.log.coordinators.transaction_records import group_by_topic
from streamflow.log.coordinators.transactions import TransactionCoordinator
from streamflow.log.errors import (
    ConcurrentTransactionsError,
    CoordinatorNotAvailableError,
    InvalidProducerEpochError,
    InvalidProducerIdMappingError,
    PartitionNotAddedError,
    PeerUnreachableError,
    ProducerFencedError,
)
from streamflow.log.node.coordination import Coordination
from streamflow.log.node.effects import JOURNAL
from streamflow.log.node.peers import Peers
from streamflow.log.node.topics import Topics
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import add_partitions_to_txn_request, add_partitions_to_txn_response

ASK_TIMEOUT_MS = 5_000
REFUSALS: dict[int, type[StreamflowError]] = {
    ErrorCode.invalid_producer_id_mapping: InvalidProducerIdMappingError,
    ErrorCode.invalid_producer_epoch: InvalidProducerEpochError,
    ErrorCode.producer_fenced: ProducerFencedError,
    ErrorCode.concurrent_transactions: ConcurrentTransactionsError,
    ErrorCode.invalid_txn_state: PartitionNotAddedError,
    ErrorCode.transaction_abortable: PartitionNotAddedError,
}
"""What a client is told as the coordinator says it; of all else, that it is to try again."""

Refusals = dict[TopicPartition, StreamflowError]
_Request = add_partitions_to_txn_request


class Verification:
    """Args:
    coordinator, coordination: this node's, where it leads the journal.
    """

    def __init__(
        self, coordinator: TransactionCoordinator, coordination: Coordination, topics: Topics, peers: Peers
    ) -> None:
        self._coordinator = coordinator
        self._coordination = coordination
        self._topics = topics
        self._peers = peers
        self._passes: dict[tuple[TopicPartition, int], tuple[int, bool]] = {}
        """By partition and producer id: the epoch that the coordinator is asked about, and whether it has agreed."""

    def __repr__(self) -> str:
        return f"<Verification, {len(self._passes)} passes>"

    @property
    def here(self) -> bool:
        """Whether transactions are coordinated by this node."""
        return self._coordination.active

    async def ask(self, session: ProducerSession, partitions: Collection[TopicPartition], *, add: bool) -> Refusals:
        """Asks the coordinator, another node, whether the partitions are in the session's transaction. To be followed
        by `check` before each append.

        Args:
            add: they are to be added, as with `transaction.version` 2.

        Returns: which of them aren't.
        """
        wanted = [where for where in sorted(partitions) if not self._is_open(session, where)]
        if not wanted:
            return {}
        for where in wanted:
            self._passes[where, session.producer_id] = session.producer_epoch, False
        codes = await self._codes(session, wanted, add=add)
        refusals: Refusals = {}
        for where in wanted:
            code, key = codes.get(where, ErrorCode.coordinator_not_available), (where, session.producer_id)
            if code != ErrorCode.none:
                self._passes.pop(key, None)
                refusals[where] = _refusal(code, session, where)
            elif self._passes.get(key) == (session.producer_epoch, False):
                self._passes[key] = session.producer_epoch, True
        return refusals

    def check(self, session: ProducerSession, where: TopicPartition) -> None:
        """To be asked in the instant before a transactional batch is appended.

        Raises: InvalidProducerIdMappingError, InvalidProducerEpochError, ConcurrentTransactionsError,
            PartitionNotAddedError; CoordinatorNotAvailableError when it can't be said yet.
        """
        if self.here:
            self._coordinator.verify(session, where)
        elif not self._is_open(session, where):
            agreed = self._passes.pop((where, session.producer_id), None)
            if agreed != (session.producer_epoch, True):
                raise CoordinatorNotAvailableError(
                    f"it isn't known whether {where} is in the transaction of '{session.transactional_id}'; try again"
                )

    def ended(self, where: TopicPartition, producer_id: int) -> None:
        """A marker for the producer is here: what the coordinator said before it doesn't hold."""
        self._passes.pop((where, producer_id), None)

    def _is_open(self, session: ProducerSession, where: TopicPartition) -> bool:
        replica = self._topics.replicas.get(where)
        return replica is not None and replica.log.producers.is_open(session.producer_id, session.producer_epoch)

    async def _codes(
        self, session: ProducerSession, wanted: list[TopicPartition], *, add: bool
    ) -> dict[TopicPartition, int]:
        journal = self._topics.metadata.image.topics.get(JOURNAL.topic)
        leader = -1 if journal is None else journal.partitions[JOURNAL.partition].leader
        if leader < 0 or leader == self._topics.metadata.node_id:
            return {}  # Being read back here, or nowhere.
        topics = [
            _Request.AddPartitionsToTxnTopic(name=topic, partitions=numbers)
            for topic, numbers in group_by_topic(wanted).items()
        ]
        asked = _Request.AddPartitionsToTxnTransaction(
            transactional_id=session.transactional_id,
            producer_id=session.producer_id,
            producer_epoch=session.producer_epoch,
            verify_only=not add,
            topics=topics,
        )
        try:
            answer: add_partitions_to_txn_response.AddPartitionsToTxnResponse = await self._peers.ask(
                leader, _Request.AddPartitionsToTxnRequest(transactions=[asked]), timeout_ms=ASK_TIMEOUT_MS
            )
        except PeerUnreachableError:
            return {}
        return {
            TopicPartition(topic.name, result.partition_index): result.partition_error_code
            for transaction in answer.results_by_transaction
            for topic in transaction.topic_results
            for result in topic.results_by_partition
        }


def _refusal(code: int, session: ProducerSession, where: TopicPartition) -> StreamflowError:
    kind = REFUSALS.get(code, CoordinatorNotAvailableError)
    return kind(
        f"the coordinator says {ErrorCode(code).name} of {where} in the transaction of '{session.transactional_id}' "
        f"(producer {session.producer_id}, epoch {session.producer_epoch})"
    )
