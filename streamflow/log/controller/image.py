"""The metadata as a value: what the metadata log's records fold to. PURE.

Only `apply` changes an image. Whoever holds one reads it; nothing in it is handed out to be changed.
Records come in log order and each is applied once; the same records always give the same image.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeVar, assert_never

from streamflow.log.controller import records as r

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionImage:
    leader: int
    isr: tuple[int, ...]
    replicas: tuple[int, ...]
    leader_epoch: int
    partition_epoch: int
    """Counts every change of the others (KIP-497)."""


@dataclass(slots=True)
class TopicImage:
    """`config` holds only what was set; `partitions` has no gaps."""

    name: str
    topic_id: bytes
    partitions: list[PartitionImage] = field(default_factory=list)
    config: dict[str, str] = field(default_factory=dict)


Entity = tuple[tuple[str, str | None], ...]
"""Whom a quota is for: types and names, in the order of the types. A name of None is the type's default."""


class MetadataImage:
    """`broker_settings` holds what was set, by broker; None is all of them. `quotas` has no entity without any.

    Invariant: `topics` and `topics_by_id` hold the same topics; `removed` none of them."""

    def __init__(self) -> None:
        self.cluster_id = ""
        self.changes = 0
        """Counts records applied: who derives something from an image sees by it that there is news."""
        self.topics: dict[str, TopicImage] = {}
        self.topics_by_id: dict[bytes, TopicImage] = {}
        self.removed: set[bytes] = set()
        self.next_producer_id = 0
        self.broker_epochs: dict[int, int] = {}
        self.broker_settings: dict[int | None, dict[str, str]] = {}
        self.quotas: dict[Entity, dict[str, float]] = {}

    def __repr__(self) -> str:
        return f"<MetadataImage of {len(self.topics)} topics, brokers {self.broker_epochs}>"

    def apply(self, record: r.AnyRecord) -> None:
        self.changes += 1
        match record:
            case r.RegisterBroker():
                self._register(record)
            case r.Cluster():
                self.cluster_id = record.cluster_id
            case r.Topic():
                topic = TopicImage(record.name, record.topic_id)
                self.topics[record.name] = self.topics_by_id[record.topic_id] = topic
            case r.Partition():
                self._partition(record)
            case r.PartitionChange():
                self._change(record)
            case r.TopicConfig():
                _put(self.topics_by_id[record.topic_id].config, record.name, record.value)
            case r.RemoveTopic():
                topic = self.topics_by_id.pop(record.topic_id)
                del self.topics[topic.name]
                self.removed.add(record.topic_id)
            case r.ProducerIds():
                self.next_producer_id = record.next_producer_id
            case r.BrokerSetting():
                _put(self.broker_settings.setdefault(record.broker_id, {}), record.name, record.value)
            case r.ClientQuota():
                entity = tuple(sorted(record.entity.items()))
                _put(self.quotas.setdefault(entity, {}), record.key, record.value)
                if not self.quotas[entity]:
                    del self.quotas[entity]
            case _:
                assert_never(record)

    def _register(self, record: r.RegisterBroker) -> None:
        self.broker_epochs[record.broker_id] = record.broker_epoch
        for topic in self.topics.values():
            for number, partition in enumerate(topic.partitions):
                if partition.leader == record.broker_id:
                    topic.partitions[number] = replace(
                        partition,
                        leader_epoch=partition.leader_epoch + 1,
                        partition_epoch=partition.partition_epoch + 1,
                    )

    def _partition(self, record: r.Partition) -> None:
        partitions = self.topics_by_id[record.topic_id].partitions
        assert record.partition == len(partitions), "partitions are recorded in order"
        partitions.append(
            PartitionImage(
                leader=record.leader,
                isr=record.isr,
                replicas=record.replicas,
                leader_epoch=record.leader_epoch,
                partition_epoch=record.partition_epoch,
            )
        )

    def _change(self, record: r.PartitionChange) -> None:
        partitions = self.topics_by_id[record.topic_id].partitions
        before = partitions[record.partition]
        leader = before.leader if record.leader is None else record.leader
        partitions[record.partition] = replace(
            before,
            leader=leader,
            isr=before.isr if record.isr is None else record.isr,
            leader_epoch=before.leader_epoch + (leader != before.leader),
            partition_epoch=before.partition_epoch + 1,
        )

    def check(self) -> None:
        """Asserts the invariants."""
        assert {id(t) for t in self.topics.values()} == {id(t) for t in self.topics_by_id.values()}
        assert not self.removed & self.topics_by_id.keys()
        for topic in self.topics.values():
            assert topic.partitions, f"topic {topic.name} has partitions"
            for partition in topic.partitions:
                assert set(partition.isr) <= set(partition.replicas), "only replicas are in sync"
        assert all(self.quotas.values()), "a quota is kept while it says something"


def _put(into: dict[str, Value], name: str, value: Value | None) -> None:
    if value is None:
        into.pop(name, None)
    else:
        into[name] = value
