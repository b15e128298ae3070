"""A sink fed from its outbox: where it goes on, and what is done when it can't."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from structlog.testing import capture_logs

from streamflow.codecs import key_codec, value_codec
from streamflow.errors import ConfigError, SinkError, StreamflowError
from streamflow.event import Batch, TopicPartition
from streamflow.sinks.base import SinkBatch
from streamflow.topology import TopicDecl
from streamflow.transport import open_transport
from streamflow.transport.base import Committed, TopicSpec, Transport
from streamflow.worker.drains import Drain

OUTBOX = TopicDecl(name="shop-rows-outbox", key=key_codec("any"), value=value_codec("msgpack", int), value_type=int)
FIRST, SECOND = TopicPartition(OUTBOX.name, 0), TopicPartition(OUTBOX.name, 1)
GROUP = "shop.sink.rows"


class Rows:
    """A sink that keeps its rows and their offsets in memory."""

    name = "rows"

    def __init__(self, offsets: dict[TopicPartition, int] | None = None) -> None:
        self.kept: dict[TopicPartition, int] = dict(offsets or {})
        self.values: list[Any] = []
        self.calls: list[str] = []
        self.stored: Callable[[], None] = lambda: None

    def open(self, value_type: Any) -> None:
        self.calls.append("open")

    def offsets(self) -> dict[TopicPartition, int]:
        return self.kept

    def write(self, batches: list[SinkBatch]) -> None:
        self.calls.append("write")
        for b in batches:
            self.values += b.batch.values
            self.kept[b.partition] = b.next_offset
        self.stored()

    def close(self) -> None:
        self.calls.append("close")


@asynccontextmanager
async def outbox(*values: int) -> AsyncIterator[Transport]:
    """A log with these rows in the first of the outbox's two partitions."""
    transport = open_transport("memory://", now_ms=lambda: 0)
    await transport.open()
    try:
        await transport.create_topic(TopicSpec(name=OUTBOX.name, partitions=2))
        await append(transport, *values)
        yield transport
    finally:
        await transport.close()


async def append(transport: Transport, *values: int) -> None:
    n = len(values)
    batch = Batch([OUTBOX.key.encode(v) for v in values], [OUTBOX.value.encode(v) for v in values], [0] * n, range(n))
    await (await transport.writer()).append(FIRST, batch)


def drain_of(sink: Rows, transport: Transport) -> Drain:
    return Drain(sink, OUTBOX, 2, GROUP, transport)


async def drained(drain: Drain) -> None:
    """Runs the drain until it has written all there is."""
    await drain.open()
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(drain.run)
            with anyio.fail_after(5):
                while not await drain.quiet():
                    await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
    finally:
        await drain.close()


async def unwrapped(work: Coroutine[Any, Any, None]) -> None:
    """Awaits, and raises what is inside a group of one."""
    try:
        await work
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


def test_rows_are_written_committed_and_deleted_from_the_outbox() -> None:
    sink = Rows()

    async def main() -> None:
        async with outbox(1, 2, 3) as transport:
            await drained(drain_of(sink, transport))
            assert await transport.committed(GROUP) == {FIRST: Committed(3)}
            assert (await transport.describe_partitions(OUTBOX.name))[0].log_start_offset == 3

    anyio.run(main)
    assert sink.values == [1, 2, 3]


def test_a_sink_goes_on_where_it_stopped_whatever_the_group_has_committed() -> None:
    sink = Rows({FIRST: 2})

    async def main() -> None:
        async with outbox(1, 2, 3) as transport:
            await transport.commit_offsets(GROUP, {FIRST: Committed(1)})
            await drained(drain_of(sink, transport))

    anyio.run(main)
    assert sink.values == [3]


@pytest.mark.parametrize("kept", [{FIRST: 4}, {SECOND: 1}, {TopicPartition(OUTBOX.name, 7): 1}])
def test_a_sink_that_was_filled_from_another_log_is_refused(kept: dict[TopicPartition, int]) -> None:
    sink = Rows(kept)

    async def main() -> None:
        async with outbox(1, 2, 3) as transport:
            drain = drain_of(sink, transport)
            with pytest.raises(SinkError) as refused:
                await drain.open()
            await drain.close()
        (where,) = kept
        for part in ("sink 'rows'", str(where), f"offset {kept[where]}", "bring that log back", "begins anew"):
            assert part in str(refused.value)

    anyio.run(main)
    assert sink.values == []
    assert sink.calls[-1] == "close"


def test_offsets_of_other_topics_in_a_sink_are_nobodys_business() -> None:
    sink = Rows({TopicPartition("another-app-rows-outbox", 0): 1_000})

    async def main() -> None:
        async with outbox(1) as transport:
            await drained(drain_of(sink, transport))

    anyio.run(main)
    assert sink.values == [1]


def test_rows_deleted_from_the_outbox_before_they_were_written_are_told() -> None:
    sink = Rows({FIRST: 1})

    async def main() -> None:
        async with outbox(1, 2, 3, 4) as transport:
            await transport.delete_records({FIRST: 3})
            with capture_logs() as logs:
                await drained(drain_of(sink, transport))
        (told,) = [entry for entry in logs if entry["log_level"] == "warning"]
        assert (told["sink"], told["partition"], told["first_lost"], told["next"]) == ("rows", str(FIRST), 1, 3)

    anyio.run(main)
    assert sink.values == [4]


