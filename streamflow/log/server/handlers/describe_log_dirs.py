"""DescribeLogDirs 1–5 (KIP-113): one directory, the partitions in it with their sizes, and the room that is left."""

from __future__ import annotations

from streamflow.log.protocol.messages import describe_log_dirs_request, describe_log_dirs_response
from streamflow.log.server.broker import Context


async def handle(
    context: Context, request: describe_log_dirs_request.DescribeLogDirsRequest
) -> describe_log_dirs_response.DescribeLogDirsResponse:
    topics = context.node.topics.metadata.image.topics
    if request.topics is None:
        wanted = {name: list(range(len(topic.partitions))) for name, topic in topics.items()}
    else:
        wanted = {topic.topic: topic.partitions for topic in request.topics}
    total, usable = context.node.space()
    found = [_topic(context, name, numbers) for name, numbers in wanted.items()]
    return describe_log_dirs_response.DescribeLogDirsResponse(
        results=[
            describe_log_dirs_response.DescribeLogDirsResult(
                log_dir=context.node.directory,
                topics=[topic for topic in found if topic.partitions],
                total_bytes=total,
                usable_bytes=usable,
            )
        ]
    )


def _topic(context: Context, name: str, numbers: list[int]) -> describe_log_dirs_response.DescribeLogDirsTopic:
    """With those of the partitions that are there."""
    image = context.broker.topic(name)
    replicas = {n: context.broker.replica(image, n) for n in numbers} if image is not None else {}
    return describe_log_dirs_response.DescribeLogDirsTopic(
        name=name,
        partitions=[
            describe_log_dirs_response.DescribeLogDirsPartition(
                partition_index=number, partition_size=replica.log.size_bytes
            )
            for number, replica in replicas.items()
            if replica is not None
        ],
    )
