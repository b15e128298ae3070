"""ListConfigResources 0–1 (KIP-1142): what has settings. Version 0 asks for client metrics alone: there are none."""

from __future__ import annotations

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import list_config_resources_request, list_config_resources_response
from streamflow.log.server.broker import Context
from streamflow.log.server.config_resources import ResourceType

KNOWS_TYPES = 1


async def handle(
    context: Context, request: list_config_resources_request.ListConfigResourcesRequest
) -> list_config_resources_response.ListConfigResourcesResponse:
    if context.version < KNOWS_TYPES:
        return list_config_resources_response.ListConfigResourcesResponse()
    wanted = set(request.resource_types) or set(ResourceType)
    if not wanted <= set(ResourceType):
        return list_config_resources_response.ListConfigResourcesResponse(error_code=ErrorCode.unsupported_version)
    names = {
        ResourceType.TOPIC: sorted(context.node.topics.metadata.image.topics),
        ResourceType.BROKER: [str(context.broker.node_id)],
    }
    return list_config_resources_response.ListConfigResourcesResponse(
        config_resources=[
            list_config_resources_response.ConfigResource(resource_type=kind, resource_name=name)
            for kind, found in names.items()
            if kind in wanted
            for name in found
        ]
    )
