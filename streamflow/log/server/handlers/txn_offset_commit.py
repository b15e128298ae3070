"""TxnOffsetCommit 0–5: a group's offsets as part of a transaction, visible when it commits; answered once they are as
durable as the flush policy says.

From version 3 the group says whether the member may (KIP-447). Version 5 is of producers that know KIP-890's second
part: it adds the offsets to the transaction by itself.
"""

from __future__ import annotations

from streamflow.errors import StreamflowError
from streamflow.event import TopicPartition
from streamflow.log.controller.image import TopicImage
from streamflow.log.coordinators.events import ProducerSession
from streamflow.log.coordinators.group_events import CommitOffsets
from streamflow.log.coordinators.records import OffsetValue
from streamflow.log.coordinators.transaction_records import TransactionVersion
from streamflow.log.errors import RecordTooLargeError, StorageFailedError, StorageFullError
from streamflow.log.node.group_coordinator import Promise
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import txn_offset_commit_request, txn_offset_commit_response
from streamflow.log.server.broker import Answer, Context, Later
from streamflow.log.server.producer_errors import append_code

ABORTABLE_SINCE, ADDS_SINCE = 4, 5
STALE: dict[int, int] = dict.fromkeys(
    (ErrorCode.group_id_not_found, ErrorCode.stale_member_epoch), ErrorCode.illegal_generation
)
"""In words that these versions know."""

Partition = txn_offset_commit_response.TxnOffsetCommitResponsePartition
Topic = txn_offset_commit_response.TxnOffsetCommitResponseTopic
Asked = txn_offset_commit_request.TxnOffsetCommitRequestPartition


async def handle(context: Context, request: txn_offset_commit_request.TxnOffsetCommitRequest) -> Answer:
    offsets: dict[TopicPartition, OffsetValue] = {}
    response = txn_offset_commit_response.TxnOffsetCommitResponse(
        topics=[
            Topic(name=topic.name, partitions=[_take(context, topic.name, p, offsets) for p in topic.partitions])
            for topic in request.topics
        ]
    )
    if not offsets:
        return response
    code = await _append(context, request, offsets)
    if code:
        return _refused(response, code)

    async def durable() -> txn_offset_commit_response.TxnOffsetCommitResponse:
        try:
            await context.node.groups.flush()
        except StreamflowError as error:
            return _refused(response, _code(context, error))
        return response

    return Later(durable)


def _take(
    context: Context,
    name: str,
    asked: txn_offset_commit_request.TxnOffsetCommitRequestPartition,
    offsets: dict[TopicPartition, OffsetValue],
) -> txn_offset_commit_response.TxnOffsetCommitResponsePartition:
    topic: TopicImage | None = context.broker.topic(name)
    answer = Partition(partition_index=asked.partition_index)
    metadata = asked.committed_metadata or ""
    if topic is None or not 0 <= asked.partition_index < len(topic.partitions):
        answer.error_code = ErrorCode.unknown_topic_or_partition
    elif len(metadata) > context.node.config.offset_metadata_length_max:
        answer.error_code = ErrorCode.offset_metadata_too_large
    else:
        offsets[TopicPartition(name, asked.partition_index)] = OffsetValue(
            offset=asked.committed_offset,
            metadata=metadata,
            leader_epoch=asked.committed_leader_epoch,
            commit_timestamp_ms=context.node.now_ms(),
        )
    return answer


async def _append(
    context: Context,
    request: txn_offset_commit_request.TxnOffsetCommitRequest,
    offsets: dict[TopicPartition, OffsetValue],
) -> int:
    transactions = context.node.client_transactions
    session = ProducerSession(
        transactional_id=request.transactional_id,
        producer_id=request.producer_id,
        producer_epoch=request.producer_epoch,
    )
    version = TransactionVersion.V2 if context.version >= ADDS_SINCE else TransactionVersion.V1
    try:
        await transactions.ready_for_offsets(session, version)
        error = await _judged(context, request, offsets)
        if error:
            return STALE.get(error, error)
        transactions.append_offsets(session, request.group_id, offsets)
    except StreamflowError as failure:
        return _code(context, failure)
    return ErrorCode.none


async def _judged(
    context: Context,
    request: txn_offset_commit_request.TxnOffsetCommitRequest,
    offsets: dict[TopicPartition, OffsetValue],
) -> int:
    coordinator, asked = context.node.group_coordinator, _asked(request)
    judge = coordinator.consumer_judge(request.group_id, asked, None)
    if judge is None:
        return await coordinator.may_commit(request.group_id, asked)
    return next(filter(None, map(judge, offsets)), ErrorCode.none)


def _asked(request: txn_offset_commit_request.TxnOffsetCommitRequest) -> CommitOffsets:
    return CommitOffsets(
        ticket=Promise(),
        member_id=request.member_id,
        instance_id=request.group_instance_id,
        generation=request.generation_id,
        transactional=True,
    )


def _code(context: Context, error: StreamflowError) -> ErrorCode:
    """As Kafka tells clients of what its log can't do."""
    if isinstance(error, RecordTooLargeError):
        return ErrorCode.invalid_commit_offset_size
    if isinstance(error, StorageFullError | StorageFailedError):
        return ErrorCode.coordinator_not_available
    code = append_code(error, knows_abortable=context.version >= ABORTABLE_SINCE, adds=context.version >= ADDS_SINCE)
    return ErrorCode.coordinator_not_available if code is ErrorCode.not_enough_replicas else code


def _refused(
    response: txn_offset_commit_response.TxnOffsetCommitResponse, code: int
) -> txn_offset_commit_response.TxnOffsetCommitResponse:
    for topic in response.topics:
        for partition in topic.partitions:
            partition.error_code = partition.error_code or code
    return response
