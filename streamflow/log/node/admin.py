"""What administrators change on a node: topics, partitions, settings, quotas.

Each call is decided while nothing else changes, and holds when it returns; `validate_only` decides and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from streamflow.errors import UnknownTopicError
from streamflow.log.controller import records as r
from streamflow.log.controller.alter import Alterable
from streamflow.log.controller.effective import TOPIC_DEFAULTS
from streamflow.log.controller.image import MetadataImage, TopicImage
from streamflow.log.controller.partitions import create_partitions
from streamflow.log.controller.quotas import QuotaChange, alter_quotas
from streamflow.log.controller.topics import INTERNAL_TOPICS, TOPIC_ALTERABLE, NewTopic
from streamflow.log.errors import PolicyViolationError
from streamflow.log.node.config import BROKER_SETTINGS, NodeConfig
from streamflow.log.node.topics import Topics

DYNAMIC = frozenset(setting.name for setting in TOPIC_DEFAULTS)
"""The broker's settings that may be altered while it runs."""
BROKER_ALTERABLE = Alterable(
    settings=BROKER_SETTINGS, read_only={setting.name for setting in BROKER_SETTINGS if setting.name not in DYNAMIC}
)

Alteration = Callable[[Alterable, Mapping[str, str]], Mapping[str, str]]
"""From what may be set and what is set to what is set then; raises ConfigError, InvalidRequestError."""


@dataclass(frozen=True, slots=True)
class Admin:
    topics: Topics
    config: NodeConfig

    @property
    def brokers(self) -> tuple[int, ...]:
        """Those that may hold replicas."""
        return (self.topics.metadata.node_id,)

    async def create_topic(self, new: NewTopic, *, validate_only: bool = False) -> TopicImage:
        """As `Topics.create`; -1 partitions are as many as `num.partitions` says."""
        if new.partitions == -1 and not new.assignments:
            new = replace(new, partitions=self.config.num_partitions)
        return await self.topics.create(new, validate_only=validate_only)

    async def create_partitions(
        self, name: str, count: int, assignments: Sequence[Sequence[int]] | None = None, *, validate_only: bool = False
    ) -> None:
        """Raises: as `partitions.create_partitions`; PolicyViolationError; LogError."""

        def decide(image: MetadataImage) -> Sequence[r.AnyRecord]:
            if name in INTERNAL_TOPICS:
                raise PolicyViolationError(f"topic '{name}' is the log's own: it has one partition")
            return create_partitions(image, name, count, assignments, self.brokers)

        await self._change(decide, validate_only=validate_only)

    async def alter_topic(self, name: str, alteration: Alteration, *, validate_only: bool = False) -> None:
        """Raises: UnknownTopicError, ConfigError, InvalidRequestError, PolicyViolationError, LogError."""

        def decide(image: MetadataImage) -> Sequence[r.AnyRecord]:
            topic = image.topics.get(name)
            if topic is None:
                raise UnknownTopicError(name)
            after = alteration(TOPIC_ALTERABLE, topic.config)
            if name in INTERNAL_TOPICS and after.get("cleanup.policy") != "compact":
                raise PolicyViolationError(f"topic '{name}' is the log's own: its cleanup.policy is compact")
            return [
                r.TopicConfig(topic_id=topic.topic_id, name=key, value=value)
                for key, value in _differences(topic.config, after)
            ]

        await self._change(decide, validate_only=validate_only)

    async def alter_broker(self, broker_id: int | None, alteration: Alteration, *, validate_only: bool = False) -> None:
        """Of this broker, or (None) of all. Raises: ConfigError, InvalidRequestError, LogError."""

        def decide(image: MetadataImage) -> Sequence[r.AnyRecord]:
            before = image.broker_settings.get(broker_id, {})
            after = alteration(BROKER_ALTERABLE, before)
            return [
                r.BrokerSetting(broker_id=broker_id, name=key, value=value)
                for key, value in _differences(before, after)
            ]

        await self._change(decide, validate_only=validate_only)

    async def alter_quotas(
        self, entity: Mapping[str, str | None], changes: Sequence[QuotaChange], *, validate_only: bool = False
    ) -> None:
        """Raises: InvalidRequestError, LogError."""
        await self._change(lambda image: alter_quotas(image, entity, changes), validate_only=validate_only)

    async def _change(self, decide: Callable[[MetadataImage], Sequence[r.AnyRecord]], *, validate_only: bool) -> None:
        if validate_only:
            decide(self.topics.metadata.image)
        else:
            await self.topics.change(decide)


def _differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, str | None]]:
    return [(key, after.get(key)) for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]
