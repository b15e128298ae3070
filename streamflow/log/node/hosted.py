"""The replicas a node has: their logs opened, led, followed and removed as applied metadata says.

Promises: a directory is removed only because a record says that its topic was removed, or that the replica is another
broker's now: one that no record speaks of is reported and left alone, one that is missing is an error.

A node alone has its metadata when it opens, and leads everything. One among others has it come record by record, old
ones first, and leads and follows nothing until it reads that it has registered in this life: what is older speaks of
leaderships that are over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from uuid import UUID

import structlog

from streamflow.event import TopicPartition
from streamflow.log.controller import records as r
from streamflow.log.controller.image import MetadataImage, PartitionImage, TopicImage
from streamflow.log.errors import DirectoryError, LogError, StorageFailedError
from streamflow.log.model import Identity
from streamflow.log.node.ballast import Ballast
from streamflow.log.node.flusher import Flusher
from streamflow.log.node.replica import Replica
from streamflow.log.node.replication import Replication
from streamflow.log.node.settings import Settings
from streamflow.log.replication.follower import Follower
from streamflow.log.replication.leader import Leader
from streamflow.log.storage.files import Files
from streamflow.log.storage.partition import PartitionLog

log = structlog.get_logger("streamflow.log")

ROOT = "topics"
OPENED_AT_ONCE = 16
"""New partitions; each takes some fsyncs, 2 ms on a desktop's disk."""
NAME_IN_PATH_MAX = 200
"""A file's name may have 255 bytes, and the topic's id takes 33."""


def topic_path(topic: TopicImage) -> str:
    """By name for people, by id for us: a topic re-created under its old name is another."""
    return f"{ROOT}/{topic.name[:NAME_IN_PATH_MAX]}.{topic.topic_id.hex()}"


