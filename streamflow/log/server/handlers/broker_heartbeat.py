"""BrokerHeartbeat 0–2 (KIP-631): a broker is there, and wants to serve or to stop. The active controller answers."""

from __future__ import annotations

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import broker_heartbeat_request, broker_heartbeat_response
from streamflow.log.server.broker import Context
from streamflow.log.server.cluster_view import controller_of


async def handle(
    context: Context, request: broker_heartbeat_request.BrokerHeartbeatRequest
) -> broker_heartbeat_response.BrokerHeartbeatResponse:
    controller = controller_of(context.broker)
    if controller is None:
        return broker_heartbeat_response.BrokerHeartbeatResponse(error_code=ErrorCode.not_controller)
    return await controller.heartbeat(request)
