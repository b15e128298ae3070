"""ListPartitionReassignments 0 (KIP-455): what is being moved. Topics that aren't there aren't told, as with Kafka."""

from __future__ import annotations

from streamflow.log.protocol.messages import list_partition_reassignments_request, list_partition_reassignments_response
from streamflow.log.server.broker import Context

Topic = list_partition_reassignments_response.OngoingTopicReassignment


async def handle(
    context: Context, request: list_partition_reassignments_request.ListPartitionReassignmentsRequest
) -> list_partition_reassignments_response.ListPartitionReassignmentsResponse:
    asked = None if request.topics is None else {topic.name: topic.partition_indexes for topic in request.topics}
    topics: dict[str, list_partition_reassignments_response.OngoingTopicReassignment] = {}
    for where, partition in context.node.admin.reassignments(asked):
        topics.setdefault(where.topic, Topic(name=where.topic)).partitions.append(
            list_partition_reassignments_response.OngoingPartitionReassignment(
                partition_index=where.partition,
                replicas=list(partition.replicas),
                adding_replicas=list(partition.adding),
                removing_replicas=list(partition.removing),
            )
        )
    return list_partition_reassignments_response.ListPartitionReassignmentsResponse(
        error_message=None, topics=list(topics.values())
    )
