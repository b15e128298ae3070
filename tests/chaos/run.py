"""`make chaos MINUTES=10`: three broker processes, librdkafka's clients, and what goes wrong in production.

    python -m tests.chaos.run [--minutes 10] [--kind streamflow|kafka] [--nodes 3] [--seed N] [--faults kill,pause,…]

A run makes a cluster whose every connection goes through a network that can be cut, lets clients write and read while a
nemesis works, then mends everything and reads until every acknowledged record is seen. It prints what was acknowledged,
done and found, and adds a JSON row to `build/chaos/runs.jsonl`. An anomaly keeps the history and the nodes' logs.

Rules for whoever edits this: a run that couldn't do what it says fails; an anomaly is told, never explained away.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/conformance/clients"))

from clusters import KINDS, Cluster, Plan  # noqa: E402
from confluent_kafka import Consumer, KafkaError, TopicPartition  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402

from tests.chaos import nemesis  # noqa: E402
from tests.chaos.anomalies import anomalies  # noqa: E402
from tests.chaos.clients import CLIENT, CONSUMER, Client, Copier, Member, Reader, Sender, Session, Transactor  # noqa: E402
from tests.chaos.history import unavailability  # noqa: E402
from tests.chaos.proxy import Door, Network  # noqa: E402
from tests.chaos.world import RESTART_SECONDS, ClusterWorld, mount_small_disk, unmount_small_disk  # noqa: E402

RESULTS = ROOT / "build/chaos"
TOPIC = "chaos"
PARTITIONS = 6
SEGMENT_BYTES = 1 << 20
READ_EVERYTHING_SECONDS = 300
CLIENTS_END_SECONDS = 90
SETTLE_SECONDS = 60
WARM_UP_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """A run, entirely: the same seed draws the same faults."""

    kind: str
    nodes: int
    minutes: float
    seed: int
    faults: tuple[str, ...]


@dataclass(slots=True)
class Report:
    """What a run came to. `notes` says what was left out and why."""

    asked: Asked
    acknowledged: int = 0
    operations: dict[str, Counter[str]] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    unavailable_seconds: dict[int, float] = field(default_factory=dict)
    trouble: Counter[str] = field(default_factory=Counter)
    anomalies: dict[str, list[Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    reading_seconds: float = 0.0
    kept: str = ""

    def row(self) -> dict[str, Any]:
        """As JSON: counts alone, the kept directory has the rest."""
        asked = self.asked
        return {
            "at": datetime.now(UTC).isoformat(),
            "kind": asked.kind,
            "nodes": asked.nodes,
            "minutes": asked.minutes,
            "seed": asked.seed,
            "acknowledged": self.acknowledged,
            "operations": {kind: dict(outcomes) for kind, outcomes in self.operations.items()},
            "faults": dict(self.faults),
            "unavailable_seconds_max": max(self.unavailable_seconds.values(), default=None),
            "trouble": dict(self.trouble),
            "anomalies": {name: len(found) for name, found in self.anomalies.items()},
            "reading_seconds": round(self.reading_seconds, 1),
            "notes": self.notes,
            "kept": self.kept,
        }

    def __str__(self) -> str:
        asked = self.asked
        lines = [f"{asked.kind}, {asked.nodes} nodes, {asked.minutes:g} minutes, seed {asked.seed}"]
        lines.append(f"acknowledged records  {self.acknowledged:,}")
        for kind, outcomes in sorted(self.operations.items()):
            lines.append(f"  {kind:<22}" + "  ".join(f"{o} {outcomes[o]:,}" for o in ("ok", "fail", "info")))
        lines.append(f"faults                {self.faults.total()}")
        lines += [f"  {fault:<34}{n}" for fault, n in sorted(self.faults.items())]
        if self.trouble:
            lines.append("what clients were told")
            lines += [f"  {what:<48}{n}" for what, n in self.trouble.most_common()]
        longest = max(self.unavailable_seconds.values(), default=float("inf"))
        lines.append(f"longest without an acknowledged produce to some partition  {longest:.1f} s")
        lines.append(f"everything read {self.reading_seconds:.1f} s after healing")
        lines += [f"note: {note}" for note in self.notes]
        lines.append(f"anomalies             {sum(map(len, self.anomalies.values()))}")
        lines += [f"  {name}: {len(found)}, such as {found[:3]}" for name, found in self.anomalies.items()]
        return "\n".join(lines + ([f"history and logs are in {self.kept}"] if self.kept else []))


def run(asked: Asked) -> Report:
    """Raises: BrokerDied, TimeoutError and what else keeps a run from being one."""
    home = Path(tempfile.mkdtemp(prefix="streamflow-chaos-"))
    report, random = Report(asked), Random(asked.seed)
    with ExitStack() as stack:
        cluster, network = stack.enter_context(proxied(asked, home))
        small, why = small_disk(cluster, random, stack) if "disk" in asked.faults else (None, "")
        faults = tuple(f for f in asked.faults if f != "disk" or small)
        if why:
            report.notes.append(f"no disk was filled: {why}")
        stack.enter_context(cluster)
        make_topic(cluster)
        session = Session(cluster.bootstrap, TOPIC, PARTITIONS)
        world = ClusterWorld(cluster, network, TOPIC, small, damaged=random.choice(list(cluster.nodes)))
        attack = nemesis.Nemesis(world, nemesis.periods(Random(random.random()), faults), Random(random.random()))
        work(session, attack, cluster, asked.minutes * 60, report)
        (home / "nemesis.txt").write_text("".join(f"{at:8.2f} {what}\n" for at, what in attack.told))
        report.faults = attack.done
    judge(session, report, home)
    if not report.kept:
        cluster.remove()
    return report


def work(session: Session, attack: nemesis.Nemesis, cluster: Cluster, seconds: float, report: Report) -> None:
    """Clients under attack, then everything mended and read."""
    began = time.monotonic()
    births = clients(session, Random(report.asked.seed))
    everyone = [birth() for birth in births]
    for client in everyone:
        client.start()
    session.over.wait(WARM_UP_SECONDS)
    attack.start()
    while time.monotonic() < began + seconds and attack.is_alive() and not any(c.failed for c in everyone):
        time.sleep(0.2)
        for n, client in enumerate(everyone):
            if client.stuck():
                report.notes.append(f"{client.name} was stuck and replaced; it is {where(client)}")
                everyone[n] = births[n]()
                everyone[n].succeed(client)
                everyone[n].start()
    attack.finish(SETTLE_SECONDS)
    cluster.wait(RESTART_SECONDS)
    session.over.set()
    report.unavailable_seconds = unavailability(session.history.operations, began, time.monotonic())
    until = time.monotonic() + CLIENTS_END_SECONDS
    for client in everyone:
        client.join(max(0.1, until - time.monotonic()))
        if client.failed:
            raise client.failed
        if client.is_alive():
            report.notes.append(
                f"{client.name} hasn't ended {CLIENTS_END_SECONDS} s after healing; it is {where(client)}"
            )
    healed = time.monotonic()
    read_everything(session, report)
    report.reading_seconds = time.monotonic() - healed


def where(client: Client) -> str:
    """The line of ours that a thread is at."""
    frame = sys._current_frames().get(client.ident or 0)
    lines = traceback.extract_stack(frame) if frame else []
    return " < ".join(f"at {Path(f.filename).name}:{f.lineno} {f.line}" for f in reversed(lines[-3:])) or "gone"


def clients(session: Session, random: Random) -> list[Callable[[], Client]]:
    """How each is made; together a few hundred operations a second."""
    draw = iter(lambda: Random(random.random()), None)
    return [
        *(partial(Sender, f"sender-{n}", session, next(draw), 0.01) for n in range(2)),
        *(partial(Transactor, f"transactor-{n}", session, next(draw), 0.05) for n in range(2)),
        *(partial(Copier, f"copier-{n}", session, next(draw), 0.1, n) for n in range(2)),
        *(partial(Reader, f"reader-{n}", session, next(draw), 0.02) for n in range(2)),
        *(partial(Member, f"member-{n}", session, next(draw), 0.02, "classic-group") for n in range(2)),
        *(partial(Member, f"newer-member-{n}", session, next(draw), 0.02, "consumer-group") for n in range(2)),
    ]


def read_everything(session: Session, report: Report) -> None:
    """From the beginning, until each partition's end is reached and all that was acknowledged was seen, or too late.

    An end that only those reach who read uncommitted records means a transaction that never ended.
    """
    until = time.monotonic() + READ_EVERYTHING_SECONDS
    missing = session.history.must_be_read()
    committed = ends(session, "read_committed", until, missing)
    final = ends(session, "read_uncommitted", until, set())
    while committed != final and time.monotonic() < until:
        committed = ends(session, "read_committed", until, missing)
    hanging = [(k, committed.get(k), end) for k, end in final.items() if committed.get(k) != end]
    if hanging:
        report.anomalies["hanging-transaction"] = hanging
    if len(final) < session.partitions:
        report.anomalies["unreadable-partition"] = [k for k in range(session.partitions) if k not in final]


def ends(session: Session, isolation: str, until: float, missing: set[tuple[int, int]]) -> dict[int, int]:
    """Where each partition ends for such a reader, who takes `missing` from what it sees and waits for it."""
    settings = {
        **CONSUMER,
        "bootstrap.servers": session.bootstrap,
        "group.id": "final",
        "isolation.level": isolation,
        "enable.partition.eof": True,
    }
    reader = Reader(f"final-{isolation}-{time.monotonic()}", session, Random(0), 0)
    found: dict[int, int] = {}
    with closing(Consumer(settings)) as consumer:
        consumer.assign([TopicPartition(session.topic, k, 0) for k in range(session.partitions)])
        while time.monotonic() < until and (len(found) < session.partitions or missing):
            messages = []
            for message in consumer.consume(1000, 0.5):
                error = message.error()
                if error is None:
                    messages.append(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    found[message.partition()] = message.offset()
                else:
                    session.trouble[f"final: {error.name()}"] += 1
            if isolation == "read_committed":
                reader.read(messages)
                missing -= {(m.partition(), int(m.value())) for m in messages}
    return found


def judge(session: Session, report: Report, home: Path) -> None:
    """Count, look for anomalies, and write the row."""
    report.acknowledged = session.history.acknowledged()
    report.operations = session.history.counts()
    report.trouble = session.trouble
    report.anomalies |= anomalies(session.history.operations)
    if session.unreadable:
        report.anomalies["unreadable-record"] = list(session.unreadable)
    lost = sum(n for what, n in session.trouble.items() if "OFFSET_RESET" in what or "OUT_OF_RANGE" in what)
    if lost:
        report.anomalies["offset-out-of-range"] = [lost]
    if report.anomalies:
        report.kept = str(home)
        session.history.write(home / "history.jsonl")
    RESULTS.mkdir(parents=True, exist_ok=True)
    with (RESULTS / "runs.jsonl").open("a") as out:
        out.write(json.dumps(report.row()) + "\n")


@contextmanager
def proxied(asked: Asked, home: Path) -> Iterator[tuple[Cluster, Network]]:
    """A cluster that isn't started yet, behind its network."""
    nodes: dict[int, Any] = {}
    network = Network(lambda: {n: node.pid for n, node in nodes.items() if node.running})
    known: dict[str, str] = {}

    def reached(node: int, door: str, listens: str) -> str:
        if listens not in known:
            host, _, port = listens.rpartition(":")
            known[listens] = network.listen(Door(node, host, int(port)))
        return known[listens]

    try:
        cluster = Cluster(Plan(asked.kind, home, asked.nodes, reached=reached))
        nodes.update(cluster.nodes)
        yield cluster, network
    finally:
        network.close()


