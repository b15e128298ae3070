"""A cluster's commands say the same to both kinds, and what others are told is where the proxies are."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from clusters import Cluster, Plan, addresses


def proxied(node: int, door: str, listens: str) -> str:
    return f"127.0.0.1:{node}{len(door)}"


def test_ports_are_free_and_none_is_given_twice() -> None:
    given = addresses(20)
    assert len(set(given)) == 20


def test_a_node_listens_at_its_own_door_and_tells_where_it_is_reached(tmp_path: Path) -> None:
    cluster = Cluster(Plan("streamflow", tmp_path, reached=proxied))
    command = cluster.nodes[2]._command
    told = dict(itertools.pairwise(command))
    assert told["--node-id"] == "2"
    assert told["--listen"] == cluster.nodes[2].doors.client
    assert told["--peer-listen"] == cluster.nodes[2].doors.peer
    assert told["--advertise"] == "127.0.0.1:26"
    assert told["--controllers"] == "1@127.0.0.1:14,2@127.0.0.1:24,3@127.0.0.1:34"
    assert "--set=min.insync.replicas=2" in command
    assert cluster.bootstrap == "127.0.0.1:16,127.0.0.1:26,127.0.0.1:36"


def test_a_node_alone_has_no_peers(tmp_path: Path) -> None:
    (node,) = Cluster(Plan("streamflow", tmp_path, nodes=1)).nodes.values()
    assert not {"--node-id", "--peer-listen", "--controllers"} & set(node._command)


@pytest.mark.parametrize(("nodes", "replicas", "in_sync"), [(1, 1, 1), (2, 2, 2), (3, 3, 2), (5, 3, 2)])
def test_a_plan_has_as_many_replicas_as_it_can_up_to_three(
    tmp_path: Path, nodes: int, replicas: int, in_sync: int
) -> None:
    plan = Plan("streamflow", tmp_path, nodes)
    assert (plan.replicas, plan.replicas_in_sync_min) == (replicas, in_sync)


def test_a_node_that_never_ran_is_neither_running_nor_to_be_killed(tmp_path: Path) -> None:
    node = Cluster(Plan("streamflow", tmp_path, nodes=1)).nodes[1]
    node.kill()
    node.pause()
    node.resume()
    assert not node.running and not node.paused
    assert repr(node) == "<node 1, down>"
