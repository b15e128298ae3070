"""A client's end of a link without a socket: what the broker sends is kept, and taken at the client's own pace."""

from __future__ import annotations

import asyncio
import struct
from typing import Any, cast

from streamflow.log.server.link import Link


class Client(asyncio.Transport):
    """Args:
    window: how many bytes the client takes before it stops reading; None takes all.
    """

    def __init__(self, host: str = "10.0.0.1", window: int | None = None) -> None:
        super().__init__({"peername": (host, 4711), "socket": NoSocket()})
        self.received = bytearray()
        self.window = window
        self.reading = True
        self.closed: str | None = None
        self.link: Link
        self._waiting = bytearray()

    # What the client does

    def connect(self, link: Link) -> None:
        self.link = link
        link.connection_made(self)

    def send(self, data: bytes) -> None:
        while data:
            buffer = self.link.get_buffer(-1)
            some = data[: len(buffer)]
            buffer[: len(some)] = some
            self.link.buffer_updated(len(some))
            data = data[len(some) :]

    def read(self, count: int) -> None:
        """Takes so much more."""
        self.window = (self.window or 0) + count
        self._move()

    def finish(self) -> None:
        """Sends no more; may still read."""
        self.link.eof_received()

    def vanish(self) -> None:
        self.closed = self.closed or "by the client"
        self.link.connection_lost(ConnectionResetError())

    def answers(self) -> list[bytes]:
        """The frames there are, without their lengths."""
        found, at = [], 0
        while at + 4 <= len(self.received):
            (size,) = struct.unpack_from(">i", self.received, at)
            found.append(bytes(self.received[at + 4 : at + 4 + size]))
            at += 4 + size
        return found

    # What the link does

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high == 0, "a link wants to know what is taken"

    def write(self, data: Any) -> None:
        self._waiting += data
        self._move()
        if self._waiting:
            self.link.pause_writing()

    def _move(self) -> None:
        count = len(self._waiting) if self.window is None else min(self.window, len(self._waiting))
        if self.window is not None:
            self.window -= count
        self.received += self._waiting[:count]
        del self._waiting[:count]
        if not self._waiting:
            self.link.resume_writing()

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        self._close("when all was sent")

    def abort(self) -> None:
        self._close("at once")

    def _close(self, how: str) -> None:
        if self.closed is None:
            self.closed = how
            asyncio.get_running_loop().call_soon(self.link.connection_lost, None)


class NoSocket:
    """Takes every option."""

    def __init__(self) -> None:
        self.options: dict[tuple[int, int], int] = {}

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.options[level, option] = value


def options(client: Client) -> dict[tuple[int, int], int]:
    return cast(NoSocket, client.get_extra_info("socket")).options


async def settle(turns: int = 20) -> None:
    """Lets everything run that can."""
    for _ in range(turns):
        await asyncio.sleep(0)
