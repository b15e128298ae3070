from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamflow.cli.local_cluster import LocalCluster, Plan
from streamflow.errors import ConfigError


def plan(data: Path, nodes: int = 3, port: int = 9092, **more: object) -> Plan:
    return Plan(nodes=nodes, data=data, port=port, **more)  # type: ignore[arg-type]


def options(command: list[str]) -> dict[str, str]:
    words = command[command.index("broker") + 1 :]
    return dict(zip(words[::2], words[1::2], strict=True))


def test_each_node_has_its_own_directory_and_ports_and_knows_all_controllers(tmp_path: Path) -> None:
    found = options(plan(tmp_path).command(2))
    assert found == {
        "--data": f"{tmp_path}/node-2",
        "--node-id": "2",
        "--listen": "127.0.0.1:9093",
        "--peer-listen": "127.0.0.1:9193",
        "--controllers": "1@127.0.0.1:9192,2@127.0.0.1:9193,3@127.0.0.1:9194",
        "--role": "broker,controller",
    }


def test_nodes_beyond_the_third_are_brokers_alone(tmp_path: Path) -> None:
    found = options(plan(tmp_path, 5).command(4))
    assert found["--role"] == "broker"
    assert found["--controllers"].count("@") == 3


def test_settings_are_every_nodes(tmp_path: Path) -> None:
    assert plan(tmp_path, settings=("a=1", "b=2")).command(1)[-4:] == ["--set", "a=1", "--set", "b=2"]


@pytest.mark.parametrize(
    ("nodes", "port", "message"),
    [
        (0, 9092, "isn't between 1 and 100"),
        (101, 9092, "isn't between 1 and 100"),
        (3, 0, "between 1 and 65535"),
        (3, 65434, "the ports from there to 65536"),
    ],
)
def test_what_cannot_be_started_is_said(tmp_path: Path, nodes: int, port: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan(tmp_path, nodes, port).check()


@pytest.mark.parametrize(("there", "nodes", "may"), [(3, 5, True), (5, 3, True), (1, 3, False), (3, 2, False)])
def test_the_controllers_of_a_cluster_stay(tmp_path: Path, there: int, nodes: int, may: bool) -> None:
    for number in range(there):
        (tmp_path / f"node-{number + 1}").mkdir()
        (tmp_path / f"node-{number + 1}.log").touch()
    if may:
        plan(tmp_path, nodes).check()
    else:
        with pytest.raises(ConfigError, match=f"start it with --nodes {there}, or use another --data"):
            plan(tmp_path, nodes).check()


@pytest.mark.parametrize(
    ("running", "leaving", "left"),
    [((1, 2, 3), 3, True), ((1, 2), 2, False), ((1,), 1, False), ((1, 2, 3, 4), 4, True), ((1, 4), 4, False)],
)
def test_who_stops_hands_over_while_a_majority_of_the_controllers_is_left(
    tmp_path: Path, running: tuple[int, ...], leaving: int, left: bool
) -> None:
    cluster = LocalCluster(plan(tmp_path, 4))
    nobody: Any = None
    cluster._running = dict.fromkeys(running, nobody)
    assert cluster._majority_without(leaving) == left
