"""Transactional producers of a node, and the journal `__transaction_state` their outcomes are decided in.

Promises: of what is between a producer's first append and its end, all becomes visible to committed readers or nothing
ever, whatever crashes. Opening a producer fences the one before it under the same transactional id.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio

from streamflow.event import TopicPartition
from streamflow.log.controller import records as r
from streamflow.log.controller.topics import TRANSACTIONS_TOPIC
from streamflow.log.coordinators.events import AddPartitions, End, Event, Expire, Initialise, ProducerSession
from streamflow.log.coordinators.transactions import TransactionCoordinator
from streamflow.log.node.effects import JOURNAL, TransactionEffects
from streamflow.log.node.flusher import Flusher
from streamflow.log.node.replica import Replica
from streamflow.log.node.rows import ROW_BYTES_MAX, batches_of, row_batches
from streamflow.log.node.topics import Topics
from streamflow.log.records import decode

PRODUCER_IDS = 1000
"""Taken at once (KIP-730): a start uses few, and there are 2**63."""


class Transactions:
    def __init__(
        self,
        coordinator: TransactionCoordinator,
        effects: TransactionEffects,
        topics: Topics,
        flusher: Flusher,
        *,
        timeout_ms: int,
        now_ms: Callable[[], int],
    ) -> None:
        self.coordinator = coordinator
        self._effects = effects
        self._topics = topics
        self._flusher = flusher
        self._timeout_ms = timeout_ms
        self._now_ms = now_ms
        self._locks: dict[str, anyio.Lock] = {}
        self._producer_ids = range(0)

    async def recover(self) -> None:
        """Ends what the last run left open, as its journal says."""
        journal = self._topics.replicas.get(JOURNAL)
        if journal is not None:
            for _, view in batches_of(journal.log):
                columns = decode(view, ROW_BYTES_MAX)
                self.coordinator.load(zip(columns.keys, columns.values, strict=True))
        found = {w: r.log.open_transactions() for w, r in self._topics.replicas.items()}
        for effect in self.coordinator.recover({w: producers for w, producers in found.items() if producers}):
            await self._effects.do(effect)

    async def open(self, transactional_id: str) -> ProducerSession:
        """A producer under the id; the one before it is fenced, and what it left open is aborted."""
        await self._topics.ensure_internal(TRANSACTIONS_TOPIC)
        spare = await self._spare_producer_id()
        event = Initialise(transactional_id=transactional_id, timeout_ms=self._timeout_ms, spare_producer_id=spare)
        session = await self._run(transactional_id, event)
        assert session is not None, "who initialises is answered"
        return session

    def add_partition(self, session: ProducerSession, where: TopicPartition) -> None:
        """To be called before the first append to a partition in a transaction.

        Raises: ProducerFencedError, TransactionError.
        """
        self.coordinator.step(AddPartitions(session=session, partitions=frozenset((where,))), self._now_ms())

    async def end(self, session: ProducerSession, *, commit: bool) -> ProducerSession:
        """Returns once the outcome holds, with the session of the next transaction.

        Raises: ProducerFencedError; LogError, when it may be tried again, or the session given up.
        """
        spare = await self._spare_producer_id()
        event = End(session=session, commit=commit, spare_producer_id=spare)
        return await self._run(session.transactional_id, event) or session

    async def expire(self, now_ms: int) -> None:
        """Aborts what was left open for too long."""
        for name in self.coordinator.expired(now_ms):
            await self._run(name, Expire(transactional_id=name))

    async def _run(self, transactional_id: str, event: Event) -> ProducerSession | None:
        """Shielded: a caller that goes away leaves no outcome half carried out."""
        with anyio.CancelScope(shield=True):
            async with self._locks.setdefault(transactional_id, anyio.Lock()):
                self._flusher.check()
                session = await self._effects.run(transactional_id, event)
        if session is not None and session.producer_id in self._producer_ids:
            self._producer_ids = range(session.producer_id + 1, self._producer_ids.stop)
        return session

    async def _spare_producer_id(self) -> int:
        if not self._producer_ids:
            first = self._topics.metadata.image.next_producer_id
            end = first + PRODUCER_IDS
            await self._topics.write([r.ProducerIds(broker_id=self._topics.metadata.node_id, next_producer_id=end)])
            self._producer_ids = range(first, end)
        return self._producer_ids[0]

    async def compact(self, bytes_max: int) -> None:
        """Replaces a journal that has grown by each id's last record."""
        journal = self._topics.replicas.get(JOURNAL)
        if journal is None or journal.log.size_bytes < bytes_max or self.coordinator.busy:
            return
        await self._flusher.flush(self._unsettled())
        if self.coordinator.busy or any(replica.unflushed for replica in self._unsettled()):
            return
        now_ms = self._now_ms()
        kept = journal.append(row_batches(self.coordinator.snapshot(), now_ms), now_ms)
        await self._flusher.flush([journal])
        journal.log.delete_before(kept.base_offset)

    def _unsettled(self) -> list[Replica]:
        replicas = self._topics.replicas
        return [replicas[w] for w in self.coordinator.unsettled if w in replicas]
