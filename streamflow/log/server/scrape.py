"""Where Prometheus asks: `GET /metrics` over HTTP/1.1, and nothing else.

Promises: a question of at most `HEAD_BYTES_MAX`, within `ASK_SECONDS`, by at most `ASKERS_MAX` at a time; the broker
goes on while the answer is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import anyio
import structlog
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

log = structlog.get_logger("streamflow.broker")

PATH = "/metrics"
HEAD_BYTES_MAX = 8 << 10
ASK_SECONDS = 5
ANSWER_SECONDS = 10
ASKERS_MAX = 8


class Scrape:
    """Args:
    exposition: gives the text, in parts.
    """

    def __init__(self, exposition: Callable[[], Iterable[bytes]]) -> None:
        self._exposition = exposition
        self._askers = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: one question."""
        self._askers += 1
        try:
            if self._askers <= ASKERS_MAX:
                with anyio.fail_after(ASK_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                with anyio.fail_after(ANSWER_SECONDS):
                    writer.write(await self._answer_to(head.split(b"\r\n", 1)[0].decode("latin-1")))
                    await writer.drain()
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # Nobody, or nothing, that asks as it should.
        except Exception:
            log.exception("the metrics couldn't be told")
        finally:
            self._askers -= 1
            writer.close()

    async def _answer_to(self, line: str) -> bytes:
        method, _, rest = line.partition(" ")
        target, _, version = rest.partition(" ")
        if not version.startswith("HTTP/1."):
            return _answer("400 Bad Request", b"this is HTTP/1.1\n")
        if target.partition("?")[0] != PATH:
            return _answer("404 Not Found", f"the metrics are at {PATH}\n".encode())
        if method not in ("GET", "HEAD"):
            return _answer("405 Method Not Allowed", b"GET it\n", "Allow: GET, HEAD")
        parts: list[bytes] = []
        for part in self._exposition():
            parts.append(part)
            await asyncio.sleep(0)
        body = b"".join(parts)
        answer = _answer("200 OK", body, f"Content-Type: {CONTENT_TYPE_PLAIN_0_0_4}")
        return answer if method == "GET" else answer[: len(answer) - len(body)]


def _answer(status: str, body: bytes, *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "Connection: close")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
