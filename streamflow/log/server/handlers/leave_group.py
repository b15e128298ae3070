"""LeaveGroup 0–5: members go. Versions 3 and up name several, each with its answer (KIP-345); before, one."""

from __future__ import annotations

from streamflow.log.coordinators.group_events import LeaveAnswer, LeaveGroup, Leaving
from streamflow.log.node.group_coordinator import Promise
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import leave_group_request, leave_group_response
from streamflow.log.server.broker import Answer, Context, Later

SEVERAL_SINCE = 3

Response = leave_group_response.LeaveGroupResponse


async def handle(context: Context, request: leave_group_request.LeaveGroupRequest) -> Answer:
    if not request.group_id:
        return Response(error_code=ErrorCode.invalid_group_id)
    several, promise = context.version >= SEVERAL_SINCE, Promise()
    alone = Leaving(member_id=request.member_id, instance_id=None)
    named = tuple(Leaving(member_id=m.member_id, instance_id=m.group_instance_id) for m in request.members)
    event = LeaveGroup(ticket=promise, members=named if several else (alone,))
    await context.node.group_coordinator.ask(request.group_id, event)

    async def answered() -> leave_group_response.LeaveGroupResponse:
        answer = await promise.wait()
        assert isinstance(answer, LeaveAnswer), "as LeaveGroup is answered"
        if not several:
            return Response(error_code=answer.error or answer.members[0][1])
        return Response(
            error_code=answer.error,
            members=[
                leave_group_response.MemberResponse(
                    member_id=who.member_id, group_instance_id=who.instance_id, error_code=error
                )
                for who, error in answer.members
            ],
        )

    return Later(answered)
