"""OffsetDelete 0: forgets offsets of topics that the group doesn't read (KIP-496)."""

from __future__ import annotations

from streamflow.event import TopicPartition
from streamflow.log.errors import LogError
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import offset_delete_request, offset_delete_response
from streamflow.log.server.broker import Context

Response = offset_delete_response.OffsetDeleteResponse


async def handle(
    context: Context, request: offset_delete_request.OffsetDeleteRequest
) -> offset_delete_response.OffsetDeleteResponse:
    groups, group_id = context.node.groups, request.group_id
    if refused := context.node.group_coordinator.offset_deletion_refused(group_id):
        return Response(error_code=refused)
    forgotten: list[TopicPartition] = []
    topics = [_topic(context, group_id, topic, forgotten) for topic in request.topics]
    try:
        rows = groups.offsets.forget(group_id, forgotten)
        if rows:
            groups.append(rows)
            await groups.flush()
    except LogError:
        return Response(error_code=ErrorCode.coordinator_not_available)
    return Response(topics=topics)


def _topic(
    context: Context,
    group_id: str,
    asked: offset_delete_request.OffsetDeleteRequestTopic,
    forgotten: list[TopicPartition],
) -> offset_delete_response.OffsetDeleteResponseTopic:
    """Adds to `forgotten` what is to be."""
    topic = context.broker.topic(asked.name)
    read = topic is not None and context.node.group_coordinator.reads(group_id, topic.name)
    answer = offset_delete_response.OffsetDeleteResponseTopic(name=asked.name, partitions=[])
    for partition in asked.partitions:
        index, error = partition.partition_index, ErrorCode.none
        if topic is None or not 0 <= index < len(topic.partitions):
            error = ErrorCode.unknown_topic_or_partition
        elif read:
            error = ErrorCode.group_subscribed_to_topic
        else:
            forgotten.append(TopicPartition(topic.name, index))
        answer.partitions.append(
            offset_delete_response.OffsetDeleteResponsePartition(partition_index=index, error_code=error)
        )
    return answer
