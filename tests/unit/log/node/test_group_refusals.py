from __future__ import annotations

import pytest

from streamflow.log.coordinators.group_events import GroupError, SyncAnswer, SyncGroup
from streamflow.log.errors import (
    CoordinatorLoadingError,
    LogError,
    NotCoordinatorError,
    RecordTooLargeError,
    StorageFailedError,
    StorageFullError,
)
from streamflow.log.node.group_refusals import failed, refusal, unavailable
from streamflow.log.node.promise import Promise

E = GroupError


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (NotCoordinatorError("x"), E.NOT_COORDINATOR),
        (CoordinatorLoadingError("x"), E.COORDINATOR_LOAD_IN_PROGRESS),
        (StorageFullError("x"), E.COORDINATOR_NOT_AVAILABLE),
    ],
)
def test_who_cant_be_served_is_told_whether_to_look_elsewhere_or_wait(error: LogError, told: GroupError) -> None:
    assert refusal(error) is told
    request = SyncGroup(
        ticket=Promise(),
        member_id="a",
        instance_id=None,
        generation=1,
        protocol_type=None,
        protocol_name=None,
        assignments=(),
    )
    assert unavailable(request, error) == SyncAnswer(error=told)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (StorageFullError("x"), E.COORDINATOR_NOT_AVAILABLE),
        (StorageFailedError("x"), E.NOT_COORDINATOR),
        (RecordTooLargeError("a record", 2, 1), E.UNKNOWN_SERVER_ERROR),
    ],
)
def test_a_record_that_isnt_written_is_told_as_kafka_does(error: LogError, told: GroupError) -> None:
    assert failed(3, "g", error).error is told
