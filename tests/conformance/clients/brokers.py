"""The brokers the clients are run against: Streamflow's own, and Apache Kafka as its jars come.

One process each, started when a test first asks for it, on loopback, with the same settings by Kafka's names, killed at
the session's end. A broker that died is started anew for the next test; the one that killed it fails.

Rules for whoever edits this: a setting goes to both brokers, or says in `KAFKA_ONLY` why it can't.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolchains import Missing, java, kafka_jars

ROOT = Path(__file__).parents[3]
READY_SECONDS = 40
LOG_TAIL_LINES, LOG_TAIL_WIDTH = 30, 240

SETTINGS = {
    "auto.create.topics.enable": "true",
    "num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "group.consumer.heartbeat.interval.ms": "200",
}
"""Rebalances and time-outs in fractions of a second; everything else as either broker comes."""

KAFKA_ONLY = {
    # A quorum of one, and one copy of everything: Streamflow's broker has no other kind.
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # Fewer of its own partitions: a quicker start.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    # How low the heartbeat above may be, and how often late transactions are looked for: Streamflow knows when each is.
    "group.consumer.min.heartbeat.interval.ms": "200",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "300",
}


class BrokerDied(Exception):
    """The process has ended, or never answered."""


@dataclass(frozen=True)
class Broker:
    """A running broker: where it listens, and what it has said."""

    name: str
    address: str
    log: Path
    data: Path
    process: subprocess.Popen[bytes]

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def endpoint(self) -> tuple[str, int]:
        host, _, port = self.address.rpartition(":")
        return host, int(port)

    def said(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join([f"(whole log: {self.log})", *(line[:LOG_TAIL_WIDTH] for line in lines[-LOG_TAIL_LINES:])])

    def stop(self) -> None:
        """Kill it and what it wrote. Its log stays."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)
        shutil.rmtree(self.data, ignore_errors=True)


class Brokers:
    """Those running now, by name."""

    def __init__(self, directory: Path, starts: Mapping[str, Callable[[Path], Broker]]) -> None:
        """Args: starts: how each is started, in a directory of its own."""
        self._directory, self._starts = directory, starts
        self._running: dict[str, Broker] = {}
        self._missing: dict[str, Missing] = {}
        self._started = 0

    def get(self, name: str) -> Broker:
        """The broker of that name, started if it isn't running.

        Raises: toolchains.Missing if this machine can't run it; BrokerDied if it doesn't come up.
        """
        if name in self._missing:
            raise self._missing[name]
        running = self._running.get(name)
        if running is None or not running.alive:
            if running is not None:
                running.stop()
            self._started += 1
            home = self._directory / f"{name}-{self._started}"
            home.mkdir()
            try:
                self._running[name] = self._starts[name](home)
            except Missing as why:
                self._missing[name] = why
                raise
        return self._running[name]

    def stop(self) -> None:
        for broker in self._running.values():
            broker.stop()


def start_streamflow(home: Path) -> Broker:
    """`streamflow broker`, as a user types it."""
    address, data = f"127.0.0.1:{free_port()}", home / "data"
    settings = [f"--set={name}={value}" for name, value in SETTINGS.items()]
    command = [sys.executable, "-m", "streamflow.cli.main", "broker", "--data", str(data), "--listen", address]
    return launch("streamflow", [*command, *settings], address, home)


def start_kafka(home: Path) -> Broker:
    """Apache Kafka in KRaft's combined mode: formatted by its own tool, then started."""
    runtime, jars = java(), f"{kafka_jars()}/*"
    address, controller, data = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}", home / "data"
    places = {
        "listeners": f"PLAINTEXT://{address},CONTROLLER://{controller}",
        "controller.quorum.bootstrap.servers": controller,
        "log.dirs": str(data),
    }
    properties = home / "server.properties"
    properties.write_text("".join(f"{k}={v}\n" for k, v in {**SETTINGS, **KAFKA_ONLY, **places}.items()))
    tool = runtime.command(jars, "kafka.tools.StorageTool")
    run([*tool, "format", "--standalone", "-t", "streamflow-conformance", "-c", str(properties)])
    broker = runtime.command(jars, "kafka.Kafka", "-Xmx512m", "-Dorg.slf4j.simpleLogger.showDateTime=true")
    return launch("kafka", [*broker, str(properties)], address, home)


STARTS: dict[str, Callable[[Path], Broker]] = {"streamflow": start_streamflow, "kafka": start_kafka}
"""One node of each."""


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise BrokerDied(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def launch(name: str, command: list[str], address: str, home: Path, env: Mapping[str, str] = os.environ) -> Broker:
    """Start it and wait until it answers. Raises: BrokerDied."""
    log = home / "log.txt"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=ROOT, env=dict(env))
    broker = Broker(name, address, log, home / "data", process)
    until = time.monotonic() + READY_SECONDS
    while not answers(broker.endpoint):
        if process.poll() is not None or time.monotonic() > until:
            broker.stop()
            raise BrokerDied(f"{name} isn't there after {READY_SECONDS} s:\n{broker.said()}")
        time.sleep(0.05)
    return broker


def answers(endpoint: tuple[str, int]) -> bool:
    """Whether it knows its versions and, by a Metadata of no topics, itself."""
    try:
        with socket.create_connection(endpoint, 5) as door:
            versions = ask(door, struct.pack(">hhih", 18, 0, 1, -1))
            brokers = ask(door, struct.pack(">hhihi", 3, 1, 2, -1, 0))
    except OSError:
        return False
    return versions[4:6] == b"\0\0" and struct.unpack_from(">i", brokers, 4)[0] > 0


def ask(door: socket.socket, request: bytes) -> bytes:
    """One request, one response, both without their lengths."""
    door.sendall(struct.pack(">i", len(request)) + request)
    return take(door, struct.unpack(">i", take(door, 4))[0])


def take(door: socket.socket, count: int) -> bytes:
    """Raises: ConnectionError if the broker closes first."""
    got = bytearray()
    while len(got) < count:
        some = door.recv(count - len(got))
        if not some:
            raise ConnectionError(f"closed after {len(got)} of {count} bytes")
        got += some
    return bytes(got)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