def test_a_sink_that_lost_its_offsets_goes_on_behind_what_it_was_given_and_this_is_told() -> None:
    sink = Rows()

    async def main() -> None:
        async with outbox(1, 2, 3) as transport:
            await drained(drain_of(Rows(), transport))
            await append(transport, 4)
            with capture_logs() as logs:
                await drained(drain_of(sink, transport))
        assert [entry["sink"] for entry in logs if "given before" in entry["event"]] == ["rows"]

    anyio.run(main)
    assert sink.values == [4]


def test_a_row_of_an_older_type_stops_the_drain_with_its_place() -> None:
    async def main() -> None:
        async with outbox(1) as transport:
            old = Batch([None, None], [OUTBOX.value.encode(2), b"\xa3old"], [0, 0], range(2))
            await (await transport.writer()).append(FIRST, old)
            with pytest.raises(SinkError, match=rf"the row at {FIRST} offset 2, which was written before"):
                await unwrapped(drained(drain_of(Rows(), transport)))

    anyio.run(main)


def test_a_write_that_fails_is_tried_again_on_the_reopened_sink(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamflow.worker.drains.BACKOFF_SECONDS", 0)
    sink = Rows()

    def lost_once() -> None:
        if sink.calls.count("write") == 1:
            sink.values.clear()
            sink.kept.clear()
            raise OSError("connection reset")

    sink.stored = lost_once

    async def main() -> None:
        async with outbox(1, 2) as transport:
            with capture_logs() as logs:
                await drained(drain_of(sink, transport))
            assert await transport.committed(GROUP) == {FIRST: Committed(2)}
        assert [(e["sink"], e["attempt"], e["error"]) for e in logs] == [("rows", 1, "connection reset")]

    anyio.run(main)
    assert sink.values == [1, 2]
    assert sink.calls == ["open", "write", "close", "open", "write", "close"]


def test_a_sink_that_always_fails_stops_the_worker_and_its_rows_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamflow.worker.drains.BACKOFF_SECONDS", 0)
    sink, mended = Rows(), Rows()

    def refused() -> None:
        raise OSError("disk on fire")

    sink.stored = refused

    async def main() -> None:
        async with outbox(1, 2) as transport:
            with pytest.raises(
                StreamflowError, match=r"refused 2 rows 5 times: disk on fire; they stay in 'shop-rows-"
            ):
                await unwrapped(drained(drain_of(sink, transport)))
            assert await transport.committed(GROUP) == {}
            await drained(drain_of(mended, transport))

    anyio.run(main)
    assert sink.calls.count("write") == 5
    assert mended.values == [1, 2]


def test_a_sink_that_is_set_up_wrongly_is_not_tried_again() -> None:
    sink = Rows()

    def wrong() -> None:
        raise ConfigError("no such key")

    sink.stored = wrong

    async def main() -> None:
        async with outbox(1) as transport:
            with pytest.raises(ConfigError, match="no such key"):
                await unwrapped(drained(drain_of(sink, transport)))

    anyio.run(main)
    assert sink.calls == ["open", "write", "close"]


def test_a_worker_that_stops_during_a_write_waits_for_its_end_and_adds_nothing_at_the_next_start() -> None:
    sink = Rows()
    entered, leave = threading.Event(), threading.Event()

    def slow() -> None:
        entered.set()
        leave.wait(5)

    sink.stored = slow

    async def main() -> None:
        async with outbox(1, 2) as transport:
            drain = drain_of(sink, transport)
            await drain.open()
            async with anyio.create_task_group() as group:
                group.start_soon(drain.run)
                await anyio.to_thread.run_sync(entered.wait)
                group.cancel_scope.cancel()
                leave.set()
            await drain.close()
            assert sink.calls == ["open", "write", "close"]
            assert await transport.committed(GROUP) == {}
            await drained(drain_of(sink, transport))

    anyio.run(main)
    assert sink.values == [1, 2]


def test_a_call_that_the_sink_does_not_return_from_is_shown_to_who_watches() -> None:
    sink = Rows()
    places = []

    async def main() -> None:
        async with outbox(1, 2) as transport:
            drain = drain_of(sink, transport)
            assert drain.held() == []
            sink.stored = lambda: places.extend(str(held.place()) for held in drain.held())
            await drained(drain)
            assert drain.held() == []

    anyio.run(main)
    assert places == [f"sink 'rows' on {FIRST} offset 0"]


def test_a_worker_that_stops_between_two_attempts_does_not_wait_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamflow.worker.drains.BACKOFF_SECONDS", 3600)
    sink = Rows()

    def refused() -> None:
        raise OSError("down")

    sink.stored = refused

    async def main() -> None:
        async with outbox(1) as transport:
            drain = drain_of(sink, transport)
            await drain.open()
            with anyio.fail_after(5):
                async with anyio.create_task_group() as group:
                    group.start_soon(drain.run)
                    while "write" not in sink.calls:
                        await anyio.lowlevel.checkpoint()
                    group.cancel_scope.cancel()
            assert not await drain.quiet()
            await drain.close()

    anyio.run(main)
    assert sink.calls == ["open", "write", "close"]
