"""ElectLeaders 0–2 (KIP-460): of preferred leaders, or unclean ones. Asked for all partitions, the answer lists none
that needs no election, as with Kafka."""

from __future__ import annotations

from collections.abc import Mapping

from streamflow.errors import StreamflowError
from streamflow.event import TopicPartition
from streamflow.log.errors import InvalidRequestError
from streamflow.log.protocol.errors import code_of
from streamflow.log.protocol.messages import elect_leaders_request, elect_leaders_response
from streamflow.log.server.broker import Context

PREFERRED, UNCLEAN = 0, 1
Response = elect_leaders_response.ElectLeadersResponse
Result = elect_leaders_response.PartitionResult


async def handle(
    context: Context, request: elect_leaders_request.ElectLeadersRequest
) -> elect_leaders_response.ElectLeadersResponse:
    asked = request.topic_partitions
    wanted = None if asked is None else [TopicPartition(t.topic, n) for t in asked for n in t.partitions]
    if request.election_type not in (PREFERRED, UNCLEAN):
        refusal = InvalidRequestError("an election is for the preferred leader (0) or unclean (1)")
        outcomes = dict.fromkeys(wanted or (), refusal)
        return Response(error_code=code_of(refusal), replica_election_results=_results(outcomes))
    try:
        done = await context.node.admin.elect(wanted, unclean=request.election_type == UNCLEAN)
    except StreamflowError as error:
        return Response(error_code=code_of(error))
    return Response(replica_election_results=_results(done))


def _results(
    outcomes: Mapping[TopicPartition, StreamflowError | None],
) -> list[elect_leaders_response.ReplicaElectionResult]:
    topics: dict[str, list[elect_leaders_response.PartitionResult]] = {}
    for where, error in outcomes.items():
        result = Result(partition_id=where.partition, error_message=None)
        if error is not None:
            result.error_code, result.error_message = code_of(error), str(error)
        topics.setdefault(where.topic, []).append(result)
    return [
        elect_leaders_response.ReplicaElectionResult(topic=topic, partition_result=results)
        for topic, results in topics.items()
    ]
