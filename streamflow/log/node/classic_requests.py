"""Requests of the classic protocol to a group of consumers (KIP-848), who have no generation.

Members of both protocols aren't mixed (`group.consumer.migration.policy` is `disabled`): while the group has members,
who would join it is refused. An administrator removes members by LeaveGroup, as of any group.
"""

from __future__ import annotations

from streamflow.log.coordinators import consumer_events
from streamflow.log.coordinators.group_events import (
    Answer,
    GroupError,
    JoinAnswer,
    JoinGroup,
    LeaveAnswer,
    LeaveGroup,
    Leaving,
    Request,
    SyncAnswer,
    SyncGroup,
)
from streamflow.log.node.consumer_groups import ConsumerGroups
from streamflow.log.node.promise import Promise


def answer_for_consumers(consumers: ConsumerGroups, group_id: str, request: Request, promise: Promise[Answer]) -> bool:
    """Returns: False where there is no such group (any more), and the classic protocol has the name."""
    if consumers.find(group_id) is None:
        return False
    match request:
        case LeaveGroup():
            members = tuple((leaving.member_id, leaving.instance_id) for leaving in request.members)
            removal = _Removal(promise, request.members)
            consumers.ask(group_id, consumer_events.RemoveMembers(ticket=removal, members=members))
        case JoinGroup():
            if consumers.release(group_id):
                return False
            promise.tell(JoinAnswer(error=GroupError.INCONSISTENT_GROUP_PROTOCOL, member_id=request.member_id))
        case SyncGroup():
            promise.tell(SyncAnswer(error=GroupError.UNKNOWN_MEMBER_ID))
        case _:
            promise.tell(GroupError.UNKNOWN_MEMBER_ID)
    return True


class _Removal(Promise[consumer_events.Answer]):
    """Tells a LeaveGroup what became of members of a KIP-848 group."""

    def __init__(self, told: Promise[Answer], members: tuple[Leaving, ...]) -> None:
        super().__init__()
        self._answered = told
        self._members = members

    def tell(self, answer: consumer_events.Answer) -> None:
        assert isinstance(answer, consumer_events.RemovalAnswer), "as removals are answered"
        errors = (GroupError(error) for error in answer.errors)
        self._answered.tell(LeaveAnswer(members=tuple(zip(self._members, errors, strict=True))))
