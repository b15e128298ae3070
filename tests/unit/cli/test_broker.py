from __future__ import annotations

from pathlib import Path

import pytest

from streamflow.cli.broker import Addresses, Place, parse_address, parse_membership, run
from streamflow.errors import ConfigError
from streamflow.log.node.membership import Endpoint
from streamflow.log.server.broker import Address


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:9092", ("127.0.0.1", 9092)), (":0", ("", 0)), ("[::1]:9092", ("::1", 9092)), ("host:1", ("host", 1))],
)
def test_an_address_is_host_and_port(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == Address(*address)


@pytest.mark.parametrize("text", ["9092", "host", "host:", "host:x", "host:70000", "host:-1", "host:²"])
def test_what_is_no_address_is_said_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match=r"write HOST:PORT, for example 127\.0\.0\.1:9092"):
        parse_address(text)


@pytest.mark.parametrize(
    ("toml", "settings", "message"),
    [
        ("", ["num.partitions"], "write KEY=VALUE"),
        ("", ["num.partition=1"], "did you mean 'num.partitions'"),
        ("num.partitions = 0", [], "must be between 1 and"),
        ("[log]\nflush = 'never'", [], "must be one of"),
        ("not toml", [], "isn't TOML"),
    ],
)
def test_a_wrong_setting_keeps_the_broker_from_starting(
    tmp_path: Path, toml: str, settings: list[str], message: str
) -> None:
    (tmp_path / "broker.toml").write_text(toml)
    with pytest.raises(ConfigError, match=message):
        run(tmp_path / "data", Addresses("127.0.0.1:0", None), tmp_path / "broker.toml", settings)
    assert not (tmp_path / "data").exists()


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't read the settings"):
        run(tmp_path, Addresses("127.0.0.1:0", None), tmp_path / "none.toml", [])


CONTROLLERS = "1@a:1, 2@b:2,3@[::1]:3"


def test_a_place_in_a_cluster_is_a_membership() -> None:
    place = Place(node_id=2, peer_listen="b:2", controllers=CONTROLLERS, rack="r")
    found = parse_membership(place, Address("b", 9092))
    assert found.voters == {1: Endpoint("a", 1), 2: Endpoint("b", 2), 3: Endpoint("::1", 3)}
    assert (found.node_id, found.rack, found.broker, found.controller) == (2, "r", True, True)
    assert (found.client, found.peer) == (Endpoint("b", 9092), Endpoint("b", 2))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"controllers": None}, "needs --controllers"),
        ({"peer_listen": None}, "needs --peer-listen"),
        ({"role": "broker,boss"}, "write broker, controller, or"),
        ({"node_id": 4}, "isn't one of --controllers"),
        ({"role": "broker"}, "isn't a controller by its --role"),
        ({"controllers": "1@a:1,1@b:2"}, "names node 1 twice"),
        ({"controllers": "a:1"}, "isn't ID@HOST:PORT"),
        ({"controllers": "1@a"}, "write HOST:PORT"),
        ({"peer_listen": "b"}, "write HOST:PORT"),
    ],
)
def test_a_place_that_no_node_can_have_is_said(given: dict[str, object], message: str) -> None:
    place = {"node_id": 1, "peer_listen": "a:1", "controllers": CONTROLLERS, **given}
    with pytest.raises(ConfigError, match=message):
        parse_membership(Place(**place), Address("a", 9092))  # type: ignore[arg-type]
