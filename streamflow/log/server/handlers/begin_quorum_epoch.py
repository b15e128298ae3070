"""BeginQuorumEpoch 0–1 (KIP-595, KIP-853): a controller was elected, and says so."""

from __future__ import annotations

from streamflow.log.protocol.messages import begin_quorum_epoch_request, begin_quorum_epoch_response
from streamflow.log.server.broker import Context


async def handle(
    context: Context, request: begin_quorum_epoch_request.BeginQuorumEpochRequest
) -> begin_quorum_epoch_response.BeginQuorumEpochResponse:
    return await context.node.cluster.quorum.begin_quorum_epoch(request)
