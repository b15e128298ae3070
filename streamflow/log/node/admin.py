"""What administrators change: topics, partitions and where they are, settings, quotas. Asked of the active controller;
a node alone is one.

Each call is decided while nothing else changes, and holds when it returns; `validate_only` decides and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from streamflow.errors import ConfigError, StreamflowError, UnknownTopicError
from streamflow.event import TopicPartition
from streamflow.log.controller import reassignments
from streamflow.log.controller import records as r
from streamflow.log.controller.alter import Alterable
from streamflow.log.controller.effective import TOPIC_DEFAULTS
from streamflow.log.controller.elections import elect, forget_eligible
from streamflow.log.controller.image import MetadataImage, PartitionImage, TopicImage
from streamflow.log.controller.partitions import create_partitions
from streamflow.log.controller.quotas import QuotaChange, alter_quotas
from streamflow.log.controller.throttles import THROTTLE_SETTINGS
from streamflow.log.controller.topics import INTERNAL_TOPICS, TOPIC_ALTERABLE, NewTopic
from streamflow.log.errors import ElectionNotNeededError, PolicyViolationError
from streamflow.log.node.config import BROKER_SETTINGS, NodeConfig
from streamflow.log.node.topics import Topics

DYNAMIC = frozenset(setting.name for setting in (*TOPIC_DEFAULTS, *THROTTLE_SETTINGS))
"""The broker's settings that may be altered while it runs."""
BROKER_ALTERABLE = Alterable(
    settings=BROKER_SETTINGS, read_only={setting.name for setting in BROKER_SETTINGS if setting.name not in DYNAMIC}
)

IN_SYNC_MIN = "min.insync.replicas"
"""A change of it takes effect in one step with its partitions' eligible leaders."""

Alteration = Callable[[Alterable, Mapping[str, str]], Mapping[str, str]]
"""From what may be set and what is set to what is set then; raises ConfigError, InvalidRequestError."""
Outcomes = dict[TopicPartition, StreamflowError | None]
"""Of what was asked for of each partition: done, or why not."""


@dataclass(frozen=True, slots=True)
class Admin:
    topics: Topics
    config: NodeConfig

    async def create_topic(self, new: NewTopic, *, validate_only: bool = False) -> TopicImage:
        """As `Topics.create`; -1 partitions or replicas are as many as `num.partitions` and
        `default.replication.factor` say."""
        if new.partitions == -1 and not new.assignments:
            new = replace(new, partitions=self.config.num_partitions)
        if new.replication_factor == -1 and not new.assignments:
            new = replace(new, replication_factor=self.config.default_replication_factor)
        return await self.topics.create(new, validate_only=validate_only)

    async def create_partitions(
        self, name: str, count: int, assignments: Sequence[Sequence[int]] | None = None, *, validate_only: bool = False
    ) -> None:
        """Raises: as `partitions.create_partitions`; PolicyViolationError; LogError."""

        def decide(image: MetadataImage) -> Sequence[r.AnyRecord]:
            if name in INTERNAL_TOPICS:
                raise PolicyViolationError(f"topic '{name}' is the log's own: it has one partition")
            return create_partitions(image, name, count, assignments, sorted(image.brokers))

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
            changes = [
                r.TopicConfig(topic_id=topic.topic_id, name=key, value=value)
                for key, value in _differences(topic.config, after)
            ]
            return [*changes, *(forget_eligible([topic]) if any(c.name == IN_SYNC_MIN for c in changes) else ())]

        await self._change(decide, validate_only=validate_only)

    async def alter_broker(self, broker_id: int | None, alteration: Alteration, *, validate_only: bool = False) -> None:
        """Of this broker, or (None) of all. Raises: ConfigError, InvalidRequestError, LogError."""

        def decide(image: MetadataImage) -> Sequence[r.AnyRecord]:
            before = image.broker_settings.get(broker_id, {})
            after = alteration(BROKER_ALTERABLE, before)
            changes = [
                r.BrokerSetting(broker_id=broker_id, name=key, value=value)
                for key, value in _differences(before, after)
            ]
            if broker_id is not None and any(c.name == IN_SYNC_MIN for c in changes):
                raise ConfigError(f"{IN_SYNC_MIN} is the same on all brokers; alter it of a topic, or of all brokers")
            every = image.topics.values()
            return [*changes, *(forget_eligible(every) if any(c.name == IN_SYNC_MIN for c in changes) else ())]

        await self._change(decide, validate_only=validate_only)

    async def alter_quotas(
        self, entity: Mapping[str, str | None], changes: Sequence[QuotaChange], *, validate_only: bool = False
    ) -> None:
        """Raises: InvalidRequestError, LogError."""
        await self._change(lambda image: alter_quotas(image, entity, changes), validate_only=validate_only)

    async def elect(self, wanted: Collection[TopicPartition] | None, *, unclean: bool) -> Outcomes:
        """Elections of preferred leaders, or unclean ones; of all partitions that need one when `wanted` is None.

        Raises: NotControllerError, LogError.
        """
        outcomes: Outcomes = {}

        def decide(image: MetadataImage) -> Sequence[r.AnyRecord]:
            every = [TopicPartition(t.name, n) for t in image.topics.values() for n in range(len(t.partitions))]
            chosen = dict.fromkeys(every if wanted is None else wanted)
            records = _each(chosen, outcomes, lambda w: elect(image, w, self.config.static, unclean=unclean))
            for where in chosen if wanted is None else ():
                if isinstance(outcomes[where], ElectionNotNeededError):
                    del outcomes[where]
            return records

        await self.topics.change(decide)
        return outcomes

    async def reassign(
        self, wanted: Mapping[TopicPartition, Sequence[int] | None], *, other_factor: bool = True
    ) -> Outcomes:
        """Begins to move partitions to those brokers; None cancels. Raises: NotControllerError, LogError."""
        outcomes: Outcomes = {}

        def decide(image: MetadataImage) -> Sequence[r.AnyRecord]:
            def one(where: TopicPartition) -> r.PartitionChange | None:
                static = self.config.static
                return reassignments.reassign(image, where, wanted[where], static, other_factor=other_factor)

            return _each(wanted, outcomes, one)

        await self.topics.change(decide)
        return outcomes

    def reassignments(
        self, topics: Mapping[str, Collection[int]] | None
    ) -> Iterator[tuple[TopicPartition, PartitionImage]]:
        """What is being moved, of those partitions or of all."""
        return reassignments.reassignments(self.topics.metadata.image, topics)

    async def _change(self, decide: Callable[[MetadataImage], Sequence[r.AnyRecord]], *, validate_only: bool) -> None:
        if validate_only:
            decide(self.topics.metadata.image)
        else:
            await self.topics.change(decide)


def _differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, str | None]]:
    return [(key, after.get(key)) for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]


def _each(
    wanted: Collection[TopicPartition],
    outcomes: Outcomes,
    decide: Callable[[TopicPartition], r.PartitionChange | None],
) -> list[r.AnyRecord]:
    """Each partition on its own: one that can't be changed doesn't keep the others."""
    records: list[r.AnyRecord] = []
    for where in wanted:
        try:
            change = decide(where)
        except StreamflowError as error:
            outcomes[where] = error
        else:
            outcomes[where] = None
            records += [] if change is None else [change]
    return records
