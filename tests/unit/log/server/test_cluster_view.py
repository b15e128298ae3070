"""What clients are told of a cluster, from a node whose metadata has other brokers in it."""

from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.controller.records import BrokerChange, Partition, RegisterBroker, Topic
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import (
    describe_cluster_request,
    describe_topic_partitions_request,
    metadata_request,
)
from streamflow.log.server.cluster_view import controller_id, members

pytestmark = pytest.mark.anyio
TOPIC_ID = b"\1" * 16


@pytest.fixture
def others(door: Any) -> Any:
    """Brokers 2 and 3 beside this one, and 3 is fenced; a topic on all of them that nobody leads."""
    image = door.node.topics.metadata.image
    for record in (
        RegisterBroker(broker_id=3, broker_epoch=8, host="three", port=3, fenced=True),
        RegisterBroker(broker_id=2, broker_epoch=9, host="two", port=2, rack="r"),
        Topic(name="a", topic_id=TOPIC_ID),
        Partition(
            topic_id=TOPIC_ID,
            partition=0,
            leader=-1,
            isr=(3,),
            replicas=(1, 2, 3, 4),
            leader_epoch=5,
            partition_epoch=7,
            elr=(4,),
            last_known_elr=(2,),
        ),
    ):
        image.apply(record)
    return door


async def test_clients_are_told_of_brokers_that_serve_and_where(others: Any) -> None:
    answer = await others.ask(metadata_request.MetadataRequest(topics=None))
    assert [(b.node_id, b.host, b.port, b.rack) for b in answer.brokers] == [
        (1, "here", 9092, None),
        (2, "two", 2, "r"),
    ]
    assert answer.controller_id == 1


async def test_a_partition_without_a_leader_and_its_replicas_out_of_reach_are_told(others: Any) -> None:
    answer = await others.ask(metadata_request.MetadataRequest(topics=None))
    p = answer.topics[0].partitions[0]
    assert (p.error_code, p.leader_id, p.leader_epoch) == (ErrorCode.leader_not_available, -1, 5)
    assert (p.replica_nodes, p.isr_nodes, p.offline_replicas) == ([1, 2, 3, 4], [3], [3, 4])


async def test_eligible_leaders_are_told(others: Any) -> None:
    answer = await others.ask(describe_topic_partitions_request.DescribeTopicPartitionsRequest())
    p = answer.topics[0].partitions[0]
    assert (p.eligible_leader_replicas, p.last_known_elr, p.offline_replicas) == ([4], [2], [3, 4])


@pytest.mark.parametrize("fenced", [False, True])
async def test_fenced_brokers_are_told_when_they_are_asked_for(others: Any, fenced: bool) -> None:
    answer = await others.ask(describe_cluster_request.DescribeClusterRequest(include_fenced_brokers=fenced))
    assert [(b.broker_id, b.is_fenced) for b in answer.brokers] == [(1, False), (2, False), (3, True)][: 2 + fenced]
    assert (answer.brokers[1].host, answer.brokers[1].rack) == ("two", "r")


async def test_a_fenced_node_names_another_as_the_controller(others: Any) -> None:
    image = others.node.topics.metadata.image
    image.apply(BrokerChange(broker_id=1, broker_epoch=0, fenced=True))
    assert controller_id(others.broker) == 2
    image.apply(BrokerChange(broker_id=2, broker_epoch=9, fenced=True))
    assert (controller_id(others.broker), members(others.broker)) == (-1, [])
