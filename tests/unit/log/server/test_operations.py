from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.controller.topics import NewTopic
from streamflow.log.protocol.messages import describe_cluster_request, metadata_request
from streamflow.log.server import operations


def test_the_bits_are_those_of_a_kafka_without_an_authorizer() -> None:
    assert (operations.TOPIC, operations.CLUSTER, operations.GROUP) == (3576, 8096, 3400)


@pytest.mark.anyio
async def test_who_asks_what_they_may_do_is_told_and_who_does_not_is_not(door: Any) -> None:
    await door.node.topics.create(NewTopic(name="a"))
    for asked in (True, False):
        metadata = await door.ask(
            metadata_request.MetadataRequest(
                topics=None, include_topic_authorized_operations=asked, include_cluster_authorized_operations=asked
            ),
            10,
        )
        cluster = await door.ask(
            describe_cluster_request.DescribeClusterRequest(
                endpoint_type=1, include_cluster_authorized_operations=asked
            )
        )
        answers = (
            metadata.topics[0].topic_authorized_operations,
            metadata.cluster_authorized_operations,
            cluster.cluster_authorized_operations,
        )
        assert answers == ((3576, 8096, 8096) if asked else (operations.NOT_ASKED,) * 3)
