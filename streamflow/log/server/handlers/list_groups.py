"""ListGroups 0–5: every group, or those in given states (version 4, KIP-518), of given types (version 5, KIP-848)."""

from __future__ import annotations

from streamflow.log.errors import LogError
from streamflow.log.protocol.errors import code_of
from streamflow.log.protocol.messages import list_groups_request, list_groups_response
from streamflow.log.server.broker import Context


async def handle(
    context: Context, request: list_groups_request.ListGroupsRequest
) -> list_groups_response.ListGroupsResponse:
    try:
        context.node.groups.coordination.check()
    except LogError as error:
        return list_groups_response.ListGroupsResponse(error_code=code_of(error))
    states = {state.strip().lower() for state in request.states_filter}
    types = {kind.strip().lower() for kind in request.types_filter}
    return list_groups_response.ListGroupsResponse(
        groups=[
            list_groups_response.ListedGroup(
                group_id=group.group_id,
                protocol_type=group.protocol_type,
                group_state=group.state,
                group_type=group.kind,
            )
            for group in context.node.group_coordinator.listed()
            if (not states or group.state.lower() in states) and (not types or group.kind in types)
        ]
    )
