"""DescribeTransactions 0: the state of transactional ids, and the partitions of what they have ongoing (KIP-664)."""

from __future__ import annotations

from streamflow.log.coordinators.transaction_records import group_by_topic
from streamflow.log.errors import LogError, TransactionalIdNotFoundError
from streamflow.log.protocol.errors import ErrorCode, code_of
from streamflow.log.protocol.messages import describe_transactions_request, describe_transactions_response
from streamflow.log.server.broker import Context

State = describe_transactions_response.TransactionState
Topic = describe_transactions_response.TopicData


async def handle(
    context: Context, request: describe_transactions_request.DescribeTransactionsRequest
) -> describe_transactions_response.DescribeTransactionsResponse:
    return describe_transactions_response.DescribeTransactionsResponse(
        transaction_states=[_describe(context, name) for name in request.transactional_ids]
    )


def _describe(context: Context, name: str) -> describe_transactions_response.TransactionState:
    if not name:
        return State(transactional_id=name, error_code=ErrorCode.invalid_request)
    try:
        value = context.node.client_transactions.describe(name)
    except TransactionalIdNotFoundError:
        return State(transactional_id=name, error_code=ErrorCode.transactional_id_not_found)
    except LogError as error:
        return State(transactional_id=name, error_code=code_of(error))
    return State(
        transactional_id=name,
        transaction_state=value.status.title,
        transaction_timeout_ms=value.timeout_ms,
        transaction_start_time_ms=value.started_ms,
        producer_id=value.producer_id,
        producer_epoch=value.producer_epoch,
        topics=[Topic(topic=topic, partitions=numbers) for topic, numbers in group_by_topic(value.partitions).items()],
    )
