"""DescribeGroups 0–6: groups of the classic protocol with their members. A group that isn't there is Dead, which
version 6 calls GROUP_ID_NOT_FOUND (KIP-1043).

Not done: authorized operations (there are no rules yet who may do what).
"""

from __future__ import annotations

from streamflow.log.coordinators.group_states import GroupState
from streamflow.log.errors import LogError
from streamflow.log.protocol.errors import ErrorCode, code_of
from streamflow.log.protocol.messages import describe_groups_request, describe_groups_response
from streamflow.log.server.broker import Context

NOT_FOUND_SINCE = 6

Group = describe_groups_response.DescribedGroup


async def handle(
    context: Context, request: describe_groups_request.DescribeGroupsRequest
) -> describe_groups_response.DescribeGroupsResponse:
    return describe_groups_response.DescribeGroupsResponse(groups=[_describe(context, g) for g in request.groups])


def _describe(context: Context, group_id: str) -> describe_groups_response.DescribedGroup:
    try:
        context.node.groups.coordination.check()
    except LogError as error:
        return Group(group_id=group_id, error_code=code_of(error))
    found = context.node.group_coordinator.describe(group_id)
    if found is None:
        dead = Group(group_id=group_id, group_state=GroupState.DEAD.value)
        if context.version >= NOT_FOUND_SINCE:
            dead.error_code, dead.error_message = ErrorCode.group_id_not_found, f"Group {group_id} not found."
        return dead
    return Group(
        group_id=group_id,
        group_state=found.state.value,
        protocol_type=found.protocol_type,
        protocol_data=found.protocol_name,
        members=[
            describe_groups_response.DescribedGroupMember(
                member_id=m.member_id,
                group_instance_id=m.instance_id,
                client_id=m.client_id,
                client_host=m.client_host,
                member_metadata=m.metadata,
                member_assignment=m.assignment,
            )
            for m in found.members
        ],
    )
