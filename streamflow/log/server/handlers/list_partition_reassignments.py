"""ListPartitionReassignments 0 (KIP-455): nothing is being moved, as there is one broker. Topics that aren't there
aren't told, as with Kafka."""

from __future__ import annotations

from streamflow.log.protocol.messages import list_partition_reassignments_request, list_partition_reassignments_response
from streamflow.log.server.broker import Context


async def handle(
    context: Context, request: list_partition_reassignments_request.ListPartitionReassignmentsRequest
) -> list_partition_reassignments_response.ListPartitionReassignmentsResponse:
    return list_partition_reassignments_response.ListPartitionReassignmentsResponse(error_message=None)
