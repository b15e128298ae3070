"""The other nodes, over sockets: `node.peers.Peers` as it is when there is a network.

Promises: a request is sent at most once, and waits behind another one only when all of a node's `CONNECTIONS_MAX`
connections wait for answers: a connection's answers come in the order of its requests, and a fetch that waits for
records must not hold up votes and heartbeats. `ask` ends within its time-out, whatever the other node does. A node that
can't be reached is tried again after `BACKOFF_SECONDS`, and ever less often up to `BACKOFF_SECONDS_MAX`.

asyncio's protocols, as `link`: what comes is cut into frames where it comes, and nobody's task wakes for half of one.
"""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from streamflow.log.controller.image import MetadataImage
from streamflow.log.errors import MalformedError, PeerGoneError, PeerUnreachableError
from streamflow.log.node.membership import Endpoint
from streamflow.log.protocol.codec import Buffer
from streamflow.log.protocol.frames import API_VERSIONS, LENGTH_BYTES
from streamflow.log.protocol.messages import codec_of
from streamflow.log.protocol.versions import APIS, PRODUCE_BYTES_MAX, Api

CONNECTIONS_MAX = 8
"""To one node: fetches of records and of metadata wait there at the same time, and what changes metadata."""
ANSWER_BYTES_MAX = PRODUCE_BYTES_MAX + (1 << 20)
"""The longest batch that a broker takes, and what stands around it in a fetch's answer."""
CONNECT_SECONDS = 1.0
BACKOFF_SECONDS = 0.05
BACKOFF_SECONDS_MAX = 1.0

_LENGTH = struct.Struct(">i")
_HEAD = struct.Struct(">ihhih")
_BY_NAME = {api.name: api for api in APIS.values()}


def api_of(message: type) -> Api:
    """Of a request's class, by its name: `FetchRequest`."""
    return _api_named(message.__name__)


@cache
def _api_named(name: str) -> Api:
    return _BY_NAME[re.sub(r"(?<=.)([A-Z])", r"_\1", name.removesuffix("Request")).lower()]


def frame_request(request: Any, correlation_id: int, client_id: bytes) -> bytes:
    """In the API's newest version. Raises: ValueError for one longer than the other node would take."""
    api = api_of(type(request))
    body: list[Buffer] = [b"\0"] if api.highest >= api.flexible else []
    codec_of(api.name, api.highest, "request").write(body, request)
    size = _HEAD.size - LENGTH_BYTES + len(client_id) + sum(map(len, body))
    if size > api.bytes_max:
        raise ValueError(f"a {api.name} request of {size} bytes; the limit is {api.bytes_max}")
    return b"".join((_HEAD.pack(size, api.key, api.highest, correlation_id, len(client_id)), client_id, *body))


def read_answer(api: Api, frame: memoryview) -> Any:
    """Of a frame without its length. Raises: MalformedError."""
    tags = api.highest >= api.flexible and api.key != API_VERSIONS
    message, end = codec_of(api.name, api.highest, "response").read(frame, LENGTH_BYTES + tags)
    if end != len(frame):
        raise MalformedError(f"an answer to {api.name} of {len(frame)} bytes ends at {end}")
    return message


