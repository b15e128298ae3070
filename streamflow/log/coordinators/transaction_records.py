"""Records of `__transaction_state`, in Kafka's own format. PURE.

`TransactionLogKey` version 0 and `TransactionLogValue` versions 0 and 1. A value of None (a tombstone) forgets the id.

Who writes which version is part of what a value says. Version 0 is of a producer in this process, whose transactions
aren't written before they are decided. Version 1, with Kafka's tagged fields, is of a client over the wire, whose
transactions are: an Ongoing one goes on after a restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct, error

from streamflow.event import TopicPartition
from streamflow.log.coordinators.fields import I16, I32, I64, Cursor, compact_string, string, tagged, uvarint
from streamflow.log.errors import CorruptBatchError

KEY_VERSION = 0
PLAIN_VERSION, FLEXIBLE_VERSION = 0, 1

_HEAD = Struct(">hqhib")
_TIMES = Struct(">qq")

_PREVIOUS_ID, _NEXT_ID, _CLIENT_VERSION = 0, 1, 2
"""Tags."""


class TransactionStatus(IntEnum):
    """`TransactionState` of Kafka, with its numbers."""

    EMPTY = 0
    ONGOING = 1
    PREPARE_COMMIT = 2
    PREPARE_ABORT = 3
    COMPLETE_COMMIT = 4
    COMPLETE_ABORT = 5

    @property
    def title(self) -> str:
        """As Kafka's tools write it: `CompleteCommit`."""
        return self.name.title().replace("_", "")


class TransactionVersion(IntEnum):
    """How a producer and its coordinator deal with each other; Kafka's numbers of `transaction.version` (KIP-890).

    V1: the producer names each partition before it writes to it, and keeps its epoch. V2: partitions are added by
    writing to them, and each end of a transaction bumps the epoch. EMBEDDED is our own: the producer lives and dies
    with its coordinator; a commit bumps the epoch, an abort doesn't.
    """

    EMBEDDED = -1
    V1 = 0
    V2 = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionValue:
    """What is known of a transactional id.

    Invariant: `partitions` is empty in Empty and Complete states.

    `previous_producer_id`: of who had the id before the last step, if it may go on from here: the same where its epoch
    was bumped, another where that was used up. `next_producer_id`: the one that follows once the markers are written.
    """

    producer_id: int
    producer_epoch: int
    timeout_ms: int
    status: TransactionStatus = TransactionStatus.EMPTY
    partitions: frozenset[TopicPartition] = frozenset()
    updated_ms: int = -1
    started_ms: int = -1
    version: TransactionVersion = TransactionVersion.EMBEDDED
    previous_producer_id: int = -1
    next_producer_id: int = -1


def encode_transaction_key(transactional_id: str) -> bytes:
    return I16.pack(KEY_VERSION) + string(transactional_id)


def decode_transaction_key(data: bytes) -> str | None:
    """Raises: CorruptBatchError when the bytes aren't a key."""
    try:
        cursor = Cursor(data)
        (version,) = cursor.take(I16)
        return cursor.string() if version == KEY_VERSION else None
    except (error, UnicodeDecodeError) as cause:
        raise CorruptBatchError(f"a key of __transaction_state can't be read: {cause}") from cause


def encode_transaction_value(value: TransactionValue) -> bytes:
    plain = value.version is TransactionVersion.EMBEDDED
    version = PLAIN_VERSION if plain else FLEXIBLE_VERSION
    head = _HEAD.pack(version, value.producer_id, value.producer_epoch, value.timeout_ms, value.status)
    times = _TIMES.pack(value.updated_ms, value.started_ms)
    if plain:
        return head + _plain_partitions(value) + times
    return head + _compact_partitions(value) + times + tagged(_tags(value))


def _plain_partitions(value: TransactionValue) -> bytes:
    if value.status is TransactionStatus.EMPTY:
        return I32.pack(-1)
    by_topic = group_by_topic(value.partitions)
    parts = [I32.pack(len(by_topic))]
    for topic, numbers in by_topic.items():
        parts += (string(topic), I32.pack(len(numbers)), *map(I32.pack, numbers))
    return b"".join(parts)