class Hosted:
    """Args:
    incarnation_id: of this life among others; None for a node alone.
    commits_flushed: a record is committed once it is durable, not once it is appended.
    """

    def __init__(
        self,
        files: Files,
        settings: Settings,
        flusher: Flusher,
        ballast: Ballast,
        replication: Replication,
        *,
        node_id: int,
        incarnation_id: bytes | None,
        commits_flushed: bool,
        now_ms: Callable[[], int],
    ) -> None:
        self.replicas: dict[TopicPartition, Replica] = {}
        self.serving = incarnation_id is None
        self._files = files
        self._settings = settings
        self._flusher = flusher
        self._ballast = ballast
        self._replication = replication
        self._me = node_id
        self._incarnation_id = incarnation_id
        self._commits_flushed = commits_flushed
        self._now_ms = now_ms
        self._points: dict[str, int] = {}
        self._high_watermarks: dict[str, int] = {}
        self._clean = True

    def __repr__(self) -> str:
        return f"<Hosted: {len(self.replicas)} replicas{'' if self.serving else ', not yet serving'}>"

    # Opening

    def trust(self, points: Mapping[str, int], high_watermarks: Mapping[str, int], *, clean: bool) -> None:
        """What the last run says of the logs that will be opened: see `checkpoint`."""
        self._points, self._high_watermarks, self._clean = dict(points), dict(high_watermarks), clean

    def open(self, image: MetadataImage) -> None:
        """Opens every partition there is, to lead it: of a node alone. Blocks."""
        self._remove_leftovers(image)
        for topic in image.topics.values():
            for replica in self._opened(topic, range(len(topic.partitions))):
                self.replicas[replica.where] = replica

    def _remove_leftovers(self, image: MetadataImage) -> None:
        """Finishes removals a crash cut short, and reports what nothing is known of."""
        for name in self._files.names(ROOT):
            topic_id = _id_in(name)
            if topic_id in image.removed:
                self._files.remove(f"{ROOT}/{name}")
            elif topic_id not in image.topics_by_id:
                log.warning("a directory of no known topic is left alone", path=f"{self._files.root}/{ROOT}/{name}")

    def _opened(self, topic: TopicImage, numbers: Iterable[int]) -> Iterator[Replica]:
        path = topic_path(topic)
        config, admission = self._settings.segments(topic), self._settings.admission(topic)
        for number in numbers:
            partition = topic.partitions[number]
            where, directory = TopicPartition(topic.name, number), f"{path}/{number}"
            point = self._points.get(directory, 0)
            if point and not self._files.names(directory):
                raise DirectoryError(
                    f"{self._files.root}/{directory} is missing, and held offsets up to {point}; put it back, or "
                    f"remove the topic's remains and create it again"
                )
            partition_log = PartitionLog.open(
                self._files,
                directory,
                Identity(topic.name, UUID(bytes=topic.topic_id), number),
                config,
                recovery_point=point,
                clean=self._clean,
                now_ms=self._now_ms(),
            )
            role = self._role(partition, partition_log, self._high_watermarks.get(directory, 0))
            yield Replica(where, directory, partition_log, role, self._ballast, admission)

    def _role(self, partition: PartitionImage, partition_log: PartitionLog, committed: int) -> Leader | Follower:
        start, end = partition_log.log_start_offset, partition_log.log_end_offset
        if self._incarnation_id is None:
            return Leader(leader_epoch=partition.leader_epoch, end=end, flush_before_commit=self._commits_flushed)
        return Follower(
            leader_epoch=-1,
            start=start,
            end=end,
            high_watermark=max(start, committed),
            flush_before_fetch=self._commits_flushed,
        )

    def release(self) -> None:
        """Closes the files as they are."""
        for replica in self.replicas.values():
            replica.log.release()

    def points(self) -> dict[str, int]:
        """Recovery points by path, as of now. Of logs that aren't open yet, as they were noted."""
        return {**self._points, **{r.path: r.log.recovery_point for r in self.replicas.values()}}

    def high_watermarks(self) -> dict[str, int]:
        """As `points`."""
        return {**self._high_watermarks, **{r.path: r.high_watermark for r in self.replicas.values()}}

    # Following

    async def follow(self, image: MetadataImage, records: Sequence[r.AnyRecord]) -> None:
        """Does as the records say, which the image has. Raises: LogError, of a node alone."""
        touched: dict[tuple[bytes, int], None] = {}
        configured: dict[bytes, None] = {}
        for record in records:
            match record:
                case r.RemoveTopic():
                    await self._drop_topic(record.topic_id)
                case r.Partition() | r.PartitionChange():
                    touched[(record.topic_id, record.partition)] = None
                case r.TopicConfig():
                    configured[record.topic_id] = None
                case r.BrokerSetting():
                    configured.update(dict.fromkeys(image.topics_by_id))
                case r.RegisterBroker() if record.broker_id == self._me:
                    touched.update(self._begin(image, record))
                case _:
                    pass  # Of who and where, not of what is here.
        self._configure(image, configured)
        if self.serving:
            await self._assign(image, touched)

    def _begin(self, image: MetadataImage, record: r.RegisterBroker) -> dict[tuple[bytes, int], None]:
        """From this life's registration on, metadata is about this life. Returns: everything there is."""
        if record.incarnation_id != self._incarnation_id:
            return {}
        self.serving = True
        self._remove_leftovers(image)
        return {(t.topic_id, number): None for t in image.topics.values() for number in range(len(t.partitions))}

    def _configure(self, image: MetadataImage, topic_ids: Iterable[bytes]) -> None:
        for topic in (image.topics_by_id[i] for i in topic_ids if i in image.topics_by_id):
            segments, admission = self._settings.segments(topic), self._settings.admission(topic)
            for number in range(len(topic.partitions)):
                replica = self.replicas.get(TopicPartition(topic.name, number))
                if replica is not None:
                    replica.configure(segments, admission)

    async def _assign(self, image: MetadataImage, touched: Iterable[tuple[bytes, int]]) -> None:
        by_topic: dict[bytes, list[int]] = {}
        for topic_id, number in touched:
            if topic_id in image.topics_by_id:
                by_topic.setdefault(topic_id, []).append(number)
        for topic_id, numbers in by_topic.items():
            topic = image.topics_by_id[topic_id]
            mine = [n for n in numbers if self._me in topic.partitions[n].replicas]
            await self._open_missing(topic, [n for n in mine if TopicPartition(topic.name, n) not in self.replicas])
            for number in mine:
                replica = self.replicas.get(TopicPartition(topic.name, number))
                if replica is not None:
                    await self._give_role(replica, topic, number)
            for number in numbers:
                if number not in mine:
                    await self._drop(topic, number)

    async def _give_role(self, replica: Replica, topic: TopicImage, number: int) -> None:
        partition = topic.partitions[number]
        if partition.leader == self._me:
            await self._replication.lead(replica, partition)
        else:
            await self._replication.follow(replica, partition)

    async def _open_missing(self, topic: TopicImage, numbers: Sequence[int]) -> None:
        """Some at a time: who waits for a flush waits for no more than those."""
        for start in range(0, len(numbers), OPENED_AT_ONCE):
            some = numbers[start : start + OPENED_AT_ONCE]
            for replica in await self._flusher.alone(lambda some=some: self._open_some(topic, some)):  # type: ignore[misc]
                self.replicas[replica.where] = replica

    def _open_some(self, topic: TopicImage, numbers: Sequence[int]) -> list[Replica]:
        if self._incarnation_id is None:
            return list(self._opened(topic, numbers))
        opened: list[Replica] = []
        for number in numbers:
            try:
                opened += self._opened(topic, (number,))
            except StorageFailedError:
                raise
            except LogError as error:
                # The others go on; who leads this one finds that it doesn't fetch.
                log.error("a replica can't be opened", topic=topic.name, partition=number, reason=str(error))
        return opened

    # Removing

    async def _drop_topic(self, topic_id: bytes) -> None:
        gone = [r for r in self.replicas.values() if r.log.identity.topic_id.bytes == topic_id]
        for replica in gone:
            await self._forget(replica)
        await self._flusher.alone(lambda: self._remove_topic(topic_id, gone))

    def _remove_topic(self, topic_id: bytes, gone: Sequence[Replica]) -> None:
        for replica in gone:
            replica.log.release()
        for name in self._files.names(ROOT):
            if _id_in(name) == topic_id:
                self._files.remove(f"{ROOT}/{name}")

    async def _drop(self, topic: TopicImage, number: int) -> None:
        """The replica is another broker's by now, with all that is committed."""
        replica, path = self.replicas.get(TopicPartition(topic.name, number)), f"{topic_path(topic)}/{number}"
        if replica is not None:
            await self._forget(replica)
        self._points.pop(path, None)
        self._high_watermarks.pop(path, None)

        def remove() -> None:
            if replica is not None:
                replica.log.release()
            self._files.remove(path)

        await self._flusher.alone(remove)

    async def _forget(self, replica: Replica) -> None:
        self.replicas.pop(replica.where, None)
        replica.deleted = True
        await self._replication.stop(replica)
        replica.notify()


def _id_in(name: str) -> bytes:
    """The topic's id in its directory's name; nothing for a directory that isn't ours."""
    try:
        return bytes.fromhex(name.rpartition(".")[2])
    except ValueError:
        return b""
