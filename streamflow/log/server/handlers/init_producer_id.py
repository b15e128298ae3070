"""InitProducerId 0–5: a producer id, for who has none (idempotence) or under a transactional id, whose producer before
is fenced and what it left open aborted. The answer waits for that; Kafka's is CONCURRENT_TRANSACTIONS meanwhile.

From version 3 a producer may open again as itself (KIP-360). Version 6 (two-phase commit, KIP-939) isn't stable in
Kafka and isn't served.
"""

from __future__ import annotations

from streamflow.errors import StreamflowError
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import init_producer_id_request, init_producer_id_response
from streamflow.log.server.broker import Context
from streamflow.log.server.producer_errors import coordinator_code

FENCED_SINCE = 4
NOBODY = (-1, -1)

Response = init_producer_id_response.InitProducerIdResponse


async def handle(
    context: Context, request: init_producer_id_request.InitProducerIdRequest
) -> init_producer_id_response.InitProducerIdResponse:
    given = (request.producer_id, request.producer_epoch)
    half = given != NOBODY and -1 in given
    if request.transactional_id == "" or half:
        return Response(error_code=ErrorCode.invalid_request, producer_id=-1, producer_epoch=-1)
    try:
        session = await context.node.client_transactions.open(
            request.transactional_id, request.transaction_timeout_ms, None if given == NOBODY else given
        )
    except StreamflowError as error:
        code = coordinator_code(error, knows_fenced=context.version >= FENCED_SINCE)
        return Response(error_code=code, producer_id=-1, producer_epoch=-1)
    return Response(producer_id=session.producer_id, producer_epoch=session.producer_epoch)
