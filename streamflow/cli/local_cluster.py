"""`streamflow cluster local`: a cluster on this machine, for development. One process a node, all on loopback.

Promises: who is said to be ready serves; a node that dies is told of, and the others go on. Told to stop, nodes stop
one after the other, each handing over to those left while these are a majority; this returns when the last has stopped.
It protects from nothing that happens to the machine: that takes machines.

Each node's data and log lines lie side by side: DIR/node-1, DIR/node-1.log.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio.abc import Process, TaskStatus

from streamflow.cli.cluster_status import connect
from streamflow.errors import ConfigError, StreamflowError
from streamflow.log.errors import PeerUnreachableError
from streamflow.log.node.membership import Endpoint
from streamflow.log.protocol.messages import describe_cluster_request

HOST = "127.0.0.1"
CONTROLLERS_MAX = 3
"""Nodes beyond are brokers alone: more voters make metadata slower and, on one machine, no safer."""
NODES_MAX = 100
PEERS_ABOVE = 100
"""From a node's port for clients to that for nodes."""
READY_SECONDS = 30.0
"""After these it is said who isn't ready, and waited on."""
RETRY_SECONDS = 0.05
STOP_SECONDS = 30.0
"""For a node to stop, before it is killed."""
COMMAND = (sys.executable, "-m", "streamflow.cli.main", "broker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked for. `port` is where the first node serves clients; `settings` are every node's."""

    nodes: int
    data: Path
    port: int
    settings: Sequence[str] = ()

    @property
    def controllers(self) -> int:
        return min(self.nodes, CONTROLLERS_MAX)

    def check(self) -> None:
        """Raises: ConfigError for what can't be started."""
        last = self.port + PEERS_ABOVE + self.nodes - 1
        if not 1 <= self.nodes <= NODES_MAX:
            raise ConfigError(f"--nodes {self.nodes} isn't between 1 and {NODES_MAX}")
        if not 1 <= self.port <= last <= 65535:
            raise ConfigError(f"--port {self.port}: the ports from there to {last} aren't all between 1 and 65535")
        there = len([path for path in self.data.glob("node-*") if path.is_dir()])
        if there and min(there, CONTROLLERS_MAX) != self.controllers:
            raise ConfigError(
                f"{self.data} has a cluster of {there}, with {min(there, CONTROLLERS_MAX)} controllers, which can't be "
                f"changed yet: start it with --nodes {there}, or use another --data"
            )

    def clients_at(self, node_id: int) -> Endpoint:
        return Endpoint(HOST, self.port + node_id - 1)

    def peers_at(self, node_id: int) -> Endpoint:
        return Endpoint(HOST, self.port + PEERS_ABOVE + node_id - 1)

    def command(self, node_id: int) -> list[str]:
        """What starts the node."""
        controllers = ",".join(f"{n}@{self.peers_at(n)}" for n in range(1, self.controllers + 1))
        role = "broker,controller" if node_id <= self.controllers else "broker"
        options = {
            "--data": self.directory(node_id),
            "--node-id": node_id,
            "--listen": self.clients_at(node_id),
            "--peer-listen": self.peers_at(node_id),
            "--controllers": controllers,
            "--role": role,
        }
        given = [word for name, value in options.items() for word in (name, str(value))]
        return [*COMMAND, *given, *(word for setting in self.settings for word in ("--set", setting))]

    def directory(self, node_id: int) -> Path:
        return self.data / f"node-{node_id}"

    def log_file(self, node_id: int) -> Path:
        return self.data / f"node-{node_id}.log"


def run(plan: Plan) -> None:
    """Until SIGINT or SIGTERM. Raises: ConfigError; StreamflowError when every node has died."""
    plan.check()
    _check_ports(plan)
    try:
        plan.data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"can't make {plan.data}: {error.strerror}; choose another --data") from error
    anyio.run(LocalCluster(plan).run)


def _check_ports(plan: Plan) -> None:
    """All before any: half a cluster helps nobody."""
    for node_id in range(1, plan.nodes + 1):
        for at in (plan.clients_at(node_id), plan.peers_at(node_id)):
            try:
                socket.create_server((at.host, at.port)).close()
            except OSError as error:
                why = os.strerror(error.errno) if error.errno else str(error)
                raise ConfigError(f"can't listen at {at}: {why}; choose another --port") from error


