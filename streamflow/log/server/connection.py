"""One client's connection: requests are begun in their order and answered in their order.

Promises: no more than `IN_FLIGHT_MAX` requests of a connection are held; a client that sends nothing, or reads nothing,
for too long is closed (`Listener` asks `overdue` of every connection once a second: a timer a request costs more than
the request); whatever one client sends, no other notices.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import anyio
import structlog
from anyio.abc import SocketAttribute, SocketStream

from streamflow.log.errors import MalformedError
from streamflow.log.protocol.codec import Buffer
from streamflow.log.protocol.frames import Frames, RequestHeader, parse_header
from streamflow.log.server.broker import Broker, CloseConnectionError, Later
from streamflow.log.server.dispatch import dispatch, encode

log = structlog.get_logger("streamflow.broker")

RECEIVE_BYTES = 256 << 10
SEND_BYTES = 256 << 10
"""Answers that are ready are sent together, up to about this."""
IN_FLIGHT_MAX = 100
"""Requests begun and not answered. librdkafka sends up to a million, Java five; what is more waits in the socket."""
SEND_SECONDS_MAX = 60
"""For a client to take some of its answer."""


@dataclass(frozen=True, slots=True)
class _Pending:
    header: RequestHeader
    answer: Any


class Connection:
    """Args:
    idle_seconds: for how long a client may send nothing, with nothing to be answered.
    """

    def __init__(self, broker: Broker, stream: SocketStream, *, idle_seconds: float) -> None:
        self._broker = broker
        self._stream = stream
        self._idle_seconds = idle_seconds
        remote = stream.extra(SocketAttribute.remote_address, ("", 0))
        self._host = str(remote[0])
        self._client = f"{remote[0]}:{remote[1]}"
        self._pending: deque[_Pending] = deque()
        self._moved = anyio.Event()
        """Something was put into `_pending`, or taken out of it; or nothing more will be put."""
        self._ended = False
        self._heard_at = self._sending_since = anyio.current_time()
        self._sending = False

    def __repr__(self) -> str:
        return f"<Connection {self._client}: {len(self._pending)} requests in flight>"

    async def serve(self) -> None:
        """Returns when the client has gone, or was closed for what it did."""
        async with self._stream, anyio.create_task_group() as group:
            group.start_soon(self._answer)
            await self._read()
            self._ended = True
            self._moved.set()

    def overdue(self, now: float) -> str | None:
        """Why the connection is to be closed, by now; None when it isn't."""
        if self._sending:
            late = now - self._sending_since > SEND_SECONDS_MAX
            return f"the client reads nothing for {SEND_SECONDS_MAX} s" if late else None
        idle = not self._pending and now - self._heard_at > self._idle_seconds
        return f"idle for {self._idle_seconds:.0f} s" if idle else None

    async def close(self, reason: str) -> None:
        log.info("connection closed", client=self._client, reason=reason)
        await self._stream.aclose()

    # In

    async def _read(self) -> None:
        frames = Frames()
        try:
            while True:
                frames.feed(await self._stream.receive(RECEIVE_BYTES))
                self._heard_at = anyio.current_time()
                while (frame := frames.take()) is not None:
                    header = parse_header(frame)
                    answer = await dispatch(self._broker, header, frame, self._host)
                    frames.trusted = True
                    await self._put(_Pending(header, answer))
        except (MalformedError, CloseConnectionError) as error:
            log.warning("connection closed", client=self._client, reason=str(error))
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass  # The client has gone; what it asked for is done, or given up with it.
        except Exception:
            log.exception("connection closed: a request failed in a way nobody foresaw", client=self._client)

    async def _put(self, pending: _Pending) -> None:
        self._pending.append(pending)
        self._moved.set()
        while len(self._pending) >= IN_FLIGHT_MAX and not self._ended:
            self._moved = anyio.Event()
            await self._moved.wait()

    # Out

    async def _answer(self) -> None:
        try:
            while True:
                while not self._pending:
                    if self._ended:
                        return
                    self._moved = anyio.Event()
                    await self._moved.wait()
                await self._send(await self._next_answers())
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass  # The client has gone.
        except CloseConnectionError as error:
            log.warning("connection closed", client=self._client, reason=str(error))
        except Exception:
            log.exception("connection closed: an answer failed in a way nobody foresaw", client=self._client)
        finally:
            self._ended = True
            await self._stream.aclose()

    async def _next_answers(self) -> bytes:
        """The first answer when it is there, and those behind it that are there by then."""
        parts: list[Buffer] = []
        size = 0
        while self._pending and size < SEND_BYTES:
            pending = self._pending[0]
            answer = pending.answer
            if isinstance(answer, Later):
                if parts and not answer.ready():
                    break
                answer = await answer.make()
            if answer is not None:
                frame = encode(pending.header, answer)
                size += sum(map(len, frame))
                parts += frame
            self._pending.popleft()
            self._moved.set()
        return b"".join(parts)

    async def _send(self, data: bytes) -> None:
        if not data:
            return
        self._sending, self._sending_since = True, anyio.current_time()
        await self._stream.send(data)
        self._sending = False
