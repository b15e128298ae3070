"""ListGroups 0–5: every group, or those in given states (version 4, KIP-518), of given types (version 5, KIP-848)."""

from __future__ import annotations

from streamflow.log.protocol.messages import list_groups_request, list_groups_response
from streamflow.log.server.broker import Context

CLASSIC = "classic"


async def handle(
    context: Context, request: list_groups_request.ListGroupsRequest
) -> list_groups_response.ListGroupsResponse:
    coordinator = context.node.group_coordinator
    states = {state.strip().lower() for state in request.states_filter}
    types = {kind.strip().lower() for kind in request.types_filter}
    found = []
    for group_id in coordinator.group_ids():
        group = coordinator.describe(group_id)
        if group is None or (states and group.state.value.lower() not in states) or (types and CLASSIC not in types):
            continue
        found.append(
            list_groups_response.ListedGroup(
                group_id=group_id,
                protocol_type=group.protocol_type,
                group_state=group.state.value,
                group_type=CLASSIC,
            )
        )
    return list_groups_response.ListGroupsResponse(groups=found)
