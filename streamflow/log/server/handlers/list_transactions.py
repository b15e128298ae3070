"""ListTransactions 0–2: transactional ids by state, producer, for how long they run (version 1, KIP-994) and name (2,
KIP-1152).

Patterns are RE2's, over the characters of topics' names (`topic_patterns`); Kafka's are Java's, over all.
"""

from __future__ import annotations

from streamflow.log.errors import InvalidPatternError, LogError
from streamflow.log.protocol.errors import ErrorCode, code_of
from streamflow.log.protocol.messages import list_transactions_request, list_transactions_response
from streamflow.log.server.broker import Context


async def handle(
    context: Context, request: list_transactions_request.ListTransactionsRequest
) -> list_transactions_response.ListTransactionsResponse:
    try:
        found, unknown = context.node.client_transactions.find(
            request.state_filters,
            request.producer_id_filters,
            request.duration_filter,
            request.transactional_id_pattern,
        )
    except InvalidPatternError:
        return list_transactions_response.ListTransactionsResponse(error_code=ErrorCode.invalid_regular_expression)
    except LogError as error:
        return list_transactions_response.ListTransactionsResponse(error_code=code_of(error))
    return list_transactions_response.ListTransactionsResponse(
        unknown_state_filters=unknown,
        transaction_states=[
            list_transactions_response.TransactionState(
                transactional_id=name, producer_id=value.producer_id, transaction_state=value.status.title
            )
            for name, value in found
        ],
    )
