"""One client's connection: requests are begun in their order and answered in their order.

Promises: no more than `IN_FLIGHT_MAX` requests of a connection are held, and not much more than `ANSWERS_BYTES_MAX` of
answers that wait for one another; a client that is silent or slow for too long is closed; whatever one client sends, no
other notices.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter

import anyio

from streamflow.log.errors import MalformedError
from streamflow.log.protocol.codec import Buffer
from streamflow.log.protocol.frames import RequestHeader, parse_header
from streamflow.log.server.broker import Answer, Broker, CloseConnectionError, Later
from streamflow.log.server.complaints import Complaints
from streamflow.log.server.dispatch import dispatch, encode
from streamflow.log.server.figures import Figures
from streamflow.log.server.link import Link
from streamflow.log.server.memory import Memory, Share

IN_FLIGHT_MAX = 100
"""Requests begun and not answered. librdkafka sends up to a million, Java five; what is more waits in the socket."""
ANSWERS_BYTES_MAX = 1 << 20
"""Of answers that wait for those before them: who asks and doesn't read isn't asked for more."""
TOGETHER_BYTES = 256 << 10
"""Answers that are there are sent together, up to about this."""
SMALL_BYTES = 64 << 10
"""A frame up to this long is let in whatever others hold, to a connection that holds nothing: heartbeats go on."""
DECODED_FACTOR = 10
"""What a request takes in memory until its answer is made, in bytes of its frame: numbers and names become objects.
Records stay bytes."""

PRODUCE = 0

FIRST_REQUEST_SECONDS = 10
"""Every client says what it speaks at once."""
FRAME_SECONDS = 60
"""For a frame to be whole, once it has begun. Clients give a request up after 30 to 60 s."""
FRAME_SECONDS_WHEN_SHORT = 5
"""The same, while others wait for the memory it holds."""
TAKE_SECONDS_WHEN_SHORT = 1
"""For some of an answer to be taken, while others wait for the memory it holds: instead of until the client is idle."""
GONE_SECONDS = 1
"""For answers to a client that has said that it sends no more: most have gone."""


@dataclass(frozen=True, slots=True)
class Door:
    """What all connections share. `requests` is what is held of them until they are answered."""

    broker: Broker
    complaints: Complaints
    requests: Memory
    figures: Figures
    idle_seconds: float


@dataclass(slots=True)
class _Pending:
    """`size` is what the request holds until its answer is made."""

    header: RequestHeader
    answer: Later | list[Buffer]
    size: int
    begun_at: float


class Connection:
    def __init__(self, door: Door, link: Link) -> None:
        self._door = door
        self._link = link
        self._requests, self._answers = Share(door.requests), Share(door.broker.answers)
        self._pending: deque[_Pending] = deque()
        self._undone_bytes = self._unsent_bytes = 0
        self._asked, self._answered = asyncio.Event(), asyncio.Event()
        self._frame_begun_at: float | None = None
        self._reading = True
        self._dispatching = self._answering = self._hung_up = False
        self._scope = anyio.CancelScope()

    def __repr__(self) -> str:
        return f"<Connection {self.client}: {len(self._pending)} requests in flight>"

    @property
    def client(self) -> str:
        return self._link.client

    @property
    def bytes_in_out(self) -> tuple[int, int]:
        """Received and sent so far."""
        return self._link.bytes_in, self._link.bytes_out

    async def serve(self) -> None:
        """Returns when the client has gone, or was closed for what it did; raises nothing."""
        done = False
        try:
            with self._scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(self._guarded, self._answer)
                    await self._guarded(self._read)
                done = True
        finally:
            self._pending.clear()
            self._requests.hold(0)
            self._answers.hold(0)
            if done:
                self._link.close()
            else:
                self._link.abort()

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
            return
        except ConnectionError:
            pass  # The client has gone; what it asked for is done, or given up with it.
        except (MalformedError, CloseConnectionError) as error:
            self._door.complaints.say("warning", "connection closed", client=self.client, reason=str(error))
        except (Exception, asyncio.CancelledError) as error:
            if anyio.current_effective_deadline() == -math.inf:
                raise  # It is this connection, or all of them, that was cancelled.
            self._door.complaints.say("error", "connection closed: our own error", client=self.client, exc_info=error)
        self.hang_up()

    # Reading

    async def _read(self) -> None:
        link, frames = self._link, self._link.frames
        try:
            while self._reading:
                frame = frames.take()
                if frame is not None:
                    self._frame_begun_at = None
                    await self._begin(frame)
                    continue
                await self._answer_ready()
                await self._hold_frame()
                if not await link.more():
                    return
        finally:
            self._reading = False
            self._asked.set()

    async def _hold_frame(self) -> None:
        """Makes room for the frame that has begun to come."""
        frames, memory = self._link.frames, self._door.requests
        if not frames.buffered:
            self._frame_begun_at = None
        elif self._frame_begun_at is None:
            self._frame_begun_at = self._link.received_at
        needed = frames.needed + self._undone_bytes
        if needed > self._requests.held and (self._pending or needed > SMALL_BYTES):
            now = asyncio.get_running_loop().time
            since = now()
            await memory.room()
            if self._frame_begun_at is not None:
                self._frame_begun_at += now() - since
        self._requests.hold(needed)

    async def _begin(self, frame: memoryview) -> None:
        header = parse_header(frame)
        if self._pending:
            await self._turn()
        begun_at = perf_counter()
        size = len(frame) if header.api.key == PRODUCE else len(frame) * DECODED_FACTOR
        self._undo(-size)
        answer = await self._dispatch(header, frame)
        if isinstance(answer, Later):
            self._pending.append(_Pending(header, answer, size, begun_at))
            self._asked.set()
            return
        self._undo(size)
        if answer is None:
            self._door.figures.answered(header.api.name, perf_counter() - begun_at)
            return
        self._pending.append(_Pending(header, self._encoded(header, answer), 0, begun_at))

    def _encoded(self, header: RequestHeader, answer: object) -> list[Buffer]:
        """The answer's frame, which is held from now on."""
        parts = encode(header, answer)
        self._unsend(-sum(map(len, parts)))
        self._door.figures.count_errors(header.api.name, answer)
        return parts

    async def _turn(self) -> None:
        """Waits until this connection may begin another request beside those that are pending."""
        while len(self._pending) >= IN_FLIGHT_MAX or self._unsent_bytes > ANSWERS_BYTES_MAX:
            await self._answer_ready()
            if len(self._pending) < IN_FLIGHT_MAX and self._unsent_bytes <= ANSWERS_BYTES_MAX:
                break
            self._answered.clear()
            await self._answered.wait()
        if self._pending:
            await self._door.requests.room()

    async def _dispatch(self, header: RequestHeader, frame: memoryview) -> Answer:
        """What was begun is done, whether the client goes or not: a topic isn't left half made."""
        self._dispatching = True
        try:
            answer = await dispatch(self._door.broker, header, frame, self._link.host, from_peer=self._link.from_peers)
        finally:
            self._dispatching = False
            if self._hung_up:
                self._scope.cancel()
        self._link.frames.trusted = True
        return answer

    def _undo(self, size: int) -> None:
        """So much of requests is done with."""
        self._undone_bytes -= size
        self._requests.hold(self._link.frames.needed + self._undone_bytes)

    def _unsend(self, size: int) -> None:
        """So much of answers is done with."""
        self._unsent_bytes -= size
        self._answers.hold(self._unsent_bytes)

    # Answering

    async def _answer(self) -> None:
        """Waits for answers that aren't there at once."""
        while self._pending or self._reading:
            if self._pending and not self._answering:
                await self._answer_next()
            else:
                self._asked.clear()
                await self._asked.wait()

    async def _answer_ready(self) -> None:
        while self._pending and not self._answering and _ready(self._pending[0].answer):
            await self._answer_next()

    async def _answer_next(self) -> None:
        """Sends the first answer when it is there, together with those behind it that are there by then."""
        parts: list[Buffer] = []
        sent: list[_Pending] = []
        size = 0
        self._answering = True
        try:
            while self._pending and size < TOGETHER_BYTES:
                pending = self._pending[0]
                if parts and not _ready(pending.answer):
                    break
                before = len(parts)
                parts += await self._made(pending)
                size += sum(map(len, parts[before:]))
                sent.append(self._pending.popleft())
            await self._link.send(parts)
        finally:
            self._answering = False
            # A task that was cancelled is remembered with all it held, until garbage is collected.
            parts.clear()
            for pending in sent:
                pending.answer = []
        self._unsend(size)
        now = perf_counter()
        for pending in sent:
            self._door.figures.answered(pending.header.api.name, now - pending.begun_at)
        self._answered.set()
        if self._pending:
            self._asked.set()

    async def _made(self, pending: _Pending) -> list[Buffer]:
        if not isinstance(pending.answer, Later):
            return pending.answer
        message = await pending.answer.make()
        self._undo(pending.size)
        return [] if message is None else self._encoded(pending.header, message)

    # Ending

    def drain(self) -> None:
        """Begins no more requests; ends when those that were begun are answered."""
        self._reading = False
        self._link.stop_reading()

    def hang_up(self) -> None:
        self._hung_up = True
        if not self._dispatching:
            self._scope.cancel()

    def overdue(self, now: float) -> str | None:
        """Why the client is to be closed, if it is; "" when it has gone."""
        link, idle_seconds = self._link, self._door.idle_seconds
        if link.sending:
            limit = TAKE_SECONDS_WHEN_SHORT if self._door.broker.answers.short else idle_seconds
            return f"it takes nothing of its answer for {limit:g} s" if now - link.sent_at > limit else None
        if link.ended_at is not None:
            return "" if now - link.ended_at > GONE_SECONDS else None
        if not link.waiting:
            return None
        if not link.frames.trusted:
            late = now - link.opened_at > FIRST_REQUEST_SECONDS
            return f"no request came within {FIRST_REQUEST_SECONDS} s" if late else None
        if self._frame_begun_at is not None:
            limit = FRAME_SECONDS_WHEN_SHORT if self._door.requests.short else FRAME_SECONDS
            return f"its request isn't whole after {limit:g} s" if now - self._frame_begun_at > limit else None
        idle = not self._pending and now - max(link.received_at, link.sent_at) > idle_seconds
        return f"idle for {idle_seconds:g} s" if idle else None


def _ready(answer: Later | list[Buffer]) -> bool:
    return not isinstance(answer, Later) or answer.ready()
