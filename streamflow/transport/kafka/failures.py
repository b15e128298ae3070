"""librdkafka's errors as ours: what the world may do to a call, and what to do about it."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

from streamflow.errors import ConfigError, StreamflowError, UnknownTopicError
from streamflow.log.errors import (
    IllegalGenerationError,
    InvalidTopicError,
    LeaderNotAvailableError,
    LogError,
    NotLeaderError,
    PeerUnreachableError,
    ProducerFencedError,
    RecordTooLargeError,
    RequestTimedOutError,
    TopicExistsError,
    TransactionError,
    UnknownMemberError,
)

FENCED = frozenset(
    {
        KafkaError._FENCED,
        KafkaError.PRODUCER_FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.INVALID_PRODUCER_ID_MAPPING,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)
_REBALANCED = frozenset(
    {KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS, KafkaError.STALE_MEMBER_EPOCH}
)
_THROWN_OUT = frozenset(
    {
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.FENCED_MEMBER_EPOCH,
        KafkaError._ASSIGNMENT_LOST,
        KafkaError._MAX_POLL_EXCEEDED,
    }
)
UNKNOWN_TOPIC = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.UNKNOWN_TOPIC_ID,
        KafkaError.INCONSISTENT_TOPIC_ID,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
    }
)
_INVALID = frozenset(
    {
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.INVALID_CONFIG,
        KafkaError.INVALID_PARTITIONS,
        KafkaError.INVALID_REPLICATION_FACTOR,
        KafkaError.POLICY_VIOLATION,
    }
)
_LED_ELSEWHERE = frozenset(
    {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError.FENCED_LEADER_EPOCH}
)
_UNREACHABLE = frozenset({KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE})
_LATE = frozenset({KafkaError._TIMED_OUT, KafkaError.REQUEST_TIMED_OUT, KafkaError._MSG_TIMED_OUT})


def translate(error: KafkaException | KafkaError, what: str, topic: str = "") -> StreamflowError:
    """The error to raise in its place.

    Args:
        what: was being done, as in "reading t-0".
    """
    reason = error.args[0] if isinstance(error, KafkaException) else error
    code, text = reason.code(), f"{what}: {reason.str()} ({reason.name()})"
    if code in FENCED:
        return ProducerFencedError(f"{text}; another writer has taken over, or the transaction's time-out has passed")
    if code in _REBALANCED:
        return IllegalGenerationError(f"{text}; the group has rebalanced meanwhile")
    if code in _THROWN_OUT:
        return UnknownMemberError(f"{text}; the group has gone on without this worker")
    if code in UNKNOWN_TOPIC:
        return UnknownTopicError(topic) if topic else UnknownTopicError(what)
    if code == KafkaError.TOPIC_ALREADY_EXISTS:
        return TopicExistsError(topic)
    if code in _INVALID:
        return InvalidTopicError(text)
    if code in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD):
        return RecordTooLargeError(f"{text}; raise max.message.bytes of the topic and message.max.bytes of the address")
    if code in (KafkaError._STATE, KafkaError.INVALID_TXN_STATE):
        return TransactionError(text)
    if code == KafkaError._INVALID_ARG:
        return ConfigError(text)
    if code in _LED_ELSEWHERE:
        return NotLeaderError(text)
    if code in (KafkaError.LEADER_NOT_AVAILABLE, KafkaError._NOENT):
        return LeaderNotAvailableError(text)
    if code in _UNREACHABLE:
        return PeerUnreachableError(f"{text}; is the address right, and a broker running there?")
    if code in _LATE:
        return RequestTimedOutError(f"{text}; it may have been done or not")
    return LogError(text)
