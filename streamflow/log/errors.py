"""What can go wrong in the log, one class a failure. Foreign exceptions are mapped to these where they enter."""

from __future__ import annotations

from collections.abc import Sequence

from streamflow.errors import StreamflowError


class LogError(StreamflowError):
    """Root of the log's failures."""


class TopicExistsError(LogError):
    def __init__(self, topic: str) -> None:
        super().__init__(f"topic '{topic}' already exists; see it with: streamflow topic describe {topic}")
        self.topic = topic


class InvalidTopicError(LogError):
    """A topic name, partition count or config value Kafka's rules refuse."""


class OffsetOutOfRangeError(LogError):
    def __init__(self, partition: str, offset: int, log_start_offset: int, log_end_offset: int) -> None:
        super().__init__(
            f"offset {offset} of {partition} is out of range: the log holds {log_start_offset} to "
            f"{log_end_offset}; reset the group (streamflow group reset) or read from the beginning"
        )
        self.offset = offset


class CorruptBatchError(LogError):
    """Bytes on disk that fail their checksum. They are kept where they are and never read as records."""


class UnsupportedFormatError(LogError):
    """A data directory written by a newer Streamflow."""


class DirectoryInUseError(LogError):
    """A second process tried to open a data directory."""


class DirectoryError(LogError):
    """A data directory that can't be made, read or written."""


class StorageFullError(LogError):
    """No space left. Nothing acknowledged is lost; appends resume once there is room."""


class StorageFailedError(LogError):
    """A write or fsync failed: the log can't know what is on disk until it is opened again (never retried)."""


class ProducerFencedError(LogError):
    """A newer writer with the same transactional id has taken over. Kafka: PRODUCER_FENCED (90), or
    INVALID_PRODUCER_EPOCH (47) for requests of versions that don't know it (KIP-588)."""


class InvalidProducerEpochError(ProducerFencedError):
    """A batch of an epoch that is over. Kafka: INVALID_PRODUCER_EPOCH (47)."""


class InvalidProducerIdMappingError(ProducerFencedError):
    """A producer id that isn't the transactional id's (any more). Kafka: INVALID_PRODUCER_ID_MAPPING (49)."""


class OutOfOrderSequenceError(LogError):
    """An idempotent producer left a gap: a batch before this one never arrived. Kafka: OUT_OF_ORDER_SEQUENCE_NUMBER
    (45)."""


class DuplicateSequenceError(OutOfOrderSequenceError):
    """A batch that was appended so long ago that nobody knows where. Kafka: DUPLICATE_SEQUENCE_NUMBER (46)."""


class TransactionError(LogError):
    """A call that the transaction's state doesn't allow. Kafka: INVALID_TXN_STATE (48)."""


class PartitionNotAddedError(TransactionError):
    """A transactional batch to a partition that isn't part of its producer's transaction (KIP-890). Kafka:
    TRANSACTION_ABORTABLE (120) where the request's version knows it (Produce 11, TxnOffsetCommit 4,
    AddPartitionsToTxn 5), else INVALID_TXN_STATE (48)."""


class ConcurrentTransactionsError(TransactionError):
    """The transaction before is still being ended: try again. Kafka: CONCURRENT_TRANSACTIONS (51)."""


class InvalidTransactionTimeoutError(LogError):
    """A time-out of 0 or less, or above `transaction.max.timeout.ms`. Kafka: INVALID_TRANSACTION_TIMEOUT (50)."""


class TransactionalIdNotFoundError(LogError):
    """A transactional id nothing is known of. Kafka: TRANSACTIONAL_ID_NOT_FOUND (105)."""


class CoordinatorFencedError(LogError):
    """A marker of a coordinator that another has replaced. Kafka: TRANSACTION_COORDINATOR_FENCED (52)."""


class InvalidPatternError(LogError):
    """A regular expression that isn't one. Kafka: INVALID_REGULAR_EXPRESSION (128)."""


