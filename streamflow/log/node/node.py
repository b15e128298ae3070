"""One node of the log: owns the directory's metadata, partitions and coordinators, and what happens by the clock.

Opening goes: metadata, partitions, offsets, transactions; what the last run left open is ended before anybody reads or
writes. Everything runs on one event loop; what waits for the disk is handed to `blocking`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from random import Random

import anyio
import structlog

from streamflow.event import TopicPartition
from streamflow.log.controller.records import AnyRecord
from streamflow.log.coordinators.offsets import GroupOffsets
from streamflow.log.coordinators.transactions import TransactionCoordinator
from streamflow.log.errors import OffsetOutOfRangeError
from streamflow.log.node.acknowledgement import committed
from streamflow.log.node.admin import Admin
from streamflow.log.node.ballast import Ballast
from streamflow.log.node.checkpoint import HIGH_WATERMARKS, RECOVERY_POINTS, read_points, write_points
from streamflow.log.node.cleaner import Cleaner
from streamflow.log.node.client_transactions import ClientTransactions
from streamflow.log.node.cluster import SEED_BYTES, Cluster
from streamflow.log.node.config import FLUSH_COMMIT, FLUSH_INTERVAL, NodeConfig
from streamflow.log.node.controller import Controller
from streamflow.log.node.effects import JOURNAL, TransactionEffects
from streamflow.log.node.flusher import Blocking, Flusher
from streamflow.log.node.group_coordinator import GroupCoordinator
from streamflow.log.node.groups import OFFSETS, Groups
from streamflow.log.node.hosted import Hosted
from streamflow.log.node.markers import Markers
from streamflow.log.node.membership import Membership
from streamflow.log.node.metadata import PATH as METADATA_PATH
from streamflow.log.node.metadata import MetadataLog
from streamflow.log.node.peers import Alone, Peers
from streamflow.log.node.producer import TransactionalProducer
from streamflow.log.node.reigns import Reigns
from streamflow.log.node.replica import Replica
from streamflow.log.node.settings import Settings
from streamflow.log.node.times import first_record_since
from streamflow.log.node.topics import Topics
from streamflow.log.node.transactions import Transactions
from streamflow.log.node.verification import Verification
from streamflow.log.storage.files import Files
from streamflow.log.storage.partition import AppendInfo

log = structlog.get_logger("streamflow.log")

TOPIC_ID_BYTES = 16
APPEND_TIMEOUT_MS = 30_000
"""For an append of this process's own to be committed."""
REFILL_INTERVAL_MS = 1_000
"""How often a full disk is looked at again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a node is given of the world: its files, the time in ms, random bytes, how to wait for the disk, the other
    nodes."""

    files: Files
    now_ms: Callable[[], int]
    random_bytes: Callable[[int], bytes]
    blocking: Blocking
    peers: Peers = field(default_factory=Alone)


