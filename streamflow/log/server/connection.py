"""One client's connection: requests are begun in their order and answered in their order.

Promises: no more than `IN_FLIGHT_MAX` requests of a connection are held; a client that sends nothing, or reads nothing,
for too long is closed; whatever one client sends, no other notices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anyio
import structlog
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from streamflow.log.errors import MalformedError
from streamflow.log.protocol.frames import Frames, RequestHeader, parse_header
from streamflow.log.server.broker import Broker, CloseConnectionError, Later
from streamflow.log.server.dispatch import dispatch, encode

log = structlog.get_logger("streamflow.broker")

RECEIVE_BYTES = 256 << 10
IN_FLIGHT_MAX = 100
"""Requests begun and not answered. librdkafka sends up to a million, Java five; what is more waits in the socket."""
SEND_TIMEOUT_SECONDS = 60
"""For a client to take some of its answer."""


@dataclass(frozen=True, slots=True)
class _Pending:
    header: RequestHeader
    answer: Any


class Connection:
    def __init__(self, broker: Broker, stream: SocketStream, *, idle_seconds: float) -> None:
        self._broker = broker
        self._stream = stream
        self._idle_seconds = idle_seconds
        remote = stream.extra(SocketAttribute.remote_address, ("", 0))
        self._host = str(remote[0])
        self._client = f"{remote[0]}:{remote[1]}"
        self._answered = 0
        self._begun = 0

    def __repr__(self) -> str:
        return f"<Connection {self._client}: {self._begun - self._answered} requests in flight>"

    async def serve(self) -> None:
        """Returns when the client has gone, or was closed for what it did."""
        send, receive = anyio.create_memory_object_stream[_Pending](IN_FLIGHT_MAX)
        async with self._stream, anyio.create_task_group() as group:
            group.start_soon(self._answer, receive)
            await self._read(send)
            send.close()

    async def _read(self, send: MemoryObjectSendStream[_Pending]) -> None:
        frames = Frames()
        try:
            while (data := await self._receive()) is not None:
                frames.feed(data)
                while (frame := frames.take()) is not None:
                    header = parse_header(frame)
                    answer = await dispatch(self._broker, header, frame, self._host)
                    frames.trusted = True
                    self._begun += 1
                    await send.send(_Pending(header, answer))
        except (MalformedError, CloseConnectionError) as error:
            log.warning("connection closed", client=self._client, reason=str(error))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass  # The client has gone; what it asked for is done or given up with it.
        except Exception:
            log.exception("connection closed: a request failed in a way nobody foresaw", client=self._client)

    async def _receive(self) -> bytes | None:
        """What came; None when the client has gone, or has been silent for too long with nothing to be answered."""
        while True:
            with anyio.move_on_after(self._idle_seconds):
                try:
                    return await self._stream.receive(RECEIVE_BYTES)
                except anyio.EndOfStream:
                    return None
            if self._begun == self._answered:
                log.info("connection closed: idle", client=self._client, seconds=self._idle_seconds)
                return None

    async def _answer(self, receive: MemoryObjectReceiveStream[_Pending]) -> None:
        try:
            async with receive:
                async for pending in receive:
                    answer = pending.answer
                    if isinstance(answer, Later):
                        answer = await answer.make()
                    self._answered += 1
                    if answer is not None:
                        await self._send(b"".join(encode(pending.header, answer)))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass  # The client has gone.
        except TimeoutError:
            log.warning("connection closed: the client reads nothing", client=self._client)
        except CloseConnectionError as error:
            log.warning("connection closed", client=self._client, reason=str(error))
        except Exception:
            log.exception("connection closed: an answer failed in a way nobody foresaw", client=self._client)
        finally:
            await self._stream.aclose()

    async def _send(self, data: bytes) -> None:
        with anyio.fail_after(SEND_TIMEOUT_SECONDS):
            await self._stream.send(data)
