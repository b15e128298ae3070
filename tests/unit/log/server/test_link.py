from __future__ import annotations

import asyncio
import socket
import struct
import sys
from pathlib import Path
from typing import Any

import pytest

from streamflow.log.server import link as link_module
from streamflow.log.server.link import AHEAD_BYTES, CHUNK_BYTES, Link

sys.path.insert(0, str(Path(__file__).parent))
from sockets import Client, options, settle

pytestmark = pytest.mark.anyio


def connected(**given: Any) -> tuple[Client, Link]:
    opened: list[Link] = []
    client = Client(**given)
    client.connect(Link(opened.append))
    return client, opened[0]


def frame(body: bytes) -> bytes:
    return struct.pack(">ihhih", 10 + len(body), 3, 1, 7, -1) + body


async def test_a_link_knows_where_it_comes_from_and_sends_at_once() -> None:
    client, link = connected(host="10.9.8.7")
    assert (link.host, link.client) == ("10.9.8.7", "10.9.8.7:4711")
    assert options(client)[socket.IPPROTO_TCP, socket.TCP_NODELAY] == 1
    assert options(client)[socket.SOL_SOCKET, socket.SO_KEEPALIVE] == 1


async def test_a_client_that_has_gone_by_the_time_it_is_taken_is_no_error() -> None:
    client = Client()
    client._extra["peername"] = None  # type: ignore[attr-defined]
    opened: list[Link] = []
    client.connect(Link(opened.append))
    assert opened[0].client == ":0"


async def test_what_comes_is_frames_and_wakes_who_waits() -> None:
    client, link = connected()
    client.send(frame(b"one")[:5])
    assert await link.more()
    assert link.frames.take() is None
    waiting = asyncio.ensure_future(link.more())
    await settle()
    assert link.waiting and not waiting.done()
    client.send(frame(b"one")[5:] + frame(b"two"))
    assert await waiting
    assert not link.waiting
    assert [bytes(link.frames.take() or b"")[-3:] for _ in range(2)] == [b"one", b"two"]
    assert link.bytes_in == 34


async def test_two_links_share_what_they_receive_into_and_nothing_else() -> None:
    (first, one), (second, two) = connected(), connected()
    first.send(frame(b"for one")[:9])
    second.send(frame(b"for two"))
    first.send(frame(b"for one")[9:])
    assert bytes(one.frames.take() or b"").endswith(b"for one")
    assert bytes(two.frames.take() or b"").endswith(b"for two")


async def test_no_more_is_read_than_a_little_ahead_of_who_reads() -> None:
    client, link = connected()
    client.send(b"x" * AHEAD_BYTES)
    assert client.reading
    client.send(b"x")
    assert not client.reading
    assert await link.more(), "what is there is taken first"
    assert not client.reading
    waiting = asyncio.ensure_future(link.more())
    await settle()
    assert client.reading
    client.send(b"x" * 10 * AHEAD_BYTES)
    assert await waiting


async def test_the_end_is_told_after_all_that_came_before_it() -> None:
    client, link = connected()
    waiting = asyncio.ensure_future(link.more())
    await settle()
    client.send(frame(b"last"))
    client.finish()
    assert await waiting
    assert link.frames.take() is not None
    assert not await link.more()


@pytest.mark.parametrize("end", ["finish", "vanish"])
async def test_who_waits_is_told_of_the_end(end: str) -> None:
    client, link = connected()
    waiting = asyncio.ensure_future(link.more())
    await settle()
    getattr(client, end)()
    assert not await waiting
    assert link.ended_at is not None


async def test_once_reading_is_stopped_nothing_more_comes() -> None:
    client, link = connected()
    waiting = asyncio.ensure_future(link.more())
    await settle()
    link.stop_reading()
    assert not await waiting
    assert not client.reading
    assert not await link.more()
    assert link.ended_at is None, "the client hasn't ended anything"


async def test_send_returns_when_all_is_taken() -> None:
    client, link = connected(window=0)
    data = bytes(range(256)) * 4096
    sending = asyncio.ensure_future(link.send([b"head", memoryview(data), b"tail"]))
    await settle()
    assert link.sending and not sending.done()
    assert len(client._waiting) <= CHUNK_BYTES
    while not sending.done():
        client.read(100_000)
        await settle()
        assert len(client._waiting) <= CHUNK_BYTES
    assert bytes(client.received) == b"head" + data + b"tail"
    assert not link.sending
    assert link.bytes_out == len(data) + 8


async def test_what_a_client_takes_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    client, link = connected(window=0)
    now = 50.0
    monkeypatch.setattr(link._loop, "time", lambda: now)
    sending = asyncio.ensure_future(link.send([bytes(2 * CHUNK_BYTES)]))
    await settle()
    assert link.sent_at == 50
    now = 60.0
    client.read(CHUNK_BYTES - 1)
    await settle()
    assert link.sent_at == 50
    client.read(1)
    await settle()
    assert link.sent_at == 60
    client.vanish()
    with pytest.raises(ConnectionError):
        await sending


async def test_small_parts_are_sent_together_and_long_ones_uncopied() -> None:
    long = memoryview(bytes(2 * CHUNK_BYTES + 5))
    parts: list[Any] = [b"a", b"b", long, b"c", b"d"]
    chunks = list(link_module._chunks(parts))
    assert b"".join(chunks) == b"".join(parts)
    assert [len(chunk) for chunk in chunks] == [2, CHUNK_BYTES, CHUNK_BYTES, 5, 2]
    assert all(isinstance(chunk, memoryview) and chunk.obj is long.obj for chunk in chunks[1:4])


async def test_sending_to_a_client_that_has_gone_fails() -> None:
    client, link = connected()
    client.vanish()
    with pytest.raises(ConnectionError):
        await link.send([b"x"])


async def test_what_came_while_nobody_waited_is_there_at_once() -> None:
    client, link = connected()
    client.send(b"\0")
    assert link.frames.take() is None
    client.send(b"\0")
    assert await asyncio.wait_for(link.more(), 1)
    waiting = asyncio.ensure_future(link.more())
    await settle()
    assert not waiting.done()
    waiting.cancel()
