"""Records of `__consumer_offsets` and `__transaction_state`, in Kafka's own formats. PURE.

Offsets: `OffsetCommitKey` version 1 and `OffsetCommitValue` version 3. Transactions: `TransactionLogKey` version 0 and
`TransactionLogValue` version 0. A value of None (a tombstone) forgets the key. Keys of other versions are of facts
we don't keep yet (group members): they decode to None and stay untouched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct, error

from streamflow.event import TopicPartition
from streamflow.log.errors import CorruptBatchError

_I16 = Struct(">h")
_I32 = Struct(">i")
_OFFSET_HEAD = Struct(">hqi")
_I64 = Struct(">q")
_TXN_HEAD = Struct(">hqhib")
_TWO_I64 = Struct(">qq")

OFFSET_KEY_VERSIONS = (0, 1)
OFFSET_VALUE_VERSION = 3
TRANSACTION_VERSION = 0


class TransactionStatus(IntEnum):
    """`TransactionState` of Kafka, with its numbers."""

    EMPTY = 0
    ONGOING = 1
    PREPARE_COMMIT = 2
    PREPARE_ABORT = 3
    COMPLETE_COMMIT = 4
    COMPLETE_ABORT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetKey:
    group: str
    partition: TopicPartition


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetValue:
    offset: int
    metadata: str = ""
    leader_epoch: int = -1
    commit_timestamp_ms: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionValue:
    producer_id: int
    producer_epoch: int
    timeout_ms: int
    status: TransactionStatus
    partitions: frozenset[TopicPartition]
    updated_ms: int
    started_ms: int


def _string(text: str) -> bytes:
    data = text.encode()
    return _I16.pack(len(data)) + data


class _Cursor:
    """Reads fields in order.

    Raises: struct.error or UnicodeDecodeError where the bytes end too early or aren't text.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, fields: Struct) -> tuple[int, ...]:
        values = fields.unpack_from(self._data, self._at)
        self._at += fields.size
        return values

    def string(self) -> str:
        (length,) = self.take(_I16)
        start, self._at = self._at, self._at + length
        if not 0 <= length <= len(self._data) - start:
            raise error(f"text of {length} bytes runs past the end")
        return self._data[start : self._at].decode()


def encode_offset_key(key: OffsetKey) -> bytes:
    where = key.partition
    return _I16.pack(1) + _string(key.group) + _string(where.topic) + _I32.pack(where.partition)


def decode_offset_key(data: bytes) -> OffsetKey | None:
    """Raises: CorruptBatchError when the bytes aren't a key."""
    try:
        cursor = _Cursor(data)
        (version,) = cursor.take(_I16)
        if version not in OFFSET_KEY_VERSIONS:
            return None
        group, topic = cursor.string(), cursor.string()
        (partition,) = cursor.take(_I32)
    except (error, UnicodeDecodeError) as cause:
        raise CorruptBatchError(f"a key of __consumer_offsets can't be read: {cause}") from cause
    return OffsetKey(group=group, partition=TopicPartition(topic, partition))


def encode_offset_value(value: OffsetValue) -> bytes:
    head = _OFFSET_HEAD.pack(OFFSET_VALUE_VERSION, value.offset, value.leader_epoch)
    return head + _string(value.metadata) + _I64.pack(value.commit_timestamp_ms)


def decode_offset_value(data: bytes) -> OffsetValue:
    """Raises: CorruptBatchError when the bytes aren't a value of version 3."""
    try:
        cursor = _Cursor(data)
        version, offset, epoch = cursor.take(_OFFSET_HEAD)
        if version != OFFSET_VALUE_VERSION:
            raise error(f"version {version} isn't {OFFSET_VALUE_VERSION}")
        metadata = cursor.string()
        (timestamp,) = cursor.take(_I64)
    except (error, UnicodeDecodeError) as cause:
        raise CorruptBatchError(f"a value of __consumer_offsets can't be read: {cause}") from cause
    return OffsetValue(offset=offset, metadata=metadata, leader_epoch=epoch, commit_timestamp_ms=timestamp)


def encode_transaction_key(transactional_id: str) -> bytes:
    return _I16.pack(TRANSACTION_VERSION) + _string(transactional_id)


def decode_transaction_key(data: bytes) -> str | None:
    """Raises: CorruptBatchError when the bytes aren't a key."""
    try:
        cursor = _Cursor(data)
        (version,) = cursor.take(_I16)
        return cursor.string() if version == TRANSACTION_VERSION else None
    except (error, UnicodeDecodeError) as cause:
        raise CorruptBatchError(f"a key of __transaction_state can't be read: {cause}") from cause


def encode_transaction_value(value: TransactionValue) -> bytes:
    head = (TRANSACTION_VERSION, value.producer_id, value.producer_epoch, value.timeout_ms, value.status)
    return _TXN_HEAD.pack(*head) + _partitions(value) + _TWO_I64.pack(value.updated_ms, value.started_ms)


def _partitions(value: TransactionValue) -> bytes:
    if value.status is TransactionStatus.EMPTY:
        return _I32.pack(-1)
    by_topic = group_by_topic(value.partitions)
    parts = [_I32.pack(len(by_topic))]
    for topic, numbers in by_topic.items():
        parts += (_string(topic), _I32.pack(len(numbers)), *map(_I32.pack, numbers))
    return b"".join(parts)


def decode_transaction_value(data: bytes) -> TransactionValue:
    """Raises: CorruptBatchError when the bytes aren't a value of version 0."""
    try:
        cursor = _Cursor(data)
        version, producer_id, epoch, timeout_ms, status = cursor.take(_TXN_HEAD)
        if version != TRANSACTION_VERSION:
            raise error(f"version {version} isn't {TRANSACTION_VERSION}")
        partitions = set()
        (topics,) = cursor.take(_I32)
        for _ in range(topics):
            topic = cursor.string()
            (count,) = cursor.take(_I32)
            partitions |= {TopicPartition(topic, *cursor.take(_I32)) for _ in range(count)}
        updated_ms, started_ms = cursor.take(_TWO_I64)
        known = TransactionStatus(status)
    except (error, UnicodeDecodeError, ValueError) as cause:
        raise CorruptBatchError(f"a value of __transaction_state can't be read: {cause}") from cause
    return TransactionValue(
        producer_id=producer_id,
        producer_epoch=epoch,
        timeout_ms=timeout_ms,
        status=known,
        partitions=frozenset(partitions),
        updated_ms=updated_ms,
        started_ms=started_ms,
    )


def group_by_topic(partitions: Iterable[TopicPartition]) -> Mapping[str, list[int]]:
    """Partition numbers by topic, both in order, whatever the order they came in."""
    found: dict[str, list[int]] = {}
    for topic, partition in sorted(partitions):
        found.setdefault(topic, []).append(partition)
    return found
