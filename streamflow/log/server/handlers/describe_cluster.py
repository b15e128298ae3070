"""DescribeCluster 0–2 (KIP-700): the brokers of the cluster. Asked for the controllers' addresses, the answer is the
same node: it is both. There is one node, which isn't fenced."""

from __future__ import annotations

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import describe_cluster_request, describe_cluster_response
from streamflow.log.server import operations
from streamflow.log.server.broker import Context

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
        controller_id=broker.node_id,
        cluster_authorized_operations=(
            operations.CLUSTER if request.include_cluster_authorized_operations else operations.NOT_ASKED
        ),
        brokers=[
            describe_cluster_response.DescribeClusterBroker(
                broker_id=broker.node_id, host=broker.advertised.host, port=broker.advertised.port
            )
        ],
    )
