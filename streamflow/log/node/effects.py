"""Does what the transaction coordinator orders, in order, and tells it what came of it.

Promises: an effect is done before the next begins; what is to be durable is, before anything that follows from it.
Nothing about transactions is decided here.

Whoever calls keeps events of one transactional id apart, and shields the call: an outcome once decided is carried out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping

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
from streamflow.log.coordinators.transaction_records import encode_transaction_key, encode_transaction_value
from streamflow.log.coordinators.transactions import TransactionCoordinator
from streamflow.log.node.flusher import Flusher
from streamflow.log.node.replica import Replica
from streamflow.log.node.rows import row_batches
from streamflow.log.records import Producer, build_marker

JOURNAL = TopicPartition(TRANSACTIONS_TOPIC, 0)
"""One partition does for one node: there is nobody to share the work with."""


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
        self._coordinator = coordinator
        self._replicas = replicas
        self._flusher = flusher
        self._offsets = offsets
        self._durable = durable
        self._now_ms = now_ms

    async def run(self, transactional_id: str, event: Event) -> ProducerSession | None:
        """Steps the coordinator, and does all that follows. Returns: who the producer is now, if that was asked."""
        opened: ProducerSession | None = None
        todo = deque(self._coordinator.step(event, self._now_ms()))
        while todo:
            effect = todo.popleft()
            try:
                await self.do(effect)
            except Exception:
                if isinstance(effect, Flush | Persist) and not isinstance(event, Retire):
                    self._coordinator.step(PersistFailed(transactional_id=transactional_id), self._now_ms())
                raise
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
        return 0 if journal is None else journal.leader.leader_epoch

    async def do(self, effect: Effect) -> None:
        match effect:
            case Flush():
                await self.flush(self._replicas[w] for w in effect.partitions if w in self._replicas)
            case Persist():
                journal = self._write(effect.transactional_id, encode_transaction_value(effect.value))
                if effect.durable:
                    await self.flush([journal])
            case Forget():
                self._write(effect.transactional_id, None)
            case WriteMarkers():
                # Without awaiting in between: nobody reads one partition's part of it before the others'.
                marked = self._mark(effect)
                await self.flush(r for r in marked if r.high_watermark < r.leader.end)

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