class LocalCluster:
    """The processes of a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._running: dict[int, Process] = {}
        self._over = anyio.Event()
        """Told to stop, or nothing is left to run."""
        self._stopping = False

    def __repr__(self) -> str:
        return f"<LocalCluster: {len(self._running)} of {self._plan.nodes} nodes run>"

    async def run(self) -> None:
        """As the module's."""
        async with anyio.create_task_group() as group:
            await group.start(self._take_signals)
            try:
                for node_id in range(1, self._plan.nodes + 1):
                    self._running[node_id] = await self._start(node_id)
                for node_id, process in self._running.items():
                    group.start_soon(self._watch, node_id, process)
                group.start_soon(self._say_ready)
                await self._over.wait()
                died = not self._running
            finally:
                with anyio.CancelScope(shield=True):
                    await self._stop()
                group.cancel_scope.cancel()
        if died:
            raise StreamflowError(f"every node has died; what they said is in {self._plan.data}/node-*.log")

    async def _take_signals(self, *, task_status: TaskStatus[None]) -> None:
        """The first stops, the second kills: that loses nothing acknowledged either."""
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            async for _ in signals:
                if self._over.is_set():
                    for process in self._running.values():
                        process.kill()
                self._over.set()

    async def _start(self, node_id: int) -> Process:
        with self._plan.log_file(node_id).open("ab") as said:
            # A session of its own: Ctrl-C reaches this process alone, which stops them in order.
            return await anyio.open_process(
                self._plan.command(node_id),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    async def _watch(self, node_id: int, process: Process) -> None:
        code = await process.wait()
        self._running.pop(node_id, None)
        if not self._stopping:
            last = self._last_line(node_id)
            why = last if last.startswith("error: ") else f"its log is {self._plan.log_file(node_id)}"
            _say(f"node {node_id} died, exit code {code}; {why}")
        if not self._running:
            self._over.set()

    def _last_line(self, node_id: int) -> str:
        """Of what the node said."""
        said = self._plan.log_file(node_id).read_text(errors="replace").splitlines()
        return said[-1] if said else "it said nothing"

    async def _say_ready(self) -> None:
        """In the order of their numbers."""
        for node_id in tuple(self._running):
            if await self._ready(node_id):
                where = f"data {self._plan.directory(node_id)}, log {self._plan.log_file(node_id)}"
                _say(f"node {node_id} ready at {self._plan.clients_at(node_id)}, {where}")
        if self._running:
            bootstrap = ",".join(str(self._plan.clients_at(node_id)) for node_id in self._running)
            _say(f"cluster ready, bootstrap {bootstrap}; Ctrl-C stops it")

    async def _ready(self, node_id: int) -> bool:
        """Waits until the node answers as a broker. False when it has died."""
        while node_id in self._running:
            with anyio.move_on_after(READY_SECONDS):
                while node_id in self._running:
                    if await _answers(self._plan.clients_at(node_id)):
                        return True
                    await anyio.sleep(RETRY_SECONDS)
            if node_id in self._running:
                _say(f"node {node_id} isn't ready yet: {self._last_line(node_id)}")
        return False

    async def _stop(self) -> None:
        """Brokers alone first, the first controller last; those without whom there is no majority together."""
        self._stopping = True
        while self._running:
            last = max(self._running)
            leaving = [last] if self._majority_without(last) else sorted(self._running, reverse=True)
            for node_id in leaving:
                self._running[node_id].terminate()
            if len(leaving) == len(self._running):
                # Nobody will be left who could lead in their place: the second signal spares them waiting for that.
                for node_id in leaving:
                    self._running[node_id].send_signal(signal.SIGINT)
            for node_id in leaving:
                await self._stopped(node_id)

    async def _stopped(self, node_id: int) -> None:
        process = self._running.get(node_id)
        if process is not None:
            with anyio.move_on_after(STOP_SECONDS) as limit:
                await process.wait()
            if limit.cancelled_caught:
                _say(f"node {node_id} didn't stop within {STOP_SECONDS:g} s and is killed")
                process.kill()
                await process.wait()
            self._running.pop(node_id, None)
        _say(f"node {node_id} stopped")

    def _majority_without(self, node_id: int) -> bool:
        """Whether enough controllers run beside the node to agree on anything."""
        controllers = self._plan.controllers
        return 2 * sum(n != node_id and n <= controllers for n in self._running) > controllers


async def _answers(at: Endpoint) -> bool:
    """Whether a broker serves there. One that has begun to listen lets who connects wait until it is ready."""
    try:
        conversation = await connect(at)
        try:
            await conversation.ask(describe_cluster_request.DescribeClusterRequest(), READY_SECONDS)
        finally:
            conversation.abort("it was asked")
    except PeerUnreachableError:
        return False
    return True


def _say(line: str) -> None:
    print(line, flush=True)
