"""The topics and partitions of a node.

Promises: a topic exists once its records are durable. A directory is removed only because a record says that its
topic was removed: one that no record speaks of is reported and left alone, one that is missing is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from uuid import UUID

import anyio
import structlog

from streamflow.errors import UnknownTopicError
from streamflow.event import TopicPartition
from streamflow.log.controller.image import MetadataImage, TopicImage
from streamflow.log.controller.records import METADATA_TOPIC, AnyRecord, BrokerSetting, Partition, TopicConfig
from streamflow.log.controller.topics import INTERNAL_TOPICS, NewTopic, create_topic, delete_topic
from streamflow.log.errors import DirectoryError, InvalidTopicError, StorageFailedError
from streamflow.log.model import Identity
from streamflow.log.node.ballast import Ballast
from streamflow.log.node.flusher import Flusher
from streamflow.log.node.metadata import PATH as METADATA_PATH
from streamflow.log.node.metadata import MetadataLog
from streamflow.log.node.replica import Replica
from streamflow.log.node.settings import Settings
from streamflow.log.replication.leader import Leader
from streamflow.log.storage.files import Files
from streamflow.log.storage.partition import PartitionLog

log = structlog.get_logger("streamflow.log")

ROOT = "topics"
INTERNAL_CONFIG = {
    "cleanup.policy": "compact",
    "segment.bytes": str(8 << 20),
    # A group is one record: 1,000 members with long subscriptions need more than what a client may send at once.
    "max.message.bytes": str(16 << 20),
}
OPENED_AT_ONCE = 16
"""New partitions; each takes some fsyncs, 2 ms on a desktop's disk."""
NAME_IN_PATH_MAX = 200
"""A file's name may have 255 bytes, and the topic's id takes 33."""


def topic_path(topic: TopicImage) -> str:
    """By name for people, by id for us: a topic re-created under its old name is another."""
    return f"{ROOT}/{topic.name[:NAME_IN_PATH_MAX]}.{topic.topic_id.hex()}"


