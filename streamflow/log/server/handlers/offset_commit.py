"""OffsetCommit 2–10: how far a group has come; answered once that is committed.

Version 10 names topics by id. A retention time of its own (versions 2–4) isn't kept: `offsets.retention.minutes` holds
for all.
"""

from __future__ import annotations

from collections.abc import Callable

from streamflow.event import TopicPartition
from streamflow.log.controller.image import TopicImage
from streamflow.log.coordinators.group_events import CommitOffsets, GroupError
from streamflow.log.coordinators.records import OffsetValue
from streamflow.log.errors import CoordinatorLoadingError, LogError, NotCoordinatorError, RecordTooLargeError
from streamflow.log.node.group_coordinator import Promise
from streamflow.log.protocol.errors import ErrorCode, code_of
from streamflow.log.protocol.messages import offset_commit_request, offset_commit_response
from streamflow.log.server.broker import Answer, Context, Later

UNKNOWN_GROUP_SINCE, TOPIC_IDS_SINCE = 9, 10

Partition = offset_commit_response.OffsetCommitResponsePartition
Judge = Callable[[TopicPartition], int]


async def handle(context: Context, request: offset_commit_request.OffsetCommitRequest) -> Answer:
    groups, now_ms = context.node.groups, context.node.now_ms()
    judge = await _judge(context, request)
    offsets: dict[TopicPartition, OffsetValue] = {}

    def take(topic: TopicImage, asked: offset_commit_request.OffsetCommitRequestPartition) -> int:
        metadata = asked.committed_metadata or ""
        if not 0 <= asked.partition_index < len(topic.partitions):
            return ErrorCode.unknown_topic_or_partition
        where = TopicPartition(topic.name, asked.partition_index)
        if refused := judge(where):
            return refused
        if len(metadata) > context.node.config.offset_metadata_length_max:
            return ErrorCode.offset_metadata_too_large
        offsets[where] = OffsetValue(
            offset=asked.committed_offset,
            metadata=metadata,
            leader_epoch=asked.committed_leader_epoch,
            commit_timestamp_ms=now_ms,
        )
        return ErrorCode.none

    by_id = context.version >= TOPIC_IDS_SINCE
    response = offset_commit_response.OffsetCommitResponse(topics=[])
    for asked in request.topics:
        topic = context.broker.topic(asked.name, asked.topic_id) if by_id else context.broker.topic(asked.name)
        unknown = ErrorCode.unknown_topic_id if by_id else ErrorCode.unknown_topic_or_partition
        answer = offset_commit_response.OffsetCommitResponseTopic(name=asked.name, topic_id=asked.topic_id)
        answer.partitions = [
            Partition(partition_index=p.partition_index, error_code=unknown if topic is None else take(topic, p))
            for p in asked.partitions
        ]
        response.topics.append(answer)
    if not offsets:
        return response
    try:
        groups.append(groups.offsets.commit(request.group_id, offsets))
    except LogError as error:
        return _failed(response, error)

    async def durable() -> offset_commit_response.OffsetCommitResponse:
        try:
            await groups.flush()
        except LogError as error:
            return _failed(response, error)
        return response

    return Later(durable)


async def _judge(context: Context, request: offset_commit_request.OffsetCommitRequest) -> Judge:
    event = CommitOffsets(
        ticket=Promise(),
        member_id=request.member_id,
        instance_id=request.group_instance_id,
        generation=request.generation_id_or_member_epoch,
        transactional=False,
    )
    coordinator = context.node.group_coordinator
    judge = coordinator.consumer_judge(request.group_id, event, context.version)
    if judge is not None:
        return judge
    error = await coordinator.may_commit(request.group_id, event)
    if error is GroupError.GROUP_ID_NOT_FOUND and context.version < UNKNOWN_GROUP_SINCE:
        error = GroupError.ILLEGAL_GENERATION
    return lambda _: error


def _failed(
    response: offset_commit_response.OffsetCommitResponse, error: LogError
) -> offset_commit_response.OffsetCommitResponse:
    """As Kafka tells clients of what its log can't do."""
    match error:
        case RecordTooLargeError():
            code = ErrorCode.invalid_commit_offset_size
        case NotCoordinatorError() | CoordinatorLoadingError():
            code = code_of(error)
        case _:
            code = ErrorCode.coordinator_not_available
    for topic in response.topics:
        for partition in topic.partitions:
            partition.error_code = partition.error_code or code
    return response
