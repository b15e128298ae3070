"""Runs an app: opens its log, assembles its tasks, and keeps them going until told to stop.

No task outlives `run`. An error in one of them stops all: nothing of the interval in hand is committed, and the
error is raised once, as it was. Asked to stop, the worker finishes the events in hand, commits, and closes.
"""

from __future__ import annotations

import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import structlog
from anyio.abc import TaskGroup

from streamflow.app import App
from streamflow.engine.events import Produce
from streamflow.engine.policies import Skip, final
from streamflow.engine.task import Outlet, Task
from streamflow.errors import AppError, StreamflowError
from streamflow.event import TIMESTAMP_MS_MAX, Batch, Headers, TopicPartition
from streamflow.state.memory import MemoryStore
from streamflow.topology import TopicDecl
from streamflow.transport import open_transport
from streamflow.transport.base import Committed, Transport, Writer
from streamflow.worker.clock import guarded, run_timer
from streamflow.worker.drains import Drain
from streamflow.worker.feeds import run_source
from streamflow.worker.figures import Figures
from streamflow.worker.gate import Gate
from streamflow.worker.outputs import Outputs
from streamflow.worker.poller import Poller
from streamflow.worker.runner import Runner
from streamflow.worker.stall import Held, Watch
from streamflow.worker.tasks import (
    Assembly,
    assemble,
    change_batch,
    changelog,
    create_topics,
    group_name,
    table_changes,
)

log = structlog.get_logger("streamflow.worker")

SHUTDOWN_SECONDS = 30.0
"""How long the events in hand may take once the worker was asked to stop."""

SETTLE_PAUSE = 0.002


def wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


class Sender:
    """Sends from outside agents: each is acknowledged by itself."""

    def __init__(self, writer: Writer, counts: dict[str, int], now_ms: Callable[[], int]) -> None:
        self._writer = writer
        self._counts = counts
        self._now_ms = now_ms
        self._outlets: dict[TopicDecl, Outlet] = {}

    async def send(self, topic: TopicDecl, key: object, value: object, timestamp: int | None, headers: Headers) -> None:
        outlet = self._outlets.setdefault(topic, Outlet(topic, self._counts[topic.name], 0))
        when = self._now_ms() if timestamp is None else timestamp
        batch = Batch([key], [value], [when], range(1), [headers] if headers else None)
        made = outlet.encode(batch, as_is=True)
        await self._writer.append(TopicPartition(topic.name, made.partitions[0]), made.batch)


