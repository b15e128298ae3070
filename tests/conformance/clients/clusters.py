"""Clusters of real brokers, to be killed, paused and cut off: Streamflow's and Apache Kafka's, three nodes or one.

A cluster is made, then started; its nodes keep their ports and directories however often they are killed. Where the
others reach a node can differ from where it listens (`Reached`): that is how a proxy comes between them.

Rules for whoever edits this: what one kind of cluster is told, the other is told by its own name for it.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brokers import ROOT, BrokerDied, answers, run
from toolchains import java, kafka_jars
from wire import Wire, message

KINDS = ("streamflow", "kafka")
READY_SECONDS = 90
ASK_SECONDS = 2
PORTS = range(12_000, 30_000)
"""Below those the system lends to whoever connects: a killed node must get its own again."""
LOG_TAIL_LINES = 40

Reached = Callable[[int, str, str], str]
"""Where others reach a node: of its id, the door's name (client, peer, controller) and where it listens there."""
Settings = Mapping[str, str]


def directly(node: int, door: str, listens: str) -> str:
    """Nothing lies between nodes."""
    return listens


@dataclass(frozen=True, slots=True)
class Plan:
    """A cluster to be made. `jvm` is Kafka's alone: by default a small heap and a quick start."""

    kind: str
    home: Path
    nodes: int = 3
    settings: Settings = field(default_factory=dict)
    reached: Reached = directly
    jvm: Sequence[str] = ("-Xmx512m", "-XX:TieredStopAtLevel=1")

    @property
    def replicas(self) -> int:
        return min(3, self.nodes)

    @property
    def replicas_in_sync_min(self) -> int:
        return min(2, self.nodes)


@dataclass(frozen=True, slots=True)
class Doors:
    """Where a node listens. Streamflow's controllers answer at the peers' door."""

    client: str
    peer: str
    controller: str


def data_of(home: Path) -> Path:
    """Below the node's disk, which may be one of its own."""
    return home / "disk" / "data"