class InvalidRecordError(LogError):
    """A batch that nobody may send: a control record, or a producer without a place. Kafka: INVALID_RECORD (87).

    Args:
        indexes: of the records in the batch that are to blame, where it isn't the batch as a whole.
    """

    def __init__(self, message: str, indexes: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.indexes = indexes


class RecordTooLargeError(LogError):
    """A batch above `max.message.bytes`."""


class UnsupportedCompressionError(LogError):
    """A codec whose library isn't installed, or that isn't one of Kafka's five."""


class MalformedError(LogError):
    """A frame that isn't a request we know how to read: its connection is closed, for nothing after it can be
    trusted to begin where it seems to."""


class InvalidRequestError(LogError):
    """A request that contradicts itself, or asks for what there is no such thing of. Kafka: INVALID_REQUEST (42)."""


class InvalidPartitionsError(InvalidTopicError):
    """A number of partitions that can't be. Kafka: INVALID_PARTITIONS (37)."""


class InvalidReplicationFactorError(InvalidTopicError):
    """More replicas than brokers, or none. Kafka: INVALID_REPLICATION_FACTOR (38)."""


class InvalidReplicaAssignmentError(InvalidTopicError):
    """Replicas on brokers that aren't there, or not for each partition. Kafka: INVALID_REPLICA_ASSIGNMENT (39)."""


class InvalidTopicConfigError(InvalidTopicError):
    """A topic's setting that isn't one, or can't have that value. Kafka: INVALID_CONFIG (40)."""


class PolicyViolationError(LogError):
    """What the topic's own rules exclude. Kafka: POLICY_VIOLATION (44)."""


class TopicDeletionDisabledError(LogError):
    """`delete.topic.enable` is false. Kafka: TOPIC_DELETION_DISABLED (73)."""


class NoReassignmentError(LogError):
    """There is no reassignment of that partition that could be cancelled. Kafka: NO_REASSIGNMENT_IN_PROGRESS (85)."""


class ElectionNotNeededError(LogError):
    """The partition is led by whom the election would choose. Kafka: ELECTION_NOT_NEEDED (84)."""


class NotEnoughReplicasError(LogError):
    """Fewer replicas are in sync than `min.insync.replicas`. Kafka: NOT_ENOUGH_REPLICAS (19)."""


class InvalidTimestampError(LogError):
    """A record of a time its topic doesn't take. Kafka: INVALID_TIMESTAMP (32)."""


class UnknownTopicIdError(LogError):
    """An id that is no topic's (any more). Kafka: UNKNOWN_TOPIC_ID (100)."""


class NotControllerError(LogError):
    """Asked of a node that doesn't lead the metadata quorum, or no longer does: whether what was asked for was done is
    known only to who asks again. Kafka: NOT_CONTROLLER (41)."""


class NotLeaderError(LogError):
    """Asked of a replica that doesn't lead its partition. Kafka: NOT_LEADER_OR_FOLLOWER (6)."""


class LeaderNotAvailableError(LogError):
    """A partition that nobody leads at the moment. Kafka: LEADER_NOT_AVAILABLE (5)."""


class FencedLeaderEpochError(LogError):
    """A leader epoch that is over. Kafka: FENCED_LEADER_EPOCH (74)."""


class UnknownLeaderEpochError(LogError):
    """A leader epoch that hasn't been heard of here yet. Kafka: UNKNOWN_LEADER_EPOCH (75)."""


class NotEnoughReplicasAfterAppendError(LogError):
    """The record is in the leader's log, and fewer replicas than `min.insync.replicas` have it. Kafka:
    NOT_ENOUGH_REPLICAS_AFTER_APPEND (20)."""


class RequestTimedOutError(LogError):
    """What was asked for may have been done or not; the message says what was waited for. Kafka: REQUEST_TIMED_OUT
    (7)."""


class NotCoordinatorError(LogError):
    """Asked of a node that doesn't coordinate the group or transactional id. Kafka: NOT_COORDINATOR (16)."""


class CoordinatorLoadingError(LogError):
    """The coordinator is reading back what is known of groups or transactions. Kafka: COORDINATOR_LOAD_IN_PROGRESS
    (14)."""


class CoordinatorNotAvailableError(LogError):
    """Nobody coordinates at the moment. Kafka: COORDINATOR_NOT_AVAILABLE (15)."""


class StaleBrokerEpochError(LogError):
    """A request of a broker's earlier life. Kafka: STALE_BROKER_EPOCH (77)."""


class BrokerIdNotRegisteredError(LogError):
    """A broker that the controller doesn't know. Kafka: BROKER_ID_NOT_REGISTERED (102)."""


class DuplicateBrokerRegistrationError(LogError):
    """Another process that lives is registered under the broker's id. Kafka: DUPLICATE_BROKER_REGISTRATION (101)."""


class InconsistentClusterIdError(LogError):
    """A node of another cluster. Kafka: INCONSISTENT_CLUSTER_ID (104)."""


class InvalidUpdateVersionError(LogError):
    """A partition has changed since: look again. Kafka: INVALID_UPDATE_VERSION (95)."""


class IneligibleReplicaError(LogError):
    """A replica that mustn't be in sync: its broker is fenced, stopping, or has restarted since. Kafka:
    INELIGIBLE_REPLICA (107)."""


class PreferredLeaderNotAvailableError(LogError):
    """The replica an election would choose isn't in sync. Kafka: PREFERRED_LEADER_NOT_AVAILABLE (80)."""


class EligibleLeadersNotAvailableError(LogError):
    """No replica that may lead is there. Kafka: ELIGIBLE_LEADERS_NOT_AVAILABLE (83)."""


class IllegalGenerationError(LogError):
    """The group has rebalanced since its member said who it is. A transaction that told the old generation is refused;
    who is still a member may abort it and try again."""


class UnknownMemberError(LogError):
    """The group has gone on without this member: what it had may be somebody else's by now."""


class PeerUnreachableError(LogError):
    """Another node couldn't be asked, or didn't answer in time. Whether it did what it was asked for isn't known."""


class PeerGoneError(PeerUnreachableError):
    """Nobody listens where the other node was: its process has ended."""
