"""EndQuorumEpoch 0–1 (KIP-595, KIP-853): the active controller stops, and says so."""

from __future__ import annotations

from streamflow.log.protocol.messages import end_quorum_epoch_request, end_quorum_epoch_response
from streamflow.log.server.broker import Context


async def handle(
    context: Context, request: end_quorum_epoch_request.EndQuorumEpochRequest
) -> end_quorum_epoch_response.EndQuorumEpochResponse:
    return await context.node.cluster.quorum.end_quorum_epoch(request)
