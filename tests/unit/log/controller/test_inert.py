from __future__ import annotations

import pytest

from streamflow.errors import ConfigError
from streamflow.log.controller.configs import TOPIC_SETTINGS, as_text
from streamflow.log.controller.inert import ALL_TOPIC_SETTINGS, INERT_TOPIC_SETTINGS


def test_a_setting_has_an_effect_or_none() -> None:
    assert len({s.name for s in ALL_TOPIC_SETTINGS}) == len(TOPIC_SETTINGS) + len(INERT_TOPIC_SETTINGS)


def test_every_setting_takes_its_own_default_and_says_why() -> None:
    for setting in ALL_TOPIC_SETTINGS:
        assert setting.parse(as_text(setting.default)) == setting.default
        assert setting.reason


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("compression.type", "gzip"),
        ("flush.messages", "1"),
        ("flush.ms", "1000"),
        ("max.decompressed.message.bytes", "1000"),
        ("remote.storage.enable", "true"),
        ("errors.deadletterqueue.group.enable", "true"),
        ("leader.replication.throttled.replicas", "0:1,junk"),
    ],
)
def test_what_would_have_to_have_an_effect_is_refused(name: str, value: str) -> None:
    setting = next(s for s in ALL_TOPIC_SETTINGS if s.name == name)
    with pytest.raises(ConfigError, match=r"can only be|doesn't look like"):
        setting.parse(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("preallocate", "true"),
        ("segment.jitter.ms", "100"),
        ("file.delete.delay.ms", "0"),
        ("unclean.leader.election.enable", "true"),
        ("follower.replication.throttled.replicas", "0:1,1:1"),
        ("leader.replication.throttled.replicas", "*"),
        ("compression.zstd.level", "-7"),
        ("local.retention.ms", "5000"),
    ],
)
def test_what_nobody_would_notice_is_taken(name: str, value: str) -> None:
    next(s for s in ALL_TOPIC_SETTINGS if s.name == name).parse(value)