def _compact_partitions(value: TransactionValue) -> bytes:
    if value.status is TransactionStatus.EMPTY:
        return uvarint(0)
    by_topic = group_by_topic(value.partitions)
    parts = [uvarint(len(by_topic) + 1)]
    for topic, numbers in by_topic.items():
        parts += (compact_string(topic), uvarint(len(numbers) + 1), *map(I32.pack, numbers), tagged({}))
    return b"".join(parts)


def _tags(value: TransactionValue) -> dict[int, bytes]:
    """Those that differ from their default."""
    tags = {}
    if value.previous_producer_id >= 0:
        tags[_PREVIOUS_ID] = I64.pack(value.previous_producer_id)
    if value.next_producer_id >= 0:
        tags[_NEXT_ID] = I64.pack(value.next_producer_id)
    if value.version is not TransactionVersion.V1:
        tags[_CLIENT_VERSION] = I16.pack(value.version)
    return tags


def decode_transaction_value(data: bytes) -> TransactionValue:
    """Raises: CorruptBatchError when the bytes aren't a value of version 0 or 1."""
    try:
        cursor = Cursor(data)
        version, producer_id, epoch, timeout_ms, status = cursor.take(_HEAD)
        if version not in (PLAIN_VERSION, FLEXIBLE_VERSION):
            raise error(f"version {version} isn't {PLAIN_VERSION} or {FLEXIBLE_VERSION}")
        plain = version == PLAIN_VERSION
        partitions = _read_plain_partitions(cursor) if plain else _read_compact_partitions(cursor)
        updated_ms, started_ms = cursor.take(_TIMES)
        tags = {} if plain else cursor.tagged()
        return TransactionValue(
            producer_id=producer_id,
            producer_epoch=epoch,
            timeout_ms=timeout_ms,
            status=TransactionStatus(status),
            partitions=partitions,
            updated_ms=updated_ms,
            started_ms=started_ms,
            version=TransactionVersion.EMBEDDED if plain else _client_version(tags),
            previous_producer_id=_number(I64, tags.get(_PREVIOUS_ID), -1),
            next_producer_id=_number(I64, tags.get(_NEXT_ID), -1),
        )
    except (error, UnicodeDecodeError, ValueError) as cause:
        raise CorruptBatchError(f"a value of __transaction_state can't be read: {cause}") from cause


def _read_plain_partitions(cursor: Cursor) -> frozenset[TopicPartition]:
    partitions: set[TopicPartition] = set()
    (topics,) = cursor.take(I32)
    for _ in range(topics):
        topic = cursor.string()
        (count,) = cursor.take(I32)
        partitions |= {TopicPartition(topic, *cursor.take(I32)) for _ in range(count)}
    return frozenset(partitions)


def _read_compact_partitions(cursor: Cursor) -> frozenset[TopicPartition]:
    partitions: set[TopicPartition] = set()
    for _ in range(cursor.uvarint() - 1):
        topic = cursor.compact_string()
        partitions |= {TopicPartition(topic, *cursor.take(I32)) for _ in range(cursor.uvarint() - 1)}
        cursor.tagged()
    return frozenset(partitions)


def _client_version(tags: Mapping[int, bytes]) -> TransactionVersion:
    """Kafka's version 1 differs from its 0 by the format of these records only."""
    return TransactionVersion.V2 if _number(I16, tags.get(_CLIENT_VERSION), 0) >= 2 else TransactionVersion.V1


def _number(fields: Struct, data: bytes | None, default: int) -> int:
    return default if data is None else int(fields.unpack(data)[0])


def group_by_topic(partitions: Iterable[TopicPartition]) -> Mapping[str, list[int]]:
    """Partition numbers by topic, both in order, whatever the order they came in."""
    found: dict[str, list[int]] = {}
    for topic, partition in sorted(partitions):
        found.setdefault(topic, []).append(partition)
    return found
