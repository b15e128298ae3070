"""UnregisterBroker 0 (KIP-631): a broker that is gone is forgotten. The active controller answers."""

from __future__ import annotations

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import unregister_broker_request, unregister_broker_response
from streamflow.log.server.broker import Context
from streamflow.log.server.cluster_view import controller_of


async def handle(
    context: Context, request: unregister_broker_request.UnregisterBrokerRequest
) -> unregister_broker_response.UnregisterBrokerResponse:
    controller = controller_of(context.broker)
    if controller is None:
        return unregister_broker_response.UnregisterBrokerResponse(error_code=ErrorCode.not_controller)
    return await controller.unregister(request)
