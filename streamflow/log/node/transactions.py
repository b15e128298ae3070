"""Transactional producers of a node, and the journal `__transaction_state` their outcomes are decided in.

Promises: of what is between a producer's first append and its end, all becomes visible to committed readers or nothing
ever, whatever crashes. Opening a producer fences the one before it under the same transactional id.

In a cluster this is so while the node leads the journal: see `take_over`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import anyio.lowlevel
import structlog

from streamflow.event import TopicPartition
from streamflow.log.controller.topics import TRANSACTIONS_TOPIC
from streamflow.log.coordinators.events import AddPartitions, End, Event, Expire, Initialise, ProducerSession, Retire
from streamflow.log.coordinators.transaction_records import TransactionVersion
from streamflow.log.coordinators.transactions import TransactionCoordinator
from streamflow.log.errors import ConcurrentTransactionsError, LogError, NotCoordinatorError, StorageFailedError
from streamflow.log.node.effects import JOURNAL, TransactionEffects
from streamflow.log.node.flusher import Flusher
from streamflow.log.node.producer_ids import Allocator, ProducerIds
from streamflow.log.node.replica import Replica
from streamflow.log.node.rows import ROW_BYTES_MAX, batches_of, row_batches
from streamflow.log.node.topics import Topics
from streamflow.log.records import decode

EXPIRE_SECONDS = 0.5
"""How often a coordinator looks at what is ongoing for too long, or couldn't be ended."""
RETRY_SECONDS = 0.1
TURN_SECONDS = 10
BATCHES_AT_ONCE = 16
"""Read back before others have their turn."""

