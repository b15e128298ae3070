"""Produce 3–13: batches are checked by their header and checksum, given their offsets, and appended unopened.

Versions 0–2 are listed and refused (see `versions`). Requests of a connection are appended in their order; each is
answered once its records are as safe as `acks` asks for (`node.acknowledgement`), and those behind it don't wait for
that (KIP-98 lets a producer have five in flight). Those of transactions are seen to by `transactional_batches`.
"""

from __future__ import annotations

from streamflow.errors import StreamflowError
from streamflow.log.controller.topics import INTERNAL_TOPICS
from streamflow.log.errors import CorruptBatchError, InvalidRecordError, InvalidTopicError
from streamflow.log.node.acknowledgement import Acknowledgement
from streamflow.log.node.replica import Replica
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import produce_request, produce_response
from streamflow.log.records import MAGIC, BatchHeader, check_count, parse_header
from streamflow.log.server import transactional_batches
from streamflow.log.server.broker import Answer, CloseConnectionError, Context, Later
from streamflow.log.server.leadership import Directions, find_leader, find_topic
from streamflow.log.server.producer_errors import append_code
from streamflow.log.server.transactional_batches import ABORTABLE_SINCE, ADDS_SINCE

Partition = produce_response.PartitionProduceResponse
ALL = -1
ACKS = (ALL, 0, 1)
MAGIC_AT = 16
"""Where a batch says which version of the format it has."""


async def handle(context: Context, request: produce_request.ProduceRequest) -> Answer:
    appended: dict[Replica, tuple[Partition, int]] = {}
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
    # Without the request, which holds the frame: it isn't needed while others are waited for.
    acks, timeout_ms = request.acks, request.timeout_ms
    pending = Acknowledgement(context.node.flusher, {replica: end for replica, (_, end) in appended.items()})
    if acks == 0:
        _hang_up_if_refused(response)
    done = pending.is_committed if acks == ALL else pending.is_kept
    if done:
        return None if acks == 0 else _directed(context, response)

    async def acknowledged() -> produce_response.ProduceResponse | None:
        failures = await (pending.committed(timeout_ms) if acks == ALL else pending.kept())
        for replica, error in failures.items():
            _refuse(context, appended[replica][0], error)
        if acks == 0:  # Flushed all the same: what isn't durable is shown to nobody.
            _hang_up_if_refused(response)
            return None
        return _directed(context, response)

    pending.want()  # Whether or not the client stays for its answer.
    return Later(acknowledged, lambda: pending.is_committed if acks == ALL else pending.is_kept)


def _append(
    context: Context,
    request: produce_request.ProduceRequest,
    topic: produce_request.TopicProduceData,
    data: produce_request.PartitionProduceData,
    appended: dict[Replica, tuple[Partition, int]],
    refusals: transactional_batches.Refusals,
) -> produce_response.PartitionProduceResponse:
    answer = Partition(index=data.index, base_offset=-1)
    records = data.records
    assert isinstance(records, memoryview | None), "read from a frame"
    try:
        image = find_topic(context.broker, topic.name, topic.topic_id)
        replica = find_leader(context.broker, image, data.index)
        if request.acks not in ACKS:
            answer.error_code = ErrorCode.invalid_required_acks
            return answer
        records = records or memoryview(b"")
        header = only_header(records)
        if image.name in INTERNAL_TOPICS:
            raise InvalidTopicError(f"topic '{image.name}' is the log's own; groups and transactions write to it")
        if request.acks == ALL:
            replica.admission.check_replicas(len(replica.leader.isr.committed))
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
    appended[replica] = answer, info.last_offset + 1
    return answer


def _directed(context: Context, response: produce_response.ProduceResponse) -> produce_response.ProduceResponse:
    """With who leads what was refused because this node doesn't."""
    directions = Directions(context.broker)
    for topic in response.responses:
        for partition in topic.partition_responses:
            if partition.error_code == ErrorCode.not_leader_or_follower:
                image = context.broker.topic(topic.name, topic.topic_id)
                leader = directions.leader(image, partition.index)
                if leader is not None:
                    partition.current_leader = produce_response.LeaderIdAndEpoch(
                        leader_id=leader[0], leader_epoch=leader[1]
                    )
    response.node_endpoints = [
        produce_response.NodeEndpoint(node_id=node_id, host=host, port=port, rack=rack)
        for node_id, host, port, rack in directions.endpoints()
    ]
    return response


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
