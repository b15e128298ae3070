"""Whom a KIP-848 group listens to: the checks before a heartbeat, an offset commit or an offset fetch counts. PURE.

Each raises `RefusedError` with Kafka's error, or returns; none changes anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamflow.event import TopicPartition
from streamflow.log.coordinators.consumer_events import (
    JOIN_EPOCH,
    LEAVE_EPOCH,
    LEAVE_STATIC_EPOCH,
    ConsumerGroupError,
    Heartbeat,
    RefusedError,
)
from streamflow.log.coordinators.consumer_state import GroupState, Member
from streamflow.log.coordinators.topic_patterns import compile_pattern
from streamflow.log.coordinators.topic_view import TopicIdPartition, TopicView
from streamflow.log.errors import InvalidPatternError

E = ConsumerGroupError

ID_BYTES_MAX = 2**15 - 1
"""Of a member id: its length is 16 bits in the keys of records."""
COMMIT_VERSION_MIN = 9
"""Of OffsetCommit: the first that carries a member epoch (KIP-848)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Committer:
    """Who commits offsets. `version`: of OffsetCommit, or None for TxnOffsetCommit."""

    member_id: str
    instance_id: str | None
    member_epoch: int
    version: int | None


def check_request(event: Heartbeat, assignors: tuple[str, ...]) -> None:
    """Raises: RefusedError for what no group could answer."""
    if not event.member_id and (event.id_required or event.member_epoch > 0 or event.member_epoch == LEAVE_EPOCH):
        raise RefusedError(E.INVALID_REQUEST, "MemberId can't be empty.")
    if event.instance_id == "":
        raise RefusedError(E.INVALID_REQUEST, "InstanceId can't be empty.")
    if event.rack_id == "":
        raise RefusedError(E.INVALID_REQUEST, "RackId can't be empty.")
    if len(event.member_id.encode()) > ID_BYTES_MAX:
        raise RefusedError(E.INVALID_REQUEST, f"MemberId can't be longer than {ID_BYTES_MAX} bytes.")
    if event.member_epoch == JOIN_EPOCH:
        _check_join(event)
    elif event.member_epoch == LEAVE_STATIC_EPOCH and event.instance_id is None:
        raise RefusedError(E.INVALID_REQUEST, "InstanceId can't be null.")
    elif event.member_epoch < LEAVE_STATIC_EPOCH:
        raise RefusedError(E.INVALID_REQUEST, "MemberEpoch is invalid.")
    if event.assignor is not None and event.assignor not in assignors:
        raise RefusedError(
            E.UNSUPPORTED_ASSIGNOR,
            f"ServerAssignor {event.assignor} is not supported. Supported assignors: {', '.join(assignors)}.",
        )
    if event.pattern:
        try:
            compile_pattern(event.pattern)
        except InvalidPatternError as error:
            raise RefusedError(E.INVALID_REGULAR_EXPRESSION, str(error)) from error


def _check_join(event: Heartbeat) -> None:
    if event.rebalance_timeout_ms == -1:
        raise RefusedError(E.INVALID_REQUEST, "RebalanceTimeoutMs must be provided in first request.")
    if event.owned is None or event.owned:
        raise RefusedError(E.INVALID_REQUEST, "TopicPartitions must be empty when (re-)joining.")
    if event.topics is None and event.pattern is None:
        raise RefusedError(
            E.INVALID_REQUEST,
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
        )


def admitted(event: Heartbeat, group_id: str, state: GroupState, members_max: int) -> Member | None:
    """The member as it is before the heartbeat: None for a new one; a static member that returns under another member
    id is found under the old one.

    Raises: RefusedError.
    """
    joins = event.member_epoch == JOIN_EPOCH
    if not joins and not state.exists:
        raise RefusedError(E.GROUP_ID_NOT_FOUND, f"Consumer group {group_id} not found.")
    static = None if event.instance_id is None else state.instances.get(event.instance_id)
    if static is None and len(state.members) >= members_max and event.member_id not in state.members:
        raise RefusedError(
            E.GROUP_MAX_SIZE_REACHED, f"The consumer group has reached its maximum capacity of {members_max} members."
        )
    if joins and static is not None:
        return _returning(event, state.members[static])
    if joins:
        return state.members.get(event.member_id)
    member = present(event.member_id, event.instance_id, group_id, state)
    _check_epoch(event, member)
    return member


