"""The hot paths in isolation, as nanoseconds a record: what a change to one of them costs or gains.

    python -m benchmarks.micro [--paths decode join] [--seconds 1]

Each path is called over and over with one batch of the benchmarks' events, on one core, the garbage collector off as in
`timeit`; a round takes long enough for the clock, and the table has the best round and the median. Prints a table and
writes a JSON row a path under `results/`. Nothing here passes or fails: compare two runs on one machine, one after the
other. Each path's answer is checked once, before it is measured.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import Any

import anyio
from rich.console import Console
from rich.table import Table

import streamflow as sf
from benchmarks.events import AMOUNT_MIN, TOPIC, WINDOW_MS, payloads, timestamp_ms
from benchmarks.run import HERE, machine
from streamflow.codecs import value_codec
from streamflow.event import Batch, TopicPartition
from streamflow.log.compression import codec_number
from streamflow.log.records import build_batch, decode
from streamflow.operators.aggregate import count
from streamflow.operators.join import Joined, JoinTable
from streamflow.operators.keyed import KeyedAggregate
from streamflow.operators.stateless import Filter, Map
from streamflow.operators.window import WindowAggregate, result_type, tumbling
from streamflow.transport import open_transport
from streamflow.transport.base import TopicSpec, Transport

RECORDS = 1_000
READ_RECORDS = 20_000
BYTES_MAX = 1 << 30
ROUNDS = 7
WHERE = TopicPartition(TOPIC, 0)

Call = Callable[[], Awaitable[Any]] | Callable[[], Any]
"""One pass over its records. What it returns is thrown away."""


class Event(sf.Record):
    user: str
    amount: float
    kind: str


@dataclass(frozen=True, slots=True)
class HotPath:
    """`ready` makes all that isn't measured, and gives the call over `records` records; `waits` says that it awaits."""

    name: str
    what: str
    ready: Callable[[], AbstractAsyncContextManager[Call]]
    records: int = RECORDS
    waits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Nanoseconds a record: of the best round, and the median."""

    path: str
    what: str
    records: int
    rounds: int
    ns_per_record_min: float
    ns_per_record: float


def raw_batch(first: int = 0) -> Batch:
    """Events as the log has them."""
    numbers = range(first, first + RECORDS)
    made = payloads()[:RECORDS]
    times = [timestamp_ms(n) for n in numbers]
    return Batch([p.key for p in made], [p.value for p in made], times, numbers, None, times)


def typed_batch() -> Batch:
    """Events as operators have them."""
    made = payloads()[:RECORDS]
    raw = raw_batch()
    raw.keys = [p.user for p in made]
    return raw.with_values([Event(p.user, p.amount, p.kind) for p in made])


# The log


@asynccontextmanager
async def build(codec: str = "none") -> AsyncIterator[Call]:
    raw = raw_batch()
    yield lambda: build_batch(raw.keys, raw.values, raw.timestamps, None, codec=codec_number(codec))


@asynccontextmanager
async def parse(codec: str = "none") -> AsyncIterator[Call]:
    raw = raw_batch()
    built = build_batch(raw.keys, raw.values, raw.timestamps, None, codec=codec_number(codec))
    assert decode(built, BYTES_MAX).values == raw.values
    yield lambda: decode(built, BYTES_MAX)


@asynccontextmanager
async def log_of(records: int) -> AsyncIterator[Transport]:
    """A log on disk that the operating system flushes as it likes: what is measured is the code, not the disk."""
    with tempfile.TemporaryDirectory() as folder:
        transport = open_transport(f"log://{folder}?flush=os")
        await transport.open()
        try:
            await transport.create_topic(TopicSpec(name=TOPIC, partitions=1))
            writer = await transport.writer()
            for first in range(0, records, RECORDS):
                await writer.append(WHERE, raw_batch(first))
            yield transport
        finally:
            await transport.close()


@asynccontextmanager
async def append() -> AsyncIterator[Call]:
    async with log_of(0) as transport:
        writer, raw = await transport.writer(), raw_batch()
        assert await writer.append(WHERE, raw) == 0
        yield lambda: writer.append(WHERE, raw)


@asynccontextmanager
async def read() -> AsyncIterator[Call]:
    async with log_of(READ_RECORDS) as transport:
        reader = await transport.reader()

        async def whole() -> int:
            reader.assign({WHERE: 0})
            seen = 0
            while seen < READ_RECORDS:
                seen += sum(len(batch) for _, batch in await reader.poll(10_000, 0))
            return seen

        assert await whole() == READ_RECORDS
        yield whole
        await reader.close()


# Values


@asynccontextmanager
async def to_json() -> AsyncIterator[Call]:
    codec, values = value_codec("json", Event), typed_batch().values
    yield lambda: [codec.encode(value) for value in values]


@asynccontextmanager
async def from_json() -> AsyncIterator[Call]:
    codec, raw = value_codec("json", Event), raw_batch().values
    assert codec.decode_many(raw) == typed_batch().values
    yield lambda: codec.decode_many(raw)


# Operators


def above_minimum(event: Event) -> bool:
    return event.amount > AMOUNT_MIN


def kind_of(event: Event) -> str:
    return event.kind


@asynccontextmanager
async def filter_map() -> AsyncIterator[Call]:
    batch, kept, mapped = typed_batch(), Filter(above_minimum), Map(kind_of)

    def both() -> Batch | None:
        left = kept.on_batch(batch)
        return None if left is None else mapped.on_batch(left)

    first = both()
    assert first is not None
    assert first.values == [e.kind for e in batch.values if e.amount > AMOUNT_MIN]
    yield both


@asynccontextmanager
async def keyed_count() -> AsyncIterator[Call]:
    batch, aggregates = typed_batch(), {"n": count()}
    counted = KeyedAggregate(aggregates, result_type("Counts", aggregates, windowed=False))
    first = counted.on_batch(batch)
    assert first is not None
    assert {row.key: row.n for row in first.values} == Counter(batch.keys)
    yield partial(counted.on_batch, batch)


@asynccontextmanager
async def window_update() -> AsyncIterator[Call]:
    batch, aggregates = typed_batch(), {"n": count()}
    row = result_type("Windows", aggregates, windowed=True)
    windows = WindowAggregate(tumbling("1m"), 0, aggregates, row)
    windows.on_batch(batch)
    closed = windows.on_watermark(timestamp_ms(RECORDS) + WINDOW_MS)
    assert closed is not None
    assert {r.key: r.n for r in closed.values} == Counter(batch.keys)
    windows = WindowAggregate(tumbling("1m"), 0, aggregates, row)
    yield partial(windows.on_batch, batch)


@asynccontextmanager
async def join() -> AsyncIterator[Call]:
    batch = typed_batch()
    rows = {user: len(user) for user in batch.keys}
    joined = JoinTable(rows.get)
    first = joined.on_batch(batch)
    assert first is not None
    assert first.values[0] == Joined(batch.values[0], rows[batch.keys[0]])
    yield partial(joined.on_batch, batch)


PATHS = (
    HotPath("build", "records to a batch of the log's format", build),
    HotPath("build-zstd", "the same, compressed", partial(build, "zstd")),
    HotPath("decode", "a batch to columns", parse),
    HotPath("decode-zstd", "the same, compressed", partial(parse, "zstd")),
    HotPath("append", "a batch into a partition on disk, not flushed", append, waits=True),
    HotPath("read", "a partition on disk through a reader, CRCs checked", read, READ_RECORDS, waits=True),
    HotPath("to-json", "records to JSON", to_json),
    HotPath("from-json", "JSON to records, validated", from_json),
    HotPath("filter-map", "filter, then map, of a batch", filter_map),
    HotPath("keyed-count", "a running count by key", keyed_count),
    HotPath("window", "a count by key and minute, no window closing", window_update),
    HotPath("join", "a stream with a table", join),
)


async def measure(path: HotPath, seconds: float) -> Measured:
    """Runs the path for about so long."""
    async with path.ready() as call:
        once = await _round(call, 1, waits=path.waits)
        calls = max(1, round(seconds * 1e9 / ROUNDS / max(1, once)))
        rounds = [await _round(call, calls, waits=path.waits) / calls / path.records for _ in range(ROUNDS)]
    return Measured(
        path=path.name,
        what=path.what,
        records=path.records,
        rounds=ROUNDS,
        ns_per_record_min=round(min(rounds), 1),
        ns_per_record=round(median(rounds), 1),
    )


async def _round(call: Call, calls: int, *, waits: bool) -> int:
    """Nanoseconds of so many calls."""
    gc.collect()
    gc.disable()
    try:
        started = perf_counter_ns()
        if waits:
            for _ in range(calls):
                await call()
        else:
            for _ in range(calls):
                call()
        return perf_counter_ns() - started
    finally:
        gc.enable()


def table_of(measured: Sequence[Measured]) -> Table:
    table = Table()
    table.add_column("path", no_wrap=True)
    table.add_column("what")
    for name in ("ns a record", "best", "records/s"):
        table.add_column(name, justify="right", no_wrap=True)
    for m in measured:
        rate = f"{1e9 / m.ns_per_record:,.0f}"
        table.add_row(m.path, m.what, f"{m.ns_per_record:,.0f}", f"{m.ns_per_record_min:,.0f}", rate)
    return table


def write(measured: Sequence[Measured], here: Mapping[str, Any], folder: Path) -> Path:
    """Writes a JSON row a path. Returns the file."""
    folder.mkdir(exist_ok=True)
    file = folder / f"micro-{here['measured_at'].replace(':', '')}.jsonl"
    file.write_text("".join(f"{json.dumps({**asdict(m), **here})}\n" for m in measured))
    return file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paths", nargs="+", choices=[p.name for p in PATHS], metavar="PATH")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each path")
    asked = parser.parse_args()
    console = Console()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    measured = []
    for path in PATHS:
        if not asked.paths or path.name in asked.paths:
            with console.status(path.name):
                measured.append(anyio.run(measure, path, asked.seconds))
    here = machine()
    console.print(table_of(measured))
    file = write(measured, here, HERE / "results")
    console.print(f"median of {ROUNDS} rounds, one core: {here['cpu']}, Python {here['python']}")
    console.print(f"rows: {file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file}")


if __name__ == "__main__":
    main()
