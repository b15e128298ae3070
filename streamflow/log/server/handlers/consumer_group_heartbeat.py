"""ConsumerGroupHeartbeat 0–1: a member of a KIP-848 group joins, says what it has, is told what it is to have, leaves.

From version 1 a member brings its own id (KIP-1082) and may subscribe by a regular expression. Groups of the classic
protocol that have members don't become groups of this one (`group.consumer.migration.policy` is `disabled`).
"""

from __future__ import annotations

from collections.abc import Iterable

from streamflow.log.coordinators.consumer_events import Answer as GroupAnswer
from streamflow.log.coordinators.consumer_events import Heartbeat, HeartbeatAnswer
from streamflow.log.coordinators.topic_view import Partitions, TopicIdPartition
from streamflow.log.node.promise import Promise
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import consumer_group_heartbeat_request, consumer_group_heartbeat_response
from streamflow.log.server.broker import Answer, Context, Later

ID_REQUIRED_SINCE = 1
GROUP_ID_BYTES_MAX = 2**15 - 1
"""Its length is 16 bits in the keys of records."""

Response = consumer_group_heartbeat_response.ConsumerGroupHeartbeatResponse
Topic = consumer_group_heartbeat_response.TopicPartitions


async def handle(context: Context, request: consumer_group_heartbeat_request.ConsumerGroupHeartbeatRequest) -> Answer:
    if not request.group_id:
        return Response(error_code=ErrorCode.invalid_request, error_message="GroupId can't be empty.")
    if len(request.group_id.encode()) > GROUP_ID_BYTES_MAX:
        why = f"GroupId can't be longer than {GROUP_ID_BYTES_MAX} bytes."
        return Response(error_code=ErrorCode.invalid_request, error_message=why)
    coordinator, promise = context.node.group_coordinator, Promise[GroupAnswer]()
    names = request.subscribed_topic_names
    event = Heartbeat(
        ticket=promise,
        member_id=request.member_id,
        member_epoch=request.member_epoch,
        id_required=context.version >= ID_REQUIRED_SINCE,
        new_member_id="" if request.member_id else coordinator.new_member_id(context.client_id),
        client_id=context.client_id,
        client_host=f"/{context.client_host}",
        instance_id=request.instance_id,
        rack_id=request.rack_id,
        rebalance_timeout_ms=request.rebalance_timeout_ms,
        topics=None if names is None else tuple(names),
        pattern=request.subscribed_topic_regex,
        assignor=request.server_assignor,
        owned=None if request.topic_partitions is None else _owned(request.topic_partitions),
    )
    await coordinator.ask_consumers(request.group_id, event)

    async def answered() -> consumer_group_heartbeat_response.ConsumerGroupHeartbeatResponse:
        answer = await promise.wait()
        assert isinstance(answer, HeartbeatAnswer), "as heartbeats are answered"
        return _response(answer)

    return Later(answered, lambda: promise.answer is not None)


def _owned(topics: Iterable[consumer_group_heartbeat_request.TopicPartitions]) -> Partitions:
    return frozenset(TopicIdPartition(t.topic_id, number) for t in topics for number in t.partitions)


def _response(answer: HeartbeatAnswer) -> consumer_group_heartbeat_response.ConsumerGroupHeartbeatResponse:
    response = Response(
        error_code=answer.error,
        error_message=answer.message,
        member_id=answer.member_id,
        member_epoch=answer.member_epoch,
        heartbeat_interval_ms=answer.heartbeat_interval_ms,
    )
    if answer.assignment is not None:
        topics: dict[bytes, list[int]] = {}
        for topic_id, number in sorted(answer.assignment):
            topics.setdefault(topic_id, []).append(number)
        response.assignment = consumer_group_heartbeat_response.Assignment(
            topic_partitions=[Topic(topic_id=topic_id, partitions=numbers) for topic_id, numbers in topics.items()]
        )
    return response
