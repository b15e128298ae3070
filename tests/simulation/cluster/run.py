"""One run: clients work on a cluster while things go wrong; then all is healed, read, and judged."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import anyio
import structlog

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import create_topics_request
from tests.simulation.checkers import anomalies, copies, groups
from tests.simulation.checkers.invariants import Invariants
from tests.simulation.checkers.operations import OK
from tests.simulation.cluster import loop as simulated
from tests.simulation.cluster.client import TROUBLE, Client, World
from tests.simulation.cluster.cluster import Cluster
from tests.simulation.cluster.consumers import Reader
from tests.simulation.cluster.copiers import COPY, Copier
from tests.simulation.cluster.faults import Fault, Nemesis, draw, draw_few
from tests.simulation.cluster.history import ANYTHING, History
from tests.simulation.cluster.loop import SimulatedLoop
from tests.simulation.cluster.members import Member
from tests.simulation.cluster.producers import IdempotentProducer, TransactionalProducer
from tests.simulation.cluster.trace import Trace

TOPICS = {"t": 2, "u": 1}
CLIENTS = ("i1", "i2", "t1", "t2", "c1", "c2", "u1", "x1", "x2", "m1", "m2")
LOOK_SECONDS = 0.05
SETTLE_SECONDS = 60.0
"""After everything is healed, for every client to finish and every record to be read."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A run, entirely. `clients` are names: a letter says the kind."""

    seed: int
    nodes: int
    seconds: float
    faults: tuple[Fault, ...]
    clients: tuple[str, ...]

    @classmethod
    def draw(cls, seed: int, nodes: int = 1, seconds: float = 12.0) -> Scenario:
        """What the seed stands for."""
        chance = Random(f"scenario {seed}")
        faults = tuple(draw(chance, nodes, seconds))
        return cls(seed, nodes, seconds, faults, CLIENTS)

    @classmethod
    def brief(cls, seed: int, nodes: int = 3, seconds: float = 4.0) -> Scenario:
        """Another run of the seed: a quarter of the work, so that many more are made."""
        chance = Random(f"brief scenario {seed}")
        faults = tuple(draw_few(chance, nodes, seconds))
        kept = set(chance.sample(CLIENTS, chance.randint(3, 6)))
        return cls(seed, nodes, seconds, faults, tuple(name for name in CLIENTS if name in kept))


@dataclass(slots=True)
class Outcome:
    """What a run came to. `violations` is empty when all is well."""

    scenario: Scenario
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: dict[str, int] = field(default_factory=dict)
    frames: int = 0
    digest: str = ""
    trace: list[str] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)


def run(scenario: Scenario, *, keep: bool = False) -> Outcome:
    """Args:
    keep: the trace's lines and the history as well.
    """
    outcome = Outcome(scenario)

    async def main(loop: SimulatedLoop) -> None:
        await _Run(loop, scenario, outcome, keep=keep).run()

    with _silence():
        try:
            simulated.run(main)
        except simulated.Stuck as error:
            outcome.violations.append(f"stuck: {error}")
    return outcome


@contextmanager
def _silence() -> Iterator[None]:
    """Thousands of runs say nothing."""
    config = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**config)


