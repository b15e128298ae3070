"""DescribeQuorum 0–2 (KIP-595, KIP-836, KIP-853): who votes on the metadata, and how far each replica of its log is.

The leader of the quorum answers; asked elsewhere, a node says that it isn't. Asked for anything but the metadata log
alone, every partition is unknown, as with Kafka.
"""

from __future__ import annotations

from streamflow.log.consensus.raft import Raft
from streamflow.log.consensus.roles import Standing
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
    partition = _quorum(context.node.topics.metadata.raft, context.node.now_ms())
    return Response(
        topics=[describe_quorum_response.TopicData(topic_name=METADATA_TOPIC, partitions=[partition])],
        nodes=_nodes(context),
    )


def _quorum(raft: Raft, now_ms: int) -> describe_quorum_response.PartitionData:
    if not raft.leads:
        return Partition(
            error_code=ErrorCode.not_leader_or_follower,
            error_message=f"node {raft.me} doesn't lead the quorum; node {raft.leader} may (-1: nobody does)",
            leader_id=raft.leader,
            leader_epoch=raft.epoch,
        )
    known = raft.standings(now_ms)
    return Partition(
        leader_id=raft.me,
        leader_epoch=raft.epoch,
        high_watermark=raft.told_high_watermark,
        current_voters=[_state(n, known[n]) for n in raft.voters],
        observers=[_state(n, known[n]) for n in sorted(known) if n not in raft.voters],
    )


def _state(node_id: int, standing: Standing) -> describe_quorum_response.ReplicaState:
    return describe_quorum_response.ReplicaState(
        replica_id=node_id,
        log_end_offset=standing.end,
        last_fetch_timestamp=standing.fetched_ms,
        last_caught_up_timestamp=standing.caught_up_ms,
    )


def _nodes(context: Context) -> list[describe_quorum_response.Node]:
    """The voters."""
    membership, broker = context.node.membership, context.broker
    places = {n: (at.host, at.port) for n, at in membership.voters.items()}
    places = places or {broker.node_id: (broker.advertised.host, broker.advertised.port)}
    return [
        describe_quorum_response.Node(
            node_id=node_id,
            listeners=[describe_quorum_response.Listener(name="CONTROLLER", host=host, port=port)],
        )
        for node_id, (host, port) in places.items()
    ]
