"""DescribeQuorum 0–2 (KIP-595, KIP-853): the controllers' quorum is this node alone.

Asked for anything but the metadata log alone, every partition is unknown, as with Kafka.
"""

from __future__ import annotations

from streamflow.log.controller.records import METADATA_TOPIC
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import describe_quorum_request, describe_quorum_response
from streamflow.log.server.broker import Context

Partition = describe_quorum_response.PartitionData
Response = describe_quorum_response.DescribeQuorumResponse
THE_LOG = [(METADATA_TOPIC, [0])]


async def handle(
    context: Context, request: describe_quorum_request.DescribeQuorumRequest
) -> describe_quorum_response.DescribeQuorumResponse:
    if [(topic.topic_name, [p.partition_index for p in topic.partitions]) for topic in request.topics] != THE_LOG:
        return Response(
            topics=[
                describe_quorum_response.TopicData(
                    topic_name=topic.topic_name,
                    partitions=[
                        Partition(partition_index=p.partition_index, error_code=ErrorCode.unknown_topic_or_partition)
                        for p in topic.partitions
                    ],
                )
                for topic in request.topics
            ]
        )
    broker = context.broker
    listener = describe_quorum_response.Listener(
        name="CONTROLLER", host=broker.advertised.host, port=broker.advertised.port
    )
    return Response(
        topics=[describe_quorum_response.TopicData(topic_name=METADATA_TOPIC, partitions=[_quorum(context)])],
        nodes=[describe_quorum_response.Node(node_id=broker.node_id, listeners=[listener])],
    )


def _quorum(context: Context) -> describe_quorum_response.PartitionData:
    metadata, now_ms = context.node.topics.metadata, context.node.now_ms()
    end = metadata.partition.log_end_offset
    voter = describe_quorum_response.ReplicaState(
        replica_id=metadata.node_id,
        log_end_offset=end,
        last_fetch_timestamp=now_ms,
        last_caught_up_timestamp=now_ms,
    )
    return Partition(
        leader_id=metadata.node_id, leader_epoch=metadata.leader_epoch, high_watermark=end, current_voters=[voter]
    )
