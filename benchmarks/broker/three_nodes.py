"""Three nodes and three replicas on one machine: the rates of acks=all, ours beside Apache Kafka's.

    python -m benchmarks.broker.three_nodes [--scale 0.2] [--contenders streamflow kafka]

One topic of one partition, every record on three nodes before it is acknowledged (`min.insync.replicas` is 2); the load
generators are librdkafka's and Kafka's own, those of `run`. Streamflow is measured twice: as it comes, each replica
waiting for its disk, and with flush=os, which is what Kafka does.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks.broker.run import BYTES_A_LOAD, RESULTS, Figures, table_of
from benchmarks.broker.tools import CLIENTS, JavaTools, Load, LoadFailedError, Rate, Rdkafka

sys.path.insert(0, str(CLIENTS))
from clusters import Cluster, Plan
from confluent_kafka.admin import AdminClient, NewTopic

JVM = (
    "-Xmx1G",
    "-Xms1G",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
)
CREATE_SECONDS = 30
SHARE = 0.5
"""Of the amounts of `run`: every record is written three times."""


@dataclass(frozen=True, slots=True)
class Trio:
    """`promise` is what an acknowledged record survives on all three at once."""

    name: str
    kind: str
    promise: str
    settings: tuple[tuple[str, str], ...] = ()


TRIOS = (
    Trio("streamflow", "streamflow", "a power cut of all three", (("log.flush", "commit"),)),
    Trio("streamflow, flush=os", "streamflow", "three killed processes", (("log.flush", "os"),)),
    Trio("kafka", "kafka", "three killed processes"),
)


def measure(trio: Trio, tools: list[Rdkafka | JavaTools], scale: float, console: Console) -> Figures:
    """Rates by name, of three nodes in directories of their own."""
    home = Path(tempfile.mkdtemp(prefix="streamflow-three-"))
    figures: Figures = {}
    try:
        with Cluster(Plan(trio.kind, home, settings=dict(trio.settings), jvm=JVM)) as cluster:
            admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
            for size, amount in BYTES_A_LOAD.items():
                for tool in tools:
                    load = Load(f"{tool.name}-{size}", int(amount * scale * SHARE) // size, size, "-1")
                    new = NewTopic(load.topic, 1, 3, config={"min.insync.replicas": "2"})
                    admin.create_topics([new])[load.topic].result(CREATE_SECONDS)
                    for name, work in (("produce", tool.produce), ("fetch", tool.consume)):
                        figure = f"{name} {tool.name}, {size} B, three replicas, rec/s"
                        with console.status(f"{trio.name}: {figure}"):
                            figures[figure] = rate(partial(work, cluster.bootstrap, load))
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return figures


def rate(work: Callable[[], Rate]) -> float | str:
    try:
        return work().records_per_second
    except LoadFailedError as failed:
        return f"failed: {failed}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="of the amount of records")
    parser.add_argument("--contenders", nargs="*", default=[t.name for t in TRIOS])
    asked = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 140)
    with console.status("building the load generators"):
        tools: list[Rdkafka | JavaTools] = [Rdkafka(), JavaTools()]
    results = {t.name: measure(t, tools, asked.scale, console) for t in TRIOS if t.name in asked.contenders}
    console.print(table_of(results))
    for trio in TRIOS:
        console.print(f"{trio.name}: an acknowledged record survives {trio.promise}.", style="dim")
    machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    RESULTS.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    with (RESULTS / f"three-nodes-{now:%Y%m%d-%H%M%S}.jsonl").open("w") as out:
        for contender, figures in results.items():
            for name, value in figures.items():
                row = {"contender": contender, "figure": name, "value": value, "at": now.isoformat(), **machine}
                out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
