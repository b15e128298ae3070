"""AlterConfigs 0–2: a resource has the settings in the request from now on, and no others.

Deprecated by Kafka in favour of IncrementalAlterConfigs; clients still send it. A resource is altered as a whole or not
at all, and holds its settings when it is answered, on open partitions too.
"""

from __future__ import annotations

from streamflow.errors import StreamflowError
from streamflow.log.controller.alter import replaced
from streamflow.log.errors import InvalidRequestError
from streamflow.log.protocol.errors import code_of
from streamflow.log.protocol.messages import alter_configs_request, alter_configs_response
from streamflow.log.server.broker import Context
from streamflow.log.server.config_resources import Resource, alter, named_twice

Response = alter_configs_response.AlterConfigsResourceResponse


async def handle(
    context: Context, request: alter_configs_request.AlterConfigsRequest
) -> alter_configs_response.AlterConfigsResponse:
    twice = named_twice([Resource(r.resource_type, r.resource_name) for r in request.resources])
    return alter_configs_response.AlterConfigsResponse(
        responses=[await _alter(context, r, twice, validate_only=request.validate_only) for r in request.resources]
    )


async def _alter(
    context: Context, wanted: alter_configs_request.AlterConfigsResource, twice: set[Resource], *, validate_only: bool
) -> alter_configs_response.AlterConfigsResourceResponse:
    resource = Resource(wanted.resource_type, wanted.resource_name)
    answer = Response(resource_type=resource.kind, resource_name=resource.name, error_message=None)
    given = [(config.name, config.value) for config in wanted.configs]
    try:
        if resource in twice:
            raise InvalidRequestError("a resource is altered once in a request")
        await alter(
            context.broker, resource, lambda table, before: replaced(table, before, given), validate_only=validate_only
        )
    except StreamflowError as error:
        answer.error_code, answer.error_message = code_of(error), str(error)
    return answer
