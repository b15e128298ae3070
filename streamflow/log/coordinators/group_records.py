"""Records of classic groups in `__consumer_offsets`, in Kafka's own format. PURE.

`GroupMetadataKey` version 2 and `GroupMetadataValue` version 3, beside the offsets of `records`. A value of None
(a tombstone) says that the group was deleted. Keys of other versions decode to None and stay untouched.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct, error

from streamflow.log.coordinators.fields import I16, I32, I64, Cursor, string
from streamflow.log.errors import CorruptBatchError, RecordTooLargeError

GROUP_KEY_VERSION = 2
GROUP_VALUE_VERSION = 3

TEXT_BYTES_MAX = 2**15 - 1
"""Lengths of texts are 16 bits."""

_TIMEOUTS = Struct(">ii")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberMetadata:
    """A member as a restart finds it. `subscription` is what it sent for the group's protocol."""

    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    rebalance_timeout_ms: int
    session_timeout_ms: int
    subscription: bytes
    assignment: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMetadata:
    """A generation of a group. Without members it is Empty; with some it is Stable, each with its assignment."""

    protocol_type: str
    generation: int
    protocol_name: str | None
    leader: str | None
    since_ms: int
    """When the group came into this state."""
    members: tuple[MemberMetadata, ...]


def encode_group_key(group_id: str) -> bytes:
    """Raises: RecordTooLargeError."""
    return I16.pack(GROUP_KEY_VERSION) + _text(group_id)


def decode_group_key(data: bytes) -> str | None:
    """Raises: CorruptBatchError when the bytes aren't a key."""
    try:
        cursor = Cursor(data)
        (version,) = cursor.take(I16)
        return cursor.string() if version == GROUP_KEY_VERSION else None
    except (error, UnicodeDecodeError) as cause:
        raise CorruptBatchError(f"a key of __consumer_offsets can't be read: {cause}") from cause


def encode_group_value(group: GroupMetadata) -> bytes:
    """Raises: RecordTooLargeError."""
    parts = [
        I16.pack(GROUP_VALUE_VERSION),
        _text(group.protocol_type),
        I32.pack(group.generation),
        _text(group.protocol_name),
        _text(group.leader),
        I64.pack(group.since_ms),
        I32.pack(len(group.members)),
    ]
    for member in group.members:
        parts += (
            _text(member.member_id),
            _text(member.instance_id),
            _text(member.client_id),
            _text(member.client_host),
            _TIMEOUTS.pack(member.rebalance_timeout_ms, member.session_timeout_ms),
            _blob(member.subscription),
            _blob(member.assignment),
        )
    return b"".join(parts)


def decode_group_value(data: bytes) -> GroupMetadata:
    """Raises: CorruptBatchError when the bytes aren't a value of version 3."""
    try:
        cursor = Cursor(data)
        (version,) = cursor.take(I16)
        if version != GROUP_VALUE_VERSION:
            raise error(f"version {version} isn't {GROUP_VALUE_VERSION}")
        protocol_type = cursor.string()
        (generation,) = cursor.take(I32)
        protocol_name, leader = _nullable(cursor), _nullable(cursor)
        (since_ms,) = cursor.take(I64)
        (count,) = cursor.take(I32)
        members = tuple(_member(cursor) for _ in range(count))
    except (error, UnicodeDecodeError) as cause:
        raise CorruptBatchError(f"a group of __consumer_offsets can't be read: {cause}") from cause
    return GroupMetadata(
        protocol_type=protocol_type,
        generation=generation,
        protocol_name=protocol_name,
        leader=leader,
        since_ms=since_ms,
        members=members,
    )


def _member(cursor: Cursor) -> MemberMetadata:
    member_id, instance_id = cursor.string(), _nullable(cursor)
    client_id, client_host = cursor.string(), cursor.string()
    rebalance_timeout_ms, session_timeout_ms = cursor.take(_TIMEOUTS)
    return MemberMetadata(
        member_id=member_id,
        instance_id=instance_id,
        client_id=client_id,
        client_host=client_host,
        rebalance_timeout_ms=rebalance_timeout_ms,
        session_timeout_ms=session_timeout_ms,
        subscription=cursor.raw(*cursor.take(I32)),
        assignment=cursor.raw(*cursor.take(I32)),
    )


def _nullable(cursor: Cursor) -> str | None:
    (length,) = cursor.take(I16)
    return None if length == -1 else cursor.raw(length).decode()


def _text(text: str | None) -> bytes:
    if text is None:
        return I16.pack(-1)
    if len(text) > TEXT_BYTES_MAX or len(text.encode()) > TEXT_BYTES_MAX:
        raise RecordTooLargeError(
            f"'{text[:40]}…' is longer than the {TEXT_BYTES_MAX} bytes a group's record has for it"
        )
    return string(text)


def _blob(data: bytes) -> bytes:
    return I32.pack(len(data)) + data