class Node:
    """One process, on the same ports and in the same directory however often it is started."""

    def __init__(self, node_id: int, doors: Doors, home: Path, command: list[str]) -> None:
        self.id, self.doors, self.home = node_id, doors, home
        self.disk, self.data, self.log = home / "disk", data_of(home), home / "log.txt"
        self.paused = False
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"<node {self.id}, {'paused' if self.paused else 'running' if self.running else 'down'}>"

    @property
    def running(self) -> bool:
        """Whether the process is there, paused or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"node {self.id} was never started"
        return self._process.pid

    @property
    def endpoint(self) -> tuple[str, int]:
        host, _, port = self.doors.client.rpartition(":")
        return host, int(port)

    def start(self) -> None:
        """Doesn't wait until it answers."""
        assert not self.running, f"node {self.id} runs already"
        self.paused = False
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(self._command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=ROOT)

    def kill(self) -> None:
        """kill -9, paused or not; nothing to do for one that has ended."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            self._process.wait(20)
        self.paused = False

    def pause(self) -> None:
        if self.running:
            os.kill(self.pid, signal.SIGSTOP)
            self.paused = True

    def resume(self) -> None:
        if self.running:
            os.kill(self.pid, signal.SIGCONT)
        self.paused = False

    def wait(self, seconds: float = READY_SECONDS) -> None:
        """Until it answers. Raises: BrokerDied."""
        until = time.monotonic() + seconds
        while not answers(self.endpoint):
            if not self.running or time.monotonic() > until:
                raise BrokerDied(f"node {self.id} isn't there after {seconds} s:\n{self.said()}")
            time.sleep(0.1)

    def said(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"(whole log: {self.log})", *lines[-LOG_TAIL_LINES:]])


class Cluster:
    """Nodes of one kind, by id from 1."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        doors = {n: Doors(*addresses(3)) for n in range(1, plan.nodes + 1)}
        commands = kafka_commands(plan, doors) if plan.kind == "kafka" else streamflow_commands(plan, doors)
        self.nodes = {n: Node(n, doors[n], plan.home / str(n), commands[n]) for n in doors}
        self.bootstrap = ",".join(plan.reached(n, "client", doors[n].client) for n in doors)

    def __enter__(self) -> Cluster:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """All nodes, and until each answers and knows all others. Raises: BrokerDied."""
        if self.plan.kind == "kafka":
            format_kafka(self.plan)
        for node in self.nodes.values():
            node.start()
        self.wait()

    def wait(self, seconds: float = READY_SECONDS) -> None:
        """Until each node answers and knows all others. Raises: BrokerDied."""
        until = time.monotonic() + seconds
        for node in self.nodes.values():
            node.wait(max(1.0, until - time.monotonic()))
        while not self._complete():
            if time.monotonic() > until:
                raise BrokerDied(f"the nodes don't know each other after {seconds} s")
            time.sleep(0.2)

    def _complete(self) -> bool:
        """Whether every node knows all nodes, and there is a controller."""
        known = [{b.node_id for b in m.brokers} if (m := self.metadata(node)) else set() for node in self.nodes]
        return known == [set(self.nodes)] * len(known) and (len(self.nodes) == 1 or self.controller() is not None)

    def stop(self) -> None:
        for node in self.nodes.values():
            node.kill()

    def remove(self) -> None:
        """What it wrote, logs included."""
        shutil.rmtree(self.plan.home, ignore_errors=True)

    def metadata(self, node: int, topic: str | None = None) -> Any:
        """What a node knows, of one topic or all; None if it doesn't say, or is down or paused."""
        topics = [{"name": topic}] if topic else None
        return self.ask(node, message("metadata", 7, topics=topics, allow_auto_topic_creation=False))

    def ask(self, node: int, request: Any) -> Any:
        """A node's answer, asked where it listens; None if there is none in two seconds."""
        if not self.nodes[node].running or self.nodes[node].paused:
            return None
        with suppress(OSError), Wire(self.nodes[node].endpoint) as wire:
            wire.socket.settimeout(ASK_SECONDS)
            return wire.ask(request)
        return None

    def leader(self, topic: str, partition: int = 0) -> int | None:
        """Of the nodes that answer, the one with the newest knowledge decides."""
        return self.leaders(topic).get(partition)

    def leaders(self, topic: str) -> dict[int, int]:
        """The leaders there are, by partition."""
        newest: dict[int, tuple[int, int]] = {}
        for node in self.nodes:
            for found in self._partitions(node, topic):
                known = (int(found.leader_epoch), int(found.leader_id))
                newest[found.partition_index] = max(known, newest.get(found.partition_index, known))
        return {partition: leader for partition, (_, leader) in newest.items() if leader >= 0}

    def end(self, topic: str, partition: int) -> int:
        """Its high watermark, as its leader tells; 0 if that doesn't answer."""
        asked = {"partition_index": partition, "timestamp": -1}
        request = message("list_offsets", 1, replica_id=-1, topics=[{"name": topic, "partitions": [asked]}])
        leader = self.leaders(topic).get(partition)
        answer = self.ask(leader, request) if leader is not None else None
        return max(0, int(answer.topics[0].partitions[0].offset)) if answer else 0

    def in_sync(self, topic: str) -> dict[int, int]:
        """How many replicas are in sync, by partition, as the first node that answers knows."""
        for node in self.nodes:
            if found := {p.partition_index: len(p.isr_nodes) for p in self._partitions(node, topic)}:
                return found
        return {}

    def _partitions(self, node: int, topic: str) -> Iterator[Any]:
        answer = self.metadata(node, topic)
        for found in answer.topics if answer else ():
            yield from found.partitions

    def controller(self) -> int | None:
        """The leader of the metadata quorum, of the newest epoch that a node tells."""
        topics = [{"topic_name": "__cluster_metadata", "partitions": [{"partition_index": 0}]}]
        asked = message("describe_quorum", 0, topics=topics)
        told = [answer for node in self.nodes if (answer := self.ask(node, asked)) and not answer.error_code]
        found = [p for answer in told for t in answer.topics for p in t.partitions if not p.error_code]
        best = max(found, key=lambda p: int(p.leader_epoch), default=None)
        return int(best.leader_id) if best and best.leader_id >= 0 else None


