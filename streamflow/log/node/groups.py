"""Committed offsets and groups of a node: `__consumer_offsets` and what it folds to.

Promises: an offset is committed by the replicas in sync when its commit returns, and isn't told before; answers are
what a replay of the topic gives. In a cluster this is so while the node leads the topic's partition: see `take_over`.
What the records about groups mean is for `group_coordinator`: here the newest of each key is kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

import anyio
import anyio.lowlevel
import structlog

from streamflow.event import TopicPartition
from streamflow.log.controller.topics import OFFSETS_TOPIC
from streamflow.log.coordinators.offsets import GroupOffsets
from streamflow.log.coordinators.records import OffsetValue
from streamflow.log.errors import LogError, NotCoordinatorError, NotLeaderError, StorageFailedError
from streamflow.log.node.acknowledgement import committed
from streamflow.log.node.coordination import Coordination
from streamflow.log.node.flusher import Flusher
from streamflow.log.node.rows import ROW_BYTES_MAX, Row, batches_of, row_batches
from streamflow.log.node.topics import Topics
from streamflow.log.records import BatchHeader, decode, marker_commits

OFFSETS = TopicPartition(OFFSETS_TOPIC, 0)
"""One partition for all groups: its leader coordinates them."""
COMMIT_TIMEOUT_MS = 5_000
"""How long a write may take to reach the replicas in sync, as `offsets.commit.timeout.ms`."""
RETRY_SECONDS = 0.1
BATCHES_AT_ONCE = 16
"""Read back before others have their turn."""

log = structlog.get_logger("streamflow.groups")


class Groups:
    def __init__(
        self, offsets: GroupOffsets, topics: Topics, flusher: Flusher, *, durable: bool, now_ms: Callable[[], int]
    ) -> None:
        self.offsets = offsets
        self.kept: dict[bytes, bytes] = {}
        self.durable = durable
        self.coordination = Coordination(OFFSETS)
        self._unsettled: deque[tuple[int, Callable[[], None]]] = deque()
        """What is told once the log is committed up to an end."""
        self._topics = topics
        self._flusher = flusher
        self._now_ms = now_ms

    def load(self) -> None:
        """Folds the topic. Transactions without a marker stay pending."""
        replica = self._topics.replicas.get(OFFSETS)
        if replica is None:
            return
        for header, view in batches_of(replica.log):
            self._read(header, view)

    def _read(self, header: BatchHeader, view: memoryview) -> None:
        if header.control:
            self.offsets.ended(header.producer_id, committed=marker_commits(view))
            return
        columns = decode(view, ROW_BYTES_MAX)
        producer = header.producer_id if header.transactional else None
        self._fold(zip(columns.keys, columns.values, strict=True), producer)

    # Gaining and losing the partition

    async def take_over(self) -> bool:
        """Reads the partition back, once all that the leader's log holds is committed: what the coordinator before left
        uncommitted counts, or is gone, by then. Returns: False when the partition was lost meanwhile."""
        self._drop()
        reign = self.coordination.begin()
        if not await self.settled_in(reign):
            return False
        replica = self._topics.replicas[OFFSETS]
        for n, (header, view) in enumerate(batches_of(replica.log)):
            self._read(header, view)
            if n % BATCHES_AT_ONCE == BATCHES_AT_ONCE - 1:
                await anyio.lowlevel.checkpoint()
                if self.coordination.reign != reign:
                    return False
        return True

    async def settled_in(self, reign: int) -> bool:
        """Waits, as long as the reign lasts, until all that was appended is committed. Returns: whether it is.

        Raises: StorageFailedError.
        """
        while self.coordination.reign == reign:
            try:
                await self.flush()
                return self.coordination.reign == reign
            except StorageFailedError:
                raise
            except NotCoordinatorError:
                return False
            except LogError as error:
                log.info("groups' records aren't committed yet", reason=str(error))
            await anyio.sleep(RETRY_SECONDS)
        return False

    def resign(self) -> None:
        """Another node has the partition, or none."""
        self.coordination.resign()
        self._drop()

    def _drop(self) -> None:
        self.offsets.clear()
        self.kept.clear()
        self._unsettled.clear()

    def _fold(self, rows: Iterable[tuple[bytes | None, bytes | None]], producer_id: int | None) -> None:
        self._keep(self.offsets.written(rows, producer_id))

    def _keep(self, rows: Iterable[Row]) -> None:
        for key, value in rows:
            if value is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = value

    async def ready(self) -> None:
        """The topic is there, created when first needed."""
        await self._topics.ensure_internal(OFFSETS_TOPIC)

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
        """Appends without making durable, once the partition is `ready`. What it says is told when it is committed.

        Raises: LogError.
        """
        self.coordination.check()
        replica, now_ms = self._topics.replicas[OFFSETS], self._now_ms()
        replica.append(row_batches(rows, now_ms), now_ms)
        self.offsets.appended(rows)
        self._when_committed(lambda: self._keep(self.offsets.settled()))

    def marked(self, producer_id: int, *, committed: bool) -> None:
        """The producer's transaction was just given its marker here: its offsets are told when that is committed."""
        self._when_committed(lambda: self.offsets.ended(producer_id, committed=committed))

    def _when_committed(self, tell: Callable[[], None]) -> None:
        """All that is in the log by now."""
        replica = self._topics.replicas[OFFSETS]
        self._unsettled.append((replica.end, tell))
        replica.listeners.add(self._settle)
        self._settle()

    def _settle(self) -> None:
        replica = self._topics.replicas.get(OFFSETS)
        while replica is not None and self._unsettled and self._unsettled[0][0] <= replica.high_watermark:
            self._unsettled.popleft()[1]()

    @property
    def is_settled(self) -> bool:
        """All that was appended is committed."""
        return not self._unsettled

    async def flush(self) -> None:
        """Returns once all that was appended is committed: as durable as the flush policy says, on those in sync.

        Raises: NotCoordinatorError when the partition is lost, or NotEnoughReplicasAfterAppendError,
            RequestTimedOutError: it isn't known whether it will be. StorageFailedError.
        """
        replica = self._topics.replicas[OFFSETS]
        try:
            await committed(self._flusher, {replica: replica.end}, timeout_ms=COMMIT_TIMEOUT_MS)
        except NotLeaderError as error:
            raise NotCoordinatorError(str(error)) from error

    async def compact(self, bytes_max: int) -> None:
        """Replaces a topic that has grown by each partition's last offset and what is known of groups; what is pending
        is kept as it is."""
        replica = self._topics.replicas.get(OFFSETS)
        if replica is None or replica.log.size_bytes < bytes_max or not (self.coordination.active and self.is_settled):
            return
        pending_from = replica.log.last_stable_offset(replica.log.log_end_offset)
        rows, now_ms = [*self.offsets.snapshot(), *self.kept.items()], self._now_ms()
        if rows:
            replica.append(row_batches(rows, now_ms), now_ms)
        await self.flush()
        replica.log.delete_before(pending_from)
