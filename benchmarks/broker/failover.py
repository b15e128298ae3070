"""Three nodes, a producer with acks=all, and a leader that is killed: how long until a record is acknowledged again.

    python -m benchmarks.broker.failover [--kills 10] [--contenders streamflow kafka]

The same client with the same settings (librdkafka through confluent-kafka) before both clusters, on one machine, one
after the other, each alone. A kill is `kill -9` of the node that leads the partition produced to; the time runs from
the signal until the first acknowledgement of a record produced after it. Then the node is started again and waited
for, until all three replicas are in sync. Prints a table and writes a JSON row a cluster under `results/`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.broker.tools import CLIENTS

sys.path.insert(0, str(CLIENTS))
from clusters import KINDS, Cluster, Plan
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

RESULTS = Path(__file__).parents[1] / "results"
KILLS = 10
TOPIC = "failover"
CONFIG = {
    "acks": "all",
    "enable.idempotence": True,
    "linger.ms": 0,
    "reconnect.backoff.ms": 10,
    "reconnect.backoff.max.ms": 100,
    "retry.backoff.ms": 10,
    "retry.backoff.max.ms": 100,
    "topic.metadata.refresh.fast.interval.ms": 10,
    "log_level": 0,
}
"""Quick to ask again: what is left is the cluster's time."""
PAUSE_SECONDS = 0.005
STEADY_SECONDS = 2.0
IN_SYNC_SECONDS = 90
RESUME_SECONDS_MAX = 120
JVM = ("-Xmx512m", "-Xms512m", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20")


class FailoverError(Exception):
    """A cluster didn't come back; the message says from what."""


@dataclass(slots=True)
class Acknowledged:
    """When the newest acknowledged record was produced, and a wait for the first one produced after a moment."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    produced: float = 0.0
    at: float = 0.0

    def note(self, produced: float) -> None:
        with self.changed:
            if produced > self.produced:
                self.produced, self.at = produced, time.monotonic()
                self.changed.notify_all()

    def after(self, moment: float) -> float:
        """When the first record produced after it was acknowledged. Raises: FailoverError."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.produced > moment, RESUME_SECONDS_MAX):
                raise FailoverError(f"nothing was acknowledged within {RESUME_SECONDS_MAX} s of a kill")
            return self.at


@contextmanager
def producing(bootstrap: str) -> Iterator[Acknowledged]:
    """A record each few milliseconds, whatever happens."""
    acknowledged, over = Acknowledged(), threading.Event()
    producer = Producer({**CONFIG, "bootstrap.servers": bootstrap})

    def produce() -> None:
        while not over.wait(PAUSE_SECONDS):
            now = time.monotonic()

            def delivered(error: Any, _: Any, produced: float = now) -> None:
                if error is None:
                    acknowledged.note(produced)

            producer.produce(TOPIC, b"x" * 100, partition=0, on_delivery=delivered)
            producer.poll(0)

    thread = threading.Thread(target=produce, daemon=True)
    thread.start()
    try:
        yield acknowledged
    finally:
        over.set()
        thread.join()
        producer.flush(10)


def failovers(cluster: Cluster, kills: int, console: Console) -> list[float]:
    """Seconds, one a kill. Raises: FailoverError."""
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    config = {"min.insync.replicas": "2"}
    admin.create_topics([NewTopic(TOPIC, 1, 3, config=config)])[TOPIC].result(30)
    in_sync(cluster)
    seconds = []
    with producing(cluster.bootstrap) as acknowledged:
        for n in range(kills):
            with console.status(f"{cluster.plan.kind}: kill {n + 1} of {kills}"):
                acknowledged.after(time.monotonic())
                time.sleep(STEADY_SECONDS)
                leader = cluster.leader(TOPIC)
                if leader is None:
                    raise FailoverError(f"nobody leads {TOPIC}")
                killed = time.monotonic()
                cluster.nodes[leader].kill()
                seconds.append(acknowledged.after(time.monotonic()) - killed)
                cluster.nodes[leader].start()
                cluster.wait()
                in_sync(cluster)
    return seconds


def in_sync(cluster: Cluster) -> None:
    """Raises: FailoverError."""
    until = time.monotonic() + IN_SYNC_SECONDS
    while cluster.in_sync(TOPIC).get(0) != 3:
        if time.monotonic() > until:
            raise FailoverError(f"{cluster.in_sync(TOPIC).get(0)} of 3 replicas are in sync after {IN_SYNC_SECONDS} s")
        time.sleep(0.1)


def measure(kind: str, kills: int, console: Console) -> list[float]:
    """On loopback, in directories of its own. Raises: FailoverError, BrokerDied."""
    home = Path(tempfile.mkdtemp(prefix="streamflow-failover-"))
    try:
        with Cluster(Plan(kind, home, jvm=JVM)) as cluster:
            return failovers(cluster, kills, console)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def table_of(results: dict[str, list[float]]) -> Table:
    table = Table(title="A partition's leader is killed (kill -9): seconds until acks=all is acknowledged again")
    for column in ("three nodes of", "kills", "median", "least", "most"):
        table.add_column(column, justify="left" if column.startswith("three") else "right")
    for kind, seconds in results.items():
        table.add_row(kind, str(len(seconds)), *(f"{f(seconds):.2f}" for f in (median, min, max)))
    return table


def write(results: dict[str, list[float]], now: datetime) -> None:
    machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"failover-{now:%Y%m%d-%H%M%S}.jsonl").open("w") as out:
        for kind, seconds in results.items():
            figures = {"median_s": median(seconds), "max_s": max(seconds), "seconds": [round(s, 3) for s in seconds]}
            out.write(json.dumps({"contender": kind, **figures, "at": now.isoformat(), **machine}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--contenders", nargs="*", default=list(KINDS), choices=KINDS)
    asked = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 140)
    results = {kind: measure(kind, asked.kills, console) for kind in asked.contenders}
    console.print(table_of(results))
    write(results, datetime.now(UTC))


if __name__ == "__main__":
    main()
