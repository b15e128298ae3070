"""An image of a cluster whose records are written and read back on their way, and checked after each batch."""

from __future__ import annotations

from collections.abc import Sequence

from streamflow.event import TopicPartition
from streamflow.log.controller import brokers as b
from streamflow.log.controller.elections import terms_of
from streamflow.log.controller.image import MetadataImage, PartitionImage
from streamflow.log.controller.isr import NewIsr, alter_isr
from streamflow.log.controller.records import AnyRecord, Cluster, decode, encode
from streamflow.log.controller.topics import NewTopic, create_topic
from streamflow.log.errors import LogError

NAME = "the-cluster"
A0 = TopicPartition("a", 0)


class ImageOfCluster:
    """`offset` is the next record's. Broker `n` is on rack `n % 2`."""

    def __init__(self, brokers: Sequence[int] = (1, 2, 3), **static: str) -> None:
        self.image = MetadataImage()
        self.static = {name.replace("_", "."): value for name, value in static.items()}
        self.offset = 0
        self.lives = 0
        self.apply([Cluster(cluster_id=NAME)])
        for broker in brokers:
            self.register(broker)
            self.unfence(broker)

    def apply(self, records: Sequence[AnyRecord]) -> None:
        before = self.epochs()
        for record in records:
            self.image.apply(decode(encode(record)))
        self.offset += len(records)
        self.image.check()
        after = self.epochs()
        for key, (leader, epoch, version) in before.items():
            now = after.get(key, (leader, epoch, version))
            assert now[1] >= epoch, "leader epochs grow"
            assert now[2] >= version, "partition epochs grow"
            assert now[0] == leader or now[1] > epoch, "another leader, another epoch"

    def epochs(self) -> dict[tuple[bytes, int], tuple[int, int, int]]:
        return {
            (topic.topic_id, number): (p.leader, p.leader_epoch, p.partition_epoch)
            for topic in self.image.topics.values()
            for number, p in enumerate(topic.partitions)
        }

    def register(self, broker: int, *, previous: int | None = None, alive: bool = False) -> int:
        """As a new process, which knows its data to be complete unless `previous` says otherwise. Returns: its
        epoch."""
        self.lives += 1
        known = self.image.brokers.get(broker)
        complete = -1 if known is None else known.broker_epoch
        given = b.Registration(
            broker_id=broker,
            cluster_id=NAME,
            incarnation_id=self.lives.to_bytes(16, "big"),
            rack=str(broker % 2),
            previous_epoch=complete if previous is None else previous,
        )
        self.apply(b.register(self.image, given, self.static, broker_epoch=self.offset, alive=alive))
        return self.image.brokers[broker].broker_epoch

    def fence(self, broker: int) -> None:
        self.apply(b.fence(self.image, broker, self.static))

    def unfence(self, broker: int) -> None:
        self.apply(b.unfence(self.image, broker, self.static))

    def begin_shutdown(self, broker: int) -> None:
        self.apply(b.begin_shutdown(self.image, broker, self.static))

    def topic(self, name: str = "a", *replicas: Sequence[int], in_sync_min: int = 2, **config: str) -> None:
        placed = dict(enumerate(replicas or [(1, 2, 3)]))
        settings = {"min.insync.replicas": str(in_sync_min)} | {k.replace("_", "."): v for k, v in config.items()}
        new = NewTopic(name=name, assignments=placed, config=settings)
        topic_id = (len(self.image.topics) + 1).to_bytes(16, "big")
        self.apply(create_topic(self.image, new, topic_id, tuple(self.image.brokers)))

    def alter(self, isr: Sequence[int], where: TopicPartition = A0, **wrong: int) -> None:
        """The leader's wish. Raises: as `alter_isr`."""
        p = self.partition(where)
        wanted = NewIsr(
            topic_id=self.image.topics[where.topic].topic_id,
            partition=where.partition,
            leader_epoch=wrong.get("leader_epoch", p.leader_epoch),
            partition_epoch=wrong.get("partition_epoch", p.partition_epoch),
            members=[(n, self.image.brokers[n].broker_epoch if n in self.image.brokers else -1) for n in isr],
        )
        self.apply([alter_isr(self.image, wrong.get("broker_id", p.leader), wanted, self.static)])

    def partition(self, where: TopicPartition = A0) -> PartitionImage:
        return self.image.topics[where.topic].partitions[where.partition]

    def state(self, where: TopicPartition = A0) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
        """Leader, ISR, ELR."""
        p = self.partition(where)
        return p.leader, p.isr, p.elr

    def in_sync_min(self, topic: str = "a") -> int:
        return terms_of(self.image, self.image.topics[topic], self.static).in_sync_min


def refused(call: object) -> type[LogError] | None:
    """What a call without arguments was refused with."""
    assert callable(call)
    try:
        call()
    except LogError as error:
        return type(error)
    return None
