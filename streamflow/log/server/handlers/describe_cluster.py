"""DescribeCluster 0–2 (KIP-700): the brokers of the cluster; fenced ones when they are asked for. Controllers are asked
for where nodes speak to each other, not here."""

from __future__ import annotations

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import describe_cluster_request, describe_cluster_response
from streamflow.log.server import operations
from streamflow.log.server.broker import Context
from streamflow.log.server.cluster_view import controller_id, members

BROKERS, CONTROLLERS = 1, 2


async def handle(
    context: Context, request: describe_cluster_request.DescribeClusterRequest
) -> describe_cluster_response.DescribeClusterResponse:
    broker = context.broker
    if request.endpoint_type != BROKERS:
        known = request.endpoint_type == CONTROLLERS
        return describe_cluster_response.DescribeClusterResponse(
            error_code=ErrorCode.mismatched_endpoint_type if known else ErrorCode.unsupported_endpoint_type,
            error_message="this is a broker's address; ask it for brokers",
        )
    return describe_cluster_response.DescribeClusterResponse(
        endpoint_type=BROKERS,
        cluster_id=broker.cluster_id,
        controller_id=controller_id(broker),
        cluster_authorized_operations=(
            operations.CLUSTER if request.include_cluster_authorized_operations else operations.NOT_ASKED
        ),
        brokers=[
            describe_cluster_response.DescribeClusterBroker(
                broker_id=m.broker_id, host=m.host, port=m.port, rack=m.rack, is_fenced=m.fenced
            )
            for m in members(broker, fenced=request.include_fenced_brokers)
        ],
    )
