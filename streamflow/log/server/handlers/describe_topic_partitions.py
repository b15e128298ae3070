"""DescribeTopicPartitions 0 (KIP-966): topics in the order of their names, a page at a time.

A page has at most as many partitions as the request or `max.request.partition.size.limit` says, and the cursor the
next begins at.
"""

from __future__ import annotations

from streamflow.log.controller.image import MetadataImage, TopicImage
from streamflow.log.controller.topics import INTERNAL_TOPICS
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import describe_topic_partitions_request, describe_topic_partitions_response
from streamflow.log.server import operations
from streamflow.log.server.broker import Context
from streamflow.log.server.cluster_view import offline

Topic = describe_topic_partitions_response.DescribeTopicPartitionsResponseTopic
Response = describe_topic_partitions_response.DescribeTopicPartitionsResponse
PARTITIONS_MAX = 2000
"""`max.request.partition.size.limit`, as Kafka."""


async def handle(
    context: Context, request: describe_topic_partitions_request.DescribeTopicPartitionsRequest
) -> describe_topic_partitions_response.DescribeTopicPartitionsResponse:
    image = context.node.topics.metadata.image
    known = image.topics
    asked = sorted({topic.name for topic in request.topics})
    names, first, cursor = asked or sorted(known), 0, request.cursor
    if cursor is not None:
        if cursor.partition_index < 0 or (asked and cursor.topic_name not in asked):
            return Response(topics=[Topic(name=name, error_code=ErrorCode.invalid_request) for name in names])
        names = [name for name in names if name >= cursor.topic_name]
        first = cursor.partition_index if names and names[0] == cursor.topic_name else 0
    room = max(1, min(request.response_partition_limit, PARTITIONS_MAX))
    response = Response()
    for name in names:
        topic = known.get(name)
        if topic is None:
            response.topics.append(Topic(name=name, error_code=ErrorCode.unknown_topic_or_partition))
            continue
        end = min(len(topic.partitions), first + room)
        if room:
            response.topics.append(_topic(image, topic, first, end))
            room -= max(0, end - first)
        if end < len(topic.partitions):
            response.next_cursor = describe_topic_partitions_response.Cursor(topic_name=name, partition_index=end)
            break
        first = 0
    return response


def _topic(
    image: MetadataImage, topic: TopicImage, first: int, end: int
) -> describe_topic_partitions_response.DescribeTopicPartitionsResponseTopic:
    return Topic(
        name=topic.name,
        topic_id=topic.topic_id,
        is_internal=topic.name in INTERNAL_TOPICS,
        topic_authorized_operations=operations.TOPIC,
        partitions=[
            describe_topic_partitions_response.DescribeTopicPartitionsResponsePartition(
                partition_index=number,
                leader_id=partition.leader,
                leader_epoch=partition.leader_epoch,
                replica_nodes=list(partition.replicas),
                isr_nodes=list(partition.isr),
                eligible_leader_replicas=list(partition.elr),
                last_known_elr=list(partition.last_known_elr),
                offline_replicas=list(offline(image, partition)),
            )
            for number, partition in enumerate(topic.partitions[first:end], first)
        ],
    )
