"""One client's socket: what it sends becomes frames, and what it is sent is known to be taken.

Promises: little more is read than the reader has asked for; `send` returns when everything was handed to the system,
and holds no more than `CHUNK_BYTES` beside what it was given; what was handed over is delivered, if the client lives.

asyncio's protocols rather than streams: nobody's task has to wake for a frame that isn't whole, and reading stops and
goes on without asking the system each time.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Generator, Sequence

from streamflow.log.protocol.codec import Buffer
from streamflow.log.protocol.frames import Frames

CHUNK_BYTES = 256 << 10
"""Of a write: how slowly a client reads shows once in so many bytes."""
AHEAD_BYTES = 64 << 10
"""Read beside what the reader has asked for, before reading stops: a few small requests."""

KEEP_ALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
"""A client that waits, and whose machine is gone, is known to be within a minute. In seconds, and probes."""

_received = memoryview(bytearray(CHUNK_BYTES))
"""What was read last, by any link: it is taken over before another is read. One for all: 10,000 connections don't hold
10,000 buffers."""


class Link(asyncio.BufferedProtocol):
    """Args:
    opened: called with the link when the client is there.
    from_peers: whether it is nodes that connect, instead of clients.
    """

    def __init__(self, opened: Callable[[Link], None], *, from_peers: bool = False) -> None:
        self.from_peers = from_peers
        self.frames = Frames(from_peers=from_peers)
        self.host, self.port = "", 0
        self.ended_at: float | None = None
        """When the client said that it sends no more, or was lost (the loop's seconds, as all times here)."""
        self.opened_at = self.received_at = self.sent_at = 0.0
        """When it came; when it last sent something; when it last took something."""
        self.sending = False
        self.bytes_in = self.bytes_out = 0
        self._opened = opened
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._arrived: asyncio.Future[None] | None = None
        self._taken: asyncio.Future[None] | None = None
        self._lost = False
        self._fresh = self._paused = self._stopped = False

    def __repr__(self) -> str:
        return f"<Link {self.client}>"

    @property
    def client(self) -> str:
        return f"{self.host}:{self.port}"

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "of a socket"
        self._transport = transport
        transport.set_write_buffer_limits(0)
        self.opened_at = self.received_at = self.sent_at = self._loop.time()
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):  # None when the client has gone already.
            self.host, self.port = str(peer[0]), int(peer[1])
        _set_options(transport.get_extra_info("socket"))
        self._opened(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return _received

    def buffer_updated(self, nbytes: int) -> None:
        self.received_at = self._loop.time()
        self.bytes_in += nbytes
        self.frames.feed(_received[:nbytes])
        self._fresh = True
        if self._arrived is not None:
            self._wake()
        elif self.frames.buffered > AHEAD_BYTES and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._end()
        return True  # It may still want its answers.

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._end()
        self.resume_writing()

    def resume_writing(self) -> None:
        if self._taken is not None and not self._taken.done():
            self._taken.set_result(None)

    def pause_writing(self) -> None:
        if self._taken is None:
            self._taken = self._loop.create_future()

    # What the connection asks for

    async def more(self) -> bool:
        """Waits until something came since it was last asked. False when nothing comes any more."""
        if self._over():
            return False
        if self._fresh:
            self._fresh = False
            return True
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        self._arrived = self._loop.create_future()
        try:
            await self._arrived
        finally:
            self._arrived = None
            self._fresh = False
        return not self._over() or (self.frames.buffered > 0 and not self._stopped)

    def _over(self) -> bool:
        return self.ended_at is not None or self._stopped

    @property
    def waiting(self) -> bool:
        """Whether it is the client that `more` waits for."""
        return self._arrived is not None

    def stop_reading(self) -> None:
        """Nothing more comes, whatever the client sends."""
        self._stopped = True
        if not self._lost:
            self._transport.pause_reading()
        self._wake()

    def _end(self) -> None:
        if self.ended_at is None:
            self.ended_at = self._loop.time()
        self._wake()

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    async def send(self, parts: Sequence[Buffer]) -> None:
        """Raises: ConnectionError when the client is gone."""
        self.sending = True
        self.sent_at = self._loop.time()
        chunks = _chunks(parts)
        try:
            for chunk in chunks:
                self._check()
                self._transport.write(chunk)
                if self._taken is not None:
                    await self._taken
                    self._taken = None
                    self.sent_at = self._loop.time()
                    self._check()
                self.bytes_out += len(chunk)
        finally:
            self.sending = False
            chunks.close()
            chunk = b""  # As the parts: not to be held by who was cancelled.

    def _check(self) -> None:
        if self._lost:
            raise ConnectionError("the client has gone")

    def close(self) -> None:
        """What was sent is delivered; nothing more is read."""
        self._transport.close()

    def abort(self) -> None:
        """At once; what the client hasn't taken is dropped."""
        self._transport.abort()


def _chunks(parts: Sequence[Buffer]) -> Generator[Buffer]:
    """Small parts together, long ones in slices."""
    small: list[Buffer] = []
    size = 0
    for part in parts:
        if len(part) > CHUNK_BYTES:
            if small:
                yield b"".join(small)
                small, size = [], 0
            view = memoryview(part)
            yield from (view[at : at + CHUNK_BYTES] for at in range(0, len(view), CHUNK_BYTES))
        else:
            small.append(part)
            size += len(part)
            if size >= CHUNK_BYTES:
                yield b"".join(small)
                small, size = [], 0
    if small:
        yield b"".join(small)


def _set_options(door: socket.socket) -> None:
    door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEP_ALIVE:
        option = getattr(socket, name, None)  # Each system has its own.
        if option is not None:
            door.setsockopt(socket.IPPROTO_TCP, option, value)
