"""`memory://` and `log://PATH`: the log inside this process, as a transport.

Promises: those of `transport.base`. A poll that waits costs nothing: appends and commits wake it.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence

import anyio
import anyio.lowlevel

from streamflow.errors import ConfigError, StreamflowError
from streamflow.event import Batch, TopicPartition
from streamflow.log.compression import codec_number
from streamflow.log.controller.topics import INTERNAL_TOPICS, NewTopic
from streamflow.log.coordinators.records import OffsetValue
from streamflow.log.errors import TransactionError
from streamflow.log.node.embedded import EmbeddedLog, parse_address
from streamflow.log.node.fetch import Cursor
from streamflow.log.node.node import Node
from streamflow.log.node.producer import TransactionalProducer
from streamflow.log.node.rows import build
from streamflow.transport.base import EARLIEST, LATEST, Committed, Member, PartitionInfo, TopicInfo, TopicSpec


class EmbeddedTransport:
    """See `Transport`.

    Raises: ConfigError for settings in the address that aren't known or can't be.
    """

    def __init__(self, url: str, *, now_ms: Callable[[], int]) -> None:
        self._url = url
        self._path, self._config = parse_address(url)
        self._now_ms = now_ms
        self._log: EmbeddedLog | None = None

    def __repr__(self) -> str:
        return f"<EmbeddedTransport {self._url} {'closed' if self._log is None else self._log.node}>"

    @property
    def url(self) -> str:
        return self._url

    @property
    def _open(self) -> EmbeddedLog:
        if self._log is None:
            raise ConfigError(f"{self._url} isn't open; call open() first")
        return self._log

    @property
    def _node(self) -> Node:
        return self._open.node

    async def open(self) -> None:
        if self._log is not None:
            raise ConfigError(f"{self._url} is open already")
        if self._path is None:
            self._log = await EmbeddedLog.open_memory(self._config, self._now_ms)
        else:
            self._log = await EmbeddedLog.open_directory(self._path, self._config, self._now_ms)

    async def close(self) -> None:
        held, self._log = self._log, None
        if held is not None:
            await held.close()

    # Topics

    async def create_topic(self, spec: TopicSpec) -> None:
        new = NewTopic(
            name=spec.name,
            partitions=spec.partitions,
            replication_factor=spec.replication_factor,
            config=dict(spec.config),
        )
        await self._node.topics.create(new)

    async def delete_topic(self, name: str) -> None:
        await self._node.delete_topic(name)

    async def topics(self) -> dict[str, TopicInfo]:
        await anyio.lowlevel.checkpoint()
        return {
            name: TopicInfo(
                name=name,
                topic_id=urlsafe_b64encode(topic.topic_id).rstrip(b"=").decode(),
                partitions=len(topic.partitions),
                internal=name in INTERNAL_TOPICS,
                config=dict(topic.config),
            )
            for name, topic in self._node.topics.metadata.image.topics.items()
        }

    async def describe_partitions(self, topic: str) -> list[PartitionInfo]:
        await anyio.lowlevel.checkpoint()
        topics = self._node.topics
        count = len(topics.describe(topic).partitions)
        replicas = [topics.find(TopicPartition(topic, n)) for n in range(count)]
        return [
            PartitionInfo(
                log_start_offset=r.log.log_start_offset,
                high_watermark=r.high_watermark,
                last_stable_offset=r.last_stable_offset,
                leader_epoch=r.leader.leader_epoch,
                size_bytes=r.log.size_bytes,
                segments=r.log.segment_count,
            )
            for r in replicas
        ]

    async def offsets_for_times(self, times: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        await anyio.lowlevel.checkpoint()
        return {where: self._offset_for_time(where, at) for where, at in times.items()}

    def _offset_for_time(self, where: TopicPartition, at: int) -> int:
        replica = self._node.topics.find(where)
        if at == EARLIEST:
            return replica.log.log_start_offset
        if at == LATEST:
            return replica.last_stable_offset
        return self._node.offset_for_time(where, at)

    async def delete_records(self, before: Mapping[TopicPartition, int]) -> None:
        await anyio.lowlevel.checkpoint()
        for where, offset in before.items():
            self._node.delete_records(where, offset)

    async def accept_loss(self, partition: TopicPartition) -> list[tuple[int, int]]:
        """Corrupt ranges of the partition, until now an error to who reads them, are read over. Their bytes are kept.
        Works on a closed transport too: a log whose own topics are corrupt can't be opened otherwise.

        Returns: the ranges accepted by now, as first offset and the one behind the last.
        """
        await anyio.lowlevel.checkpoint()
        if self._log is not None:
            return _ranges(self._node, partition)
        if self._path is None:
            return []
        held = await EmbeddedLog.open_directory(self._path, self._config, self._now_ms, accept_loss=[partition])
        try:
            return _ranges(held.node, partition)
        finally:
            await held.close()

    # Groups

    async def groups(self) -> list[str]:
        await anyio.lowlevel.checkpoint()
        return self._node.groups.offsets.groups()

    async def committed(self, group: str) -> dict[TopicPartition, Committed]:
        await anyio.lowlevel.checkpoint()
        known = self._node.groups.offsets.committed(group)
        return {where: Committed(v.offset, v.metadata, v.leader_epoch) for where, v in known.items()}

    async def stable_offsets(self, group: str, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, Committed]:
        """Transactions of the only process end at once: there is nothing to wait for."""
        wanted = set(partitions)
        return {where: c for where, c in (await self.committed(group)).items() if where in wanted}

    async def commit_offsets(self, group: str, offsets: Mapping[TopicPartition, Committed]) -> None:
        await anyio.lowlevel.checkpoint()
        await self._node.groups.commit(group, _values(offsets, self._now_ms()))

    async def delete_group(self, group: str) -> None:
        await anyio.lowlevel.checkpoint()
        await self._node.groups.forget_group(group)

    async def join(self, group: str, topic: str) -> None:
        """Nobody else has the log open."""
        await anyio.lowlevel.checkpoint()

    # Records

    async def reader(self) -> EmbeddedReader:
        await anyio.lowlevel.checkpoint()
        return EmbeddedReader(self._open)

    async def writer(self, transactional_id: str | None = None, *, compression: str = "none") -> EmbeddedWriter:
        codec = codec_number(compression)
        await anyio.lowlevel.checkpoint()
        producer = None if transactional_id is None else await self._node.producer(transactional_id, codec=codec)
        return EmbeddedWriter(self._open, codec, producer)


class EmbeddedReader:
    """See `Reader`. A poll also returns, with nothing, as soon as positions moved over aborted records or markers
    alone: so a reader that has caught up is known to have."""

    def __init__(self, log: EmbeddedLog) -> None:
        self._log = log
        self._cursors: dict[TopicPartition, Cursor] = {}
        self._turn: list[Cursor] = []
        self._woken = anyio.Event()

    def assign(self, positions: Mapping[TopicPartition, int]) -> None:
        self._release()
        self.add(positions)

    def add(self, positions: Mapping[TopicPartition, int]) -> None:
        self.drop(positions)
        new = {where: Cursor(self._log.node.topics.find(where), position) for where, position in positions.items()}
        for cursor in new.values():
            cursor.replica.listeners.add(self._wake)
        self._cursors |= new
        self._turn += new.values()
        self._wake()

    def drop(self, partitions: Iterable[TopicPartition]) -> None:
        for where in partitions:
            cursor = self._cursors.pop(where, None)
            if cursor is not None:
                cursor.replica.listeners.discard(self._wake)
        self._turn = list(self._cursors.values())

    def _release(self) -> None:
        for cursor in self._turn:
            cursor.replica.listeners.discard(self._wake)
        self._cursors, self._turn = {}, []

    def _wake(self) -> None:
        self._woken.set()

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        for where in partitions:
            self._cursors[where].paused = True

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        for where in partitions:
            self._cursors[where].paused = False
        self._wake()

    def position(self, partition: TopicPartition) -> int:
        return self._cursors[partition].position

    async def poll(self, max_records: int, timeout_s: float) -> list[tuple[TopicPartition, Batch]]:
        await anyio.lowlevel.checkpoint()
        await self._log.look_after()
        with anyio.move_on_after(timeout_s):
            while True:
                self._woken = anyio.Event()
                ready = [c for c in self._turn if c.ready]
                if ready:
                    return self._take(ready, max_records)
                await self._woken.wait()
        return []

    def _take(self, ready: list[Cursor], max_records: int) -> list[tuple[TopicPartition, Batch]]:
        """The partitions share what is asked for; those that got nothing come first the next time."""
        taken: list[tuple[TopicPartition, Batch]] = []
        left, served = max_records, 0
        for number, cursor in enumerate(ready):
            if left <= 0:
                break
            served = number + 1
            try:
                batch = cursor.take(-(-left // (len(ready) - number)))
            except StreamflowError:
                if not taken:
                    raise
                break  # What was taken isn't lost: the next poll meets the error again.
            if batch is not None:
                taken.append((cursor.replica.where, batch))
                left -= len(batch)
        first = set(map(id, ready[:served]))
        self._turn = [c for c in self._turn if id(c) not in first] + [c for c in self._turn if id(c) in first]
        return taken

    async def lag(self) -> dict[TopicPartition, int]:
        return {where: cursor.lag for where, cursor in self._cursors.items()}

    async def close(self) -> None:
        self._release()
        self._wake()


class EmbeddedWriter:
    """See `Writer`."""

    def __init__(self, log: EmbeddedLog, codec: int, producer: TransactionalProducer | None) -> None:
        self._log = log
        self._node = log.node
        self._codec = codec
        self._producer = producer

    def _transactional(self) -> TransactionalProducer:
        if self._producer is None:
            raise TransactionError("this writer has no transactional id; open one with transport.writer(id)")
        return self._producer

    async def begin(self) -> None:
        await self._log.look_after()
        self._transactional().begin()

    async def append(self, partition: TopicPartition, batch: Batch) -> int:
        await anyio.lowlevel.checkpoint()
        if not len(batch):
            return self._node.topics.find(partition).log.log_end_offset
        if self._producer is not None:
            return self._producer.append(partition, batch, self._node.now_ms())
        bytes_max = self._node.topics.find(partition).log.config.message_bytes_max
        return await self._node.append(partition, build(batch, codec=self._codec, bytes_max=bytes_max))

    async def append_all(self, batches: Mapping[TopicPartition, Sequence[Batch]]) -> None:
        for where, several in batches.items():
            for batch in several:
                await self.append(where, batch)

    async def add_offsets(
        self, group: str, offsets: Mapping[TopicPartition, Committed], *, member: Member | None = None
    ) -> None:
        if offsets:
            now_ms = self._node.now_ms()
            await self._transactional().add_offsets(group, _values(offsets, now_ms), now_ms)

    async def commit(self) -> None:
        await self._transactional().end(commit=True)

    async def abort(self) -> None:
        await self._transactional().end(commit=False)

    async def close(self) -> None:
        """Aborts what is begun."""
        if self._producer is not None and self._producer.begun:
            await self._producer.end(commit=False)


def _ranges(node: Node, partition: TopicPartition) -> list[tuple[int, int]]:
    node.accept_loss(partition)
    return [(q.first_offset, q.next_offset) for q in node.topics.find(partition).log.quarantined]


def _values(offsets: Mapping[TopicPartition, Committed], now_ms: int) -> dict[TopicPartition, OffsetValue]:
    return {
        where: OffsetValue(
            offset=c.offset, metadata=c.metadata, leader_epoch=c.leader_epoch, commit_timestamp_ms=now_ms
        )
        for where, c in offsets.items()
    }
