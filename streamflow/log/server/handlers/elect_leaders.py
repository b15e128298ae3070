"""ElectLeaders 0–2 (KIP-460): every partition is led by its only replica, so that no election is needed.

Asked for all partitions, the answer lists no such partition, as with Kafka.
"""

from __future__ import annotations

from streamflow.errors import StreamflowError
from streamflow.event import TopicPartition
from streamflow.log.controller.partitions import elect
from streamflow.log.protocol.errors import ErrorCode, code_of
from streamflow.log.protocol.messages import elect_leaders_request, elect_leaders_response
from streamflow.log.server.broker import Context

PREFERRED, UNCLEAN = 0, 1
Result = elect_leaders_response.PartitionResult


async def handle(
    context: Context, request: elect_leaders_request.ElectLeadersRequest
) -> elect_leaders_response.ElectLeadersResponse:
    known = request.election_type in (PREFERRED, UNCLEAN)
    return elect_leaders_response.ElectLeadersResponse(
        error_code=ErrorCode.none if known else ErrorCode.invalid_request,
        replica_election_results=[
            elect_leaders_response.ReplicaElectionResult(
                topic=topic.topic,
                partition_result=[_elect(context, TopicPartition(topic.topic, n), known) for n in topic.partitions],
            )
            for topic in request.topic_partitions or ()
        ],
    )


def _elect(context: Context, where: TopicPartition, known: bool) -> elect_leaders_response.PartitionResult:
    result = Result(partition_id=where.partition, error_message=None)
    try:
        if known:
            elect(context.node.topics.metadata.image, where)
        else:
            result.error_code = ErrorCode.invalid_request
            result.error_message = "an election is for the preferred leader (0) or unclean (1)"
    except StreamflowError as error:
        result.error_code, result.error_message = code_of(error), str(error)
    return result
