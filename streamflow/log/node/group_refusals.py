"""What members are told when their group can't be asked, or what it ordered can't be written.

Promises: an answer of the kind that the request has, with the error that Kafka's clients know what to do about.
"""

from __future__ import annotations

import structlog

from streamflow.log.coordinators.group_events import (
    Answer,
    GroupError,
    JoinAnswer,
    JoinGroup,
    LeaveAnswer,
    LeaveGroup,
    PersistFailed,
    Request,
    SyncAnswer,
    SyncGroup,
)
from streamflow.log.errors import (
    CoordinatorLoadingError,
    LogError,
    NotCoordinatorError,
    RecordTooLargeError,
    StorageFullError,
)

log = structlog.get_logger("streamflow.groups")


def refusal(error: LogError) -> GroupError:
    match error:
        case NotCoordinatorError():
            return GroupError.NOT_COORDINATOR
        case CoordinatorLoadingError():
            return GroupError.COORDINATOR_LOAD_IN_PROGRESS
        case _:
            return GroupError.COORDINATOR_NOT_AVAILABLE


def unavailable(request: Request, reason: LogError) -> Answer:
    error = refusal(reason)
    match request:
        case JoinGroup():
            return JoinAnswer(error=error, member_id=request.member_id)
        case SyncGroup():
            return SyncAnswer(error=error)
        case LeaveGroup():
            return LeaveAnswer(error=error)
        case _:
            return error


def failed(number: int, group_id: str, error: LogError) -> PersistFailed:
    """As Kafka tells members of what its log can't do."""
    log.warning("a group can't be written", group=group_id, reason=str(error))
    match error:
        case RecordTooLargeError():
            told = GroupError.UNKNOWN_SERVER_ERROR
        case StorageFullError():
            told = GroupError.COORDINATOR_NOT_AVAILABLE
        case _:
            told = GroupError.NOT_COORDINATOR
    return PersistFailed(number=number, error=told)
