from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from streamflow.log.controller.image import MetadataImage, TopicImage
from streamflow.log.controller.records import BrokerSetting
from streamflow.log.node.admission import Admission
from streamflow.log.node.metadata import MetadataLog
from streamflow.log.node.settings import Settings
from streamflow.log.storage.partition import SegmentConfig


def settings(*set_of: tuple[int | None, str, str], **static: str) -> Settings:
    image = MetadataImage()
    for broker_id, name, value in set_of:
        image.apply(BrokerSetting(broker_id=broker_id, name=name, value=value))
    metadata = cast(MetadataLog, SimpleNamespace(image=image, node_id=1))
    return Settings(metadata, {name.replace("_", "."): value for name, value in static.items()})


def topic(**config: str) -> TopicImage:
    return TopicImage("t", bytes(16), config={name.replace("_", "."): value for name, value in config.items()})


def test_without_any_setting_a_topic_is_kept_as_the_tables_say() -> None:
    assert settings().segments(topic()) == SegmentConfig()
    assert settings().admission(topic()) == Admission(timestamp_after_ms_max=3_600_000)


def test_a_topics_own_settings_hold_over_this_brokers_over_all_brokers_over_the_command_lines() -> None:
    layers = [(None, "log.roll.ms", "3"), (1, "log.roll.ms", "2"), (2, "log.roll.ms", "99")]
    assert settings(*layers, log_roll_ms="4").segments(topic(segment_ms="1")).segment_ms == 1
    assert settings(*layers, log_roll_ms="4").segments(topic()).segment_ms == 2
    assert settings(layers[0], log_roll_ms="4").segments(topic()).segment_ms == 3
    assert settings(log_roll_ms="4").segments(topic()).segment_ms == 4


def test_what_producers_may_append_follows_the_same_layers() -> None:
    found = settings((None, "min.insync.replicas", "2"), log_message_timestamp_type="LogAppendTime")
    assert found.admission(topic(message_timestamp_after_max_ms="5")) == Admission(
        in_sync_min=2, timestamp_after_ms_max=5, append_time=True
    )


def test_a_brokers_policy_is_its_topics() -> None:
    assert settings(log_cleanup_policy="compact", log_retention_ms="5").segments(topic()).retention_ms == -1
