from __future__ import annotations

import asyncio
from typing import cast

import pytest

from streamflow.log.server import scrape as scrape_module
from streamflow.log.server.scrape import ASKERS_MAX, Scrape

pytestmark = pytest.mark.anyio


class Writer:
    """What is written, until it is closed."""

    def __init__(self) -> None:
        self.data = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.data += data

    async def drain(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def reader(said: bytes, *, ended: bool = True) -> asyncio.StreamReader:
    found = asyncio.StreamReader(limit=scrape_module.HEAD_BYTES_MAX)
    found.feed_data(said)
    if ended:
        found.feed_eof()
    return found


async def ask(scrape: Scrape, said: bytes) -> bytes:
    writer = Writer()
    await scrape.answer(reader(said), cast(asyncio.StreamWriter, writer))
    assert writer.closed
    return writer.data


@pytest.fixture
def scrape() -> Scrape:
    return Scrape(lambda: iter([b"one 1\n", b"two 2\n"]))


@pytest.mark.parametrize("target", ["/metrics", "/metrics?name=x"])
async def test_the_metrics_are_told_to_who_asks_for_them(scrape: Scrape, target: str) -> None:
    head, _, body = (await ask(scrape, f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Type: text/plain; version=0.0.4" in head
    assert b"Content-Length: 12" in head
    assert body == b"one 1\ntwo 2\n"


async def test_a_head_request_gets_the_head(scrape: Scrape) -> None:
    answer = await ask(scrape, b"HEAD /metrics HTTP/1.1\r\n\r\n")
    assert b"Content-Length: 12" in answer and answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET / HTTP/1.1", b"404"),
        (b"POST /metrics HTTP/1.1", b"405"),
        (b"GET /metrics", b"400"),
        (b"\x16\x03\x01 \xff HTTX", b"400"),
        (b"", b"400"),
    ],
)
async def test_what_is_no_question_is_refused(scrape: Scrape, line: bytes, status: bytes) -> None:
    assert (await ask(scrape, line + b"\r\n\r\n")).split()[1] == status


@pytest.mark.parametrize("said", [b"", b"GET /metrics HTTP/1.1\r\n", b"x" * (scrape_module.HEAD_BYTES_MAX + 100)])
async def test_half_a_question_or_one_too_long_gets_no_answer(scrape: Scrape, said: bytes) -> None:
    assert await ask(scrape, said) == b""


async def test_who_asks_too_slowly_is_closed(scrape: Scrape, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrape_module, "ASK_SECONDS", 0.01)
    writer = Writer()
    await scrape.answer(reader(b"GET", ended=False), cast(asyncio.StreamWriter, writer))
    assert writer.closed and writer.data == b""


async def test_not_more_than_some_are_answered_at_a_time(scrape: Scrape) -> None:
    slow = [reader(b"GET", ended=False) for _ in range(ASKERS_MAX)]
    tasks = [asyncio.ensure_future(scrape.answer(each, cast(asyncio.StreamWriter, Writer()))) for each in slow]
    await asyncio.sleep(0)
    assert await ask(scrape, b"GET /metrics HTTP/1.1\r\n\r\n") == b""
    for each in slow:
        each.feed_eof()
    await asyncio.gather(*tasks)
    assert await ask(scrape, b"GET /metrics HTTP/1.1\r\n\r\n") != b""


async def test_others_run_while_the_metrics_are_told() -> None:
    turns: list[str] = []

    def parts() -> list[bytes]:
        return [b"x"] * 5

    async def other() -> None:
        for _ in range(3):
            turns.append("other")
            await asyncio.sleep(0)

    asking = asyncio.ensure_future(ask(Scrape(parts), b"GET /metrics HTTP/1.1\r\n\r\n"))
    await other()
    assert not asking.done()
    await asking


async def test_a_figure_that_fails_is_logged_and_the_broker_goes_on() -> None:
    def fail() -> list[bytes]:
        raise RuntimeError("nobody foresaw this")

    assert await ask(Scrape(fail), b"GET /metrics HTTP/1.1\r\n\r\n") == b""
