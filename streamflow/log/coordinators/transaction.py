"""One transactional id: what its next record is at each step of a transaction, and who may go on from it. PURE.

Each step is a function from the record there is to the record to be written: a step that can't be made durable has
changed nothing. Epochs are counted here and nowhere else. They only rise, and where they are used up the id gets
another producer id (KIP-360).

    a producer opens                 epoch + 1, which fences the one before
    a transaction outlives its time  epoch + 1 with the decision to abort
    V2 ends a transaction            epoch + 1 with the decision, so that its markers fence what comes late (KIP-890)
    an embedded producer commits     epoch + 1 once the markers are written
    V1 ends a transaction            the same epoch: what comes late can't be told from what comes next
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from streamflow.event import TopicPartition
from streamflow.log.coordinators.events import Initialise, ProducerSession
from streamflow.log.coordinators.transaction_records import TransactionStatus, TransactionValue, TransactionVersion
from streamflow.log.errors import ProducerFencedError

EPOCH_MAX = 2**15 - 2
"""The last epoch a producer gets; the one above is kept to fence it (as Kafka). Then it gets another producer id."""

S, V = TransactionStatus, TransactionVersion
OUTCOME = {S.PREPARE_COMMIT: S.COMPLETE_COMMIT, S.PREPARE_ABORT: S.COMPLETE_ABORT}


@dataclass(slots=True)
class Transaction:
    """`value` is the id's record (but for an embedded producer's Ongoing, which isn't written), `pending` the one on
    its way to the disk.

    `unsettled`: partitions whose markers would be lost if the last record were replaced now.
    """

    value: TransactionValue
    pending: TransactionValue | None = None
    unsettled: frozenset[TopicPartition] = frozenset()
    opening: Initialise | None = None

    @property
    def ending(self) -> bool:
        """Its outcome is decided, or about to be: nothing may be added."""
        pending = self.pending
        return self.value.status in OUTCOME or (pending is not None and pending.status in OUTCOME)

    def session(self, transactional_id: str) -> ProducerSession:
        value = self.value
        return ProducerSession(
            transactional_id=transactional_id, producer_id=value.producer_id, producer_epoch=value.producer_epoch
        )

    def is_expired(self, now_ms: int) -> bool:
        value = self.value
        return value.status is S.ONGOING and value.started_ms + value.timeout_ms <= now_ms

    def is_idle_since(self, before_ms: int) -> bool:
        """Whether the id may be forgotten. One of an embedded producer never is: it may be kept open for years."""
        value = self.value
        resting = self.pending is None and value.status is not S.ONGOING and value.status not in OUTCOME
        return resting and value.version is not V.EMBEDDED and value.updated_ms <= before_ms

    def was_opened_by(self, expected: tuple[int, int]) -> bool:
        """Whether the producer that opens as itself (KIP-360) has been given what it asks for, and asks again.

        It may have asked, or ended its transaction, or had it aborted by the clock (KIP-588), and not know.

        Args:
            expected: producer id and epoch it believes to have.

        Raises: ProducerFencedError when another has opened since.
        """
        value = self.value
        if value.producer_epoch < 0 or expected == (value.producer_id, value.producer_epoch):
            return False
        itself = value.previous_producer_id == value.producer_id or self._ended_by_v2
        bumped = itself and expected == (value.producer_id, value.producer_epoch - 1)
        if bumped or self._rotated_from(expected):
            return value.status not in OUTCOME and value.producer_epoch <= EPOCH_MAX
        raise ProducerFencedError(
            f"producer {expected[0]} at epoch {expected[1]} was replaced by producer {value.producer_id} at epoch "
            f"{value.producer_epoch}; another instance with its transactional id runs: stop this one"
        )

    def was_ended_by(self, session: ProducerSession) -> bool:
        """Whether the V2 producer's transaction is ended, and it asks again."""
        value, before = self.value, (session.producer_id, session.producer_epoch)
        if not self._ended_by_v2:
            return False
        usable = value.producer_epoch <= EPOCH_MAX or value.next_producer_id >= 0
        return self._rotated_from(before) or (usable and before == (value.producer_id, value.producer_epoch - 1))

    @property
    def _ended_by_v2(self) -> bool:
        return self.value.version is V.V2 and self.value.status not in (S.EMPTY, S.ONGOING)

    def _rotated_from(self, before: tuple[int, int]) -> bool:
        """Whether the last step gave the producer that had `before` its new producer id."""
        value = self.value
        return before == (value.previous_producer_id, EPOCH_MAX) and value.previous_producer_id != value.producer_id


def opened(value: TransactionValue, opening: Initialise, now_ms: int) -> TransactionValue:
    """A producer opens: nothing is open, and the one before is fenced. One that opens as itself may have been given its
    epoch with the end of what it left open."""
    exhausted = value.producer_epoch >= EPOCH_MAX
    has_it = opening.expected == (value.producer_id, value.producer_epoch - 1)
    return TransactionValue(
        producer_id=opening.spare_producer_id if exhausted else value.producer_id,
        producer_epoch=0 if exhausted else value.producer_epoch + (not has_it),
        previous_producer_id=value.producer_id if opening.expected is not None else -1,
        timeout_ms=opening.timeout_ms,
        version=opening.version,
        updated_ms=now_ms,
    )


def with_partitions(
    value: TransactionValue, partitions: frozenset[TopicPartition], version: TransactionVersion, now_ms: int
) -> TransactionValue:
    """A transaction begins with the first partitions, or goes on with more."""
    return replace(
        value,
        status=S.ONGOING,
        partitions=value.partitions | partitions,
        started_ms=value.started_ms if value.status is S.ONGOING else now_ms,
        updated_ms=now_ms,
        version=version,
        previous_producer_id=-1,
    )


def decided(
    value: TransactionValue,
    outcome: TransactionStatus,
    version: TransactionVersion,
    spare_producer_id: int,
    now_ms: int,
) -> TransactionValue:
    """The producer ends its transaction. V2 may abort one that has not begun, which bumps its epoch."""
    rises = version is V.V2 or (version is V.EMBEDDED and outcome is S.PREPARE_COMMIT)
    return replace(
        value,
        status=outcome,
        version=version,
        producer_epoch=value.producer_epoch + (version is V.V2),
        next_producer_id=spare_producer_id if rises and value.producer_epoch >= EPOCH_MAX else -1,
        previous_producer_id=-1,
        started_ms=value.started_ms if value.status is S.ONGOING else now_ms,
        updated_ms=now_ms,
    )


def fenced(value: TransactionValue, now_ms: int) -> TransactionValue:
    """The transaction is aborted, and its producer fenced, unless it opens again as itself before another does."""
    epoch = min(value.producer_epoch, EPOCH_MAX) + 1
    before = value.producer_id
    return replace(value, status=S.PREPARE_ABORT, producer_epoch=epoch, updated_ms=now_ms, previous_producer_id=before)


def completed(value: TransactionValue) -> TransactionValue:
    """The markers are written."""
    done = replace(value, status=OUTCOME[value.status], partitions=frozenset(), next_producer_id=-1)
    if value.next_producer_id >= 0:
        return replace(
            done, producer_id=value.next_producer_id, producer_epoch=0, previous_producer_id=value.producer_id
        )
    rises = value.version is V.EMBEDDED and value.status is S.PREPARE_COMMIT
    return replace(done, producer_epoch=value.producer_epoch + rises)


def transaction_epoch(value: TransactionValue) -> int:
    """The epoch that the records of the decided or ongoing transaction were written in."""
    return value.producer_epoch - (value.version is V.V2 and value.status in OUTCOME)
