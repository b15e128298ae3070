"""EndTxn 0–5: commits or aborts; answered once the outcome holds and is visible.

Version 5 is of producers that know KIP-890's second part: the end bumps their epoch, and is told to them.
"""

from __future__ import annotations

from streamflow.errors import StreamflowError
from streamflow.log.coordinators.events import ProducerSession
from streamflow.log.coordinators.transaction_records import TransactionVersion
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import end_txn_request, end_txn_response
from streamflow.log.server.broker import Context
from streamflow.log.server.producer_errors import coordinator_code

FENCED_SINCE, BUMPS_SINCE = 2, 5

Response = end_txn_response.EndTxnResponse


async def handle(context: Context, request: end_txn_request.EndTxnRequest) -> end_txn_response.EndTxnResponse:
    if not request.transactional_id:
        return Response(error_code=ErrorCode.invalid_request)
    session = ProducerSession(
        transactional_id=request.transactional_id,
        producer_id=request.producer_id,
        producer_epoch=request.producer_epoch,
    )
    version = TransactionVersion.V2 if context.version >= BUMPS_SINCE else TransactionVersion.V1
    try:
        following = await context.node.client_transactions.end(session, commit=request.committed, version=version)
    except StreamflowError as error:
        return Response(error_code=coordinator_code(error, knows_fenced=context.version >= FENCED_SINCE))
    return Response(producer_id=following.producer_id, producer_epoch=following.producer_epoch)
