"""DeleteGroups 0–2: removes groups that have no members, with their offsets (KIP-229)."""

from __future__ import annotations

from streamflow.log.protocol.messages import delete_groups_request, delete_groups_response
from streamflow.log.server.broker import Context


async def handle(
    context: Context, request: delete_groups_request.DeleteGroupsRequest
) -> delete_groups_response.DeleteGroupsResponse:
    return delete_groups_response.DeleteGroupsResponse(
        results=[
            delete_groups_response.DeletableGroupResult(
                group_id=group_id, error_code=await context.node.group_coordinator.delete(group_id)
            )
            for group_id in dict.fromkeys(request.groups_names)
        ]
    )
