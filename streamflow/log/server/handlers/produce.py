"""Produce 3–13: batches are checked by their header and checksum, given their offsets, and appended unopened.

Versions 0–2 are listed and refused (see `versions`). Requests of a connection are appended in their order; each is
answered once its records are as durable as the flush policy says, and those behind it don't wait for that (KIP-98 lets
a producer have five in flight). Those of transactions are seen to by `transactional_batches`.
"""

from __future__ import annotations

from streamflow.errors import StreamflowError
from streamflow.log.controller.topics import INTERNAL_TOPICS
from streamflow.log.errors import CorruptBatchError, InvalidRecordError, InvalidTopicError, StorageFailedError
from streamflow.log.node.replica import Replica
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import produce_request, produce_response
from streamflow.log.records import MAGIC, BatchHeader, check_count, parse_header
from streamflow.log.server import transactional_batches
from streamflow.log.server.broker import NO_ID, Answer, CloseConnectionError, Context, Later
from streamflow.log.server.producer_errors import append_code
from streamflow.log.server.transactional_batches import ABORTABLE_SINCE, ADDS_SINCE

Partition = produce_response.PartitionProduceResponse
ALL = -1
ACKS = (ALL, 0, 1)
MAGIC_AT = 16
"""Where a batch says which version of the format it has."""


async def handle(context: Context, request: produce_request.ProduceRequest) -> Answer:
    appended: list[Replica] = []
    refusals = await transactional_batches.add_partitions(context, request)
    response = produce_response.ProduceResponse(
        responses=[
            produce_response.TopicProduceResponse(
                name=topic.name,
                topic_id=topic.topic_id,
                partition_responses=[
                    _append(context, request, topic, data, appended, refusals) for data in topic.partition_data
                ],
            )
            for topic in request.topic_data
        ]
    )
    if request.acks == 0:
        _hang_up_if_refused(response)
    if not appended or not context.node.durable:
        return None if request.acks == 0 else response

    acks = request.acks  # Without the request, which holds the frame: it isn't needed while the disk is waited for.

    async def durable() -> produce_response.ProduceResponse | None:
        try:
            await context.node.flusher.flush(appended)
        except StorageFailedError as error:
            for topic in response.responses:
                for partition in topic.partition_responses:
                    _refuse(context, partition, error)
        if acks == 0:  # Flushed all the same: what isn't durable is shown to nobody.
            _hang_up_if_refused(response)
            return None
        return response

    context.node.flusher.want(appended)  # Whether or not the client stays for its answer.
    ends = [(replica, replica.leader.end) for replica in appended]
    return Later(durable, lambda: all(replica.leader.flushed >= end for replica, end in ends))


def _append(
    context: Context,
    request: produce_request.ProduceRequest,
    topic: produce_request.TopicProduceData,
    data: produce_request.PartitionProduceData,
    appended: list[Replica],
    refusals: transactional_batches.Refusals,
) -> produce_response.PartitionProduceResponse:
    answer = Partition(index=data.index, base_offset=-1)
    image = context.broker.topic(topic.name, topic.topic_id)
    replica = None if image is None else context.broker.replica(image, data.index)
    if image is None or replica is None:
        by_id = topic.topic_id != NO_ID and image is None
        answer.error_code = ErrorCode.unknown_topic_id if by_id else ErrorCode.unknown_topic_or_partition
        return answer
    if request.acks not in ACKS:
        answer.error_code = ErrorCode.invalid_required_acks
        return answer
    records = data.records
    assert isinstance(records, memoryview | None), "read from a frame"
    try:
        records = records or memoryview(b"")
        header = only_header(records)
        if image.name in INTERNAL_TOPICS:
            raise InvalidTopicError(f"topic '{image.name}' is the log's own; groups and transactions write to it")
        if request.acks == ALL:
            replica.admission.check_replicas(len(image.partitions[data.index].isr))
        replica.admission.check_times(header, context.node.now_ms())
        replica.admission.check_keys(records, header)
        transactional_batches.check(context, request.transactional_id, replica.where, header, refusals)
        info = context.node.append_batches(replica, records)
    except StreamflowError as error:
        _refuse(context, answer, error)
        return answer
    answer.base_offset = info.base_offset
    answer.log_start_offset = replica.log.log_start_offset
    if replica.log.config.append_time and not info.duplicate:
        answer.log_append_time_ms = info.max_timestamp
    appended.append(replica)
    return answer


def only_header(records: memoryview) -> BatchHeader:
    """Of the one batch.

    Raises: InvalidRecordError; CorruptBatchError for what isn't a batch of any version Kafka had.
    """
    try:
        header = parse_header(records)
        check_count(header)
    except CorruptBatchError as error:
        if len(records) > MAGIC_AT and records[MAGIC_AT] > MAGIC:
            raise
        raise InvalidRecordError(str(error)) from error
    if header.size != len(records):
        raise InvalidRecordError("a produce request has one record batch for a partition")
    return header


def _refuse(context: Context, answer: produce_response.PartitionProduceResponse, error: StreamflowError) -> None:
    knows, adds = (context.version >= since for since in (ABORTABLE_SINCE, ADDS_SINCE))
    answer.error_code, answer.error_message = append_code(error, knows_abortable=knows, adds=adds), str(error)
    answer.base_offset = answer.log_start_offset = -1
    if isinstance(error, InvalidRecordError):
        answer.record_errors = [
            produce_response.BatchIndexAndErrorMessage(batch_index=index, batch_index_error_message=str(error))
            for index in error.indexes
        ]


def _hang_up_if_refused(response: produce_response.ProduceResponse) -> None:
    """Who wants no answer learns of a failure by the end of the connection, as with Kafka."""
    for topic in response.responses:
        for partition in topic.partition_responses:
            if partition.error_code != ErrorCode.none:
                name = ErrorCode(partition.error_code).name
                raise CloseConnectionError(f"acks=0, and {topic.name}-{partition.index} answers {name}")
