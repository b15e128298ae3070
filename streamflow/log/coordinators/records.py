"""Records of `__consumer_offsets`, in Kafka's own formats. PURE.

`OffsetCommitKey` version 1 and `OffsetCommitValue` version 3. A value of None (a tombstone) forgets the key. Keys of
other versions are of facts we don't keep yet (group members): they decode to None and stay untouched.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct, error

from streamflow.event import TopicPartition
from streamflow.log.coordinators.fields import I16, I32, I64, Cursor, string
from streamflow.log.errors import CorruptBatchError

_OFFSET_HEAD = Struct(">hqi")

OFFSET_KEY_VERSIONS = (0, 1)
OFFSET_VALUE_VERSION = 3


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


def encode_offset_key(key: OffsetKey) -> bytes:
    where = key.partition
    return I16.pack(1) + string(key.group) + string(where.topic) + I32.pack(where.partition)


def decode_offset_key(data: bytes) -> OffsetKey | None:
    """Raises: CorruptBatchError when the bytes aren't a key."""
    try:
        cursor = Cursor(data)
        (version,) = cursor.take(I16)
        if version not in OFFSET_KEY_VERSIONS:
            return None
        group, topic = cursor.string(), cursor.string()
        (partition,) = cursor.take(I32)
    except (error, UnicodeDecodeError) as cause:
        raise CorruptBatchError(f"a key of __consumer_offsets can't be read: {cause}") from cause
    return OffsetKey(group=group, partition=TopicPartition(topic, partition))


def encode_offset_value(value: OffsetValue) -> bytes:
    head = _OFFSET_HEAD.pack(OFFSET_VALUE_VERSION, value.offset, value.leader_epoch)
    return head + string(value.metadata) + I64.pack(value.commit_timestamp_ms)


def decode_offset_value(data: bytes) -> OffsetValue:
    """Raises: CorruptBatchError when the bytes aren't a value of version 3."""
    try:
        cursor = Cursor(data)
        version, offset, epoch = cursor.take(_OFFSET_HEAD)
        if version != OFFSET_VALUE_VERSION:
            raise error(f"version {version} isn't {OFFSET_VALUE_VERSION}")
        metadata = cursor.string()
        (timestamp,) = cursor.take(I64)
    except (error, UnicodeDecodeError) as cause:
        raise CorruptBatchError(f"a value of __consumer_offsets can't be read: {cause}") from cause
    return OffsetValue(offset=offset, metadata=metadata, leader_epoch=epoch, commit_timestamp_ms=timestamp)
