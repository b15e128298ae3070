"""Heartbeat 0–4: a member is there; it is told when it must join again."""

from __future__ import annotations

from streamflow.log.coordinators.group_events import Heartbeat
from streamflow.log.node.group_coordinator import Promise
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import heartbeat_request, heartbeat_response
from streamflow.log.server.broker import Context

Response = heartbeat_response.HeartbeatResponse


async def handle(context: Context, request: heartbeat_request.HeartbeatRequest) -> heartbeat_response.HeartbeatResponse:
    if not request.group_id:
        return Response(error_code=ErrorCode.invalid_group_id)
    event = Heartbeat(
        ticket=Promise(),
        member_id=request.member_id,
        instance_id=request.group_instance_id,
        generation=request.generation_id,
    )
    return Response(error_code=await context.node.group_coordinator.heartbeat(request.group_id, event))
