"""The metadata log on this node: `__cluster_metadata-0`, an ordinary partition, and the image its committed records
fold to.

Promises: a record is durable on a majority of the voters before it is applied, whatever the flush policy. Records are
applied in their order, each once, and whoever asked for a change finds it applied here when the call returns. Decisions
are made one at a time, each on an image that has all before it.

A node alone is a quorum of one: it elects itself when it opens, and needs no task.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import anyio
import structlog

from streamflow.log.consensus.events import Appended, AppendEpoch, Effect, Join, PersistVote, TimePassed
from streamflow.log.consensus.raft import Outline, Raft, RaftConfig
from streamflow.log.consensus.votes import COPIES, QuorumState, decode, encode, newest
from streamflow.log.controller import records as r
from streamflow.log.controller.image import MetadataImage
from streamflow.log.errors import CorruptBatchError, NotControllerError, RequestTimedOutError
from streamflow.log.model import Identity
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.membership import Membership
from streamflow.log.records import build_batch, parse_header
from streamflow.log.records import decode as decode_batch
from streamflow.log.storage.files import Files
from streamflow.log.storage.partition import PartitionLog, SegmentConfig

if TYPE_CHECKING:
    from random import Random

log = structlog.get_logger("streamflow.log")

METADATA_ID = UUID(int=1)
"""As Kafka's `Uuid.METADATA_TOPIC_ID`."""
PATH = "metadata"
MEMBER = "quorum-member"
"""There once this disk was a voter's (see `consensus.events.Join`)."""
BATCH_BYTES_MAX = 64 << 20
CLUSTER_ID_BYTES = 16
CHANGE_TIMEOUT_MS = 15_000
"""For a change to be committed: an election takes a few seconds."""

Alone = Callable[[Callable[[], None]], Awaitable[None]]
"""Does what blocks on the disk, as `Flusher.alone`."""


async def _nothing(records: Sequence[r.AnyRecord]) -> None:
    pass