class Worker:
    """Runs `app`.

    Args:
        transport: an opened log to use instead of the app's address; the caller closes it.
        now_ms: the clock, ms since the epoch.
        until_end: when the sources have ended and everything is dealt with, declare the input complete (every window
            closes), and return.
        sinks: whether this worker feeds the app's sinks.
        sources: whether it runs the app's sources.
    """

    def __init__(
        self,
        app: App,
        *,
        transport: Transport | None = None,
        now_ms: Callable[[], int] = wall_clock_ms,
        until_end: bool = False,
        sinks: bool = True,
        sources: bool = True,
    ) -> None:
        self.app = app
        self.ready = anyio.Event()
        self.commits = 0
        self._given_transport = transport
        self._now_ms = now_ms
        self._until_end = until_end
        self._with_sinks = sinks
        self._with_sources = sources
        self._stop = anyio.Event()
        self._dirty = anyio.Event()
        self._gate = Gate()
        self._committing = anyio.Lock()
        self._runners: list[Runner] = []
        self._pollers: list[Poller] = []
        self._drains: list[Drain] = []
        self._committed: dict[str, dict[TopicPartition, tuple[int, str]]] = {}
        self._assembly: Assembly | None = None
        self._sender: Sender | None = None
        self._watch = Watch(self._held)

    # Runtime, for the app's own objects

    async def send(self, topic: TopicDecl, key: object, value: object, timestamp: int | None, headers: Headers) -> None:
        assert self._sender is not None, "user code runs once the worker is ready"
        await self._sender.send(topic, key, value, timestamp, headers)

    def stores_of(self, table: str) -> list[MemoryStore]:
        assert self._assembly is not None, "user code runs once the worker is ready"
        return [stores[table] for _, stores in sorted(self._assembly.stores.items()) if table in stores]

    # Running

    def stop(self) -> None:
        """Finish what is in hand, commit, close."""
        self._stop.set()

    async def run(self, *, signals: bool = False) -> None:
        """Until `stop`, the end of the input, or an error.

        Args:
            signals: SIGINT and SIGTERM stop cleanly; a second one stops at once.

        Raises: StreamflowError saying what stopped the worker.
        """
        try:
            with self._watch:
                async with self._opened() as (transport, writer), anyio.create_task_group() as group:
                    if signals:
                        group.start_soon(self._listen, group)
                    await self._start(transport, writer, group)
                    await self._stop.wait()
                    await self._finish(group)
        except BaseExceptionGroup as errors:
            raise _first(errors) from None

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[tuple[Transport, Writer]]:
        transport = self._given_transport or open_transport(self.app.log, now_ms=self._now_ms)
        if self._given_transport is None:
            await transport.open()
        try:
            writer = await transport.writer(self.app.id, compression=self.app.compression)
            self.app.runtime = self
            try:
                yield transport, writer
            finally:
                self.app.runtime = None
                with anyio.CancelScope(shield=True):
                    for drain in self._drains:
                        await drain.close()
                    for poller in self._pollers:
                        await poller.close()
                    async with self._committing:  # Somebody who looks on may be in the midst of it.
                        await writer.close()
        finally:
            if self._given_transport is None:
                with anyio.CancelScope(shield=True):
                    await transport.close()

    async def _start(self, transport: Transport, writer: Writer, group: TaskGroup) -> None:
        self._outputs = Outputs(writer)
        self._assembly = assembly = await assemble(self.app, transport)
        self._sender = Sender(await transport.writer(compression=self.app.compression), assembly.counts, self._now_ms)
        for piece in assembly.plan.pieces:
            runners = {t.partition: self._runner(t, assembly) for t in assembly.of(piece)}
            self._runners += runners.values()
            self._pollers.append(Poller(piece, await transport.reader(), runners))
        if self._with_sinks:
            for sink, outbox in self.app.sinks:
                group_id = f"{self.app.id}.sink.{sink.name}"
                drain = Drain(sink, outbox, assembly.counts[outbox.name], group_id, transport)
                self._drains.append(drain)
                await drain.open()
        for runner in self._runners:
            runner.start_agents(group)
            await runner.restored()
        for poller in self._pollers:
            poller.assign()
        self._background = await group.start(self._run_background, transport)
        for runner in self._runners:
            group.start_soon(runner.run)
        group.start_soon(self._commit_often)
        for drain in self._drains:
            group.start_soon(drain.run)
        log.info("worker ready", app=self.app.id, log=transport.url, tasks=len(self._runners))
        self.ready.set()

    def _runner(self, task: Task, assembly: Assembly) -> Runner:
        policy = assembly.plan.policies[task.piece.name]
        last = final(policy)
        return Runner(
            task,
            stores=assembly.stores[task.partition],
            outputs=self._outputs,
            gate=self._gate,
            counts=assembly.counts,
            policy=policy,
            letters=self.app.dead_letters(last) if isinstance(last, Skip) else None,
            now_ms=self._now_ms,
            changed=self._changed,
        )

    async def _run_background(
        self, transport: Transport, *, task_status: anyio.abc.TaskStatus[anyio.CancelScope]
    ) -> None:
        """What brings work in: stopped first."""
        assert self._assembly is not None, "assembled before it runs"
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                for poller in self._pollers:
                    group.start_soon(poller.run)
                for timer in self.app.timers:
                    group.start_soon(run_timer, timer, self._now_ms)
                task_status.started(scope)
                async with anyio.create_task_group() as finite:
                    for fn in self.app.tasks:
                        finite.start_soon(guarded, fn, f"task '{getattr(fn, '__name__', 'task')}'")
                    for source in self.app.sources if self._with_sources else ():
                        finite.start_soon(
                            run_source, source, self.app.id, transport, self._assembly.counts, self._now_ms
                        )
                if self._until_end:
                    await self.finish_input()
                    self.stop()

    async def finish_input(self, *, pause: float = SETTLE_PAUSE) -> None:
        """Everything brought in is dealt with; then nothing more will come, and every window closes."""
        assert self._assembly is not None, "assembled before it runs"
        await self.settle(pause=pause)
        for piece in self._assembly.plan.pieces:
            for runner in self._runners:
                if runner.task.piece is piece:
                    await runner.end()
            await self.settle(pause=pause)

    async def _finish(self, group: TaskGroup) -> None:
        self._background.cancel()
        with anyio.move_on_after(SHUTDOWN_SECONDS) as patience:
            for runner in self._runners:
                runner.stop()
            for runner in self._runners:
                await runner.end_agents()
            await self.commit()
        if patience.cancelled_caught:
            raise AppError(
                f"the worker was asked to stop {SHUTDOWN_SECONDS:.0f} s ago and still waits for {self.waiting()}"
            )
        log.info("worker stopped", app=self.app.id)
        group.cancel_scope.cancel()

    def waiting(self) -> str:
        """Which agents and sinks are busy, and where their code stands."""
        return "; ".join(str(held.place()) for held in self._held()) or "its log"

    def _held(self) -> list[Held]:
        return [held for runner in self._runners for held in runner.held()] + [
            held for drain in self._drains for held in drain.held()
        ]

    async def _listen(self, group: TaskGroup) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
            async for number in received:
                if self._stop.is_set():
                    log.warning("stopping at once", signal=number.name)
                    group.cancel_scope.cancel()
                    return
                log.info("stopping: finishing the events in hand; once more stops at once", signal=number.name)
                self.stop()

    # Commits

    def _changed(self) -> None:
        self._dirty.set()

    async def _commit_often(self) -> None:
        while True:
            await self._dirty.wait()
            await anyio.sleep(self.app.commit_interval_ms / 1000)
            await self.commit()

    async def commit(self) -> None:
        """Offsets, state and outputs up to now, as one transaction."""
        async with self._committing, self._gate.committing():
            await self._commit_inside()

    async def _commit_inside(self) -> None:
        assembly = self._assembly
        assert assembly is not None, "assembled before it commits"
        self._dirty = anyio.Event()
        for runner in self._runners:
            if runner.task.stateful and runner.held_offset is not None:
                await runner.hand_over()
        offsets: dict[str, dict[TopicPartition, Committed]] = {}
        for runner in self._runners:
            task = runner.task
            for effect in task.marks():
                assert isinstance(effect, Produce)
                self._outputs.add(effect)
            for name, changes in task.changes():
                topic = changelog(self.app, name)
                self._outputs.add(Produce(topic, change_batch(changes), [task.partition] * len(changes)))
            offsets.setdefault(group_name(self.app, task.piece), {}).update(self._moved(runner))
        for partition, stores in assembly.stores.items():
            for name, store in stores.items():
                changes = table_changes(store, assembly.table_codecs[name])
                if changes:
                    topic = changelog(self.app, name)
                    self._outputs.add(Produce(topic, change_batch(changes), [partition] * len(changes)))
        with anyio.CancelScope(shield=True):
            committed = await self._outputs.commit(offsets)
        if committed:
            self.commits += 1
            for group, moved in offsets.items():
                known = self._committed.setdefault(group, {})
                known.update({tp: (c.offset, c.metadata) for tp, c in moved.items()})

    def _moved(self, runner: Runner) -> dict[TopicPartition, Committed]:
        """Offsets that differ from the ones committed last; never past an event an agent still waits with."""
        known = self._committed.get(group_name(self.app, runner.task.piece), {})
        held = runner.held_offset
        moved: dict[TopicPartition, Committed] = {}
        for tp, (offset, metadata) in runner.task.positions().items():
            now = (offset if held is None else min(offset, held), metadata)
            if known.get(tp) != now:
                moved[tp] = Committed(*now)
        return moved

    # What others look at

    async def settle(self, *, pause: float = SETTLE_PAUSE) -> None:
        """Returns once everything in the log has been dealt with and committed, and sinks have stored their rows."""
        # Asked again and again: what is waited for is that nothing happens any more, and that has no event.
        while not await self._quiet():
            await anyio.sleep(pause)
            if not pause:  # On virtual time: wait for whoever works, or the clock could never move on to its end.
                async with self._committing, self._gate.committing():
                    pass

    async def _quiet(self) -> bool:
        if not await self._drained():
            return False
        async with self._committing, self._gate.committing():
            await self._commit_inside()
            if not await self._drained():
                return False
        return all([await d.quiet() for d in self._drains])

    async def _drained(self) -> bool:
        """Nothing waits in the log or on the way from it."""
        for poller in self._pollers:
            await poller.measure()
        return not any(p.lag for p in self._pollers) and all(r.quiet for r in self._runners)

    def figures(self) -> Figures:
        tasks = [r.task for r in self._runners]
        reached = [t.watermark_ms for t in tasks if -TIMESTAMP_MS_MAX < t.watermark_ms < TIMESTAMP_MS_MAX]
        waiting = sum(i.buffered for t in tasks for i in t.inputs.values())
        stalled = self._watch.longest
        lag = sum(p.lag for p in self._pollers)
        return Figures(
            events_in=sum(t.events_in for t in tasks if not t.piece.sources[0].topic.internal),
            records_out=sum(r.records_out for r in self._runners),
            alerts=sum(r.alerts for r in self._runners),
            lag=waiting + (int(lag) if lag != float("inf") else 0),
            watermark_ms=min(reached, default=None),
            late=sum(t.late_records for t in tasks),
            set_aside=sum(r.letters_out for r in self._runners),
            rows=sum(d.rows for d in self._drains),
            commits=self.commits,
            stalled=None if stalled is None else str(stalled),
        )


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error of ours in a group, else the first of any kind."""
    leaves = list(_leaves(errors))
    return next((e for e in leaves if isinstance(e, StreamflowError)), leaves[0])


def _leaves(errors: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in errors.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def run(app: App, *, until_end: bool = False) -> None:
    """Runs the app until it is interrupted (or its input has ended). Blocks.

    Raises: StreamflowError saying what stopped it.
    """
    anyio.run(lambda: Worker(app, until_end=until_end).run(signals=True))


@asynccontextmanager
async def connect(app: App, *, now_ms: Callable[[], int] = wall_clock_ms) -> AsyncIterator[App]:
    """Opens the app's log for sending without running the app: `async with sf.connect(app): await topic.send(…)`.

    Raises: StreamflowError when the log can't be opened (a worker has it, the directory can't be written, …).
    """
    transport = open_transport(app.log, now_ms=now_ms)
    await transport.open()
    try:
        counts = await create_topics(app, await app.plan(), transport)
        app.runtime = Outside(Sender(await transport.writer(compression=app.compression), counts, now_ms))
        yield app
    finally:
        app.runtime = None
        with anyio.CancelScope(shield=True):
            await transport.close()


class Outside:
    """The runtime of a script that only sends."""

    def __init__(self, sender: Sender) -> None:
        self.send = sender.send

    def stores_of(self, table: str) -> list[MemoryStore]:
        raise AppError(f"table '{table}' lives in the worker; this program only sends")
