"""A network between clients and nodes that delays, loses, stalls and is cut.

Requests and answers travel as frames. Within a connection they keep their order, as TCP keeps it; a connection that
stalls delivers late, when the client has long asked again on another: that is how duplicates and old requests come to
a broker. Requests between nodes go each their own way, and overtake each other.

Promises: an answer comes at most once; whoever asks has an answer or an error within the time-out.
"""

from __future__ import annotations

import asyncio
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from streamflow.log.errors import MalformedError, PeerGoneError, PeerUnreachableError
from streamflow.log.protocol.frames import RequestHeader, parse_header
from streamflow.log.server.broker import CloseConnectionError, Later
from streamflow.log.server.dispatch import encode
from tests.simulation.cluster.disks import PowerLost
from tests.simulation.cluster.loop import HOST, Host, SimulatedLoop
from tests.simulation.cluster.trace import Trace
from tests.simulation.cluster.wire import read_response, write_request

Serve = Callable[[RequestHeader, memoryview], Awaitable[Any]]
"""What a node does with a request's frame: `dispatch`."""


class NoAnswer(Exception):
    """Nobody knows whether the request was done."""


class NotSent(Exception):
    """Nobody was there to take the connection: it wasn't done."""


@dataclass(slots=True)
class Conditions:
    """Times in seconds. `stall`: how likely a frame, with those behind it, is seconds late. `loss`: how likely it
    takes its connection with it."""

    delay: float = 0.0005
    spread: float = 0.001
    stall: float = 0.0
    stall_seconds: float = 6.0
    loss: float = 0.0


@dataclass(slots=True)
class Door:
    """Where a node is reached, in one life. `dark`: the machine is off, so that nobody says that the node is gone."""

    host: Host
    clients: Serve
    peers: Serve
    dark: bool = False


@dataclass(slots=True)
class Network:
    """`cut` holds pairs: from whom, to whom nothing goes. Names are those of hosts without their lives: 'node-1'."""

    loop: SimulatedLoop
    chance: Random
    trace: Trace
    conditions: Conditions = field(default_factory=Conditions)
    cut: set[tuple[str, str]] = field(default_factory=set)
    doors: dict[int, Door] = field(default_factory=dict)
    connections: list[Connection] = field(default_factory=list)
    frames: int = 0
    broken: list[str] = field(default_factory=list)
    """What handlers raised that none should."""

    def delay(self) -> float | None:
        """Of one frame; None when it is lost."""
        now, chance = self.conditions, self.chance
        if now.loss and chance.random() < now.loss:
            return None
        late = chance.random() * now.stall_seconds if now.stall and chance.random() < now.stall else 0.0
        return now.delay + chance.random() * now.spread + late

    def passes(self, sender: str, receiver: str) -> bool:
        """Whether anything goes that way now."""
        return (sender, receiver) not in self.cut

    def connect(self, name: str, node_id: int) -> Connection:
        """A client's connection."""
        connection = Connection(self, name, node_id, ordered=True)
        self.connections.append(connection)
        if len(self.connections) > 200:
            self.connections = [c for c in self.connections if c.open]
        return connection

    def reset(self, node_id: int) -> None:
        """The node's system tells who is connected that the program is gone."""
        for connection in self.connections:
            if connection.node_id == node_id and connection.open:
                connection.reset()