def present(member_id: str, instance_id: str | None, group_id: str, state: GroupState) -> Member:
    """The member that heartbeats or leaves.

    Raises: RefusedError.
    """
    if instance_id is None:
        return _member(state, group_id, member_id)
    static = _static(instance_id, state)
    if static.member_id != member_id:
        raise RefusedError(
            E.FENCED_INSTANCE_ID,
            f"Static member {member_id} with instance id {instance_id} was fenced by member {static.member_id}.",
        )
    return static


def removable(member_id: str, instance_id: str | None, group_id: str, state: GroupState) -> Member:
    """The member that an administrator means: of a static one, the instance id is enough.

    Raises: RefusedError.
    """
    if instance_id is not None and not member_id:
        return _static(instance_id, state)
    return present(member_id, instance_id, group_id, state)


def _static(instance_id: str, state: GroupState) -> Member:
    member_id = state.instances.get(instance_id)
    if member_id is None:
        raise RefusedError(E.UNKNOWN_MEMBER_ID, f"Instance id {instance_id} is unknown.")
    return state.members[member_id]


def _member(state: GroupState, group_id: str, member_id: str) -> Member:
    member = state.members.get(member_id)
    if member is None:
        raise RefusedError(E.UNKNOWN_MEMBER_ID, f"Member {member_id} is not a member of group {group_id}.")
    return member


def _returning(event: Heartbeat, member: Member) -> Member:
    if member.current.epoch != LEAVE_STATIC_EPOCH:
        raise RefusedError(
            E.UNRELEASED_INSTANCE_ID,
            f"Static member {event.member_id} with instance id {event.instance_id} cannot join the group because the "
            f"instance id is owned by {member.member_id} member.",
        )
    return member


def _check_epoch(event: Heartbeat, member: Member) -> None:
    """A member whose last answer was lost comes with the epoch before, and has nothing that it wasn't given."""
    epoch, current = event.member_epoch, member.current
    if epoch == current.epoch:
        return
    lost = epoch == current.previous_epoch and event.owned is not None and event.owned <= current.assigned.keys()
    if epoch > current.epoch or not lost:
        than = "greater" if epoch > current.epoch else "smaller"
        raise RefusedError(
            E.FENCED_MEMBER_EPOCH,
            f"The consumer group member has a {than} member epoch ({epoch}) than the one known by the group "
            f"coordinator ({current.epoch}). The member must abandon all its partitions and rejoin.",
        )


def check_commit(who: Committer, partition: TopicPartition, group_id: str, state: GroupState, view: TopicView) -> None:
    """May offsets of the partition be committed? A member that is an epoch behind may, for what it had then (KIP-1251).

    Raises: RefusedError.
    """
    if who.member_epoch < 0 and not state.members:
        return  # An admin client, or a consumer that assigns partitions to itself.
    if who.version is None and (who.member_id, who.instance_id, who.member_epoch) == ("", None, -1):
        return  # TxnOffsetCommit before KIP-447 says nothing of the member.
    member = _member(state, group_id, who.member_id)
    if who.version is not None and who.version < COMMIT_VERSION_MIN:
        raise RefusedError(
            E.UNSUPPORTED_VERSION,
            f"OffsetCommit version {COMMIT_VERSION_MIN} or above must be used by members using the consumer group "
            f"protocol",
        )
    current = member.current
    if who.member_epoch == current.epoch:
        return
    topic = view.topics.get(partition.topic)
    where = None if topic is None else TopicIdPartition(topic.topic_id, partition.partition)
    since = None if where is None else {**current.revoking, **current.assigned}.get(where)
    if who.member_epoch > current.epoch or since is None or who.member_epoch < since:
        raise RefusedError(
            E.STALE_MEMBER_EPOCH,
            f"Received member epoch {who.member_epoch} for {partition}; the member's is {current.epoch}"
            + ("." if since is None else f", and the partition its own since {since}."),
        )


def check_fetch(member_id: str | None, member_epoch: int, group_id: str, state: GroupState) -> None:
    """May committed offsets be read? Those who say nothing of a member may.

    Raises: RefusedError.
    """
    if not member_id and member_epoch < 0:
        return
    member = _member(state, group_id, member_id or "")
    if member_epoch != member.current.epoch:
        raise RefusedError(
            E.STALE_MEMBER_EPOCH,
            f"Received member epoch {member_epoch}; the member's is {member.current.epoch}.",
        )
