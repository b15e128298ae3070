"""One run of an agent's body. It is handed batches and tells when it is done with each.

The body loops in a task of its own; between events of a batch it never touches the event loop unless user code
awaits. A body that raises is started anew for the next batch, after its events in hand have been rolled back: what
becomes of those events is the runner's business.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, cast

import anyio
from anyio.abc import TaskGroup

from streamflow.agent import Agent, Emitted, Hand, Reading, in_hand
from streamflow.errors import AppError
from streamflow.event import Batch, Event
from streamflow.state.memory import MemoryStore


@dataclass(frozen=True, slots=True)
class Failure:
    """The body raised on `in_hand`; `rest` wasn't looked at."""

    error: Exception
    in_hand: Batch
    rest: Batch | None

    @property
    def offset(self) -> int | None:
        """Of the first event in hand; None when there was none."""
        return self.in_hand.offsets[0] if len(self.in_hand) else None


class _StreamEnded(Exception):
    """The worker is stopping: no batch will come any more."""


class Actor:
    def __init__(
        self,
        agent: Agent,
        stores: Mapping[str, MemoryStore],
        describe: Callable[[Batch, int], Event],
        *,
        check: Callable[[Emitted], None] | None,
    ) -> None:
        """`check` is given where the agent outlives a failure, by its policy: see `Hand`."""
        self.agent = agent
        self.hand = Hand(stores, check=check)
        self.busy_since: float | None = None
        self._describe = describe
        self._incoming: Batch | None = None
        self._held: Batch | None = None
        self._held_since = 0.0
        self._flushing = False
        self._given = anyio.Event()
        self._done = anyio.Event()
        self._failure: Failure | None = None
        self._ending = False
        self._ended = anyio.Event()
        self._running: Any = None

    def start(self, group: TaskGroup) -> None:
        group.start_soon(self._run, name=f"agent {self.agent.name}")

    # The runner's side

    async def process(self, batch: Batch | None) -> Failure | None:
        """Hands the body a batch (None: what it holds back, however little) and waits until it wants more."""
        self._incoming, self._flushing = batch, batch is None
        self._failure, self._done = None, anyio.Event()
        self.busy_since = anyio.current_time()
        self._given.set()
        await self._done.wait()
        self.busy_since = None
        return self._failure

    async def end(self) -> Failure | None:
        """Ends the loop: the body runs on behind it, and may yield once more."""
        self._ending, self._failure = True, None
        self.busy_since = anyio.current_time()
        self._given.set()
        await self._ended.wait()
        self.busy_since = None
        return self._failure

    def collect(self) -> list[Emitted]:
        """What the body sent and yielded since the last call, in order."""
        emitted, self.hand.emitted = self.hand.emitted, []
        return emitted

    @property
    def held_offset(self) -> int | None:
        """The first event waiting for a list to fill; a commit must not pass it."""
        return self._held.offsets[0] if self._held is not None and len(self._held) else None

    @property
    def held_deadline(self) -> float | None:
        """When a list must be handed over though it isn't full, on the event loop's clock."""
        within_ms = self.agent.reading.within_ms
        if within_ms is None or self.held_offset is None:
            return None
        return self._held_since + within_ms / 1000

    # Who watches, perhaps from another thread

    @property
    def in_hand(self) -> tuple[float, int | None] | None:
        """Since when the body has had its batch, and the first offset it holds of it; None while it waits for more.
        It changes with every event."""
        since = self.busy_since
        if since is None:
            return None
        incoming, hand = self._incoming, self.hand
        batch, first = (incoming, 0) if incoming is not None else (hand.batch, hand.first)
        return since, batch.offsets[first] if first < len(batch) and not self._ending else None

    @property
    def line(self) -> str | None:
        """Where the body stands, as FILE:LINE."""
        body = self._running
        frame = getattr(body, "ag_frame", None) or getattr(body, "cr_frame", None)
        return None if frame is None else f"{PurePath(frame.f_code.co_filename).name}:{frame.f_lineno}"

    # The body's side

    async def _run(self) -> None:
        in_hand.set(self.hand)
        while True:
            await self._given.wait()
            if self._ending:
                break
            try:
                await self._body()
                if not self._ending:
                    raise AppError(
                        f"agent '{self.agent.name}' returned before its stream ended; its loop must not break or return"
                    )
            except Exception as error:
                self._failed(error)
        self._ended.set()
        self._done.set()

    async def _body(self) -> None:
        body = self._running = self.agent.fn(Bound(self, self.agent.reading))
        if inspect.isawaitable(body):
            await body
            return
        hand = self.hand
        async with aclosing(cast(AsyncGenerator[Any, None], body)) as values:
            async for value in values:
                batch, index = hand.batch, hand.index
                if len(batch):
                    hand.emit(None, batch.keys[index], value, batch.timestamps[index])
                else:
                    hand.emit(None, None, value, 0)

    def _failed(self, error: Exception) -> None:
        hand, batch = self.hand, self.hand.batch
        if self._incoming is not None:  # raised before its loop: the event it would have read first is in hand
            batch, self._incoming = self._incoming, None
            hand.first = hand.index = 0
        hand.rollback()
        rest = batch.slice(hand.index + 1, len(batch))
        if self._held is not None:
            rest, self._held = self._held, None
        self._failure = Failure(error, batch.slice(hand.first, hand.index + 1), rest if len(rest) else None)
        hand.batch = Batch([], [], [], [])
        self._given = anyio.Event()
        self._done.set()

    async def next(self) -> Batch | None:
        """The next batch; None to hand over what is held. Raises: _StreamEnded."""
        self.hand.journal.clear()
        if not self._given.is_set():
            self._done.set()
        await self._given.wait()
        if self._ending:
            raise _StreamEnded
        self._given = anyio.Event()
        batch, self._incoming = self._incoming, None
        return batch

    async def values(self) -> AsyncIterator[Any]:
        hand = self.hand
        journal = hand.journal
        while (batch := await self._batch()) is not None:
            hand.batch = batch
            for hand.index, value in enumerate(batch.values):
                hand.first = hand.index
                yield value
                if journal:
                    journal.clear()

    async def events(self) -> AsyncIterator[Event]:
        hand = self.hand
        journal = hand.journal
        while (batch := await self._batch()) is not None:
            hand.batch = batch
            for hand.index in range(len(batch)):
                hand.first = hand.index
                yield self._describe(batch, hand.index)
                if journal:
                    journal.clear()

    async def batches(self) -> AsyncIterator[list[Any]]:
        hand = self.hand
        while (batch := await self._batch()) is not None:
            hand.batch, hand.first, hand.index = batch, 0, len(batch) - 1
            yield batch.values
            hand.journal.clear()

    async def lists(self, count_max: int) -> AsyncIterator[list[Any]]:
        hand = self.hand
        while True:
            try:
                batch = await self.next()
            except _StreamEnded:
                batch, self._flushing = None, True
            if batch is not None:
                if self._held is None:
                    self._held_since = anyio.current_time()
                    self._held = batch
                else:
                    self._held = Batch.concat([self._held, batch])
            while self._held is not None and (len(self._held) >= count_max or self._flushing):
                full, rest = self._held.slice(0, count_max), self._held.slice(count_max, len(self._held))
                self._held = rest if len(rest) else None
                self._held_since = anyio.current_time()
                hand.batch, hand.first, hand.index = full, 0, len(full) - 1
                yield full.values
                hand.journal.clear()
            if self._ending:
                return
            self._flushing = False

    async def _batch(self) -> Batch | None:
        while True:
            try:
                batch = await self.next()
            except _StreamEnded:
                return None
            if batch is not None:
                return batch


class Bound:
    """The stream as a running body sees it. Its operators were planned and run upstream, so they do nothing here."""

    def __init__(self, actor: Actor, reading: Reading) -> None:
        self._actor = actor
        self._reading = reading

    def _planned(self, *_: Any, **__: Any) -> Bound:
        return self

    filter = map = flat_map = merge = group_by = window = aggregate = join = through = _planned
    take = batches = events = _planned

    def __aiter__(self) -> AsyncIterator[Any]:
        actor, reading = self._actor, self._reading
        if reading.form == "take":
            return actor.lists(reading.count_max)
        if reading.form == "batches":
            return actor.batches()
        if reading.form == "events":
            return actor.events()
        return actor.values()
