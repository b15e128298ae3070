"""DescribeUserScramCredentials 0 (KIP-554): there are none, as there is no authentication yet. `kafka-configs` asks for
them whenever it describes a user's quotas."""

from __future__ import annotations

from collections import Counter

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import (
    describe_user_scram_credentials_request,
    describe_user_scram_credentials_response,
)
from streamflow.log.server.broker import Context


async def handle(
    context: Context, request: describe_user_scram_credentials_request.DescribeUserScramCredentialsRequest
) -> describe_user_scram_credentials_response.DescribeUserScramCredentialsResponse:
    times = Counter(user.name for user in request.users or ())
    return describe_user_scram_credentials_response.DescribeUserScramCredentialsResponse(
        error_message=None,
        results=[
            describe_user_scram_credentials_response.DescribeUserScramCredentialsResult(
                user=name,
                error_code=ErrorCode.resource_not_found if count == 1 else ErrorCode.duplicate_resource,
                error_message="there are no SCRAM credentials here" if count == 1 else "a user is described once",
            )
            for name, count in times.items()
        ],
    )
