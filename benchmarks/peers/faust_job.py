"""Faust's side: the jobs as its users write them, run by its own worker over `faust_memory`.

    python -m benchmarks.peers.faust_job --job agent --events 100000

Records are Faust Records decoded from JSON by its own codec (with orjson, as its docs advise for speed), tables are
in memory with a changelog, the event loop is uvloop. README.md says what is and isn't included.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

import faust
import uvloop

from benchmarks.events import AMOUNT_MIN, DISTINCT, TOPIC, WINDOW_MS, digest, payloads, timestamp_ms, whole_windows
from benchmarks.peers.faust_memory import MemoryTransport
from benchmarks.peers.measure import Outcome, main


class Event(faust.Record, serializer="json"):
    user: str
    amount: float
    kind: str


class Bench:
    """A Faust app over the memory transport, and the moment it has seen its last event."""

    def __init__(self, events: int) -> None:
        self.events = events
        self.seen = 0
        self.last_seen = asyncio.Event()
        self.app = faust.App("bench", broker="kafka://unused", store="memory://", web_enabled=False, topic_partitions=1)
        self.transport = MemoryTransport([], self.app)
        self.transport.events = events
        self.app.transport = self.app.producer_transport = self.transport
        self.topic = self.app.topic(TOPIC, key_type=str, value_type=Event)

    def saw_one(self) -> None:
        self.seen += 1
        if self.seen == self.events:
            self.last_seen.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self.app.start()
        try:
            yield
        finally:
            await self.app.stop()

    async def until_committed(self) -> float:
        """Runs the worker until the last event is dealt with and committed. Returns the seconds since the first."""
        async with self.running():
            await self.last_seen.wait()
            await self.app.producer.flush()
            await self.app.consumer.commit()
            return perf_counter() - self.transport.started


async def produce(events: int) -> Outcome:
    bench = Bench(events)
    bench.transport.events = 0
    records = [Event(user=p.user, amount=p.amount, kind=p.kind) for p in payloads()]
    async with bench.running():
        started = perf_counter()
        for i in range(events):
            record = records[i % DISTINCT]
            await bench.topic.send(key=record.user, value=record, timestamp=timestamp_ms(i) / 1000)
        await bench.app.producer.flush()
        return Outcome(perf_counter() - started, str(bench.transport.sent))


async def consume(events: int) -> Outcome:
    bench = Bench(events)

    @bench.app.agent(bench.topic)
    async def reader(stream: Any) -> None:
        async for _ in stream:
            bench.saw_one()

    return Outcome(await bench.until_committed(), str(bench.seen))


async def agent(events: int) -> Outcome:
    bench = Bench(events)
    counts = bench.app.Table("counts", default=int, partitions=1)

    def large(event: Event) -> bool:
        bench.saw_one()
        return event.amount > AMOUNT_MIN

    @bench.app.agent(bench.topic)
    async def counter(stream: Any) -> None:
        async for event in stream.filter(large):
            counts[event.user] += 1

    seconds = await bench.until_committed()
    return Outcome(seconds, digest(counts.items()))


async def window(events: int) -> Outcome:
    bench = Bench(events)
    counts = bench.app.Table("counts", default=int, partitions=1).tumbling(WINDOW_MS / 1000)

    @bench.app.agent(bench.topic)
    async def counter(stream: Any) -> None:
        async for event in stream:
            counts[event.user] += 1
            bench.saw_one()

    seconds = await bench.until_committed()
    rows = [(user, round(start * 1000), n) for (user, (start, _)), n in counts.table.items()]
    return Outcome(seconds, digest(whole_windows(rows, events)))


def job(body: Callable[[int], Coroutine[Any, Any, Outcome]]) -> Callable[[int], Outcome]:
    def run(events: int) -> Outcome:
        logging.basicConfig(level=logging.ERROR)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(body(events))

    return run


if __name__ == "__main__":
    main(
        "faust",
        ["faust-streaming", "orjson", "uvloop"],
        {"produce": job(produce), "consume": job(consume), "agent": job(agent), "window": job(window)},
    )
