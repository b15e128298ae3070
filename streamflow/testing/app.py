"""Whole apps under test: the real worker and the real log, in memory, on virtual time.

    with sf.testing.TestApp(app) as t:
        t.send(payments, Payment("card-1", 12.0), at="2026-01-01T10:00:00Z")
        t.advance("1m")
        assert t.read(alerts) == [...]
        assert t.table(spent)["card-1"] == 12.0

Nothing happens between calls. `send` appends; every other call first lets the app deal with all there is, and
commits. What the app raises is raised by the next call.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Coroutine, Iterable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TypeVar

from streamflow.app import App
from streamflow.codecs import value_codec
from streamflow.errors import AppError, UnknownTopicError
from streamflow.event import Event, TopicPartition
from streamflow.schedule import Duration, duration_ms
from streamflow.sinks.base import Sink
from streamflow.table import Table
from streamflow.testing.loop import VirtualLoop
from streamflow.topic import Topic, epoch_ms
from streamflow.topology import TopicDecl
from streamflow.transport import open_transport
from streamflow.transport.base import EARLIEST
from streamflow.worker.run import Worker

T = TypeVar("T")


class TestApp:
    """See the module. Sources don't run (a test sends instead) and sinks aren't called: `read(sink)` gives the rows.

    Args:
        start: when virtual time begins; ISO 8601 or a datetime.
    """

    __test__ = False

    def __init__(self, app: App, *, start: str | datetime = "2026-01-01T00:00:00Z") -> None:
        self.app = app
        self._start_ms = _when_ms(start)
        self._loop = VirtualLoop()
        self._transport = open_transport("memory://", now_ms=self._now_ms)
        self._read: dict[str, list[Event]] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._main: asyncio.Task[None] | None = None
        self._worker: Worker | None = None

    # Life

    def __enter__(self) -> TestApp:
        self._loop.run_until_complete(self._transport.open())
        try:
            self._begin()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._main is not None, "entered before it is left"
        assert self._worker is not None, "entered before it is left"
        try:
            if kind is None:
                self._worker.stop()
            else:
                self._main.cancel()
            self._finish(self._main)
            if not self._main.cancelled():
                stopped_by = self._main.exception()
                if stopped_by is not None and kind is None:
                    raise stopped_by
        finally:
            self._close()

    def _close(self) -> None:
        self._loop.run_until_complete(self._transport.close())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _begin(self) -> None:
        self._worker = Worker(self.app, transport=self._transport, now_ms=self._now_ms, sinks=False, sources=False)
        self._main = self._loop.create_task(self._worker.run())
        self._wait(self._worker.ready.wait())

    def crash(self) -> None:
        """As by kill -9: what isn't committed is gone, and a new worker starts on the same log."""
        assert self._main is not None, "entered before it crashes"
        self._main.cancel()
        self._finish(self._main)
        self._begin()

    # Time

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self._now_ms() / 1000, UTC)

    def advance(self, duration: Duration) -> None:
        """Processing time passes: timers fire, lists time out, live topics' watermarks follow the clock."""
        self._settle()
        self._wait(asyncio.sleep(duration_ms(duration) / 1000))
        self._settle()

    def end(self) -> None:
        """The input is complete: every window closes."""
        assert self._worker is not None, "entered before it ends"
        self._settle()
        self._wait(self._worker.finish_input(pause=0))

    # In and out

    def send(
        self,
        topic: Topic,
        value: Any = None,
        *,
        key: Any = None,
        at: str | datetime | int | None = None,
        headers: Mapping[str, bytes | None] | None = None,
    ) -> None:
        """Appends an event. `at` is its event time (ISO 8601, datetime, or ms); by default what the topic reads from
        the value, else now."""
        when = None if at is None else _when_ms(at)
        self._wait(topic.send(value, key=key, timestamp=when, headers=headers))

    def send_all(self, topic: Topic, values: Iterable[Any]) -> None:
        """Appends events one after the other, before the app sees the first."""

        async def send() -> None:
            for value in values:
                await topic.send(value)

        self._wait(send())

    def send_raw(self, topic: Topic, value: bytes | None, *, key: bytes | None = None) -> None:
        """Appends bytes as they are: what another program might have written."""
        assert self._worker is not None, "entered before it sends"
        codec = value_codec("raw", bytes)
        raw = dataclasses.replace(topic.decl, key=codec, value=codec, key_of=None, timestamp_of=None)
        self._wait(self._worker.send(raw, key, value, self._now_ms(), ()))

    def read(self, target: Topic | Sink | str) -> list[Any]:
        """Values that came out since the last `read` of the target: of a topic (object or name), or a sink's rows."""
        return [e.value for e in self.events(target)]

    def events(self, target: Topic | Sink | str) -> list[Event]:
        """`read`, with everything known about each event. In event-time order, over all partitions."""
        self._settle()
        decl = self._decl(target)
        found = self._wait(self._fetch(decl))
        found.sort(key=lambda e: (e.timestamp, e.partition, e.offset))
        return found

    def table(self, table: Table[T]) -> dict[Any, T]:
        """A copy of the table, all partitions."""
        self._settle()
        return table.as_dict()

    @property
    def late_records(self) -> int:
        """Records that were too late for their windows."""
        self._settle()
        assert self._worker is not None, "entered before it is asked"
        return self._worker.figures().late

    # Inside

    def _now_ms(self) -> int:
        return self._start_ms + round(self._loop.time() * 1000)

    def _decl(self, target: Topic | Sink | str) -> TopicDecl:
        if isinstance(target, Topic):
            return target.decl
        if not isinstance(target, str):
            return next(decl for sink, decl in self.app.sinks if sink is target)
        plan = self._wait(self.app.plan())
        known = {t.name: t for t in plan.topics}
        if target not in known:
            raise UnknownTopicError(target, sorted(known))
        return known[target]

    async def _fetch(self, decl: TopicDecl) -> list[Event]:
        partitions = (await self._transport.topics())[decl.name].partitions
        tps = [TopicPartition(decl.name, p) for p in range(partitions)]
        starts = await self._transport.offsets_for_times(dict.fromkeys(tps, EARLIEST))
        reader = await self._transport.reader()
        reader.assign({tp: max(starts[tp], self._positions.get(tp, 0)) for tp in tps})
        found: list[Event] = []
        while any((await reader.lag()).values()):
            for tp, batch in await reader.poll(10_000, 0):
                headers = batch.headers or [()] * len(batch)
                keys, values = decl.key.decode_many(batch.keys), decl.value.decode_many(batch.values)
                rows = zip(keys, values, batch.timestamps, batch.offsets, headers, strict=True)
                found += [Event(k, v, t, o, tp.topic, tp.partition, h) for k, v, t, o, h in rows]
        self._positions.update({tp: reader.position(tp) for tp in tps})
        await reader.close()
        return found

    def _settle(self) -> None:
        assert self._worker is not None, "entered before it settles"
        self._wait(self._worker.settle(pause=0))

    def _wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs the loop until the coroutine is done. Raises: what stopped the worker, if something did."""
        try:
            result = self._loop.drive(coroutine, unless=self._stopped, waiting=self._waiting)
        except asyncio.CancelledError:
            self._check()
            raise
        self._check()
        return result

    def _finish(self, main: asyncio.Task[None]) -> None:
        """Runs the loop until the worker is gone, however it went."""

        async def gone() -> None:
            await asyncio.wait([main])

        self._loop.drive(gone(), unless=lambda: False, waiting=self._waiting)

    def _waiting(self) -> str:
        return self._worker.waiting() if self._worker is not None else "its start"

    def _stopped(self) -> bool:
        return self._main is not None and self._main.done()

    def _check(self) -> None:
        if self._main is None or self._worker is None:
            return
        if self._worker.ready.is_set() and not self.app.running:
            self._finish(self._main)  # It is on its way out.
        if self._main.done():
            self._main.result()
            raise AppError("the app has stopped")


def _when_ms(when: str | datetime | int) -> int:
    if isinstance(when, str):
        parsed = datetime.fromisoformat(when)
        return epoch_ms(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
    return epoch_ms(when)
