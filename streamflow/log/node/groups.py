"""Committed offsets and groups of a node: `__consumer_offsets` and what it folds to.

Promises: an offset is as durable as an append when its commit returns; answers are what a replay of the topic gives.
What the records about groups mean is for `group_coordinator`: here the newest of each key is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from streamflow.event import TopicPartition
from streamflow.log.controller.topics import OFFSETS_TOPIC
from streamflow.log.coordinators.offsets import GroupOffsets
from streamflow.log.coordinators.records import OffsetValue
from streamflow.log.node.flusher import Flusher
from streamflow.log.node.replica import Replica
from streamflow.log.node.rows import ROW_BYTES_MAX, Row, batches_of, row_batches
from streamflow.log.node.topics import Topics
from streamflow.log.records import decode, marker_commits

OFFSETS = TopicPartition(OFFSETS_TOPIC, 0)
"""One partition does for one node: there is nobody to share the work with."""


class Groups:
    def __init__(
        self, offsets: GroupOffsets, topics: Topics, flusher: Flusher, *, durable: bool, now_ms: Callable[[], int]
    ) -> None:
        self.offsets = offsets
        self.kept: dict[bytes, bytes] = {}
        self.durable = durable
        self._topics = topics
        self._flusher = flusher
        self._now_ms = now_ms

    def load(self) -> None:
        """Folds the topic. Transactions without a marker stay pending."""
        replica = self._topics.replicas.get(OFFSETS)
        if replica is None:
            return
        for header, view in batches_of(replica.log):
            if header.control:
                self.offsets.ended(header.producer_id, committed=marker_commits(view))
                continue
            columns = decode(view, ROW_BYTES_MAX)
            producer = header.producer_id if header.transactional else None
            self._fold(zip(columns.keys, columns.values, strict=True), producer)

    def _fold(self, rows: Iterable[tuple[bytes | None, bytes | None]], producer_id: int | None) -> None:
        for key, value in self.offsets.written(rows, producer_id):
            if value is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = value

    async def ready(self) -> Replica:
        """The partition, created when first needed."""
        await self._topics.ensure_internal(OFFSETS_TOPIC)
        return self._topics.replicas[OFFSETS]

    def rows(self, group: str, offsets: Mapping[TopicPartition, OffsetValue]) -> list[Row]:
        """Raises: UnknownTopicError for an offset of a partition that isn't there."""
        for where in offsets:
            self._topics.find(where)
        return self.offsets.commit(group, offsets)

    async def commit(self, group: str, offsets: Mapping[TopicPartition, OffsetValue]) -> None:
        await self._write(self.rows(group, offsets))

    async def forget_group(self, group: str) -> None:
        await self._write(self.offsets.forget_group(group))

    async def forget_topic(self, topic: str) -> None:
        await self._write(self.offsets.forget_topic(topic))

    async def _write(self, rows: Sequence[Row]) -> None:
        if rows:
            await self.ready()
            self.append(rows)
            await self.flush()

    def append(self, rows: Sequence[Row]) -> None:
        """Appends without making durable, once the partition is `ready`. Raises: LogError."""
        replica, now_ms = self._topics.replicas[OFFSETS], self._now_ms()
        replica.append(row_batches(rows, now_ms), now_ms)
        self._fold(rows, None)

    async def flush(self) -> None:
        """Makes what was appended as durable as the flush policy says. Raises: StorageFailedError."""
        if self.durable:
            await self._flusher.flush([self._topics.replicas[OFFSETS]])

    async def compact(self, bytes_max: int) -> None:
        """Replaces a topic that has grown by each partition's last offset and what is known of groups; what is pending
        is kept as it is."""
        replica = self._topics.replicas.get(OFFSETS)
        if replica is None or replica.log.size_bytes < bytes_max:
            return
        pending_from = replica.log.last_stable_offset(replica.log.log_end_offset)
        rows, now_ms = [*self.offsets.snapshot(), *self.kept.items()], self._now_ms()
        if rows:
            replica.append(row_batches(rows, now_ms), now_ms)
        await self._flusher.flush([replica])
        replica.log.delete_before(pending_from)
