"""FindCoordinator 0–6: who keeps a group (key type 0), or a transactional id (1): who leads the one partition that the
state of all of them is kept in.

Share groups (type 2) aren't served: INVALID_REQUEST, as Kafka answers where they don't exist.
"""

from __future__ import annotations

import structlog

from streamflow.log.controller.topics import OFFSETS_TOPIC, TRANSACTIONS_TOPIC
from streamflow.log.errors import LogError
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import find_coordinator_request, find_coordinator_response
from streamflow.log.server.broker import Broker, Context
from streamflow.log.server.cluster_view import Member, members

log = structlog.get_logger("streamflow.groups")

BATCHED_SINCE = 4
KEPT_IN = {0: OFFSETS_TOPIC, 1: TRANSACTIONS_TOPIC}
WHY = {
    ErrorCode.invalid_request: "coordinators are found for groups (key type 0) and transactional ids (1)",
    ErrorCode.coordinator_not_available: "the coordinator's topic can't be made (its log says why), or has no leader",
}

Response = find_coordinator_response.FindCoordinatorResponse


async def handle(
    context: Context, request: find_coordinator_request.FindCoordinatorRequest
) -> find_coordinator_response.FindCoordinatorResponse:
    error = await _ready(context, request.key_type)
    found = _leader(context.broker, KEPT_IN[request.key_type]) if error is ErrorCode.none else None
    if found is None and error is ErrorCode.none:
        error = ErrorCode.coordinator_not_available
    node_id, host, port = (-1, "", -1) if found is None else (found.broker_id, found.host, found.port)
    if context.version < BATCHED_SINCE:
        return Response(error_code=error, error_message=WHY.get(error), node_id=node_id, host=host, port=port)
    return Response(
        coordinators=[
            find_coordinator_response.Coordinator(
                key=key, node_id=node_id, host=host, port=port, error_code=error, error_message=WHY.get(error)
            )
            for key in request.coordinator_keys
        ]
    )


def _leader(broker: Broker, topic: str) -> Member | None:
    """Where clients reach who leads the topic's partition."""
    image = broker.node.topics.metadata.image.topics.get(topic)
    leader = -1 if image is None else image.partitions[0].leader
    return next((member for member in members(broker) if member.broker_id == leader), None)


async def _ready(context: Context, key_type: int) -> ErrorCode:
    """The topic that the coordinator keeps its state in is made when it is first asked for."""
    topic = KEPT_IN.get(key_type)
    if topic is None:
        return ErrorCode.invalid_request
    try:
        await context.node.topics.ensure_internal(topic)
    except LogError as error:
        log.warning("a coordinator has nowhere to keep its state", topic=topic, reason=str(error))
        return ErrorCode.coordinator_not_available
    return ErrorCode.none
