"""BrokerRegistration 0–4 (KIP-631, KIP-966): a broker has started and gets its epoch. The active controller answers."""

from __future__ import annotations

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import broker_registration_request, broker_registration_response
from streamflow.log.server.broker import Context
from streamflow.log.server.cluster_view import controller_of


async def handle(
    context: Context, request: broker_registration_request.BrokerRegistrationRequest
) -> broker_registration_response.BrokerRegistrationResponse:
    controller = controller_of(context.broker)
    if controller is None:
        return broker_registration_response.BrokerRegistrationResponse(error_code=ErrorCode.not_controller)
    return await controller.register(request)