class Connection:
    """One client's to one node; or one request's between nodes. It breaks once, for good."""

    def __init__(self, network: Network, name: str, node_id: int, *, ordered: bool) -> None:
        self.node_id = node_id
        self.open = True
        self.refused = False
        """Nobody listens there."""
        self._network = network
        self._name, self._to = name, f"node-{node_id}"
        self._ordered = ordered
        self._door = network.doors.get(node_id)
        self._waiting: dict[int, tuple[RequestHeader, asyncio.Future[Any]]] = {}
        self._asked = 0
        self._there_at = self._back_at = 0.0
        self._begun: deque[tuple[RequestHeader, memoryview]] = deque()
        self._answers: deque[tuple[RequestHeader, Any]] = deque()
        self._working = self._answering = False

    def __repr__(self) -> str:
        return f"<Connection {self._name} to {self._to}>"

    async def ask(self, message: Any, timeout: float, version: int | None = None) -> Any:
        """The answer. Raises: NotSent; NoAnswer, after which the connection is broken."""
        if not self.open:
            raise NotSent(f"{self._to} has gone")
        network = self._network
        self._asked += 1
        frame = write_request(message, self._asked, self._name, version)
        header = parse_header(memoryview(frame))
        future: asyncio.Future[Any] = network.loop.create_future()
        self._waiting[self._asked] = header, future
        limit = network.loop.call_later(timeout, _fail, future, NoAnswer(f"{header.api.name}: none in {timeout} s"))
        self._send(frame, HOST.get())
        try:
            return await future
        except (NoAnswer, NotSent):
            self.open = False
            raise
        finally:
            limit.cancel()
            self._waiting.pop(header.correlation_id, None)

    def _send(self, frame: bytes, sender: Host | None) -> None:
        network, door = self._network, self._door
        delay = network.delay()
        if delay is None or not network.passes(self._name, self._to) or (sender is not None and sender.dead):
            network.trace.add(f"lost {self._name} > {self._to}")
            self._there_at = float("inf")
            return
        at = network.loop.time() + delay
        if self._ordered:
            at = self._there_at = max(self._there_at, at)
        if at == float("inf"):
            return
        if door is None or door.host.dead:
            if self._ordered or door is None or not door.dark:
                network.loop.after(delay, sender, self._refuse)
            return
        network.loop.after(at - network.loop.time(), door.host, self._arrived, frame)

    def _refuse(self) -> None:
        self.refused = True
        self.reset()

    def reset(self) -> None:
        """The other side has gone."""
        self.open = False
        for header, future in self._waiting.values():
            _fail(future, NoAnswer(f"{header.api.name}: {self._to} has gone"))

    # The node's side: everything below runs on its behalf.

    def _arrived(self, frame: bytes) -> None:
        network = self._network
        if not network.passes(self._name, self._to):
            network.trace.add(f"lost {self._name} > {self._to}")
            return
        network.frames += 1
        network.trace.add(f"{self._name} > {self._to}", frame)
        view = memoryview(frame)
        self._begun.append((parse_header(view), view))
        if not self._working:
            self._working = True
            network.loop.create_task(self._work())

    async def _work(self) -> None:
        """Requests are begun in order, as by `server.connection`."""
        assert self._door is not None
        serve = self._door.clients if self._ordered else self._door.peers
        while self._begun:
            header, view = self._begun.popleft()
            try:
                answer = await serve(header, view)
            except Exception as error:
                self._hang_up(header, error)
                return
            self._answers.append((header, answer))
            if not self._answering:
                self._answering = True
                self._network.loop.create_task(self._answer())
        self._working = False

    async def _answer(self) -> None:
        """And answered in order."""
        while self._answers:
            header, answer = self._answers.popleft()
            if isinstance(answer, Later):
                try:
                    answer = await answer.make()
                except Exception as error:
                    self._hang_up(header, error)
                    return
            if answer is not None:
                self._send_back(header, b"".join(encode(header, answer)))
        self._answering = False

    def _hang_up(self, header: RequestHeader, error: Exception) -> None:
        """A handler that raises ends the connection. What isn't meant to end it is a mistake of ours."""
        if not isinstance(error, CloseConnectionError | MalformedError | PowerLost):
            text = "".join(traceback.format_exception(error)[-4:])
            self._network.broken.append(f"{header.api.name} of {self._name} at {self._to}: {text}")
        self._network.loop.after(self._network.conditions.delay, None, self.reset)

    def _send_back(self, header: RequestHeader, frame: bytes) -> None:
        network, host = self._network, HOST.get()
        delay = network.delay()
        if delay is None or (host is not None and host.dead) or not network.passes(self._to, self._name):
            self._back_at = float("inf")
            return
        at = max(self._back_at, network.loop.time() + delay) if self._ordered else network.loop.time() + delay
        self._back_at = at
        if at < float("inf"):
            network.loop.after(at - network.loop.time(), None, self._answered, header, frame)

    def _answered(self, header: RequestHeader, frame: bytes) -> None:
        network = self._network
        waiting = self._waiting.get(header.correlation_id)
        if waiting is None or waiting[1].done() or not network.passes(self._to, self._name):
            return
        network.trace.add(f"{self._to} > {self._name}", frame)
        waiting[1].set_result(read_response(header, frame))


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


class SimPeers:
    """What a node asks the others by: see `node.peers`."""

    def __init__(self, network: Network, name: str) -> None:
        self._network = network
        self._name = name

    async def ask(self, node_id: int, request: Any, *, timeout_ms: int) -> Any:
        """Raises: PeerUnreachableError."""
        connection = Connection(self._network, self._name, node_id, ordered=False)
        try:
            return await connection.ask(request, timeout_ms / 1000)
        except (NoAnswer, NotSent) as error:
            raise (PeerGoneError if connection.refused else PeerUnreachableError)(str(error)) from error
