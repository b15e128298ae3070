"""DescribeClientQuotas 0–1 (KIP-546): the quotas a filter finds."""

from __future__ import annotations

from streamflow.log.controller.quotas import KEYS, Component, find_quotas
from streamflow.log.errors import InvalidRequestError
from streamflow.log.protocol.errors import ErrorCode, code_of
from streamflow.log.protocol.messages import describe_client_quotas_request, describe_client_quotas_response
from streamflow.log.server.broker import Context

Response = describe_client_quotas_response.DescribeClientQuotasResponse


async def handle(
    context: Context, request: describe_client_quotas_request.DescribeClientQuotasRequest
) -> describe_client_quotas_response.DescribeClientQuotasResponse:
    unknown = [c.entity_type for c in request.components if c.entity_type not in KEYS]
    if unknown:
        said = f"quotas aren't kept for '{unknown[0]}'; they are for: {', '.join(KEYS)}"
        code = ErrorCode.unsupported_version if all(unknown) else ErrorCode.invalid_request
        return Response(error_code=code, error_message=said, entries=None)
    components = [Component(c.entity_type, c.match_type, c.match) for c in request.components]
    try:
        found = list(find_quotas(context.node.topics.metadata.image, components, strict=request.strict))
    except InvalidRequestError as error:
        return Response(error_code=code_of(error), error_message=str(error), entries=None)
    return Response(
        error_message=None,
        entries=[
            describe_client_quotas_response.EntryData(
                entity=[
                    describe_client_quotas_response.EntityData(entity_type=kind, entity_name=name)
                    for kind, name in entity
                ],
                values=[describe_client_quotas_response.ValueData(key=k, value=v) for k, v in values.items()],
            )
            for entity, values in found
        ],
    )
