"""OffsetForLeaderEpoch 2–4 (KIP-320): where an epoch's records end, so that a consumer can tell whether what it has
read was truncated."""

from __future__ import annotations

from streamflow.errors import StreamflowError
from streamflow.log.protocol.errors import code_of
from streamflow.log.protocol.messages import offset_for_leader_epoch_request, offset_for_leader_epoch_response
from streamflow.log.server.broker import Context
from streamflow.log.server.leadership import find_leader, find_topic

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
    try:
        topic = find_topic(context.broker, name)
        replica = find_leader(context.broker, topic, wanted.partition, wanted.current_leader_epoch)
    except StreamflowError as error:
        answer.error_code = code_of(error)
        return answer
    answer.leader_epoch, answer.end_offset = replica.leader.end_of(replica.log.epochs, wanted.leader_epoch)
    return answer