class Topics:
    """`replicas` are the partitions this node leads, which is all of them.

    Args:
        commits_flushed: a record is committed once it is durable, not once it is appended.
        new_id: gives 16 bytes that no topic ever had.
    """

    def __init__(
        self,
        files: Files,
        metadata: MetadataLog,
        settings: Settings,
        flusher: Flusher,
        ballast: Ballast,
        *,
        commits_flushed: bool,
        new_id: Callable[[], bytes],
        now_ms: Callable[[], int],
    ) -> None:
        self.replicas: dict[TopicPartition, Replica] = {}
        self.metadata = metadata
        self.settings = settings
        self._files = files
        self._flusher = flusher
        self._ballast = ballast
        self._commits_flushed = commits_flushed
        self._new_id = new_id
        self._now_ms = now_ms
        self._changing = anyio.Lock()

    # Opening

    def open(self, points: Mapping[str, int], *, clean: bool) -> None:
        """Opens every partition there is. Blocks.

        Args:
            points: recovery points by path.
        """
        self._remove_leftovers()
        for topic in self.metadata.image.topics.values():
            for replica in self._open_logs(topic, range(len(topic.partitions)), points, clean=clean):
                self.replicas[replica.where] = replica

    def _remove_leftovers(self) -> None:
        """Finishes removals a crash cut short, and reports what nothing is known of."""
        image = self.metadata.image
        for name in self._files.names(ROOT):
            _, _, id_hex = name.rpartition(".")
            try:
                topic_id = bytes.fromhex(id_hex)
            except ValueError:
                topic_id = b""
            if topic_id in image.removed:
                self._files.remove(f"{ROOT}/{name}")
            elif topic_id not in image.topics_by_id:
                log.warning("a directory of no known topic is left alone", path=f"{self._files.root}/{ROOT}/{name}")

    def _open_logs(
        self, topic: TopicImage, numbers: range, points: Mapping[str, int], *, clean: bool
    ) -> Iterator[Replica]:
        path = topic_path(topic)
        config, admission = self.settings.segments(topic), self.settings.admission(topic)
        for number in numbers:
            partition = topic.partitions[number]
            where, directory = TopicPartition(topic.name, number), f"{path}/{number}"
            point = points.get(directory, 0)
            if point and not self._files.names(directory):
                raise DirectoryError(
                    f"{self._files.root}/{directory} is missing, and held offsets up to {point}; put it back, or "
                    f"remove the topic's remains and create it again"
                )
            identity = Identity(topic.name, UUID(bytes=topic.topic_id), number)
            partition_log = PartitionLog.open(
                self._files, directory, identity, config, recovery_point=point, clean=clean, now_ms=self._now_ms()
            )
            leader = Leader(
                leader_epoch=partition.leader_epoch,
                end=partition_log.log_end_offset,
                flush_before_commit=self._commits_flushed,
            )
            yield Replica(where, directory, partition_log, leader, self._ballast, admission)

    def release(self) -> None:
        """Closes the files as they are."""
        for replica in self.replicas.values():
            replica.log.release()
        self.metadata.partition.release()

    # Looking up

    def find(self, where: TopicPartition) -> Replica:
        """Raises: UnknownTopicError, InvalidTopicError for a number it doesn't have, StorageFailedError."""
        replica = self.replicas.get(where)
        if replica is None:
            count = len(self.describe(where.topic).partitions)
            if 0 <= where.partition < count:
                raise StorageFailedError(f"{where} couldn't be opened when it was made; open the log again")
            raise InvalidTopicError(f"topic '{where.topic}' has no partition {where.partition}: it has {count}")
        return replica

    def describe(self, name: str) -> TopicImage:
        """Raises: UnknownTopicError."""
        topics = self.metadata.image.topics
        if name not in topics:
            raise UnknownTopicError(name, list(topics))
        return topics[name]

    def points(self) -> dict[str, int]:
        """Recovery points by path, as of now."""
        logs = {r.path: r.log.recovery_point for r in self.replicas.values()}
        return {**logs, METADATA_PATH: self.metadata.partition.recovery_point}

    # Changing

    async def create(self, new: NewTopic, *, validate_only: bool = False) -> TopicImage:
        """Returns: the topic, or what it would be. Raises: TopicExistsError, InvalidTopicError, LogError."""
        if new.name not in self.metadata.image.topics and new.name in {*INTERNAL_TOPICS, METADATA_TOPIC}:
            raise InvalidTopicError(f"topic '{new.name}' is the log's own; it makes it when it needs it")
        async with self._changing:
            if validate_only:
                preview = MetadataImage()
                for record in create_topic(self.metadata.image, new, self._new_id(), (self.metadata.node_id,)):
                    preview.apply(record)
                return preview.topics[new.name]
            return await self._create(new)

    async def ensure_internal(self, name: str) -> None:
        """Creates one of the log's own topics unless it exists."""
        if TopicPartition(name, 0) in self.replicas:
            return
        async with self._changing:
            if TopicPartition(name, 0) not in self.replicas:
                await self._create(NewTopic(name=name, config=INTERNAL_CONFIG))

    async def _create(self, new: NewTopic) -> TopicImage:
        metadata, now_ms = self.metadata, self._now_ms()
        records = create_topic(metadata.image, new, self._new_id(), (metadata.node_id,))
        await self._flusher.alone(lambda: metadata.write(records, now_ms))
        metadata.apply(records)
        topic = metadata.image.topics[new.name]
        await self._open_new(topic)
        return topic

    async def _open_new(self, topic: TopicImage, first: int = 0) -> None:
        """Some at a time: who waits for a flush waits for no more than those."""
        for start in range(first, len(topic.partitions), OPENED_AT_ONCE):
            numbers = range(start, min(start + OPENED_AT_ONCE, len(topic.partitions)))
            opened = await self._flusher.alone(lambda n=numbers: list(self._open_logs(topic, n, {}, clean=True)))  # type: ignore[misc]
            self.replicas.update((replica.where, replica) for replica in opened)

    async def delete(self, name: str) -> None:
        """Raises: UnknownTopicError, InvalidTopicError, LogError."""
        async with self._changing:
            metadata, now_ms = self.metadata, self._now_ms()
            records = delete_topic(metadata.image, name)
            topic = metadata.image.topics[name]
            lend = self._ballast.lend
            await self._flusher.alone(lambda: lend(lambda: metadata.write(records, now_ms), housekeeping=True))
            metadata.apply(records)
            gone = [self.replicas.pop(w) for w in list(self.replicas) if w.topic == name]
            for replica in gone:
                replica.deleted = True
                replica.notify()
            await self._flusher.alone(lambda: self._remove(topic, gone))

    def _remove(self, topic: TopicImage, gone: list[Replica]) -> None:
        for replica in gone:
            replica.log.release()
        self._files.remove(topic_path(topic))

    async def write(self, records: Sequence[AnyRecord]) -> None:
        """Adds other metadata records."""
        await self.change(lambda _: records)

    async def change(self, decide: Callable[[MetadataImage], Sequence[AnyRecord]]) -> None:
        """Adds what is decided while nothing else changes: settings hold and new partitions are there when it returns.

        Raises: what `decide` raises; LogError.
        """
        async with self._changing:
            metadata, now_ms = self.metadata, self._now_ms()
            records = decide(metadata.image)
            if not records:
                return
            await self._flusher.alone(lambda: metadata.write(records, now_ms))
            metadata.apply(records)
            await self._follow(records)

    async def _follow(self, records: Sequence[AnyRecord]) -> None:
        """Has the partitions do as the records say."""
        image = self.metadata.image
        begun = [record for record in records if isinstance(record, Partition)]
        for topic_id in {record.topic_id for record in begun}:
            first = min(record.partition for record in begun if record.topic_id == topic_id)
            await self._open_new(image.topics_by_id[topic_id], first)
        touched = {record.topic_id for record in records if isinstance(record, TopicConfig)}
        everyone = any(isinstance(record, BrokerSetting) for record in records)
        for topic in image.topics.values() if everyone else map(image.topics_by_id.__getitem__, touched):
            segments, admission = self.settings.segments(topic), self.settings.admission(topic)
            for number in range(len(topic.partitions)):
                replica = self.replicas.get(TopicPartition(topic.name, number))
                if replica is not None:
                    replica.configure(segments, admission)

    def expire_producers(self, before_ms: int) -> None:
        """Partitions forget producers that wrote nothing since."""
        for replica in self.replicas.values():
            replica.log.producers.expire(before_ms)

    def apply_retention(self, now_ms: int) -> None:
        """Deletes old segments, never one above the last stable offset."""
        for replica in self.replicas.values():
            if replica.log.apply_retention(now_ms, replica.last_stable_offset):
                log.info("old records deleted", partition=str(replica.where), now_from=replica.log.log_start_offset)
