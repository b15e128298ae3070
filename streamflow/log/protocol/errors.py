"""Kafka's error codes, and which of our failures is which of them."""

from __future__ import annotations

from kio.schema.errors import ErrorCode

from streamflow.errors import ConfigError, StreamflowError, UnknownTopicError
from streamflow.log import errors as e

__all__ = ["CODES", "ErrorCode", "code_of"]


CODES: dict[type[StreamflowError], ErrorCode] = {
    UnknownTopicError: ErrorCode.unknown_topic_or_partition,
    ConfigError: ErrorCode.invalid_config,
    e.TopicExistsError: ErrorCode.topic_already_exists,
    e.InvalidTopicError: ErrorCode.invalid_topic_exception,
    e.OffsetOutOfRangeError: ErrorCode.offset_out_of_range,
    e.CorruptBatchError: ErrorCode.corrupt_message,
    e.UnsupportedCompressionError: ErrorCode.unsupported_compression_type,
    e.RecordTooLargeError: ErrorCode.message_too_large,
    e.InvalidRecordError: ErrorCode.invalid_record,
    e.ProducerFencedError: ErrorCode.producer_fenced,
    e.InvalidProducerEpochError: ErrorCode.invalid_producer_epoch,
    e.InvalidProducerIdMappingError: ErrorCode.invalid_producer_id_mapping,
    e.OutOfOrderSequenceError: ErrorCode.out_of_order_sequence_number,
    e.DuplicateSequenceError: ErrorCode.duplicate_sequence_number,
    e.TransactionError: ErrorCode.invalid_txn_state,
    e.ConcurrentTransactionsError: ErrorCode.concurrent_transactions,
    e.InvalidTransactionTimeoutError: ErrorCode.invalid_transaction_timeout,
    e.TransactionalIdNotFoundError: ErrorCode.transactional_id_not_found,
    e.CoordinatorFencedError: ErrorCode.transaction_coordinator_fenced,
    e.InvalidPatternError: ErrorCode.invalid_regular_expression,
    e.InvalidRequestError: ErrorCode.invalid_request,
    e.InvalidPartitionsError: ErrorCode.invalid_partitions,
    e.InvalidReplicationFactorError: ErrorCode.invalid_replication_factor,
    e.InvalidReplicaAssignmentError: ErrorCode.invalid_replica_assignment,
    e.InvalidTopicConfigError: ErrorCode.invalid_config,
    e.PolicyViolationError: ErrorCode.policy_violation,
    e.TopicDeletionDisabledError: ErrorCode.topic_deletion_disabled,
    e.NoReassignmentError: ErrorCode.no_reassignment_in_progress,
    e.ElectionNotNeededError: ErrorCode.election_not_needed,
    e.NotEnoughReplicasError: ErrorCode.not_enough_replicas,
    e.InvalidTimestampError: ErrorCode.invalid_timestamp,
    e.UnknownTopicIdError: ErrorCode.unknown_topic_id,
    e.NotControllerError: ErrorCode.not_controller,
    e.NotLeaderError: ErrorCode.not_leader_or_follower,
    e.LeaderNotAvailableError: ErrorCode.leader_not_available,
    e.FencedLeaderEpochError: ErrorCode.fenced_leader_epoch,
    e.UnknownLeaderEpochError: ErrorCode.unknown_leader_epoch,
    e.NotEnoughReplicasAfterAppendError: ErrorCode.not_enough_replicas_after_append,
    e.RequestTimedOutError: ErrorCode.request_timed_out,
    e.NotCoordinatorError: ErrorCode.not_coordinator,
    e.CoordinatorLoadingError: ErrorCode.coordinator_load_in_progress,
    e.CoordinatorNotAvailableError: ErrorCode.coordinator_not_available,
    e.IllegalGenerationError: ErrorCode.illegal_generation,
    e.UnknownMemberError: ErrorCode.unknown_member_id,
    e.StaleBrokerEpochError: ErrorCode.stale_broker_epoch,
    e.BrokerIdNotRegisteredError: ErrorCode.broker_id_not_registered,
    e.DuplicateBrokerRegistrationError: ErrorCode.duplicate_broker_registration,
    e.InconsistentClusterIdError: ErrorCode.inconsistent_cluster_id,
    e.InvalidUpdateVersionError: ErrorCode.invalid_update_version,
    e.IneligibleReplicaError: ErrorCode.ineligible_replica,
    e.PreferredLeaderNotAvailableError: ErrorCode.preferred_leader_not_available,
    e.EligibleLeadersNotAvailableError: ErrorCode.eligible_leaders_not_available,
    e.PeerUnreachableError: ErrorCode.request_timed_out,
    e.StorageFullError: ErrorCode.kafka_storage_error,
    e.StorageFailedError: ErrorCode.kafka_storage_error,
}


def code_of(error: StreamflowError) -> ErrorCode:
    """The code that tells a client of the failure; `unknown_server_error` for what clients can't know."""
    for kind in type(error).__mro__:
        if kind in CODES:
            return CODES[kind]
    return ErrorCode.unknown_server_error
