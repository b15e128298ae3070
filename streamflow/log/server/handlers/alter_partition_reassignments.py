"""AlterPartitionReassignments 0–1 (KIP-455): partitions are moved to other brokers, each on its own, or a move is
cancelled."""

from __future__ import annotations

from streamflow.errors import StreamflowError
from streamflow.event import TopicPartition
from streamflow.log.protocol.errors import code_of
from streamflow.log.protocol.messages import (
    alter_partition_reassignments_request,
    alter_partition_reassignments_response,
)
from streamflow.log.server.broker import Context

Partition = alter_partition_reassignments_response.ReassignablePartitionResponse
Response = alter_partition_reassignments_response.AlterPartitionReassignmentsResponse


async def handle(
    context: Context, request: alter_partition_reassignments_request.AlterPartitionReassignmentsRequest
) -> alter_partition_reassignments_response.AlterPartitionReassignmentsResponse:
    may = request.allow_replication_factor_change
    wanted = {TopicPartition(t.name, p.partition_index): p.replicas for t in request.topics for p in t.partitions}
    try:
        outcomes = await context.node.admin.reassign(wanted, other_factor=may)
    except StreamflowError as error:
        return Response(
            allow_replication_factor_change=may, error_code=code_of(error), error_message=str(error), responses=[]
        )
    return Response(
        allow_replication_factor_change=may,
        error_message=None,
        responses=[
            alter_partition_reassignments_response.ReassignableTopicResponse(
                name=topic.name,
                partitions=[
                    _partition(p.partition_index, outcomes[TopicPartition(topic.name, p.partition_index)])
                    for p in topic.partitions
                ],
            )
            for topic in request.topics
        ],
    )


def _partition(
    number: int, error: StreamflowError | None
) -> alter_partition_reassignments_response.ReassignablePartitionResponse:
    result = Partition(partition_index=number, error_message=None)
    if error is not None:
        result.error_code, result.error_message = code_of(error), str(error)
    return result