class Node:
    """Made by `open`."""

    def __init__(self, world: Surroundings, config: NodeConfig, metadata: MetadataLog, *, clean: bool) -> None:
        durable = config.flush == FLUSH_COMMIT
        now_ms, membership = world.now_ms, metadata.membership
        self.config = config
        self.now_ms = now_ms
        self.membership = membership
        self._world = world
        self.flusher = Flusher(world.blocking, now_ms)
        self.ballast = Ballast(world.files, config.ballast_bytes)
        metadata.alone = lambda work: self.flusher.alone(lambda: self.ballast.lend(work, housekeeping=True))
        metadata.on_applied = self._applied
        self.cluster = Cluster(
            world, config, metadata, self.flusher, clean=clean, note_point=self._note_point, durable=durable
        )
        self.replication = self.cluster.replication
        self.controller: Controller | None = self.cluster.controller
        """This node's, if it has the role."""
        settings = Settings(metadata, config.static)
        hosted = Hosted(
            world.files,
            settings,
            self.flusher,
            self.ballast,
            self.replication,
            node_id=membership.node_id,
            incarnation_id=None if membership.alone else self.cluster.incarnation_id,
            commits_flushed=durable,
            now_ms=now_ms,
        )
        self.topics = Topics(
            metadata,
            hosted,
            settings,
            config,
            membership=membership,
            peers=world.peers,
            new_id=lambda: world.random_bytes(TOPIC_ID_BYTES),
        )
        self.admin = Admin(self.topics, config)
        self.cleaner = Cleaner(self.topics, config, world.blocking, now_ms)
        self._coordinate(world, metadata, durable=durable)
        self.durable = durable
        """Whether what is acknowledged survives a power cut (`flush=commit`)."""
        self._ticking = False
        self._checkpoints: dict[str, dict[str, int]] = {}
        """As they were written, by their path."""
        self._flush_at = self._retention_at = self._checkpoint_at = now_ms()
        self._refill_at = now_ms()
        self._appended_bytes = 0

    def _coordinate(self, world: Surroundings, metadata: MetadataLog, *, durable: bool) -> None:
        """Makes what keeps groups and transactions."""
        config, membership, now_ms = self.config, self.membership, world.now_ms
        offsets, coordinator = GroupOffsets(), TransactionCoordinator()
        self.groups = Groups(offsets, self.topics, self.flusher, durable=durable, now_ms=now_ms)
        self.group_coordinator = GroupCoordinator(
            self.groups, metadata.image, config, now_ms=now_ms, random_bytes=world.random_bytes
        )
        effects = TransactionEffects(
            coordinator, self.topics.replicas, self.flusher, offsets, durable=durable, now_ms=now_ms
        )
        self.transactions = Transactions(
            coordinator,
            effects,
            self.topics,
            self.flusher,
            timeout_ms=config.transaction_timeout_ms,
            now_ms=now_ms,
            allocator=None if membership.alone else self.cluster,
        )
        verification = Verification(coordinator, effects.coordination, self.topics, world.peers)
        self.markers = Markers(self.topics, self.groups, self.flusher, world.peers, verification, now_ms=now_ms)
        if not membership.alone:
            effects.send = self.markers.send
        self.client_transactions = ClientTransactions(
            self.transactions,
            effects,
            self.topics,
            self.groups,
            verification,
            timeout_ms_max=config.transaction_timeout_ms_max,
            now_ms=now_ms,
        )
        self.reigns = Reigns(self.topics.replicas, {OFFSETS: self.group_coordinator, JOURNAL: self.transactions})

    def __repr__(self) -> str:
        epoch = self.topics.metadata.leader_epoch
        return f"<Node epoch {epoch}, {len(self.topics.replicas)} partitions, {self.transactions.coordinator!r}>"

    @classmethod
    async def open(
        cls,
        world: Surroundings,
        config: NodeConfig,
        *,
        clean: bool,
        accept_loss: Collection[TopicPartition] = (),
        membership: Membership | None = None,
    ) -> Node:
        """Opens what the files hold, or begins anew. A node among others knows nothing yet of what it holds: see `run`.

        Args:
            clean: the last run closed the node, so that ends needn't be checked.
            accept_loss: partitions whose corrupt ranges are read over: the log's own are read while it opens.
            membership: of a node among others.

        Raises: LogError; CorruptBatchError when the log's own topics can't be read.
        """
        membership = membership or Membership()
        points = read_points(world.files, RECOVERY_POINTS)
        high_watermarks = read_points(world.files, HIGH_WATERMARKS)

        def work() -> Node:
            metadata = MetadataLog.open(
                world.files,
                membership,
                config,
                recovery_point=points.get(METADATA_PATH, 0),
                clean=clean,
                now_ms=world.now_ms,
                chance=Random(world.random_bytes(SEED_BYTES)),
            )
            node = cls(world, config, metadata, clean=clean)
            node.topics.hosted.trust(points, high_watermarks, clean=clean)
            return node

        node = await world.blocking(work)
        try:
            if membership.alone:
                await node._load(accept_loss)
            else:
                await world.blocking(node.ballast.fill)
        except BaseException:
            node.release()
            raise
        return node

    async def _load(self, accept_loss: Collection[TopicPartition]) -> None:
        """Everything a node alone has."""
        metadata = self.topics.metadata

        def load() -> None:
            metadata.name_cluster(self._world.random_bytes)
            self.topics.hosted.open(metadata.image)
            for where in accept_loss:
                self.accept_loss(where)
            self.groups.load()
            self.group_coordinator.load()
            self.ballast.fill()

        await self._world.blocking(load)
        await self.transactions.recover()
        for name in self.groups.offsets.topics() - metadata.image.topics.keys():
            await self.groups.forget_topic(name)  # Its removal was cut short by a crash.

    def release(self) -> None:
        """Closes the files as they are."""
        self.topics.hosted.release()
        self.topics.metadata.partition.release()

    # Among others

    async def run(self) -> None:
        """What a node among others does by itself, until it is cancelled.

        Raises: LogError when it can't go on: its disk failed, or it is of another cluster.
        """
        async with anyio.create_task_group() as group:
            self.reigns.begin(group)
            await self.cluster.run(group)

    async def _applied(self, records: Sequence[AnyRecord]) -> None:
        """Metadata has changed: this node's part follows."""
        await self.topics.hosted.follow(self.topics.metadata.image, records)
        self.reigns.look()

    def _note_point(self, path: str, offset: int) -> None:
        """Durably, that nothing is known of a log from the offset on. Blocks."""
        for checkpoint, points in self._known().items():
            if points.get(path, 0) > offset:
                write_points(self._world.files, checkpoint, {**points, path: offset})
        self._checkpoints = {}

    def _known(self) -> dict[str, dict[str, int]]:
        """What is to be written of each checkpoint."""
        known = {RECOVERY_POINTS: self.topics.points()}
        if not self.membership.alone:  # All that a node alone has is committed.
            known[HIGH_WATERMARKS] = self.topics.hosted.high_watermarks()
        return known

    @property
    def directory(self) -> str:
        """Where the files are."""
        return self._world.files.root

    def space(self) -> tuple[int, int]:
        """As `Files.space`."""
        return self._world.files.space()

    # Data

    async def append(self, where: TopicPartition, data: bytes | bytearray) -> int:
        """Appends batches outside of any transaction; returns once they are as durable as the flush policy says.

        Returns: the offset of the first record. Raises: UnknownTopicError, LogError.
        """
        replica = self.topics.find(where)
        info = self.append_batches(replica, data)
        await committed(self.flusher, {replica: replica.end}, timeout_ms=APPEND_TIMEOUT_MS)
        return info.base_offset

    def append_batches(self, replica: Replica, data: bytes | bytearray | memoryview) -> AppendInfo:
        """Appends; when appends are to be `durable`, it is the caller who has it flushed. Raises: LogError."""
        self.flusher.check()
        info = replica.append(data, self.now_ms())
        self._appended_bytes += len(data)
        return info

    async def producer(self, transactional_id: str, *, codec: int) -> TransactionalProducer:
        """A transactional producer; it fences the one before it under the same id."""
        session = await self.transactions.open(transactional_id)
        return TransactionalProducer(session, self.transactions, self.topics, self.groups, codec=codec)

    def offset_for_time(self, where: TopicPartition, timestamp_ms: int) -> int:
        """The first offset whose record is at or after the time; past the newest, the last stable offset.

        Raises: UnknownTopicError, CorruptBatchError.
        """
        replica = self.topics.find(where)
        end = replica.last_stable_offset
        found = first_record_since(replica.log, timestamp_ms, end)
        return end if found is None else found[0]

    def delete_records(self, where: TopicPartition, before: int) -> None:
        """Raises: UnknownTopicError, OffsetOutOfRangeError for an offset above the high watermark."""
        replica = self.topics.find(where)
        if not 0 <= before <= replica.high_watermark:
            raise OffsetOutOfRangeError(str(where), before, replica.log.log_start_offset, replica.high_watermark)
        replica.delete_before(before)

    def accept_loss(self, where: TopicPartition) -> None:
        """Corrupt ranges of the partition are read over from now on. Raises: UnknownTopicError."""
        replica = self.topics.find(where)
        replica.log.accept_loss()
        replica.notify()

    async def delete_topic(self, name: str) -> None:
        """With the offsets groups have of it. Raises: UnknownTopicError, InvalidTopicError, LogError."""
        await self.topics.delete(name)
        await self.groups.forget_topic(name)

    # Time

    @property
    def due_ms(self) -> int:
        """When `tick` has something to do."""
        first = min(self._retention_at, self._checkpoint_at)
        if self.config.flush == FLUSH_INTERVAL:
            first = min(first, self._flush_at)
        if self.ballast.spent:
            first = min(first, self._refill_at)
        transaction = self.transactions.deadline_ms()
        return first if transaction is None else min(first, transaction)

    async def tick(self) -> None:
        """Does what is due by the clock: flushes, checkpoints, retention, transactions left open; of compaction, a
        step."""
        await self.cleaner.step()
        if self.durable and self.flusher.failed is None:
            await self.flusher.flush_wanted()
        now_ms = self.now_ms()
        if self._ticking or (now_ms < self.due_ms and self._appended_bytes < self.config.checkpoint_bytes):
            return
        self._ticking = True
        try:
            await self.transactions.expire(now_ms)
            if self.ballast.spent and now_ms >= self._refill_at:
                self._refill_at = now_ms + REFILL_INTERVAL_MS
                await self.flusher.alone(self.ballast.fill)
            if self.config.flush == FLUSH_INTERVAL and now_ms >= self._flush_at:
                self._flush_at = now_ms + self.config.flush_interval_ms
                await self.flusher.flush(self.topics.replicas.values())
            if now_ms >= self._checkpoint_at or self._appended_bytes >= self.config.checkpoint_bytes:
                self._checkpoint_at = now_ms + self.config.checkpoint_interval_ms
                self._appended_bytes = 0
                await self._checkpoint()
            if now_ms >= self._retention_at:
                self._retention_at = now_ms + self.config.retention_check_interval_ms
                self.topics.apply_retention(now_ms)
                self.topics.expire_producers(now_ms - self.config.producer_id_expiration_ms)
                await self.transactions.retire(now_ms - self.config.transactional_id_expiration_ms)
        finally:
            self._ticking = False

    async def _checkpoint(self) -> None:
        await self.groups.compact(self.config.internal_log_bytes)
        await self.transactions.compact(self.config.internal_log_bytes)
        for path, points in self._known().items():
            if points != self._checkpoints.get(path):
                await self.flusher.alone(lambda path=path, points=points: write_points(self._world.files, path, points))  # type: ignore[misc]
                self._checkpoints[path] = points

    # End

    async def close(self) -> bool:
        """Makes everything durable and closes the files. Returns: whether the next start may trust their ends."""
        if self.flusher.failed is None:
            await self.flusher.flush(self.topics.replicas.values())
        clean = self.flusher.failed is None

        def work() -> None:
            for replica in self.topics.replicas.values():
                replica.log.close()
            self.topics.metadata.partition.close()
            for path, points in self._known().items():
                write_points(self._world.files, path, points)

        if clean:
            await self._world.blocking(lambda: self.ballast.lend(work, housekeeping=True))
        else:
            await self._world.blocking(self.release)
        return clean
