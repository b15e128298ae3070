"""AddOffsetsToTxn 0–4: a producer is about to commit a group's offsets in its transaction."""

from __future__ import annotations

from streamflow.errors import StreamflowError
from streamflow.log.coordinators.events import ProducerSession
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import add_offsets_to_txn_request, add_offsets_to_txn_response
from streamflow.log.server.broker import Context
from streamflow.log.server.producer_errors import coordinator_code

FENCED_SINCE = 2

Response = add_offsets_to_txn_response.AddOffsetsToTxnResponse


async def handle(
    context: Context, request: add_offsets_to_txn_request.AddOffsetsToTxnRequest
) -> add_offsets_to_txn_response.AddOffsetsToTxnResponse:
    if not request.transactional_id:
        return Response(error_code=ErrorCode.invalid_request)
    session = ProducerSession(
        transactional_id=request.transactional_id,
        producer_id=request.producer_id,
        producer_epoch=request.producer_epoch,
    )
    try:
        await context.node.client_transactions.add_offsets(session)
    except StreamflowError as error:
        return Response(error_code=coordinator_code(error, knows_fenced=context.version >= FENCED_SINCE))
    return Response()
