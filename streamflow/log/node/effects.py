"""Does what the transaction coordinator orders, in order, and tells it what came of it.

Promises: an effect is done before the next begins; what is to be durable is, before anything that follows from it.
Nothing about transactions is decided here.

Whoever calls keeps events of one transactional id apart, and shields the call: an outcome once decided is carried out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from streamflow.event import TopicPartition
from streamflow.log.controller.topics import OFFSETS_TOPIC, TRANSACTIONS_TOPIC
from streamflow.log.coordinators.events import (
    Effect,
    Event,
    Flush,
    Forget,
    Forgotten,
    MarkersWritten,
    Opened,
    Persist,
    Persisted,
    PersistFailed,
    ProducerSession,
    Retire,
    WriteMarkers,
)
from streamflow.log.coordinators.offsets import GroupOffsets
from streamflow.log.coordinators.transaction_records import (
    TransactionVersion,
    encode_transaction_key,
    encode_transaction_value,
)
from streamflow.log.coordinators.transactions import TransactionCoordinator
from streamflow.log.errors import NotCoordinatorError, NotLeaderError
from streamflow.log.node.acknowledgement import committed
from streamflow.log.node.coordination import Coordination
from streamflow.log.node.flusher import Flusher
from streamflow.log.node.replica import Replica
from streamflow.log.node.rows import row_batches
from streamflow.log.records import Producer, build_marker

JOURNAL = TopicPartition(TRANSACTIONS_TOPIC, 0)
"""One partition for all transactional ids: its leader coordinates them."""
COMMIT_TIMEOUT_MS = 5_000
"""How long a record may take to reach the replicas in sync."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerWish:
    """What a coordinator, or an administrator, wants written (WriteTxnMarkers). `bumped`: see `check_marker`."""

    producer: Producer
    commit: bool
    coordinator_epoch: int
    bumped: bool


Send = Callable[[MarkerWish, Collection[TopicPartition], Callable[[], bool]], Awaitable[None]]


class TransactionEffects:
    """Args:
    durable: the flush policy asks for it; without, flushes are left to the background.
    """

    def __init__(
        self,
        coordinator: TransactionCoordinator,
        replicas: Mapping[TopicPartition, Replica],
        flusher: Flusher,
        offsets: GroupOffsets,
        *,
        durable: bool,
        now_ms: Callable[[], int],
    ) -> None:
        self.coordination = Coordination(JOURNAL)
        self.send: Send | None = None
        """Has markers written wherever they are to be; None on a node alone, whose markers are all its own."""
        self._coordinator = coordinator
        self._replicas = replicas
        self._flusher = flusher
        self._offsets = offsets
        self._durable = durable
        self._now_ms = now_ms

    async def run(self, transactional_id: str, event: Event) -> ProducerSession | None:
        """Steps the coordinator, and does all that follows. Returns: who the producer is now, if that was asked."""
        opened: ProducerSession | None = None
        reign = self.coordination.reign
        todo = deque(self._coordinator.step(event, self._now_ms()))
        while todo:
            effect = todo.popleft()
            try:
                await self.do(effect)
            except Exception:
                failed = isinstance(effect, Flush | Persist) and not isinstance(event, Retire)
                if failed and self.coordination.reign == reign:
                    self._coordinator.step(PersistFailed(transactional_id=transactional_id), self._now_ms())
                raise
            if self.coordination.reign != reign:
                raise NotCoordinatorError(f"another node coordinates '{transactional_id}' by now; find it again")
            match effect:
                case Persist():
                    answer: Event = Persisted(transactional_id=transactional_id)
                    todo.extend(self._coordinator.step(answer, self._now_ms()))
                case WriteMarkers():
                    answer = MarkersWritten(transactional_id=transactional_id)
                    todo.extend(self._coordinator.step(answer, self._now_ms()))
                case Forget():
                    self._coordinator.step(Forgotten(transactional_id=transactional_id), self._now_ms())
                case Opened():
                    opened = effect.session
        return opened

    @property
    def coordinator_epoch(self) -> int:
        """Which coordinator writes a marker: the one that leads the journal."""
        journal = self._replicas.get(JOURNAL)
        return 0 if journal is None else journal.leader_epoch

    async def do(self, effect: Effect) -> None:
        match effect:
            case Flush() if self.send is not None:
                pass  # What is to be durable is committed: clients were told so, and so was who sent the markers.
            case Flush():
                await self.flush(self._replicas[w] for w in effect.partitions if w in self._replicas)
            case Persist():
                journal = self._write(effect.transactional_id, encode_transaction_value(effect.value))
                if effect.durable:
                    await self.written(journal)
            case Forget():
                self._write(effect.transactional_id, None)
            case WriteMarkers() if self.send is not None:
                await self._send(self.send, effect)
            case WriteMarkers():
                # Without awaiting in between: nobody reads one partition's part of it before the others'.
                marked = self._mark(effect)
                await self.flush(r for r in marked if r.high_watermark < r.leader.end)

    async def written(self, journal: Replica) -> None:
        """All that the journal holds is committed; on a node alone, as durable as the policy asks for.

        Raises: NotCoordinatorError when the journal is lost, or NotEnoughReplicasAfterAppendError,
            RequestTimedOutError: it isn't known whether it will be. StorageFailedError.
        """
        if self.send is None:
            await self.flush([journal])
            return
        try:
            await committed(self._flusher, {journal: journal.end}, timeout_ms=COMMIT_TIMEOUT_MS)
        except NotLeaderError as error:
            raise NotCoordinatorError(str(error)) from error

    async def _send(self, send: Send, effect: WriteMarkers) -> None:
        reign = self.coordination.reign
        wish = MarkerWish(
            producer=Producer(effect.producer_id, effect.producer_epoch, -1, True),
            commit=effect.commit,
            coordinator_epoch=self.coordinator_epoch,
            bumped=self._coordinator.describe(effect.transactional_id).version is TransactionVersion.V2,
        )
        await send(wish, effect.partitions, lambda: self.coordination.reign == reign)

    def _write(self, transactional_id: str, value: bytes | None) -> Replica:
        journal, now_ms = self._replicas[JOURNAL], self._now_ms()
        journal.append(row_batches([(encode_transaction_key(transactional_id), value)], now_ms), now_ms)
        return journal

    def _mark(self, effect: WriteMarkers) -> list[Replica]:
        now_ms = self._now_ms()
        producer = Producer(effect.producer_id, effect.producer_epoch, -1, True)
        marker = build_marker(
            commit=effect.commit, timestamp=now_ms, producer=producer, coordinator_epoch=self.coordinator_epoch
        )
        marked: list[Replica] = []
        for where in sorted(effect.partitions):
            replica = self._replicas.get(where)
            if replica is None or replica.log.open_transaction(effect.producer_id) is None:
                continue
            replica.append(marker, now_ms, repaired=True)
            marked.append(replica)
            if where.topic == OFFSETS_TOPIC:
                self._offsets.ended(effect.producer_id, committed=effect.commit)
        return marked

    def check(self) -> None:
        """Raises: StorageFailedError once the log can't be relied on."""
        self._flusher.check()

    async def flush(self, replicas: Iterable[Replica]) -> None:
        """What the replicas hold is as durable as the policy asks for. Raises: StorageFailedError."""
        if self._durable:
            await self._flusher.flush(replicas)
