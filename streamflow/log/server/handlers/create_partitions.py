"""CreatePartitions 0–3: more partitions for topics, each topic on its own."""

from __future__ import annotations

from collections import Counter

from streamflow.errors import StreamflowError
from streamflow.log.errors import InvalidRequestError
from streamflow.log.protocol.errors import code_of
from streamflow.log.protocol.messages import create_partitions_request, create_partitions_response
from streamflow.log.server.broker import Context

Result = create_partitions_response.CreatePartitionsTopicResult


async def handle(
    context: Context, request: create_partitions_request.CreatePartitionsRequest
) -> create_partitions_response.CreatePartitionsResponse:
    counts = Counter(topic.name for topic in request.topics)
    wanted = {topic.name: topic for topic in request.topics}
    return create_partitions_response.CreatePartitionsResponse(
        results=[
            await _create(context, topic, once=counts[name] == 1, validate_only=request.validate_only)
            for name, topic in wanted.items()
        ]
    )


async def _create(
    context: Context, wanted: create_partitions_request.CreatePartitionsTopic, *, once: bool, validate_only: bool
) -> create_partitions_response.CreatePartitionsTopicResult:
    assignments = None if wanted.assignments is None else [a.broker_ids for a in wanted.assignments]
    try:
        if not once:
            raise InvalidRequestError(f"topic '{wanted.name}' is there more than once in the request")
        await context.node.admin.create_partitions(wanted.name, wanted.count, assignments, validate_only=validate_only)
    except StreamflowError as error:
        return Result(name=wanted.name, error_code=code_of(error), error_message=str(error))
    return Result(name=wanted.name, error_message=None)