def streamflow_commands(plan: Plan, doors: Mapping[int, Doors]) -> dict[int, list[str]]:
    """`streamflow broker`, as a user types it."""
    voters = ",".join(f"{n}@{plan.reached(n, 'peer', doors[n].peer)}" for n in doors)
    settings = {
        "default.replication.factor": str(plan.replicas),
        "min.insync.replicas": str(plan.replicas_in_sync_min),
        **plan.settings,
    }
    commands = {}
    for n, door in doors.items():
        command = [sys.executable, "-m", "streamflow.cli.main", "broker", "--data", str(data_of(plan.home / str(n)))]
        command += ["--listen", door.client, "--advertise", plan.reached(n, "client", door.client)]
        if plan.nodes > 1:
            command += ["--node-id", str(n), "--peer-listen", door.peer, "--controllers", voters]
            command += [f"--set={name}={value}" for name, value in settings.items()]
        else:
            command += [f"--set={name}={value}" for name, value in plan.settings.items()]
        (plan.home / str(n) / "disk").mkdir(parents=True, exist_ok=True)
        commands[n] = command
    return commands


def kafka_commands(plan: Plan, doors: Mapping[int, Doors]) -> dict[int, list[str]]:
    """Apache Kafka in KRaft's combined mode. The voters are told to each node, as Streamflow's are."""
    voters = ",".join(f"{n}@{plan.reached(n, 'controller', doors[n].controller)}" for n in doors)
    replicas, in_sync = str(plan.replicas), str(plan.replicas_in_sync_min)
    commands = {}
    for n, door in doors.items():
        home = plan.home / str(n)
        (home / "disk").mkdir(parents=True, exist_ok=True)
        told = f"CLIENT://{plan.reached(n, 'client', door.client)},PEER://{plan.reached(n, 'peer', door.peer)}"
        properties = {
            "process.roles": "broker,controller",
            "node.id": str(n),
            "listeners": f"CLIENT://{door.client},PEER://{door.peer},CONTROLLER://{door.controller}",
            "advertised.listeners": told,
            "listener.security.protocol.map": "CLIENT:PLAINTEXT,PEER:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PEER",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.voters": voters,
            "log.dirs": str(data_of(home)),
            "default.replication.factor": replicas,
            "min.insync.replicas": in_sync,
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": in_sync,
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": in_sync,
            "offsets.topic.num.partitions": "3",
            "transaction.state.log.num.partitions": "3",
            **plan.settings,
        }
        (home / "server.properties").write_text("".join(f"{k}={v}\n" for k, v in properties.items()))
        broker = [java().program, "-Dorg.slf4j.simpleLogger.showDateTime=true", *plan.jvm, "-cp", f"{kafka_jars()}/*"]
        commands[n] = [*broker, "kafka.Kafka", str(home / "server.properties")]
    return commands


def format_kafka(plan: Plan) -> None:
    """Directories as Kafka's own tool makes them. Raises: BrokerDied with what it said."""
    tool = java().command(f"{kafka_jars()}/*", "kafka.tools.StorageTool", "-Xmx128m")
    homes = [plan.home / str(n) / "server.properties" for n in range(1, plan.nodes + 1)]
    with ThreadPoolExecutor(len(homes)) as pool:
        for done in [pool.submit(run, [*tool, "format", "-t", "streamflow-cluster-22", "-c", str(p)]) for p in homes]:
            done.result()


def addresses(count: int) -> list[str]:
    """Free ones on loopback, that nobody is lent while a node is down."""
    with ExitStack() as held:
        found: list[str] = []
        while len(found) < count:
            probe, port = held.enter_context(socket.socket()), random.choice(PORTS)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                found.append(f"127.0.0.1:{port}")
        return found
