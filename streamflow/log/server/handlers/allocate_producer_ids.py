"""AllocateProducerIds 0 (KIP-730): a block of producer ids for a broker. The active controller answers."""

from __future__ import annotations

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import allocate_producer_ids_request, allocate_producer_ids_response
from streamflow.log.server.broker import Context
from streamflow.log.server.cluster_view import controller_of


async def handle(
    context: Context, request: allocate_producer_ids_request.AllocateProducerIdsRequest
) -> allocate_producer_ids_response.AllocateProducerIdsResponse:
    controller = controller_of(context.broker)
    if controller is None:
        return allocate_producer_ids_response.AllocateProducerIdsResponse(error_code=ErrorCode.not_controller)
    return await controller.allocate_producer_ids(request)
