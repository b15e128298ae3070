"""What settings hold now on this node: those of the command line, and over them those in the metadata log."""

from __future__ import annotations

from collections.abc import Mapping

from streamflow.log.controller.configs import TOPIC_SETTINGS, parse_all
from streamflow.log.controller.effective import BrokerConfig, topic_config
from streamflow.log.controller.image import TopicImage
from streamflow.log.controller.throttles import Side, bytes_per_second
from streamflow.log.node.admission import Admission
from streamflow.log.node.config import segment_config
from streamflow.log.node.metadata import MetadataLog
from streamflow.log.storage.partition import SegmentConfig


class Settings:
    """Args:
    static: what the node was started with, by Kafka's names.
    """

    def __init__(self, metadata: MetadataLog, static: Mapping[str, str]) -> None:
        self._metadata = metadata
        self._static = static

    @property
    def broker(self) -> BrokerConfig:
        """What is set of this broker."""
        set_of = self._metadata.image.broker_settings
        return BrokerConfig(
            own=set_of.get(self._metadata.node_id, {}), all_brokers=set_of.get(None, {}), static=self._static
        )

    def topic(self, topic: TopicImage) -> dict[str, str]:
        """What isn't at its default."""
        return topic_config(topic.config, self.broker)

    def segments(self, topic: TopicImage) -> SegmentConfig:
        return segment_config(self.topic(topic))

    def admission(self, topic: TopicImage) -> Admission:
        given = self.topic(topic)
        values = parse_all(_ADMISSION, {name: given[name] for name in _ADMISSION_NAMES & given.keys()})
        append_time = values.pop("message_timestamp_type") == "LogAppendTime"
        compacted = "compact" in str(values.pop("cleanup_policy"))
        return Admission(**values, append_time=append_time, compacted=compacted)  # type: ignore[arg-type]
        # parse_all gives each field the type of its default

    def throttle(self, side: Side, topic: TopicImage, partition: int) -> int | None:
        """How much of the partition this node may copy as the leader or as a follower, in bytes a second; None is no
        limit. All partitions that are throttled share it: see `throttle`."""
        return bytes_per_second(side, topic.config, partition, self._metadata.node_id, self.broker)


_ADMISSION_NAMES = {
    "cleanup.policy",
    "min.insync.replicas",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "message.timestamp.type",
}
_ADMISSION = tuple(setting for setting in TOPIC_SETTINGS if setting.name in _ADMISSION_NAMES)
