"""What goes wrong, and when: drawn before a run, so that a part of it can be left out.

A run is cut into periods; each draws a mix of kinds anew, and a quarter of them is quiet.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tests.simulation.cluster.cluster import Cluster, Machine
from tests.simulation.cluster.network import Conditions

PERIOD_SECONDS = 4.0
QUIET = 0.25
ALONE = (
    "kill",
    "power",
    "power-soon",
    "pause",
    "stop",
    "clock",
    "slow",
    "stall",
    "loss",
    "cut-client",
    "full",
    "fsync",
)
TOGETHER = ("isolate", "isolate-leader", "halves", "ring", "one-way", "power-all", "rot")
"""Kinds that take more than one node."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`node` is who suffers, where that matters; `size` is what the kind makes of it, from 0 to 1. In seconds."""

    at: float
    kind: str
    node: int
    seconds: float
    size: float

    def __str__(self) -> str:
        return f"{self.at:.2f} s: {self.kind} of node {self.node} for {self.seconds:.2f} s (size {self.size:.3f})"


def draw(chance: Random, nodes: int, seconds: float) -> list[Fault]:
    """For a run of so many seconds, in order."""
    kinds = ALONE + (TOGETHER if nodes > 1 else ())
    found: list[Fault] = []
    start = 0.5
    while start < seconds:
        mix = [] if chance.random() < QUIET else chance.sample(kinds, chance.randint(1, 3))
        for kind in mix:
            for _ in range(chance.randint(1, 2)):
                at = start + chance.random() * PERIOD_SECONDS
                length = chance.choice((0.2, 1.0, 3.0)) * (0.5 + chance.random())
                found.append(Fault(at, kind, chance.randint(1, nodes), length, chance.random()))
        start += PERIOD_SECONDS
    return sorted(found, key=lambda fault: fault.at)


def draw_few(chance: Random, nodes: int, seconds: float) -> list[Fault]:
    """For a short run: most mistakes take one fault or two at the wrong time, and some take four."""
    kinds = ALONE + (TOGETHER if nodes > 1 else ())
    return sorted(
        (
            Fault(
                0.2 + chance.random() * (seconds - 0.4),
                chance.choice(kinds),
                chance.randint(1, nodes),
                chance.choice((0.2, 1.0, 3.0)) * (0.5 + chance.random()),
                chance.random(),
            )
            for _ in range(chance.randint(1, 4))
        ),
        key=lambda fault: fault.at,
    )


class Nemesis:
    """Does them, and mends each when its time is over."""

    def __init__(self, cluster: Cluster, faults: list[Fault]) -> None:
        self._cluster = cluster
        self.done: dict[str, int] = {}
        for fault in faults:
            cluster.loop.after(fault.at - cluster.loop.time(), None, self._begin, fault)
        self._over = False

    def end(self) -> None:
        """Nothing goes wrong any more."""
        self._over = True

    def _begin(self, fault: Fault) -> None:
        if self._over:
            return
        cluster = self._cluster
        cluster.trace.add(f"fault {fault}")
        self.done[fault.kind] = self.done.get(fault.kind, 0) + 1
        machine = cluster.machines[fault.node]
        match fault.kind:
            case "kill" | "power":
                cluster.die(machine, power=fault.kind == "power")
            case "power-all":
                for each in cluster.machines.values():
                    cluster.die(each, power=True)
            case "power-soon":
                machine.disk.crash_at = machine.disk.operations + int(fault.size * 40)
            case "pause":
                cluster.pause(machine)
            case "stop":
                cluster.loop.begin(None, cluster.stop(machine))
            case "clock":
                machine.skew_ms += int((fault.size - 0.5) * 8000)
            case "full":
                machine.disk.full = True
            case "fsync":
                machine.disk.sync_fails = True
            case "rot":
                machine.disk.rot(Random(fault.size))
            case "slow" | "stall" | "loss":
                cluster.network.conditions = _conditions(fault)
            case _:
                cluster.network.cut |= set(cut_by(fault, cluster))
        cluster.loop.after(fault.seconds, None, self._mend, fault, machine)

    def _mend(self, fault: Fault, machine: Machine) -> None:
        if self._over:
            return
        cluster = self._cluster
        match fault.kind:
            case "kill" | "power" | "stop" | "power-soon" | "fsync":
                machine.disk.crash_at = None
                if machine.disk.failed:
                    cluster.die(machine, power=False)
                cluster.start(machine)
            case "power-all":
                for each in cluster.machines.values():
                    cluster.start(each)
            case "pause":
                cluster.resume(machine)
            case "full":
                machine.disk.full = False
                cluster.start(machine)
            case "slow" | "stall" | "loss":
                cluster.network.conditions = Conditions()
            case "clock" | "rot":
                pass  # A clock stays wrong; what rotted is the node's to find.
            case _:
                cluster.network.cut.clear()


def _conditions(fault: Fault) -> Conditions:
    if fault.kind == "slow":
        return Conditions(delay=fault.size * 0.2, spread=fault.size * 0.5)
    if fault.kind == "stall":
        return Conditions(stall=fault.size * 0.3)
    return Conditions(loss=fault.size * 0.3)


def cut_by(fault: Fault, cluster: Cluster) -> list[tuple[str, str]]:
    """Who can't reach whom."""
    names = [machine.name for machine in cluster.machines.values()]
    me, others = names[fault.node - 1], [n for k, n in enumerate(names, 1) if k != fault.node]
    match fault.kind:
        case "cut-client":
            return [(client, me) for client in cluster.clients] + [(me, client) for client in cluster.clients]
        case "isolate":
            return _both([me], others)
        case "isolate-leader":
            leader = cluster.leader()
            return _both([leader], [n for n in names if n != leader])
        case "halves":
            half = len(names) // 2
            turned = names[fault.node - 1 :] + names[: fault.node - 1]
            return _both(turned[:half], turned[half:])
        case "ring":  # Each sees its neighbours only.
            size = len(names)
            return [
                (a, b)
                for i, a in enumerate(names)
                for j, b in enumerate(names)
                if (i - j) % size not in (0, 1, size - 1)
            ]
        case "one-way":
            return [(me, other) for other in others] if fault.size < 0.5 else [(other, me) for other in others]
    raise ValueError(f"no fault is called '{fault.kind}'")


def _both(some: list[str], others: list[str]) -> list[tuple[str, str]]:
    return [pair for a in some for b in others for pair in ((a, b), (b, a))]