class _Run:
    def __init__(self, loop: SimulatedLoop, scenario: Scenario, outcome: Outcome, *, keep: bool) -> None:
        self.loop = loop
        self.scenario = scenario
        self.outcome = outcome
        self.trace = Trace(loop, keep=keep)
        self.chance = Random(f"run {scenario.seed}")
        self.cluster = Cluster(loop, self.chance, self.trace, scenario.nodes)
        self.history = History(loop)
        self.world = World(loop, self.cluster.network, self.history, tuple(self.cluster.machines), TOPICS)
        self.invariants = Invariants()

    async def run(self) -> None:
        """Everything, and what it came to."""
        for machine in self.cluster.machines.values():
            self.cluster.start(machine)
        self.loop.begin(None, self._look())
        if await self._within(SETTLE_SECONDS, self._prepare()):
            await self._work()
        self._judge()

    async def _work(self) -> None:
        self.cluster.clients.extend(self.scenario.clients)
        clients = [self._client(name) for name in self.scenario.clients]
        started = self.loop.time()
        faults = [replace(fault, at=fault.at + started) for fault in self.scenario.faults]
        nemesis = Nemesis(self.cluster, faults)
        tasks = [self.loop.begin(None, client.run()) for client in clients]
        await anyio.sleep(self.scenario.seconds)
        nemesis.end()
        self.cluster.heal()
        self.outcome.faults = nemesis.done
        self.world.over = True
        for client, task in zip(clients, tasks, strict=True):
            if not await self._within(SETTLE_SECONDS, _ended(task)):
                self.outcome.violations.append(
                    f"no progress: {client.name} hasn't ended {SETTLE_SECONDS} s after healing"
                )
        await self._within(SETTLE_SECONDS, self._progress())
        await self._within(SETTLE_SECONDS, self._read_all())

    def _client(self, name: str) -> Client:
        chance = Random(f"{self.scenario.seed} {name}")
        match name[0]:
            case "i":
                return IdempotentProducer(name, self.world, chance)
            case "t":
                return TransactionalProducer(name, self.world, chance)
            case "c":
                return Reader(name, self.world, chance)
            case "x":
                return Copier(name, self.world, chance)
            case "m":
                return Member(name, self.world, chance)
            case "u":
                return Reader(name, self.world, chance, committed=False)
        raise ValueError(f"no client is called '{name}'")

    async def _within(self, seconds: float, work: Any) -> bool:
        """Whether it ended by then."""
        with anyio.move_on_after(seconds):
            await work
            return True
        if hasattr(work, "__qualname__"):
            self.outcome.violations.append(f"no progress: {work.__qualname__} takes more than {seconds} s")
        return False

    async def _prepare(self) -> None:
        """The topics are made."""
        admin = Client("admin", self.world, Random(f"{self.scenario.seed} admin"))
        config = create_topics_request.CreatableTopicConfig
        request = create_topics_request.CreateTopicsRequest(
            topics=[
                create_topics_request.CreatableTopic(
                    name=name,
                    num_partitions=partitions,
                    replication_factor=min(3, self.scenario.nodes),
                    configs=[
                        config(name="segment.bytes", value="4096"),
                        config(name="index.interval.bytes", value="256"),
                        config(name="min.insync.replicas", value=str(min(2, self.scenario.nodes))),
                    ],
                )
                for name, partitions in TOPICS.items()
            ],
            timeout_ms=5000,
        )
        while True:
            try:
                answer = await admin.ask(admin.chance.choice(self.world.nodes), request)
                if all(t.error_code in (ErrorCode.none, ErrorCode.topic_already_exists) for t in answer.topics):
                    return
            except TROUBLE:
                pass
            await anyio.sleep(0.1)

    async def _progress(self) -> None:
        """Each partition takes a record again."""
        producer = IdempotentProducer("late", self.world, Random("late"))
        waiting = list(self.world.partitions)
        while waiting:
            before = len(self.history.operations)
            await producer.step()
            for operation in self.history.operations[before:]:
                if operation.outcome == OK and operation.sent[0].partition in waiting:
                    waiting.remove(operation.sent[0].partition)
            await anyio.sleep(0.05)

    async def _read_all(self) -> None:
        """From the beginning to the end, where no transaction may be open any more."""
        reader = Reader("final", self.world, Random("final"))
        for partition in self.world.partitions:
            while True:
                answered = await reader.poll(partition, wait_ms=100)
                position = reader.positions[partition]
                if answered and position == reader.stable[partition] == reader.watermarks[partition]:
                    break
                await anyio.sleep(0 if answered and position < reader.stable[partition] else 0.1)

    async def _look(self) -> None:
        while True:
            await anyio.sleep(LOOK_SECONDS)
            machines = self.cluster.machines.values()
            self.invariants.look((m.id, m.lives, m.node) for m in machines if m.up and m.node is not None)

    def _judge(self) -> None:
        outcome, history = self.outcome, self.history
        peeks = [o for o in history.operations if o.kind == ANYTHING]
        found = anomalies.find([o for o in history.operations if o.kind != ANYTHING], peeks)
        found |= copies.check(history.operations, COPY) | groups.check(history.operations)
        outcome.violations += [f"{name}: {len(which)}, such as {which[:3]}" for name, which in found.items()]
        outcome.violations += history.violations + self.cluster.failures + self.cluster.network.broken
        outcome.violations += self.invariants.found
        outcome.counts = history.counts()
        outcome.frames = self.cluster.network.frames
        outcome.seconds = self.loop.time()
        self.trace.add(f"end {sorted(outcome.counts.items())}")
        outcome.digest = self.trace.digest
        outcome.trace = self.trace.kept or []
        outcome.history = history.rows() if self.trace.kept is not None else []


async def _ended(task: Any) -> None:
    await task
