"""SyncGroup 0–5: the leader brings the assignment, each member is told its part; answered when the leader's is written.

Versions 5 and up must name the protocol they believe in (KIP-559).
"""

from __future__ import annotations

from streamflow.log.coordinators.group_events import SyncAnswer, SyncGroup
from streamflow.log.node.group_coordinator import Promise
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import sync_group_request, sync_group_response
from streamflow.log.server.broker import Answer, Context, Later

PROTOCOL_SINCE = 5

Response = sync_group_response.SyncGroupResponse


async def handle(context: Context, request: sync_group_request.SyncGroupRequest) -> Answer:
    if not request.group_id:
        return Response(error_code=ErrorCode.invalid_group_id)
    if context.version >= PROTOCOL_SINCE and None in (request.protocol_type, request.protocol_name):
        return Response(error_code=ErrorCode.inconsistent_group_protocol)
    promise = Promise()
    event = SyncGroup(
        ticket=promise,
        member_id=request.member_id,
        instance_id=request.group_instance_id,
        generation=request.generation_id,
        protocol_type=request.protocol_type,
        protocol_name=request.protocol_name,
        assignments=tuple((a.member_id, bytes(a.assignment)) for a in request.assignments),
    )
    await context.node.group_coordinator.ask(request.group_id, event)

    async def answered() -> sync_group_response.SyncGroupResponse:
        answer = await promise.wait()
        assert isinstance(answer, SyncAnswer), "as SyncGroup is answered"
        return Response(
            error_code=answer.error,
            protocol_type=answer.protocol_type,
            protocol_name=answer.protocol_name,
            assignment=answer.assignment,
        )

    return Later(answered)
