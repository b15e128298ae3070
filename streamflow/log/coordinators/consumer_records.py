"""Records of KIP-848 consumer groups in `__consumer_offsets`, in Kafka's own formats. PURE.

A record's kind is the version of its key: `ConsumerGroupMetadata` (3), `…MemberMetadata` (5),
`…TargetAssignmentMetadata` (6), `…TargetAssignmentMember` (7), `…CurrentMemberAssignment` (8); keys are plain, values
flexible, version 0. A value of None (a tombstone) removes what the key names.

Since Kafka 4.1 a hash beside the group's epoch stands for the topics' partitions (KIP-1101), which `…PartitionMetadata`
(4) listed before; what regular expressions came to (16) is worked out anew at a start. Neither is written: their keys,
as those of other versions, decode to None and stay untouched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct, error

from streamflow.log.coordinators.fields import I16, I32, I64, Cursor, compact_string, string, tagged, uvarint
from streamflow.log.coordinators.topic_view import Partitions, TopicIdPartition
from streamflow.log.errors import CorruptBatchError

VALUE_VERSION = 0
TOPIC_ID_BYTES = 16

_CURRENT_HEAD = Struct(">iib")
_HASH_TAG = _TIMESTAMP_TAG = _EPOCHS_TAG = 0


class RecordKind(IntEnum):
    GROUP = 3
    MEMBER = 5
    TARGET = 6
    TARGET_MEMBER = 7
    CURRENT = 8


KINDS = frozenset(int(kind) for kind in RecordKind)
OF_MEMBERS = frozenset({RecordKind.MEMBER, RecordKind.TARGET_MEMBER, RecordKind.CURRENT})


class MemberState(IntEnum):
    """`MemberState` of Kafka, with its numbers."""

    STABLE = 0
    """The member has what the target assignment of its epoch gives it."""
    UNREVOKED_PARTITIONS = 1
    """It has to give up partitions first, and hasn't said that it has."""
    UNRELEASED_PARTITIONS = 2
    """It waits for partitions that others still have."""


@dataclass(frozen=True, slots=True)
class Key:
    """`member_id` is empty in records of the group."""

    kind: RecordKind
    group_id: str
    member_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEpoch:
    epoch: int
    metadata_hash: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What a member said of itself. `topics` are sorted; `pattern` is an RE2 expression or None."""

    instance_id: str | None = None
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    topics: tuple[str, ...] = ()
    pattern: str | None = None
    rebalance_timeout_ms: int = -1
    assignor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetEpoch:
    """`computed_ms`: when the target assignment was worked out (KIP-1263)."""

    epoch: int
    computed_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentAssignment:
    """What a member has: partitions with the epoch at which it got each (KIP-1251).

    Invariant: `revoking` has entries in state UNREVOKED_PARTITIONS and no other.
    """

    epoch: int = 0
    previous_epoch: int = -1
    state: MemberState = MemberState.STABLE
    assigned: Mapping[TopicIdPartition, int] = field(default_factory=dict)
    revoking: Mapping[TopicIdPartition, int] = field(default_factory=dict)


Value = GroupEpoch | Subscription | TargetEpoch | Partitions | CurrentAssignment
Row = tuple[bytes, bytes | None]


def encode_key(key: Key) -> bytes:
    member = string(key.member_id) if key.kind in OF_MEMBERS else b""
    return I16.pack(key.kind) + string(key.group_id) + member


def decode_key(data: bytes) -> Key | None:
    """Raises: CorruptBatchError when the bytes aren't a key."""
    try:
        cursor = Cursor(data)
        (version,) = cursor.take(I16)
        if version not in KINDS:
            return None
        kind = RecordKind(version)
        return Key(kind, cursor.string(), cursor.string() if kind in OF_MEMBERS else "")
    except (error, UnicodeDecodeError) as cause:
        raise CorruptBatchError(f"a key of __consumer_offsets can't be read: {cause}") from cause


def encode_value(value: Value) -> bytes:
    match value:
        case GroupEpoch():
            parts = I32.pack(value.epoch) + tagged({_HASH_TAG: I64.pack(value.metadata_hash)})
        case Subscription():
            parts = _subscription(value)
        case TargetEpoch():
            parts = I32.pack(value.epoch) + tagged({_TIMESTAMP_TAG: I64.pack(value.computed_ms)})
        case CurrentAssignment():
            head = _CURRENT_HEAD.pack(value.epoch, value.previous_epoch, value.state)
            parts = head + _epochs(value.assigned) + _epochs(value.revoking) + tagged({})
        case _:
            parts = _array(_topic(topic_id, numbers, {}) for topic_id, numbers in _by_topic(value)) + tagged({})
    return I16.pack(VALUE_VERSION) + parts


def decode_value(kind: RecordKind, data: bytes) -> Value:
    """Raises: CorruptBatchError when the bytes aren't a value of version 0 and this kind."""
    try:
        cursor = Cursor(data)
        (version,) = cursor.take(I16)
        if version != VALUE_VERSION:
            raise error(f"version {version} isn't {VALUE_VERSION}")
        return _DECODERS[kind](cursor)
    except (error, UnicodeDecodeError, ValueError) as cause:
        raise CorruptBatchError(f"a {kind.name} of __consumer_offsets can't be read: {cause}") from cause


