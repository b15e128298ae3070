"""What happens to a KIP-848 consumer group, what it orders, and what it answers.

A request carries a ticket; its answer is the one `Reply` with that ticket, at once or after a `Persist`. Whoever does
the effects reports `Persisted` or `PersistFailed` after each `Persist`; other events may come in between.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import IntEnum

from streamflow.log.coordinators.consumer_records import Row, Subscription
from streamflow.log.coordinators.topic_view import Partitions, TopicView

Ticket = Hashable
"""Names one request. The group only hands it back."""

JOIN_EPOCH = 0
LEAVE_EPOCH = -1
LEAVE_STATIC_EPOCH = -2
"""A static member leaves for a while: its partitions are kept until it returns or its session ends."""


class ConsumerGroupError(IntEnum):
    """Kafka's error codes, those that these groups answer with."""

    UNKNOWN_SERVER_ERROR = -1
    NONE = 0
    COORDINATOR_LOAD_IN_PROGRESS = 14
    COORDINATOR_NOT_AVAILABLE = 15
    NOT_COORDINATOR = 16
    UNKNOWN_MEMBER_ID = 25
    UNSUPPORTED_VERSION = 35
    INVALID_REQUEST = 42
    NON_EMPTY_GROUP = 68
    GROUP_ID_NOT_FOUND = 69
    GROUP_MAX_SIZE_REACHED = 81
    FENCED_INSTANCE_ID = 82
    FENCED_MEMBER_EPOCH = 110
    UNRELEASED_INSTANCE_ID = 111
    UNSUPPORTED_ASSIGNOR = 112
    STALE_MEMBER_EPOCH = 113
    INVALID_REGULAR_EXPRESSION = 128


class RefusedError(Exception):
    """A request that is answered with an error; nothing has changed. Never leaves the coordinator's room."""

    def __init__(self, error: ConsumerGroupError, message: str) -> None:
        super().__init__(message)
        self.error = error
        self.message = message


# Events


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """`ConsumerGroupHeartbeat`. None, and -1 for the time-out, stand for "as before".

    Args:
        id_required: the client must bring its member id (KIP-1082, version 1).
        new_member_id: one never used, for a member that may come without.
        member_epoch: the member's, or one of the three above.
        owned: the partitions that the member has.
    """

    ticket: Ticket
    member_id: str
    member_epoch: int
    id_required: bool
    new_member_id: str
    client_id: str
    client_host: str
    instance_id: str | None = None
    rack_id: str | None = None
    rebalance_timeout_ms: int = -1
    topics: tuple[str, ...] | None = None
    pattern: str | None = None
    assignor: str | None = None
    owned: Partitions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveMembers:
    """`LeaveGroup` in an administrator's hands: members by member id, or by instance id with an empty member id."""

    ticket: Ticket
    members: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteGroup:
    """Answered with a `ConsumerGroupError`. A group that was deleted no longer exists; who joins makes it anew.

    Args:
        with_offsets: what it has committed is forgotten, too.
    """

    ticket: Ticket
    with_offsets: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicsChanged:
    view: TopicView


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Time has passed: the deadline may be over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Persisted:
    """The rows of the last `Persist` are as durable as they are to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistFailed:
    """None of them is written. `error`: what those who wait are told."""

    error: ConsumerGroupError = ConsumerGroupError.COORDINATOR_NOT_AVAILABLE


# Effects


@dataclass(frozen=True, slots=True, kw_only=True)
class Persist:
    """Rows for `__consumer_offsets`, all or none. There is never more than one under way for a group.

    Args:
        forget_offsets: tombstones of the group's offsets belong to them.
    """

    rows: tuple[Row, ...]
    forget_offsets: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatAnswer:
    """`assignment`: what the member is to have, None where that is as it was (or with an error)."""

    error: ConsumerGroupError = ConsumerGroupError.NONE
    message: str | None = None
    member_id: str | None = None
    member_epoch: int = 0
    heartbeat_interval_ms: int = 0
    assignment: Partitions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalAnswer:
    """`errors` in the order of the request."""

    errors: tuple[ConsumerGroupError, ...]


Answer = HeartbeatAnswer | RemovalAnswer | ConsumerGroupError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    ticket: Ticket
    answer: Answer


Request = Heartbeat | RemoveMembers | DeleteGroup
Event = Request | TopicsChanged | Tick | Persisted | PersistFailed
Effect = Persist | Reply


# What is told of a group


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberDescription:
    """`assigned` has what the member is still to give up, too: until then it answers for it."""

    member_id: str
    member_epoch: int
    subscription: Subscription
    assigned: Partitions
    target: Partitions


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDescription:
    """`state`: Empty, Assigning, Reconciling, Stable or Dead."""

    state: str
    epoch: int
    assignment_epoch: int
    assignor: str
    members: tuple[MemberDescription, ...]