def small_disk(cluster: Cluster, random: Random, stack: ExitStack) -> tuple[int | None, str]:
    """The node that has one, and why none has."""
    node = random.choice(list(cluster.nodes.values()))
    if why := mount_small_disk(node):
        return None, why
    stack.callback(unmount_small_disk, node)
    return node.id, ""


def make_topic(cluster: Cluster) -> None:
    """Small segments, that there are closed ones. Raises: KafkaException; TimeoutError."""
    plan = cluster.plan
    config = {"segment.bytes": str(SEGMENT_BYTES), "min.insync.replicas": str(plan.replicas_in_sync_min)}
    admin = AdminClient({**CLIENT, "bootstrap.servers": cluster.bootstrap})
    made = admin.create_topics([NewTopic(TOPIC, PARTITIONS, plan.replicas, config=config)])
    made[TOPIC].result(SETTLE_SECONDS)
    until = time.monotonic() + SETTLE_SECONDS
    while cluster.in_sync(TOPIC) != dict.fromkeys(range(PARTITIONS), plan.replicas):
        if time.monotonic() > until:
            raise TimeoutError(f"the replicas of {TOPIC} aren't in sync: {cluster.in_sync(TOPIC)}")
        time.sleep(0.2)


def faults_of(kind: str, nodes: int) -> tuple[str, ...]:
    """Apache Kafka promises nothing when files are damaged; neither does anybody with one copy."""
    return tuple(f for f in nemesis.KINDS if f != "damage" or (kind == "streamflow" and nodes > 1))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--kind", choices=KINDS, default="streamflow")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--faults", default=None, help="kinds of them, with commas; unless given, all there are")
    given = parser.parse_args()
    faults = (
        faults_of(given.kind, given.nodes) if given.faults is None else tuple(filter(None, given.faults.split(",")))
    )
    seed = secrets.randbits(32) if given.seed is None else given.seed
    report = run(Asked(given.kind, given.nodes, given.minutes, seed, faults))
    print(report)
    return 1 if report.anomalies or not report.acknowledged else 0


if __name__ == "__main__":
    # Clients that hang at the interpreter's end would hide the answer.
    status = main()
    sys.stdout.flush()
    os._exit(status)
