"""Transactional producers of a node, and the journal `__transaction_state` their outcomes are decided in.

Promises: of what is between a producer's first append and its end, all becomes visible to committed readers or nothing
ever, whatever crashes. Opening a producer fences the one before it under the same transactional id.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from streamflow.event import TopicPartition
from streamflow.log.controller.topics import TRANSACTIONS_TOPIC
from streamflow.log.coordinators.events import AddPartitions, End, Event, Expire, Initialise, ProducerSession, Retire
from streamflow.log.coordinators.transaction_records import TransactionVersion
from streamflow.log.coordinators.transactions import TransactionCoordinator
from streamflow.log.node.effects import JOURNAL, TransactionEffects
from streamflow.log.node.flusher import Flusher
from streamflow.log.node.producer_ids import ProducerIds
from streamflow.log.node.replica import Replica
from streamflow.log.node.rows import ROW_BYTES_MAX, batches_of, row_batches
from streamflow.log.node.topics import Topics
from streamflow.log.records import decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who opens a producer. `expected`: the producer id and epoch it has, where it opens again as itself (KIP-360)."""

    version: TransactionVersion
    timeout_ms: int | None = None
    expected: tuple[int, int] | None = None


EMBEDDED = Client(version=TransactionVersion.EMBEDDED)


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
        self.producer_ids = ProducerIds(topics)

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

    async def open(self, transactional_id: str, client: Client = EMBEDDED) -> ProducerSession:
        """A producer under the id; the one before it is fenced, and what it left open is aborted.

        Raises: ProducerFencedError for a client that was replaced; LogError.
        """
        await self._topics.ensure_internal(TRANSACTIONS_TOPIC)
        spare = await self.producer_ids.take()
        event = Initialise(
            transactional_id=transactional_id,
            timeout_ms=self._timeout_ms if client.timeout_ms is None else client.timeout_ms,
            spare_producer_id=spare,
            version=client.version,
            expected=client.expected,
        )
        session = await self._run(transactional_id, event, spare)
        assert session is not None, "who initialises is answered"
        return session

    async def add_partitions(
        self, session: ProducerSession, partitions: frozenset[TopicPartition], version: TransactionVersion
    ) -> None:
        """For clients over the wire: returns once the partitions are in the client's transaction, durably.

        Raises: ProducerFencedError, TransactionError, LogError.
        """
        event = AddPartitions(session=session, partitions=partitions, version=version)
        await self._run(session.transactional_id, event)

    def add_partition(self, session: ProducerSession, where: TopicPartition) -> None:
        """To be called before the first append to a partition in a transaction.

        Raises: ProducerFencedError, TransactionError.
        """
        self.coordinator.step(AddPartitions(session=session, partitions=frozenset((where,))), self._now_ms())

    async def end(
        self,
        session: ProducerSession,
        *,
        commit: bool,
        version: TransactionVersion = TransactionVersion.EMBEDDED,
    ) -> ProducerSession:
        """Returns once the outcome holds, with the session of the next transaction.

        Raises: ProducerFencedError; LogError, when it may be tried again, or the session given up.
        """
        spare = await self.producer_ids.take()
        event = End(session=session, commit=commit, spare_producer_id=spare, version=version)
        return await self._run(session.transactional_id, event, spare) or session

    async def expire(self, now_ms: int) -> None:
        """Aborts what was left open for too long."""
        for name in self.coordinator.expired(now_ms):
            await self._run(name, Expire(transactional_id=name))

    async def retire(self, before_ms: int) -> None:
        """Forgets ids that clients haven't used since."""
        for name in self.coordinator.idle_since(before_ms):
            await self._run(name, Retire(transactional_id=name, before_ms=before_ms))

    async def _run(self, transactional_id: str, event: Event, spare: int | None = None) -> ProducerSession | None:
        """Shielded: a caller that goes away leaves no outcome half carried out. A spare producer id that wasn't needed
        goes back."""
        session: ProducerSession | None = None
        with anyio.CancelScope(shield=True):
            async with self._alone(transactional_id):
                try:
                    self._flusher.check()
                    session = await self._effects.run(transactional_id, event)
                finally:
                    if spare is not None and not self.coordinator.uses(transactional_id, spare):
                        self.producer_ids.give_back(spare)
        return session

    @asynccontextmanager
    async def _alone(self, transactional_id: str) -> AsyncIterator[None]:
        """One at a time under an id. Locks that nobody waits for aren't kept: ids may come from anybody."""
        lock = self._locks.setdefault(transactional_id, anyio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked():
                self._locks.pop(transactional_id, None)

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
