"""The metadata as a value: what the metadata log's records fold to. PURE.

Only `apply` changes an image. Whoever holds one reads it; nothing in it is handed out to be changed.
Records come in log order and each is applied once; the same records always give the same image.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeVar, assert_never

from streamflow.log.controller import records as r

Value = TypeVar("Value")


NO_LEADER = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerImage:
    """A broker that registered. `host` and `port` are where clients reach it, `peer_host` and `peer_port` nodes; a node
    alone has none of them here. `data_epoch`: while it hasn't been unfenced, as in its registration."""

    broker_id: int
    broker_epoch: int
    incarnation_id: bytes = b""
    host: str = ""
    port: int = 0
    peer_host: str = ""
    peer_port: int = 0
    rack: str | None = None
    fenced: bool = False
    in_controlled_shutdown: bool = False
    data_epoch: int = -1

    @property
    def may_lead(self) -> bool:
        return not self.fenced and not self.in_controlled_shutdown


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionImage:
    """`leader` may be `NO_LEADER`. While a reassignment runs, `adding` and `removing` are parts of `replicas`."""

    leader: int
    isr: tuple[int, ...]
    replicas: tuple[int, ...]
    leader_epoch: int
    partition_epoch: int
    """Counts every change of the others (KIP-497)."""
    elr: tuple[int, ...] = ()
    """Eligible leader replicas: not in sync, and known to have all that is committed (KIP-966)."""
    last_known_elr: tuple[int, ...] = ()
    adding: tuple[int, ...] = ()
    removing: tuple[int, ...] = ()


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
        self.brokers: dict[int, BrokerImage] = {}
        self.broker_settings: dict[int | None, dict[str, str]] = {}
        self.quotas: dict[Entity, dict[str, float]] = {}

    def __repr__(self) -> str:
        return f"<MetadataImage of {len(self.topics)} topics, brokers {sorted(self.brokers)}>"

    def apply(self, record: r.AnyRecord) -> None:
        self.changes += 1
        match record:
            case r.RegisterBroker():
                self._register(record)
            case r.BrokerChange():
                self._change_broker(record)
            case r.UnregisterBroker():
                del self.brokers[record.broker_id]
            case r.EpochBegan():
                pass
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
        self.brokers[record.broker_id] = BrokerImage(
            broker_id=record.broker_id,
            broker_epoch=record.broker_epoch,
            incarnation_id=record.incarnation_id,
            host=record.host,
            port=record.port,
            peer_host=record.peer_host,
            peer_port=record.peer_port,
            rack=record.rack,
            fenced=record.fenced,
            data_epoch=record.data_epoch,
        )
        if record.fenced:
            return
        for topic in self.topics.values():
            for number, partition in enumerate(topic.partitions):
                if partition.leader == record.broker_id:
                    topic.partitions[number] = replace(
                        partition,
                        leader_epoch=partition.leader_epoch + 1,
                        partition_epoch=partition.partition_epoch + 1,
                    )

    def _change_broker(self, record: r.BrokerChange) -> None:
        before = self.brokers[record.broker_id]
        self.brokers[record.broker_id] = replace(
            before,
            fenced=_given(record.fenced, before.fenced),
            in_controlled_shutdown=_given(record.in_controlled_shutdown, before.in_controlled_shutdown),
            data_epoch=-1 if record.fenced is False else before.data_epoch,
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
                elr=record.elr,
                last_known_elr=record.last_known_elr,
                adding=record.adding,
                removing=record.removing,
            )
        )

    def _change(self, record: r.PartitionChange) -> None:
        partitions = self.topics_by_id[record.topic_id].partitions
        before = partitions[record.partition]
        partitions[record.partition] = PartitionImage(
            leader=_given(record.leader, before.leader),
            isr=_given(record.isr, before.isr),
            replicas=_given(record.replicas, before.replicas),
            leader_epoch=before.leader_epoch + (record.leader is not None),
            partition_epoch=before.partition_epoch + 1,
            elr=_given(record.elr, before.elr),
            last_known_elr=_given(record.last_known_elr, before.last_known_elr),
            adding=_given(record.adding, before.adding),
            removing=_given(record.removing, before.removing),
        )

    def check(self) -> None:
        """Asserts the invariants."""
        assert {id(t) for t in self.topics.values()} == {id(t) for t in self.topics_by_id.values()}
        assert not self.removed & self.topics_by_id.keys()
        for topic in self.topics.values():
            assert topic.partitions, f"topic {topic.name} has partitions"
            for partition in topic.partitions:
                replicas = set(partition.replicas)
                assert partition.isr, "somebody has all that is committed"
                assert set(partition.isr) <= replicas, "only replicas are in sync"
                assert partition.leader == NO_LEADER or partition.leader in partition.isr, "a leader is in sync"
                assert not set(partition.elr) & set(partition.isr), "who is in sync needn't be eligible"
                assert set(partition.elr) | set(partition.adding) | set(partition.removing) <= replicas
                fenced = {n for n in partition.isr if n in self.brokers and self.brokers[n].fenced}
                assert partition.leader not in fenced, "a fenced broker leads nothing"
                assert not fenced or len(partition.isr) == 1, "a fenced broker is in sync as the last one only"
        assert all(self.quotas.values()), "a quota is kept while it says something"


def _given(value: Value | None, before: Value) -> Value:
    return before if value is None else value


def _put(into: dict[str, Value], name: str, value: Value | None) -> None:
    if value is None:
        into.pop(name, None)
    else:
        into[name] = value
