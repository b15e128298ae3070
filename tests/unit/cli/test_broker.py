from __future__ import annotations

from pathlib import Path

import pytest

from streamflow.cli.broker import Addresses, parse_address, run
from streamflow.errors import ConfigError
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