# Writing


def _subscription(value: Subscription) -> bytes:
    return b"".join(
        (
            _nullable(value.instance_id),
            _nullable(value.rack_id),
            compact_string(value.client_id),
            compact_string(value.client_host),
            _array(map(compact_string, value.topics)),
            _nullable(value.pattern),
            I32.pack(value.rebalance_timeout_ms),
            _nullable(value.assignor),
            tagged({}),
        )
    )


def _epochs(partitions: Mapping[TopicIdPartition, int]) -> bytes:
    return _array(
        _topic(topic_id, numbers, {_EPOCHS_TAG: _int_array(partitions[TopicIdPartition(topic_id, n)] for n in numbers)})
        for topic_id, numbers in _by_topic(partitions)
    )


def _by_topic(partitions: Iterable[TopicIdPartition]) -> Iterable[tuple[bytes, list[int]]]:
    topics: dict[bytes, list[int]] = {}
    for topic_id, number in sorted(partitions):
        topics.setdefault(topic_id, []).append(number)
    return topics.items()


def _topic(topic_id: bytes, numbers: Iterable[int], tags: Mapping[int, bytes]) -> bytes:
    return topic_id + _int_array(numbers) + tagged(tags)


def _int_array(numbers: Iterable[int]) -> bytes:
    return _array(map(I32.pack, numbers))


def _array(items: Iterable[bytes]) -> bytes:
    written = list(items)
    return uvarint(len(written) + 1) + b"".join(written)


def _nullable(text: str | None) -> bytes:
    return uvarint(0) if text is None else compact_string(text)


# Reading


def _read_group(cursor: Cursor) -> GroupEpoch:
    (epoch,) = cursor.take(I32)
    return GroupEpoch(epoch=epoch, metadata_hash=_read_tagged_i64(cursor, _HASH_TAG))


def _read_target(cursor: Cursor) -> TargetEpoch:
    (epoch,) = cursor.take(I32)
    return TargetEpoch(epoch=epoch, computed_ms=_read_tagged_i64(cursor, _TIMESTAMP_TAG))


def _read_tagged_i64(cursor: Cursor, tag: int) -> int:
    data = cursor.tagged().get(tag)
    return 0 if data is None else int(I64.unpack(data)[0])


def _read_subscription(cursor: Cursor) -> Subscription:
    instance_id, rack_id = _read_nullable(cursor), _read_nullable(cursor)
    client_id, client_host = cursor.compact_string(), cursor.compact_string()
    topics = tuple(cursor.compact_string() for _ in range(_read_count(cursor)))
    pattern = _read_nullable(cursor)
    (rebalance_timeout_ms,) = cursor.take(I32)
    assignor = _read_nullable(cursor)
    cursor.tagged()
    return Subscription(
        instance_id=instance_id,
        rack_id=rack_id,
        client_id=client_id,
        client_host=client_host,
        topics=topics,
        pattern=pattern,
        rebalance_timeout_ms=rebalance_timeout_ms,
        assignor=assignor,
    )


def _read_partitions(cursor: Cursor) -> Partitions:
    partitions = frozenset(partition for partition, _ in _read_topics(cursor))
    cursor.tagged()
    return partitions


def _read_current(cursor: Cursor) -> CurrentAssignment:
    epoch, previous_epoch, state = cursor.take(_CURRENT_HEAD)
    assigned, revoking = dict(_read_topics(cursor)), dict(_read_topics(cursor))
    cursor.tagged()
    return CurrentAssignment(
        epoch=epoch,
        previous_epoch=previous_epoch,
        state=MemberState(state),
        assigned=assigned,
        revoking=revoking,
    )


def _read_topics(cursor: Cursor) -> Iterable[tuple[TopicIdPartition, int]]:
    """Partitions with their epochs: 0 where none are given, as Kafka before 4.3 wrote them."""
    found: list[tuple[TopicIdPartition, int]] = []
    for _ in range(_read_count(cursor)):
        topic_id = cursor.raw(TOPIC_ID_BYTES)
        numbers = _read_int_array(cursor)
        tags = cursor.tagged()
        epochs = _read_int_array(Cursor(tags[_EPOCHS_TAG])) if _EPOCHS_TAG in tags else [0] * len(numbers)
        found += ((TopicIdPartition(topic_id, n), epoch) for n, epoch in zip(numbers, epochs, strict=True))
    return found


def _read_int_array(cursor: Cursor) -> list[int]:
    return [cursor.take(I32)[0] for _ in range(_read_count(cursor))]


def _read_count(cursor: Cursor) -> int:
    return cursor.uvarint() - 1


def _read_nullable(cursor: Cursor) -> str | None:
    length = cursor.uvarint() - 1
    return None if length < 0 else cursor.raw(length).decode()


_DECODERS: Mapping[RecordKind, Callable[[Cursor], Value]] = {
    RecordKind.GROUP: _read_group,
    RecordKind.MEMBER: _read_subscription,
    RecordKind.TARGET: _read_target,
    RecordKind.TARGET_MEMBER: _read_partitions,
    RecordKind.CURRENT: _read_current,
}
