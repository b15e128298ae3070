"""Vote 0–2 (KIP-595, KIP-853, KIP-996): a controller wants to lead the metadata quorum, or asks whether it would."""

from __future__ import annotations

from streamflow.log.protocol.messages import vote_request, vote_response
from streamflow.log.server.broker import Context


async def handle(context: Context, request: vote_request.VoteRequest) -> vote_response.VoteResponse:
    return await context.node.cluster.quorum.vote(request)