class MetadataLog:
    """Made by `open`."""

    def __init__(
        self, files: Files, membership: Membership, partition: PartitionLog, raft: Raft, now_ms: Callable[[], int]
    ) -> None:
        self.files = files
        self.now_ms = now_ms
        self.membership = membership
        self.partition = partition
        self.raft = raft
        self.image = MetadataImage()
        self.applied = partition.log_start_offset
        """Records below are in the image."""
        self.on_applied: Callable[[Sequence[r.AnyRecord]], Awaitable[None]] = _nothing
        """Awaited for each committed batch, once it is in the image."""
        self.alone: Alone
        """Set by whoever opens it."""
        self.turn = anyio.Lock()
        """Held while the machine is stepped and what it orders is done."""
        self._changing = anyio.Lock()
        self._applying = anyio.Lock()
        self._news = anyio.Event()

    def __repr__(self) -> str:
        return f"<MetadataLog {self.raft!r}, {self.applied} applied>"

    @property
    def node_id(self) -> int:
        return self.membership.node_id

    @property
    def leader_id(self) -> int:
        """Who leads the quorum, as far as is known here; -1 else."""
        return self.raft.leader

    @property
    def leader_epoch(self) -> int:
        return self.raft.epoch

    @property
    def active(self) -> bool:
        """This node leads the quorum, and its image has everything that was committed before."""
        return self.raft.settled and self.applied >= self.raft.high_watermark

    # Opening

    @classmethod
    def open(
        cls,
        files: Files,
        membership: Membership,
        config: NodeConfig,
        *,
        recovery_point: int,
        clean: bool,
        now_ms: Callable[[], int],
        chance: Random,
    ) -> MetadataLog:
        """Opens the log and the vote. A node alone elects itself, applies all there is, and registers itself. Blocks.

        Raises: CorruptBatchError when a metadata record can't be read: nothing is assumed in its place.
        """
        partition = PartitionLog.open(
            files,
            PATH,
            Identity(r.METADATA_TOPIC, METADATA_ID, 0),
            SegmentConfig(retention_ms=-1, message_bytes_max=BATCH_BYTES_MAX),
            recovery_point=recovery_point,
            clean=clean,
            now_ms=now_ms(),
        )
        raft = Raft(
            membership.node_id,
            membership.quorum,
            _vote(files, membership),
            Outline(partition.log_end_offset, partition.epochs),
            RaftConfig(
                election_timeout_ms=config.quorum_election_timeout_ms, fetch_timeout_ms=config.quorum_fetch_timeout_ms
            ),
            chance,
            joined=membership.alone or files.exists(MEMBER),
            now_ms=now_ms(),
        )
        self = cls(files, membership, partition, raft, now_ms)
        if membership.alone:
            self._begin_alone()
        return self

    def _begin_alone(self) -> None:
        elected_ms = self.raft.deadline_ms()
        assert elected_ms is not None, "a voter without a leader waits for its turn"
        for effect in self.raft.step(TimePassed(), elected_ms):
            self.write_down(effect)
        self._apply_all()
        self._append_alone([r.RegisterBroker(broker_id=self.node_id, broker_epoch=self.partition.log_end_offset)])

    def name_cluster(self, random_bytes: Callable[[int], bytes]) -> None:
        """Of a node alone: gives the cluster its id, unless it has one. Blocks."""
        if not self.image.cluster_id:
            name = urlsafe_b64encode(random_bytes(CLUSTER_ID_BYTES)).rstrip(b"=").decode()
            self._append_alone([r.Cluster(cluster_id=name)])

    def _append_alone(self, records: Sequence[r.AnyRecord]) -> None:
        self._write(records)
        self.raft.step(Appended(end=self.partition.log_end_offset), self.now_ms())
        self._apply_all()

    def _apply_all(self) -> None:
        while found := self._next_batch():
            self._fold(*found)

    # Writing

    def _write(self, records: Sequence[r.AnyRecord]) -> None:
        """Makes the records durable in this node's log, all or none. Blocks."""
        values, now_ms = [r.encode(record) for record in records], self.now_ms()
        batch = build_batch([None] * len(values), values, [now_ms] * len(values))
        self.partition.append(batch, leader_epoch=self.raft.epoch, now_ms=now_ms)
        self.partition.flush()

    def write_down(self, effect: Effect) -> None:
        """What the machine orders of the disk. Blocks until it is durable."""
        match effect:
            case PersistVote():
                self.files.replace(f"quorum-state.{effect.state.copy}", encode(effect.state))
            case Join():
                self.files.replace(MEMBER, b"")
            case AppendEpoch():
                self._write([r.EpochBegan(leader_id=self.node_id, leader_epoch=self.raft.epoch)])

    async def change(self, decide: Callable[[MetadataImage], Sequence[r.AnyRecord]]) -> Sequence[r.AnyRecord]:
        """Adds what is decided while nothing else changes; it holds, and is applied here, when this returns.

        Raises: what `decide` raises; NotControllerError; RequestTimedOutError, when it may hold later; LogError.
        """
        async with self._changing:
            if not self.active:
                raise NotControllerError(
                    f"node {self.node_id} isn't the active controller; node {self.leader_id} may be (-1: nobody is)"
                )
            records = decide(self.image)
            if records:
                with anyio.CancelScope(shield=True):
                    await self._settle(await self._append(records), self.raft.epoch)
            return records

    async def _append(self, records: Sequence[r.AnyRecord]) -> int:
        """Returns: the offset behind them."""
        async with self.turn:
            if not self.raft.leads:
                raise NotControllerError(f"node {self.node_id} isn't the active controller any more")
            await self.alone(lambda: self._write(records))
            end = self.partition.log_end_offset
            self.raft.step(Appended(end=end), self.now_ms())
        self.tell()
        return end

    async def _settle(self, end: int, epoch: int) -> None:
        """Waits until it is committed, and applies it."""
        with anyio.move_on_after(CHANGE_TIMEOUT_MS / 1000):
            while self.raft.high_watermark < end and self.raft.leads and self.raft.epoch == epoch:
                await self.news()
        await self.apply_committed()
        if self.applied >= end and self.raft.epoch == epoch:
            return
        if not self.raft.leads or self.raft.epoch != epoch:
            raise NotControllerError(f"node {self.node_id} was replaced as the active controller: it may hold or not")
        raise RequestTimedOutError(
            f"a metadata change at offset {end} isn't committed after {CHANGE_TIMEOUT_MS} ms, only {self.raft!r}: it "
            "waits for other controllers, and may hold later"
        )

    # News

    def tell(self) -> None:
        """The log has grown, more of it is committed, or another leads: whoever waits looks."""
        news, self._news = self._news, anyio.Event()
        news.set()

    async def news(self) -> None:
        await self._news.wait()

    # Applying

    async def apply_committed(self) -> None:
        """Brings the image up to what is committed."""
        async with self._applying:
            while found := self._next_batch():
                records = self._fold(*found)
                await self.on_applied(records)

    def _next_batch(self) -> tuple[int, list[bytes | None]] | None:
        """The next committed batch that isn't applied: where it ends, and its values.

        Raises: CorruptBatchError.
        """
        if self.applied >= self.raft.high_watermark:
            return None
        views = self.partition.read(self.applied, 1, up_to=self.raft.high_watermark)
        if not views:
            return None
        return parse_header(views[0]).last_offset + 1, list(decode_batch(views[0], BATCH_BYTES_MAX).values)

    def _fold(self, end: int, values: Sequence[bytes | None]) -> list[r.AnyRecord]:
        records: list[r.AnyRecord] = []
        for value in values:
            if value is None:
                raise CorruptBatchError(f"a metadata record below offset {end} is empty")
            records.append(r.decode(value))
        for record in records:
            self.image.apply(record)
        self.applied = end
        return records


def _vote(files: Files, membership: Membership) -> QuorumState:
    """Raises: CorruptBatchError when a voter that isn't alone has lost it: it might vote twice."""
    copies = [files.read(f"quorum-state.{n}") or b"" for n in range(COPIES)]
    state = newest(copies)
    if any(c and decode(c) is None for c in copies):
        log.warning("a copy of the quorum state can't be read; the other one is used", root=files.root)
    if state is None and not membership.alone and files.exists(MEMBER):
        raise CorruptBatchError(
            f"neither copy of {files.root}/quorum-state can be read, and this node may have voted; empty the "
            "directory, and the node gets its data from the others"
        )
    return state or QuorumState(sequence=-1)
