from __future__ import annotations

from typing import Any

import pytest

from streamflow.cli.cluster_status import LISTED_MAX, Status, judge, lines
from streamflow.errors import ConfigError
from streamflow.log.protocol.messages import (
    describe_cluster_response,
    describe_configs_response,
    describe_quorum_response,
    metadata_response,
)

Replica = describe_quorum_response.ReplicaState


def cluster(*, fenced: frozenset[int] = frozenset(), brokers: tuple[int, ...] = (1, 2, 3), error: int = 0) -> Any:
    return describe_cluster_response.DescribeClusterResponse(
        cluster_id="c",
        error_code=error,
        error_message="no" if error else None,
        brokers=[
            describe_cluster_response.DescribeClusterBroker(
                broker_id=n, host="h", port=9090 + n, rack="r" if n == 2 else None, is_fenced=n in fenced
            )
            for n in brokers
        ],
    )


def partition(leader: int, isr: tuple[int, ...], number: int = 0) -> Any:
    return metadata_response.MetadataResponsePartition(
        partition_index=number, leader_id=leader, replica_nodes=[1, 2, 3], isr_nodes=list(isr)
    )


def metadata(**topics: list[Any]) -> Any:
    return metadata_response.MetadataResponse(
        topics=[metadata_response.MetadataResponseTopic(name=name, partitions=p) for name, p in topics.items()]
    )


def configs(**needed: int) -> Any:
    return describe_configs_response.DescribeConfigsResponse(
        results=[
            describe_configs_response.DescribeConfigsResult(
                resource_name=name,
                configs=[
                    describe_configs_response.DescribeConfigsResourceResult(
                        name="min.insync.replicas", value=str(count)
                    )
                ],
            )
            for name, count in needed.items()
        ]
    )


def quorum(ends: dict[int, int], *, leader: int = 1, error: int = 0) -> Any:
    told = describe_quorum_response.PartitionData(
        error_code=error,
        error_message="node 9 may" if error else None,
        leader_id=leader,
        leader_epoch=7,
        current_voters=[Replica(replica_id=n, log_end_offset=end) for n, end in ends.items()],
    )
    at = [describe_quorum_response.Listener(name="CONTROLLER", host="c", port=1)]
    return describe_quorum_response.DescribeQuorumResponse(
        topics=[describe_quorum_response.TopicData(partitions=[told])],
        nodes=[describe_quorum_response.Node(node_id=n, listeners=at) for n in ends],
    )


def status(*partitions: Any, needed: int = 2, voters: Any = None, fenced: frozenset[int] = frozenset()) -> Status:
    return judge(
        cluster(fenced=fenced),
        metadata(t=list(partitions)),
        configs(t=needed),
        voters or quorum({1: 10, 2: 10, 3: 10}),
    )


def test_a_whole_cluster_is_served_and_lacks_nothing() -> None:
    found = status(partition(1, (1, 2, 3)))
    assert found.served
    assert (found.topics, found.partitions) == (1, 1)
    assert not [*found.under_replicated, *found.under_min_isr, *found.offline]


@pytest.mark.parametrize(
    ("isr", "leader", "needed", "kinds"),
    [
        ((1, 2), 1, 2, "lagging"),
        ((1,), 1, 2, "lagging few"),
        ((1,), 1, 1, "lagging"),
        ((1,), -1, 2, "lagging few offline"),
        ((), -1, 1, "lagging few offline"),
        ((1, 2, 3), 1, 3, ""),
        ((1, 2, 3), 1, 4, "few"),
    ],
)
def test_a_partition_is_counted_for_what_it_lacks(isr: tuple[int, ...], leader: int, needed: int, kinds: str) -> None:
    found = status(partition(leader, isr), needed=needed)
    assert bool(found.under_replicated) == ("lagging" in kinds)
    assert bool(found.under_min_isr) == ("few" in kinds), "acks=all is refused then"
    assert bool(found.offline) == ("offline" in kinds) == (not found.served)


def test_a_partition_is_named_with_who_is_in_sync_and_who_is_not() -> None:
    told = list(lines(status(partition(-1, (2,), 4))))
    assert told[-6:] == [
        "under-replicated: 1",
        "  t-4: led by nobody, in sync 2, not 1 3",
        "under min.insync.replicas: 1",
        "  t-4: led by nobody, in sync 2, not 1 3",
        "offline: 1",
        "  t-4: led by nobody, in sync 2, not 1 3",
    ]


def test_no_more_partitions_are_named_than_the_limit() -> None:
    told = list(lines(status(*(partition(1, (1, 2), n) for n in range(LISTED_MAX + 5)))))
    assert sum("t-" in line for line in told) == LISTED_MAX
    assert "  … and 5 more" in told


def test_nodes_are_told_with_their_racks_their_state_and_their_part_in_the_quorum() -> None:
    told = list(lines(status(fenced=frozenset({3}), voters=quorum({1: 10, 2: 8, 3: -1}))))
    assert told[:5] == [
        "cluster c",
        "node 1 at h:9091: serving, leader",
        "node 2 at h:9092: serving, rack r, voter, 2 behind",
        "node 3 at h:9093: fenced, voter, not heard of",
        "quorum: led by node 1 in epoch 7, 3 voters",
    ]


def test_a_controller_that_is_no_broker_and_a_broker_that_does_not_vote_are_told() -> None:
    found = judge(cluster(brokers=(1, 4)), metadata(), configs(), quorum({1: 5, 2: 5}))
    assert [(n.node_id, n.at, n.state, n.standing) for n in found.nodes] == [
        (1, "h:9091", "serving", "leader"),
        (2, "c:1", "controller only", "voter, 0 behind"),
        (4, "h:9094", "serving", ""),
    ]


@pytest.mark.parametrize("voters", ["it closed the connection", quorum({}, error=6)])
def test_a_cluster_without_a_leader_of_its_quorum_is_not_served(voters: Any) -> None:
    found = status(partition(1, (1, 2, 3)), voters=voters)
    assert not found.served
    assert found.quorum.startswith("no leader is reached (")
    assert [node.node_id for node in found.nodes] == [1, 2, 3]


def test_what_is_no_broker_of_a_cluster_is_said() -> None:
    with pytest.raises(ConfigError, match="name a broker's --listen"):
        judge(cluster(error=114), metadata(), configs(), "x")
