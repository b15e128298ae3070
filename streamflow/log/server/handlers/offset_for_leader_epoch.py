"""OffsetForLeaderEpoch 2–4 (KIP-320): where an epoch's records end, so that a consumer can tell whether what it has
read was truncated."""

from __future__ import annotations

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import offset_for_leader_epoch_request, offset_for_leader_epoch_response
from streamflow.log.server.broker import Context

EpochEndOffset = offset_for_leader_epoch_response.EpochEndOffset


async def handle(
    context: Context, request: offset_for_leader_epoch_request.OffsetForLeaderEpochRequest
) -> offset_for_leader_epoch_response.OffsetForLeaderEpochResponse:
    return offset_for_leader_epoch_response.OffsetForLeaderEpochResponse(
        topics=[
            offset_for_leader_epoch_response.OffsetForLeaderTopicResult(
                topic=topic.topic, partitions=[_answer(context, topic.topic, p) for p in topic.partitions]
            )
            for topic in request.topics
        ]
    )


def _answer(
    context: Context, name: str, wanted: offset_for_leader_epoch_request.OffsetForLeaderPartition
) -> offset_for_leader_epoch_response.EpochEndOffset:
    answer = EpochEndOffset(partition=wanted.partition)
    topic = context.broker.topic(name)
    replica = None if topic is None else context.broker.replica(topic, wanted.partition)
    if replica is None:
        answer.error_code = ErrorCode.unknown_topic_or_partition
        return answer
    answer.error_code = context.broker.stale_epoch(replica, wanted.current_leader_epoch)
    if answer.error_code == ErrorCode.none:
        answer.leader_epoch, answer.end_offset = replica.log.epochs.end_of(wanted.leader_epoch, replica.high_watermark)
    return answer
