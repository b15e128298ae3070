"""`make bench-broker`: our broker and Apache Kafka under the same loads, on this machine, in this run.

    python -m benchmarks.broker.run [--scale 0.2] [--contenders kafka streamflow]

Each contender has a process and an empty directory of its own, and the machine to itself. One topic of one partition;
the load generators are librdkafka's and Kafka's own (`tools`). Prints a table and writes a JSON row a figure under
`results/`. Nothing here passes or fails.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.broker.contenders import CONTENDERS, Contender, Running, running
from benchmarks.broker.tools import JavaTools, Load, LoadFailedError, Rate, Rdkafka

RESULTS = Path(__file__).parents[1] / "results"
BYTES_A_LOAD = {100: 200_000_000, 1000: 600_000_000}
"""By the size of a record: a second or two of work."""
LATENCY_PER_SECOND = 10_000
LATENCY_SECONDS = 10
ACKS = (("1", "acks=1"), ("-1", "acks=all"))

Figures = dict[str, float | str]


def measure(contender: Contender, tools: list[Rdkafka | JavaTools], scale: float, console: Console) -> Figures:
    """Every figure of a contender, by its name."""
    figures: Figures = {}
    with running(contender) as broker:
        figures["ready, s"] = broker.ready_seconds
        figures["memory at rest, MB"] = broker.peak_mb()
        for size, amount in BYTES_A_LOAD.items():
            for tool in tools:
                _rates(figures, tool, broker, (size, int(amount * scale) // size), console)
        for tool in tools:
            if isinstance(tool, Rdkafka):
                _latencies(figures, tool, broker, scale, console)
        figures["memory at its peak, MB"] = broker.peak_mb()
        figures["CPU, s"] = broker.cpu_seconds()
    return figures


def _rates(
    figures: Figures, tool: Rdkafka | JavaTools, broker: Running, amount: tuple[int, int], console: Console
) -> None:
    """Args: amount: a record's size, and how many."""
    size, count = amount
    what = f"{tool.name}, {size} B"
    for acks, said in ACKS:
        load = Load(f"{tool.name}-{size}-{said[5:]}", count, size, acks)
        _figure(figures, f"produce {what}, {said}, rec/s", console, partial(_rate, tool.produce, broker, load))
    _figure(figures, f"fetch {what}, rec/s", console, partial(_rate, tool.consume, broker, load))


def _rate(work: Callable[[str, Load], Rate], broker: Running, load: Load) -> float:
    return work(broker.address, load).records_per_second


def _figure(figures: Figures, name: str, console: Console, work: Callable[[], float]) -> None:
    with console.status(name):
        try:
            figures[name] = work()
        except LoadFailedError as failed:
            figures[name] = f"failed: {failed}"


def _latencies(figures: Figures, tool: Rdkafka, broker: Running, scale: float, console: Console) -> None:
    for size in BYTES_A_LOAD:
        for acks, said in ACKS:
            count = max(1, round(LATENCY_SECONDS * scale)) * LATENCY_PER_SECOND
            load = Load(f"latency-{size}-{said[5:]}", count, size, acks)
            name = f"end to end at {LATENCY_PER_SECOND:,}/s, {size} B, {said}"
            with console.status(name):
                try:
                    figures[f"{name}, p50 ms"], figures[f"{name}, p99 ms"] = tool.latency(
                        broker.address, load, LATENCY_PER_SECOND
                    )
                except LoadFailedError as failed:
                    figures[f"{name}, p50 ms"] = figures[f"{name}, p99 ms"] = f"failed: {failed}"


def table_of(results: dict[str, Figures]) -> Table:
    """A row a figure; the last column is the first contender's over Kafka's."""
    table = Table(title="Brokers under load")
    table.add_column("figure")
    for contender in results:
        table.add_column(contender, justify="right")
    table.add_column("ours / Kafka", justify="right")
    first, *_ = results
    for name in results[first]:
        row = [results[c].get(name, "") for c in results]
        ours, kafka = results[first].get(name), results.get("kafka", {}).get(name)
        both = isinstance(ours, float) and isinstance(kafka, float) and kafka > 0
        table.add_row(name, *map(_shown, row), f"{ours / kafka:.2f}" if both else "")  # type: ignore[operator]
    return table


def _shown(figure: float | str) -> str:
    if isinstance(figure, str):
        return figure[:40]
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="of the amount of records")
    parser.add_argument("--contenders", nargs="*", default=[c.name for c in CONTENDERS])
    asked = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 140)
    with console.status("building the load generators"):
        tools: list[Rdkafka | JavaTools] = [Rdkafka(), JavaTools()]
    results = {c.name: measure(c, tools, asked.scale, console) for c in CONTENDERS if c.name in asked.contenders}
    console.print(table_of(results))
    for contender in CONTENDERS:
        console.print(f"{contender.name}: an acknowledged record survives {contender.promise}.", style="dim")
    machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    RESULTS.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    with (RESULTS / f"broker-{now:%Y%m%d-%H%M%S}.jsonl").open("w") as out:
        for contender_name, figures in results.items():
            for name, value in figures.items():
                row = {"contender": contender_name, "figure": name, "value": value, "at": now.isoformat(), **machine}
                out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
