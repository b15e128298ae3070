"""JoinGroup 0–9: becomes a member of a group of the classic protocol; answered when its next generation begins.

A version 0 has no rebalance time-out: its session's is taken (KIP-62). Versions 4 and up are told their member id first
(KIP-394); 9 and up understand `skip_assignment` (KIP-814).
"""

from __future__ import annotations

from streamflow.log.coordinators.group_events import JoinAnswer, JoinGroup
from streamflow.log.node.group_coordinator import Promise
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import join_group_request, join_group_response
from streamflow.log.server.broker import Answer, Context, Later

REBALANCE_TIMEOUT_SINCE, ID_REQUIRED_SINCE, NULL_PROTOCOL_SINCE, SKIP_ASSIGNMENT_SINCE = 1, 4, 7, 9

Response = join_group_response.JoinGroupResponse


async def handle(context: Context, request: join_group_request.JoinGroupRequest) -> Answer:
    if not request.group_id:
        return _response(context, JoinAnswer(member_id=request.member_id), ErrorCode.invalid_group_id)
    coordinator, promise = context.node.group_coordinator, Promise()
    patience_ms = request.rebalance_timeout_ms if context.version >= REBALANCE_TIMEOUT_SINCE else None
    event = JoinGroup(
        ticket=promise,
        member_id=request.member_id,
        instance_id=request.group_instance_id,
        new_member_id=coordinator.new_member_id(request.group_instance_id or context.client_id),
        client_id=context.client_id,
        client_host=f"/{context.client_host}",
        session_timeout_ms=request.session_timeout_ms,
        rebalance_timeout_ms=request.session_timeout_ms if patience_ms is None else patience_ms,
        protocol_type=request.protocol_type,
        protocols=tuple((p.name, bytes(p.metadata)) for p in request.protocols),
        id_required=context.version >= ID_REQUIRED_SINCE,
        can_skip_assignment=context.version >= SKIP_ASSIGNMENT_SINCE,
    )
    await coordinator.ask(request.group_id, event)

    async def answered() -> join_group_response.JoinGroupResponse:
        answer = await promise.wait()
        assert isinstance(answer, JoinAnswer), "as JoinGroup is answered"
        return _response(context, answer, answer.error)

    return Later(answered)


def _response(context: Context, answer: JoinAnswer, error: int) -> join_group_response.JoinGroupResponse:
    named = answer.protocol_name
    return Response(
        error_code=error,
        generation_id=answer.generation,
        protocol_type=answer.protocol_type,
        protocol_name="" if named is None and context.version < NULL_PROTOCOL_SINCE else named,
        leader=answer.leader,
        skip_assignment=answer.skip_assignment,
        member_id=answer.member_id,
        members=[
            join_group_response.JoinGroupResponseMember(
                member_id=m.member_id, group_instance_id=m.instance_id, metadata=m.metadata
            )
            for m in answer.members
        ],
    )
