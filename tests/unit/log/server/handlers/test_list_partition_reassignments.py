from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.protocol.messages import list_partition_reassignments_request as q

pytestmark = pytest.mark.anyio


async def test_nothing_is_being_moved(door: Any) -> None:
    named = [q.ListPartitionReassignmentsTopics(name="nope", partition_indexes=[0])]
    for topics in (None, named):
        answer = await door.ask(q.ListPartitionReassignmentsRequest(topics=topics))
        assert (answer.error_code, answer.topics) == (0, [])
