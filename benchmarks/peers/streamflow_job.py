"""Streamflow's side: the jobs as its users write them, on the embedded durable log.

    python -m benchmarks.peers.streamflow_job --job agent --events 500000

Everything is included: records read from the log's files, decoded by type, state with its changelog, and offsets,
state and outputs committed as one transaction each interval. README.md says how that compares with the peers.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from time import perf_counter
from typing import Any

import anyio

import streamflow as sf
from benchmarks.events import AMOUNT_MIN, DISTINCT, TOPIC, digest, payloads, timestamp_ms, whole_windows
from benchmarks.peers.measure import Outcome, main
from streamflow.event import Batch, TopicPartition
from streamflow.topic import Topic
from streamflow.transport import open_transport
from streamflow.transport.base import TopicSpec

BATCH = 1_000


class Event(sf.Record):
    user: str
    amount: float
    kind: str


class Bench:
    """An app on a log of its own, and its topic."""

    def __init__(self, folder: str) -> None:
        self.app = sf.App("bench", log=f"log://{folder}", partitions=1)
        self.topic: Topic = self.app.topic(TOPIC, value=Event, key="user")

    def fill(self, events: int) -> None:
        """Writes the events to the log, before anything is measured."""
        anyio.run(_fill, self.app.log, events)

    def run(self) -> float:
        """Runs to the end of the input. Returns the seconds, opening and closing the log included."""
        started = perf_counter()
        sf.run(self.app, until_end=True)
        return perf_counter() - started


async def _fill(log: str, events: int) -> None:
    made = payloads()
    transport = open_transport(log)
    await transport.open()
    try:
        await transport.create_topic(TopicSpec(name=TOPIC, partitions=1))
        writer = await transport.writer()
        for first in range(0, events, BATCH):
            numbers = range(first, min(first + BATCH, events))
            chosen = [made[i % DISTINCT] for i in numbers]
            times = [timestamp_ms(i) for i in numbers]
            batch = Batch([p.key for p in chosen], [p.value for p in chosen], times, numbers)
            await writer.append(TopicPartition(TOPIC, 0), batch)
        await writer.close()
    finally:
        await transport.close()


def produce(events: int) -> Outcome:
    records = [Event(p.user, p.amount, p.kind) for p in payloads()]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder)
        sent = 0

        @bench.app.source
        async def feed(position: int | None) -> AsyncIterator[sf.Feed]:
            nonlocal sent
            for first in range(0, events, BATCH):
                numbers = range(first, min(first + BATCH, events))
                yield sf.Feed([(bench.topic, records[i % DISTINCT]) for i in numbers], numbers.stop)
                sent = numbers.stop

        return Outcome(bench.run(), str(sent))


def consume(events: int) -> Outcome:
    seen = 0
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder)
        bench.fill(events)

        @bench.app.agent(bench.topic)
        async def reader(stream: Any) -> None:
            nonlocal seen
            async for _ in stream:
                seen += 1

        return Outcome(bench.run(), str(seen))


def agent(events: int) -> Outcome:
    final: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder)
        bench.fill(events)
        counts = bench.app.table("counts", default=int)

        @bench.app.agent(bench.topic)
        async def counter(stream: Any) -> None:
            async for event in stream.filter(lambda event: event.amount > AMOUNT_MIN):
                counts[event.user] += 1
            final.update(counts.as_dict())

        return Outcome(bench.run(), digest(final.items()))


def window(events: int) -> Outcome:
    rows: list[tuple[str, int, int]] = []

    def keep(row: Any) -> Any:
        rows.append((row.key, round(row.start.timestamp() * 1000), row.n))
        return row

    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder)
        bench.fill(events)
        closed = bench.topic.stream().window(sf.tumbling("1m")).aggregate(n=sf.count())
        closed.map(keep, type=closed.type).to(bench.app.topic("closed", value=closed.type))
        return Outcome(bench.run(), digest(whole_windows(rows, events)))


if __name__ == "__main__":
    main("streamflow", ["msgspec"], {"produce": produce, "consume": consume, "agent": agent, "window": window})
