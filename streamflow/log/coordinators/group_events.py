"""What happens to a classic group, what it orders, and what it answers.

A request carries a ticket; its answer is the one `Reply` with that ticket, at once or later. Whoever does the effects
reports `Persisted` or `PersistFailed` after a `Persist`, by its number; other events may come in between.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import IntEnum

from streamflow.log.coordinators.group_records import GroupMetadata

Ticket = Hashable
"""Names one request. The group only hands it back."""

Protocols = tuple[tuple[str, bytes], ...]
"""Names of assignment strategies with the member's metadata for each, the one it likes best first."""

UNKNOWN_MEMBER = ""
"""The member id of who has none yet."""


class GroupError(IntEnum):
    """Kafka's error codes, those that groups answer with."""

    UNKNOWN_SERVER_ERROR = -1
    NONE = 0
    COORDINATOR_LOAD_IN_PROGRESS = 14
    COORDINATOR_NOT_AVAILABLE = 15
    NOT_COORDINATOR = 16
    ILLEGAL_GENERATION = 22
    INCONSISTENT_GROUP_PROTOCOL = 23
    INVALID_GROUP_ID = 24
    UNKNOWN_MEMBER_ID = 25
    INVALID_SESSION_TIMEOUT = 26
    REBALANCE_IN_PROGRESS = 27
    NON_EMPTY_GROUP = 68
    GROUP_ID_NOT_FOUND = 69
    MEMBER_ID_REQUIRED = 79
    GROUP_MAX_SIZE_REACHED = 81
    FENCED_INSTANCE_ID = 82


# Events


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinGroup:
    """Args:
    new_member_id: one never used, for a member that has none yet.
    id_required: the client knows MEMBER_ID_REQUIRED (KIP-394, version 4).
    can_skip_assignment: the client knows `skip_assignment` (KIP-814, version 9).
    """

    ticket: Ticket
    member_id: str
    instance_id: str | None
    new_member_id: str
    client_id: str
    client_host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocol_type: str
    protocols: Protocols
    id_required: bool
    can_skip_assignment: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncGroup:
    """`assignments` are the leader's, by member id. None is what old clients say (before version 5)."""

    ticket: Ticket
    member_id: str
    instance_id: str | None
    generation: int
    protocol_type: str | None
    protocol_name: str | None
    assignments: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """Answered with a `GroupError`."""

    ticket: Ticket
    member_id: str
    instance_id: str | None
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """Who leaves: by member id, or by instance id alone."""

    member_id: str
    instance_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveGroup:
    ticket: Ticket
    members: tuple[Leaving, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitOffsets:
    """May these offsets be committed? Answered with a `GroupError`. `transactional`: by TxnOffsetCommit (KIP-447)."""

    ticket: Ticket
    member_id: str
    instance_id: str | None
    generation: int
    transactional: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteGroup:
    """Answered with a `GroupError`. A group that was deleted is Dead: nothing else comes of it."""

    ticket: Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Time has passed: the deadline may be over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Persisted:
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistFailed:
    """`error`: what the members who wait are told."""

    number: int
    error: GroupError


# Effects


@dataclass(frozen=True, slots=True, kw_only=True)
class Persist:
    """The record replaces the group's one before; None deletes the group, with its offsets."""

    number: int
    record: GroupMetadata | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedMember:
    """What the leader is told of a member: its metadata for the protocol that was chosen."""

    member_id: str
    instance_id: str | None
    metadata: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinAnswer:
    """`members` are for the leader alone; `skip_assignment` tells it to leave the assignment as it is (KIP-814)."""

    error: GroupError = GroupError.NONE
    member_id: str = UNKNOWN_MEMBER
    generation: int = -1
    protocol_type: str | None = None
    protocol_name: str | None = None
    leader: str = ""
    skip_assignment: bool = False
    members: tuple[JoinedMember, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncAnswer:
    error: GroupError = GroupError.NONE
    protocol_type: str | None = None
    protocol_name: str | None = None
    assignment: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveAnswer:
    """`members` in the order of the request."""

    error: GroupError = GroupError.NONE
    members: tuple[tuple[Leaving, GroupError], ...] = ()


Answer = JoinAnswer | SyncAnswer | LeaveAnswer | GroupError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    ticket: Ticket
    answer: Answer


Request = JoinGroup | SyncGroup | Heartbeat | LeaveGroup | CommitOffsets | DeleteGroup
Event = Request | Tick | Persisted | PersistFailed
Effect = Persist | Reply
