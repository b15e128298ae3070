from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from streamflow.errors import ConfigError
from streamflow.log.node.config import NODE_SETTINGS, TABLE, NodeConfig, segment_config
from streamflow.log.node.embedded import parse_address


def test_every_field_of_the_config_is_a_row_of_the_table() -> None:
    assert [f.name for f in dataclasses.fields(NodeConfig)] == [*(s.field for s in NODE_SETTINGS), "static"]
    assert len({s.name for s in TABLE}) == len({s.field for s in TABLE}) == len(TABLE)


def test_every_setting_says_why() -> None:
    assert all(s.reason for s in TABLE)


def test_a_setting_goes_by_its_field_or_by_kafkas_name() -> None:
    assert NodeConfig.parse({"flush_interval_ms": "5"}) == NodeConfig.parse({"log.flush.interval.ms": "5"})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"flsh": "os"}, "unknown setting 'flsh'; did you mean 'flush'"),
        ({"flush": "never"}, "must be one of: commit, interval, os"),
        ({"flush_interval_ms": "0"}, "between 1 and"),
        ({"flush_interval_ms": "1s"}, "whole number of ms"),
    ],
)
def test_a_wrong_setting_is_an_error_that_says_what_is_right(given: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        NodeConfig.parse(given)


def test_an_address_names_a_directory_and_settings() -> None:
    path, config = parse_address("log://./data%20here?flush=interval&flush_interval_ms=7")
    assert path == Path("data here")
    assert (config.flush, config.flush_interval_ms) == ("interval", 7)
    assert parse_address("log:///var/lib/x")[0] == Path("/var/lib/x")
    assert parse_address("memory://") == (None, NodeConfig.parse({}))


@pytest.mark.parametrize("url", ["log://", "log://?flush=os", "log://x?flush", "log://x?nope=1"])
def test_an_address_that_means_nothing_is_an_error(url: str) -> None:
    with pytest.raises(ConfigError):
        parse_address(url)


def test_a_compacted_topic_is_kept_whatever_retention_says() -> None:
    kept = segment_config({"cleanup.policy": "compact", "retention.ms": "5", "segment.bytes": "5000"})
    assert (kept.retention_ms, kept.retention_bytes, kept.segment_bytes) == (-1, -1, 5000)
    assert segment_config({"retention.ms": "5"}).retention_ms == 5


def test_defaults_of_topics_settings_are_the_nodes_to_give() -> None:
    assert NodeConfig.parse({"log.retention.ms": "5", "flush_interval_ms": "7"}).static == {
        "log.retention.ms": "5",
        "log.flush.interval.ms": "7",
    }
    assert NodeConfig.parse({"log.cleanup.policy": "compact , delete"}).static == {
        "log.cleanup.policy": "compact,delete"
    }
    with pytest.raises(ConfigError, match=r"log\.retention\.ms is 'x'"):
        NodeConfig.parse({"log.retention.ms": "x"})


def test_kafkas_longer_units_are_taken_in_ms() -> None:
    assert NodeConfig.parse({"log.retention.hours": "2"}).static == {
        "log.retention.hours": "2",
        "log.retention.ms": "7200000",
    }
    assert NodeConfig.parse({"log.retention.minutes": "-1"}).static["log.retention.ms"] == "-1"
    for given in ({"log.roll.hours": "1", "log.roll.ms": "5"}, {"log.roll.ms": "5", "log.roll.hours": "1"}):
        assert NodeConfig.parse(given).static["log.roll.ms"] == "5", "the finer unit holds"
    with pytest.raises(ConfigError, match="whole number"):
        NodeConfig.parse({"log.roll.hours": "soon"})


def test_a_topic_whose_policy_is_empty_is_kept() -> None:
    assert segment_config({"cleanup.policy": "", "retention.ms": "5"}).retention_ms == -1
    assert segment_config({"cleanup.policy": "compact,delete", "retention.ms": "5"}).retention_ms == 5
