"""Nodes on simulated machines: started, stopped, killed, cut off the power, paused, and set to wrong times.

Rules for whoever edits this: how a node is opened, run and asked is in `shells`; nothing else knows.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from random import Random

import anyio

from streamflow.log.errors import LogError
from streamflow.log.node.node import Node
from tests.simulation.cluster import shells
from tests.simulation.cluster.disks import NodeDisk, PowerLost
from tests.simulation.cluster.loop import Host, SimulatedLoop
from tests.simulation.cluster.network import Conditions, Door, Network, SimPeers
from tests.simulation.cluster.trace import Trace

EPOCH_MS = 1_700_000_000_000
"""The time at which simulations begin."""
RESTART_SECONDS = 1.0
"""Until whoever looks after a node starts it again, when it ended by itself or in order."""


@dataclass(slots=True)
class Machine:
    """One node's. `node` is what runs on it: None while it is down, or opening."""

    id: int
    disk: NodeDisk
    skew_ms: int = 0
    host: Host | None = None
    node: Node | None = None
    running: anyio.CancelScope | None = None
    """The node's background."""
    clean: bool = True
    power_was_lost: bool = False
    lives: int = 0

    @property
    def name(self) -> str:
        return f"node-{self.id}"

    @property
    def up(self) -> bool:
        return self.host is not None and not self.host.dead


@dataclass
class Cluster:
    """Machines by their nodes' ids. `failures` is what no fault excuses."""

    loop: SimulatedLoop
    chance: Random
    trace: Trace
    size: int
    failures: list[str] = field(default_factory=list)
    clients: list[str] = field(default_factory=list)
    """Their names."""

    def __post_init__(self) -> None:
        self.network = Network(self.loop, Random(self.chance.random()), self.trace, Conditions())
        self.machines = {n: Machine(n, NodeDisk(Random(self.chance.random()))) for n in range(1, self.size + 1)}
        for machine in self.machines.values():
            machine.disk.on_power_lost = lambda machine=machine: self.die(machine, power=True)  # type: ignore[misc]
        self.salt = self.chance.random()

    def leader(self) -> str:
        """Of the quorum, as the nodes know it; the first node when nobody is."""
        for machine in self.machines.values():
            if machine.up and machine.node is not None and shells.leads_quorum(machine.node):
                return machine.name
        return self.machines[1].name

    def now_ms(self, machine: Machine) -> int:
        """As the machine's clock shows it."""
        return EPOCH_MS + int(self.loop.time() * 1000) + machine.skew_ms

    def start(self, machine: Machine) -> None:
        """Power on, if it is off."""
        if machine.up:
            return
        machine.disk.boot(power_was_lost=machine.power_was_lost)
        machine.power_was_lost = False
        machine.lives += 1
        machine.host = Host(f"{machine.name}.{machine.lives}")
        self.trace.add(f"start {machine.host.name}")
        self.loop.begin(machine.host, self._live(machine, machine.host))

    async def _live(self, machine: Machine, host: Host) -> None:
        peers = SimPeers(self.network, machine.name)
        chance = Random(f"{self.salt} {machine.disk.operations} {host.name}")
        world = shells.world(machine.disk, lambda: self.now_ms(machine), chance, peers)
        clean, machine.clean = machine.clean, False
        try:
            node = await shells.open_node(world, machine.id, self.size, clean=clean)
            machine.node, machine.running = node, anyio.CancelScope()
            self.network.doors[machine.id] = Door(host, *shells.doors(node, machine.id, peers))
            await shells.run(node, machine.running)
        except PowerLost:
            pass
        except LogError as error:
            self.trace.add(f"{host.name} ends: {type(error).__name__}")
            self.die(machine, power=False)
            if not machine.disk.full and not machine.disk.failed:
                self.failures.append(f"{host.name} ends: {error}")
            self.loop.after(RESTART_SECONDS, None, self.start, machine)
        except Exception as error:
            self.failures.append(f"{host.name}: {''.join(traceback.format_exception(error)[-4:])}")
            self.die(machine, power=False)

    def die(self, machine: Machine, *, power: bool) -> None:
        """At once: nothing of it runs any more. Who is connected is told, unless the whole machine went."""
        if not machine.up:
            machine.power_was_lost |= power
            return
        assert machine.host is not None
        self.trace.add(f"{'power lost' if power else 'kill'} {machine.host.name}")
        machine.host.dead = True
        machine.power_was_lost |= power
        machine.node = None
        if not power:
            self.network.reset(machine.id)
        elif machine.id in self.network.doors:
            self.network.doors[machine.id].dark = True

    async def stop(self, machine: Machine) -> None:
        """As an operator would."""
        node, host, running = machine.node, machine.host, machine.running
        if node is None or running is None or host is None or host.dead or host.paused:
            return
        self.trace.add(f"stop {host.name}")
        try:
            machine.clean = await self.loop.begin(host, shells.stop(node, running))
        except (PowerLost, LogError):
            machine.clean = False
        self.die(machine, power=False)
        self.loop.after(RESTART_SECONDS, None, self.start, machine)  # It may have taken longer than the fault lasts.

    def pause(self, machine: Machine) -> None:
        """It does nothing until `resume`; what comes waits."""
        if machine.up and machine.host is not None:
            self.trace.add(f"pause {machine.host.name}")
            machine.host.paused = True

    def resume(self, machine: Machine) -> None:
        """Only if it was paused."""
        if machine.host is not None and machine.host.paused:
            self.trace.add(f"resume {machine.host.name}")
            self.loop.resume(machine.host)

    def heal(self) -> None:
        """All that can be mended is: every machine runs, every frame arrives."""
        self.network.conditions = Conditions()
        self.network.cut.clear()
        for machine in self.machines.values():
            machine.disk.full = machine.disk.sync_fails = False
            machine.disk.crash_at = None
            self.resume(machine)
            if machine.disk.failed:
                self.die(machine, power=False)
            self.start(machine)
