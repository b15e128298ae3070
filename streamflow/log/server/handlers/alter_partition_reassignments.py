"""AlterPartitionReassignments 0–1 (KIP-455): nothing is moved, as there is one broker. A partition is where it should
be, or can't be moved there."""

from __future__ import annotations

from streamflow.errors import StreamflowError
from streamflow.event import TopicPartition
from streamflow.log.controller.partitions import reassign
from streamflow.log.protocol.errors import code_of
from streamflow.log.protocol.messages import (
    alter_partition_reassignments_request,
    alter_partition_reassignments_response,
)
from streamflow.log.server.broker import Context

Partition = alter_partition_reassignments_response.ReassignablePartitionResponse


async def handle(
    context: Context, request: alter_partition_reassignments_request.AlterPartitionReassignmentsRequest
) -> alter_partition_reassignments_response.AlterPartitionReassignmentsResponse:
    return alter_partition_reassignments_response.AlterPartitionReassignmentsResponse(
        allow_replication_factor_change=request.allow_replication_factor_change,
        error_message=None,
        responses=[
            alter_partition_reassignments_response.ReassignableTopicResponse(
                name=topic.name, partitions=[_reassign(context, topic.name, p) for p in topic.partitions]
            )
            for topic in request.topics
        ],
    )


def _reassign(
    context: Context, name: str, wanted: alter_partition_reassignments_request.ReassignablePartition
) -> alter_partition_reassignments_response.ReassignablePartitionResponse:
    result = Partition(partition_index=wanted.partition_index, error_message=None)
    node = context.node
    try:
        where = TopicPartition(name, wanted.partition_index)
        reassign(node.topics.metadata.image, where, wanted.replicas, node.admin.brokers)
    except StreamflowError as error:
        result.error_code, result.error_message = code_of(error), str(error)
    return result
