from __future__ import annotations

import pytest

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import describe_cluster_request

pytestmark = pytest.mark.anyio
REQUEST = describe_cluster_request.DescribeClusterRequest


async def test_the_broker_is_named_where_clients_reach_it(door) -> None:
    answer = await door.ask(REQUEST())
    assert [(b.broker_id, b.host, b.port) for b in answer.brokers] == [(1, "here", 9092)]
    assert (answer.controller_id, len(answer.cluster_id)) == (1, 22)


@pytest.mark.parametrize(
    ("kind", "error"), [(2, ErrorCode.mismatched_endpoint_type), (3, ErrorCode.unsupported_endpoint_type)]
)
async def test_controllers_are_not_asked_for_at_a_broker(door, kind: int, error: ErrorCode) -> None:
    assert (await door.ask(REQUEST(endpoint_type=kind))).error_code == error