class Conversation(asyncio.Protocol):
    """One connection to a node: requests go out at once, answers come in their order.

    Args:
        closed: called when it is over.
    """

    def __init__(self, client_id: bytes, closed: Callable[[Conversation], None]) -> None:
        self._client_id = client_id
        self._closed = closed
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._buffer = bytearray()
        self._waiting: dict[int, tuple[Api, asyncio.Future[Any]]] = {}
        self._asked = 0
        self._received_at = 0.0
        self.over = False

    def __repr__(self) -> str:
        return f"<Conversation: {self.busy} requests in flight>"

    @property
    def busy(self) -> int:
        """Requests whose answers haven't come; those given up count, for the answers behind theirs still wait."""
        return len(self._waiting)

    async def ask(self, request: Any, seconds: float) -> Any:
        """Raises: PeerUnreachableError."""
        self._asked = (self._asked + 1) & 0x7FFFFFFF
        name, asked_at = api_of(type(request)), self._loop.time()
        frame = frame_request(request, self._asked, self._client_id)
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._waiting[self._asked] = name, answer
        self._transport.write(frame)
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError:
            if self._received_at < asked_at:
                self.abort(f"nothing came for {seconds:g} s")
            raise PeerUnreachableError(f"it didn't answer {name.name} within {seconds:g} s") from None

    def abort(self, reason: str) -> None:
        """Whoever waits for an answer is told why it won't come."""
        if not self.over:
            self._transport.abort()
            self._end(reason)

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "of a socket"
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received_at = self._loop.time()
        self._buffer += data
        try:
            while not self.over and (frame := self._take()) is not None:
                self._answered(frame)
        except MalformedError as error:
            self.abort(f"its answer can't be read: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("it closed the connection" if exc is None else str(exc))

    def _take(self) -> memoryview | None:
        buffer = self._buffer
        if len(buffer) < LENGTH_BYTES:
            return None
        (size,) = _LENGTH.unpack_from(buffer)
        if not LENGTH_BYTES <= size <= ANSWER_BYTES_MAX:
            raise MalformedError(f"an answer of {size} bytes; the limit is {ANSWER_BYTES_MAX}")
        end = LENGTH_BYTES + size
        if len(buffer) < end:
            return None
        with memoryview(buffer) as view:
            frame = memoryview(bytes(view[LENGTH_BYTES:end]))
        del buffer[:end]
        return frame

    def _answered(self, frame: memoryview) -> None:
        (correlation_id,) = _LENGTH.unpack_from(frame)
        if correlation_id not in self._waiting:
            raise MalformedError(f"an answer to request {correlation_id}, which wasn't asked")
        api, answer = self._waiting.pop(correlation_id)
        if answer.done():
            return  # Whoever asked has given it up.
        try:
            answer.set_result(read_answer(api, frame))
        except MalformedError:
            self._waiting[correlation_id] = api, answer  # To be told why, with the others.
            raise

    def _end(self, reason: str) -> None:
        if self.over:
            return
        self.over = True
        for _, answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(PeerUnreachableError(reason))
        self._waiting.clear()
        self._closed(self)


def reached_at(voters: Mapping[int, Endpoint], image: Callable[[], MetadataImage]) -> Callable[[int], Endpoint | None]:
    """Where nodes are reached: voters as configured, others as they registered."""

    def at(node_id: int) -> Endpoint | None:
        if node_id in voters:
            return voters[node_id]
        broker = image().brokers.get(node_id)
        return Endpoint(broker.peer_host, broker.peer_port) if broker is not None and broker.peer_host else None

    return at


Dial = Callable[[Callable[[], Conversation], Endpoint], Awaitable[Conversation]]
"""Connects to an address. Raises: OSError."""


async def dial(made: Callable[[], Conversation], to: Endpoint) -> Conversation:
    """Over TCP; small requests aren't held back (asyncio sets TCP_NODELAY)."""
    _, conversation = await asyncio.get_running_loop().create_connection(made, to.host, to.port)
    return conversation


@dataclass(slots=True)
class _Peer:
    """One node. It isn't dialled before `retry_at`, as the last dial failed."""

    at: Endpoint
    conversations: list[Conversation] = field(default_factory=list)
    backoff: float = BACKOFF_SECONDS
    retry_at: float = 0.0
    wrong: str = ""
    kind: type[PeerUnreachableError] = PeerUnreachableError


class SocketPeers:
    """Args:
    client_id: who asks, in the others' logs and figures.
    endpoint: where a node is reached; None for one that isn't known.
    """

    def __init__(self, client_id: str, endpoint: Callable[[int], Endpoint | None], dial: Dial = dial) -> None:
        self._client_id = client_id.encode()
        self._endpoint = endpoint
        self._dial = dial
        self._peers: dict[int, _Peer] = {}
        self._closed = False

    def __repr__(self) -> str:
        return f"<SocketPeers: {len(self._peers)} nodes>"

    async def ask(self, node_id: int, request: Any, *, timeout_ms: int) -> Any:
        """As `node.peers.Peers`. Raises: PeerUnreachableError; ValueError for a request that is too long."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_ms / 1000
        try:
            conversation = await self._conversation(node_id, deadline)
            return await conversation.ask(request, max(0.0, deadline - loop.time()))
        except PeerUnreachableError as error:
            raise type(error)(f"node {node_id} isn't reached: {error}") from None

    def close(self) -> None:
        """Whoever waits for an answer is told so; nobody is asked any more."""
        self._closed = True
        for node_id in list(self._peers):
            self._forget(node_id)

    async def _conversation(self, node_id: int, deadline: float) -> Conversation:
        """One that nobody waits on, or a new one; the least busy when there are enough."""
        peer = self._peer(node_id)
        open_ = peer.conversations
        best = min(open_, key=lambda conversation: conversation.busy, default=None)
        if best is not None and (not best.busy or len(open_) >= CONNECTIONS_MAX):
            return best
        return await self._connect(peer, deadline)

    def _peer(self, node_id: int) -> _Peer:
        if self._closed:
            raise PeerUnreachableError("this node is stopping")
        at = self._endpoint(node_id)
        known = self._peers.get(node_id)
        if known is not None and known.at != at:
            self._forget(node_id)  # It came back elsewhere.
            known = None
        if at is None:
            raise PeerUnreachableError("its address isn't known")
        if known is None:
            known = self._peers[node_id] = _Peer(at)
        return known

    def _forget(self, node_id: int) -> None:
        for conversation in tuple(self._peers.pop(node_id).conversations):
            conversation.abort("the connection was given up")

    async def _connect(self, peer: _Peer, deadline: float) -> Conversation:
        now = asyncio.get_running_loop().time
        if now() < peer.retry_at:
            raise peer.kind(f"{peer.at}: {peer.wrong}; it is tried again soon")
        limit = min(CONNECT_SECONDS, deadline - now())

        def over(conversation: Conversation) -> None:
            if conversation in peer.conversations:
                peer.conversations.remove(conversation)

        try:
            async with asyncio.timeout(limit):
                made = await self._dial(lambda: Conversation(self._client_id, over), peer.at)
        except (OSError, TimeoutError) as error:
            peer.wrong = f"no connection within {limit:g} s" if isinstance(error, TimeoutError) else str(error)
            peer.retry_at = now() + peer.backoff
            peer.backoff = min(2 * peer.backoff, BACKOFF_SECONDS_MAX)
            peer.kind = PeerGoneError if isinstance(error, ConnectionRefusedError) else PeerUnreachableError
            raise peer.kind(f"{peer.at}: {peer.wrong}") from None
        peer.backoff, peer.retry_at = BACKOFF_SECONDS, 0.0
        if made.over or self._closed:
            made.abort("this node is stopping")
            raise PeerUnreachableError(f"{peer.at}: the connection was lost at once")
        peer.conversations.append(made)
        return made
