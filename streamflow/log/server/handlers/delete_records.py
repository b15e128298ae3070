"""DeleteRecords 0–2: a partition begins at an offset from now on; -1 is its high watermark.

The answer has the low watermark: the offset the partition begins at. Topics that aren't deleted from by retention
refuse (their `cleanup.policy` is compact alone), as with Kafka.
"""

from __future__ import annotations

from streamflow.errors import StreamflowError
from streamflow.event import TopicPartition
from streamflow.log.controller.topics import INTERNAL_TOPICS
from streamflow.log.errors import InvalidTopicError, OffsetOutOfRangeError, PolicyViolationError
from streamflow.log.protocol.errors import code_of
from streamflow.log.protocol.messages import delete_records_request, delete_records_response
from streamflow.log.server.broker import Context
from streamflow.log.server.leadership import find_leader, find_topic

Partition = delete_records_response.DeleteRecordsPartitionResult
HIGH_WATERMARK = -1


async def handle(
    context: Context, request: delete_records_request.DeleteRecordsRequest
) -> delete_records_response.DeleteRecordsResponse:
    return delete_records_response.DeleteRecordsResponse(
        topics=[
            delete_records_response.DeleteRecordsTopicResult(
                name=topic.name, partitions=[_delete(context, topic.name, p) for p in topic.partitions]
            )
            for topic in request.topics
        ]
    )


def _delete(
    context: Context, name: str, wanted: delete_records_request.DeleteRecordsPartition
) -> delete_records_response.DeleteRecordsPartitionResult:
    try:
        low = _delete_before(context, TopicPartition(name, wanted.partition_index), wanted.offset)
    except StreamflowError as error:
        return Partition(partition_index=wanted.partition_index, low_watermark=-1, error_code=code_of(error))
    return Partition(partition_index=wanted.partition_index, low_watermark=low)


def _delete_before(context: Context, where: TopicPartition, offset: int) -> int:
    """Returns: where the partition begins now. Raises: StreamflowError."""
    node = context.node
    topic = find_topic(context.broker, where.topic)
    replica = find_leader(context.broker, topic, where.partition)
    if topic.name in INTERNAL_TOPICS:
        raise InvalidTopicError(f"topic '{topic.name}' is the log's own; it forgets what it doesn't need by itself")
    if node.topics.settings.topic(topic).get("cleanup.policy") == "compact":
        raise PolicyViolationError(f"'{where.topic}' is compacted: its records are deleted by later ones")
    if offset < HIGH_WATERMARK:
        raise OffsetOutOfRangeError(str(where), offset, replica.log.log_start_offset, replica.high_watermark)
    node.delete_records(where, replica.high_watermark if offset == HIGH_WATERMARK else offset)
    return replica.log.log_start_offset
