"""AlterClientQuotas 0–1 (KIP-546): quotas of users, client ids and addresses are kept, each entity's all or none.

They aren't enforced yet: nobody is throttled.
"""

from __future__ import annotations

from collections import Counter

from streamflow.errors import StreamflowError
from streamflow.log.controller.quotas import QuotaChange
from streamflow.log.errors import InvalidRequestError
from streamflow.log.protocol.errors import code_of
from streamflow.log.protocol.messages import alter_client_quotas_request, alter_client_quotas_response
from streamflow.log.server.broker import Context

Entry = alter_client_quotas_response.EntryData
Entity = frozenset[tuple[str, str | None]]


async def handle(
    context: Context, request: alter_client_quotas_request.AlterClientQuotasRequest
) -> alter_client_quotas_response.AlterClientQuotasResponse:
    times = Counter(map(_entity, request.entries))
    return alter_client_quotas_response.AlterClientQuotasResponse(
        entries=[
            await _alter(context, entry, once=times[_entity(entry)] == 1, validate_only=request.validate_only)
            for entry in request.entries
        ]
    )


def _entity(entry: alter_client_quotas_request.EntryData) -> Entity:
    return frozenset((part.entity_type, part.entity_name) for part in entry.entity)


async def _alter(
    context: Context, entry: alter_client_quotas_request.EntryData, *, once: bool, validate_only: bool
) -> alter_client_quotas_response.EntryData:
    answer = Entry(
        error_message=None,
        entity=[
            alter_client_quotas_response.EntityData(entity_type=part.entity_type, entity_name=part.entity_name)
            for part in entry.entity
        ],
    )
    changes = [QuotaChange(op.key, None if op.remove else op.value) for op in entry.ops]
    named = {part.entity_type: part.entity_name for part in entry.entity}
    try:
        if not once or len(named) < len(entry.entity):
            raise InvalidRequestError("an entity is altered once in a request, and has one name of a type")
        await context.node.admin.alter_quotas(named, changes, validate_only=validate_only)
    except StreamflowError as error:
        answer.error_code, answer.error_message = code_of(error), str(error)
    return answer
