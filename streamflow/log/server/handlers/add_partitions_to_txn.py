"""AddPartitionsToTxn 0–5: partitions a producer is about to write to in its transaction, durable before the answer.

Versions 4 and 5 are of brokers, for many transactions at once, and may only ask whether the partitions are in
(`verify_only`). Of a transaction, all partitions are added or none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from streamflow.errors import StreamflowError
from streamflow.event import TopicPartition
from streamflow.log.coordinators.events import ProducerSession
from streamflow.log.coordinators.transaction_records import TransactionVersion
from streamflow.log.errors import PartitionNotAddedError
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import add_partitions_to_txn_request, add_partitions_to_txn_response
from streamflow.log.server.broker import Context
from streamflow.log.server.producer_errors import coordinator_code

FENCED_SINCE, BATCHED_SINCE, ABORTABLE_SINCE = 2, 4, 5

Topics = list[add_partitions_to_txn_request.AddPartitionsToTxnTopic]
Transaction = add_partitions_to_txn_request.AddPartitionsToTxnTransaction
TopicResult = add_partitions_to_txn_response.AddPartitionsToTxnTopicResult
PartitionResult = add_partitions_to_txn_response.AddPartitionsToTxnPartitionResult
Codes = Callable[[TopicPartition], int]


async def handle(
    context: Context, request: add_partitions_to_txn_request.AddPartitionsToTxnRequest
) -> add_partitions_to_txn_response.AddPartitionsToTxnResponse:
    if context.version >= BATCHED_SINCE:
        return add_partitions_to_txn_response.AddPartitionsToTxnResponse(
            results_by_transaction=[
                add_partitions_to_txn_response.AddPartitionsToTxnResult(
                    transactional_id=asked.transactional_id,
                    topic_results=_results(asked.topics, await _codes(context, asked)),
                )
                for asked in request.transactions
            ]
        )
    asked = Transaction(
        transactional_id=request.v3_and_below_transactional_id,
        producer_id=request.v3_and_below_producer_id,
        producer_epoch=request.v3_and_below_producer_epoch,
        topics=request.v3_and_below_topics,
    )
    return add_partitions_to_txn_response.AddPartitionsToTxnResponse(
        results_by_topic_v3_and_below=_results(asked.topics, await _codes(context, asked))
    )


def _results(topics: Topics, code: Codes) -> list[add_partitions_to_txn_response.AddPartitionsToTxnTopicResult]:
    return [
        TopicResult(
            name=topic.name,
            results_by_partition=[
                PartitionResult(partition_index=n, partition_error_code=code(TopicPartition(topic.name, n)))
                for n in topic.partitions
            ],
        )
        for topic in topics
    ]


async def _codes(context: Context, asked: add_partitions_to_txn_request.AddPartitionsToTxnTransaction) -> Codes:
    """What is answered of each partition."""
    wanted = [TopicPartition(topic.name, n) for topic in asked.topics for n in topic.partitions]
    topics = context.node.topics.metadata.image.topics
    missing = {w for w in wanted if w.topic not in topics or not 0 <= w.partition < len(topics[w.topic].partitions)}
    if not asked.transactional_id:
        return lambda _: ErrorCode.invalid_request
    if missing:
        unknown, others = ErrorCode.unknown_topic_or_partition, ErrorCode.operation_not_attempted
        return lambda where: unknown if where in missing else others
    session = ProducerSession(
        transactional_id=asked.transactional_id, producer_id=asked.producer_id, producer_epoch=asked.producer_epoch
    )
    if asked.verify_only:
        found = _verified(context, session, wanted)
        return lambda where: found[where]
    code = await _added(context, session, wanted)
    return lambda _: code


async def _added(context: Context, session: ProducerSession, wanted: Iterable[TopicPartition]) -> int:
    version = TransactionVersion.V2 if context.version >= BATCHED_SINCE else TransactionVersion.V1
    try:
        await context.node.client_transactions.add_partitions(session, frozenset(wanted), version)
    except StreamflowError as error:
        return coordinator_code(error, knows_fenced=context.version >= FENCED_SINCE)
    return ErrorCode.none


def _verified(
    context: Context, session: ProducerSession, wanted: Iterable[TopicPartition]
) -> dict[TopicPartition, int]:
    codes: dict[TopicPartition, int] = {}
    for where in wanted:
        codes[where] = ErrorCode.none
        try:
            context.node.client_transactions.verify(session, where)
        except PartitionNotAddedError:
            known = context.version >= ABORTABLE_SINCE
            codes[where] = ErrorCode.transaction_abortable if known else ErrorCode.invalid_txn_state
        except StreamflowError as error:
            codes[where] = coordinator_code(error, knows_fenced=True)
    return codes
