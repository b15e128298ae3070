from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import describe_user_scram_credentials_request as q

pytestmark = pytest.mark.anyio


async def test_nobody_has_credentials(door: Any) -> None:
    for users in (None, []):
        answer = await door.ask(q.DescribeUserScramCredentialsRequest(users=users))
        assert (answer.error_code, answer.results) == (ErrorCode.none, [])
    named = [q.UserName(name=name) for name in ("a", "b", "b")]
    answer = await door.ask(q.DescribeUserScramCredentialsRequest(users=named))
    assert [(r.user, r.error_code) for r in answer.results] == [
        ("a", ErrorCode.resource_not_found),
        ("b", ErrorCode.duplicate_resource),
    ]