log = structlog.get_logger("streamflow.transactions")


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
        allocator: Allocator | None = None,
    ) -> None:
        self.coordination = effects.coordination
        self._alone = allocator is None
        self.coordinator = coordinator
        self._effects = effects
        self._topics = topics
        self._flusher = flusher
        self._timeout_ms = timeout_ms
        self._now_ms = now_ms
        self._locks: dict[str, anyio.Lock] = {}
        self.producer_ids = ProducerIds(topics, allocator)

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

    # Gaining and losing the journal

    async def take_over(self) -> None:
        """This node leads the journal from now on: reads it back, carries on what is decided, and keeps the time of
        what is ongoing, for as long as it leads.

        Raises: StorageFailedError.
        """
        self.coordinator.clear()
        reign = self.coordination.begin()
        if not (await self._settled_in(reign) and await self._read_back(reign)):
            return
        self.coordination.loaded()
        log.info("transactions taken over", ids=self.coordinator.size)
        async with anyio.create_task_group() as ending:
            busy: set[str] = set()
            while self.coordination.reign == reign:
                for name in self.coordinator.expired(self._now_ms()):
                    if name not in busy and name not in self._locks:
                        busy.add(name)
                        ending.start_soon(self._carry_on, name, busy)
                await anyio.sleep(EXPIRE_SECONDS)

    def resign(self) -> None:
        """Another node leads the journal, or none: everything is forgotten. Who waits is told as soon as it looks."""
        self.coordination.resign()
        self.coordinator.clear()

    async def _settled_in(self, reign: int) -> bool:
        """Waits, as long as the reign lasts, until all that the journal holds is committed. Returns: whether it is."""
        while self.coordination.reign == reign and (journal := self._topics.replicas.get(JOURNAL)) is not None:
            try:
                await self._effects.written(journal)
                return self.coordination.reign == reign
            except StorageFailedError:
                raise
            except NotCoordinatorError:
                return False
            except LogError as error:
                log.info("the journal isn't committed yet", reason=str(error))
            await anyio.sleep(RETRY_SECONDS)
        return False

    async def _read_back(self, reign: int) -> bool:
        """Returns: whether the journal wasn't lost meanwhile."""
        for n, (_, view) in enumerate(batches_of(self._topics.replicas[JOURNAL].log)):
            columns = decode(view, ROW_BYTES_MAX)
            self.coordinator.load(zip(columns.keys, columns.values, strict=True))
            if n % BATCHES_AT_ONCE == BATCHES_AT_ONCE - 1:
                await anyio.lowlevel.checkpoint()
                if self.coordination.reign != reign:
                    return False
        return True

    async def _carry_on(self, name: str, busy: set[str]) -> None:
        """Has a decided transaction's markers written, or aborts one whose time is up."""
        try:
            await self._run(name, Expire(transactional_id=name))
        except StorageFailedError:
            raise
        except LogError as error:
            log.info("a transaction couldn't be ended", transactional_id=name, reason=str(error))
        finally:
            busy.discard(name)

    # Producers

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
        """Aborts what was left open for too long. In a cluster whoever coordinates sees to that: `take_over`."""
        if not self._alone:
            return
        for name in self.coordinator.expired(now_ms):
            await self._run(name, Expire(transactional_id=name))

    async def retire(self, before_ms: int) -> None:
        """Forgets ids that clients haven't used since."""
        if not self.coordination.active:
            return
        for name in self.coordinator.idle_since(before_ms):
            await self._run(name, Retire(transactional_id=name, before_ms=before_ms))

    def deadline_ms(self) -> int | None:
        """When `expire` has something to do."""
        return self.coordinator.deadline_ms() if self._alone else None

    async def _run(self, transactional_id: str, event: Event, spare: int | None = None) -> ProducerSession | None:
        """Shielded: a caller that goes away leaves no outcome half carried out. A spare producer id that wasn't needed
        goes back."""
        session: ProducerSession | None = None
        with anyio.CancelScope(shield=True):
            async with self._in_turn(transactional_id):
                lost = True
                try:
                    self._flusher.check()
                    self.coordination.check()
                    session = await self._effects.run(transactional_id, event)
                    lost = False
                finally:
                    # In a cluster, a record that failed may be committed yet, with the id in it.
                    mayhap = lost and not self._alone
                    if spare is not None and not mayhap and not self.coordinator.uses(transactional_id, spare):
                        self.producer_ids.give_back(spare)
        return session

    @asynccontextmanager
    async def _in_turn(self, transactional_id: str) -> AsyncIterator[None]:
        """One at a time under an id. Locks that nobody waits for aren't kept: ids may come from anybody.

        Raises: ConcurrentTransactionsError when the one before takes too long, as while a partition has no leader.
        """
        lock = self._locks.setdefault(transactional_id, anyio.Lock())
        try:
            if not await self._acquired(lock):
                raise ConcurrentTransactionsError(
                    f"the transaction of '{transactional_id}' has been ending for {TURN_SECONDS} s; try again"
                )
            try:
                yield
            finally:
                lock.release()
        finally:
            if not lock.locked():
                self._locks.pop(transactional_id, None)

    async def _acquired(self, lock: anyio.Lock) -> bool:
        if self._alone:
            await lock.acquire()
            return True
        with anyio.move_on_after(TURN_SECONDS):
            await lock.acquire()
            return True
        return False

    async def compact(self, bytes_max: int) -> None:
        """Replaces a journal that has grown by each id's last record."""
        journal = self._topics.replicas.get(JOURNAL)
        if journal is None or journal.log.size_bytes < bytes_max or self.coordinator.busy:
            return
        if not self._alone:
            await self._compact_committed(journal)
            return
        await self._flusher.flush(self._unsettled())
        if self.coordinator.busy or any(replica.unflushed for replica in self._unsettled()):
            return
        now_ms = self._now_ms()
        kept = journal.append(row_batches(self.coordinator.snapshot(), now_ms), now_ms)
        await self._flusher.flush([journal])
        journal.log.delete_before(kept.base_offset)

    async def _compact_committed(self, journal: Replica) -> None:
        if not self.coordination.active:
            return
        now_ms = self._now_ms()
        kept = journal.append(row_batches(self.coordinator.snapshot(), now_ms), now_ms)
        await self._effects.written(journal)
        journal.log.delete_before(kept.base_offset)

    def _unsettled(self) -> list[Replica]:
        replicas = self._topics.replicas
        return [replicas[w] for w in self.coordinator.unsettled if w in replicas]
