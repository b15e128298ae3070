"""AlterPartition 2–3 (KIP-497, KIP-903): a leader says who is in sync. The active controller answers."""

from __future__ import annotations

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import alter_partition_request, alter_partition_response
from streamflow.log.server.broker import Context
from streamflow.log.server.cluster_view import controller_of


async def handle(
    context: Context, request: alter_partition_request.AlterPartitionRequest
) -> alter_partition_response.AlterPartitionResponse:
    controller = controller_of(context.broker)
    if controller is None:
        return alter_partition_response.AlterPartitionResponse(error_code=ErrorCode.not_controller)
    return await controller.alter_partition(request)
