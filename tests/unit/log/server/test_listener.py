"""Who is let in, who is closed, and how the end goes."""

from __future__ import annotations

import asyncio
import struct
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs

from streamflow.log.server import listener as listener_module
from streamflow.log.server.connection import FIRST_REQUEST_SECONDS
from streamflow.log.server.link import Link
from streamflow.log.server.listener import Listener

sys.path.insert(0, str(Path(__file__).parent))
from sockets import Client, settle

pytestmark = pytest.mark.anyio

API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)


class Street:
    """Before the door: clients that connect. `closed` says that it takes no more."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.stop = anyio.Event()
        self.closed = False
        self._made: Callable[[], Link]
        self.serving = asyncio.ensure_future(listener.serve(self._listen, self.stop))

    async def _listen(self, made: Callable[[], Link]) -> Street:
        self._made = made
        return self

    def close(self) -> None:
        self.closed = True

    async def connect(self, **given: Any) -> Client:
        await settle()
        client = Client(**given)
        client.connect(self._made())
        await settle()
        return client

    async def end(self) -> None:
        self.stop.set()
        await asyncio.wait_for(self.serving, 10)


@pytest.fixture
def street(door_with: Any) -> Callable[..., Awaitable[Street]]:
    async def made(*, for_peers: bool = False, **settings: str) -> Street:
        door = await door_with(**settings).start()
        return Street(Listener(door.broker, for_peers=for_peers))

    return made


async def test_who_connects_is_answered(street: Callable[..., Awaitable[Street]]) -> None:
    here = await street()
    client = await here.connect()
    client.send(API_VERSIONS)
    await settle()
    assert len(client.answers()) == 1
    assert len(here.listener.connections) == 1
    await here.end()
    assert client.closed == "when all was sent"
    assert here.listener.connections == set()


VOTE = struct.pack(">ihhih", 12, 52, 2, 1, -1) + b"\0\0"


async def test_what_nodes_say_to_each_other_is_not_taken_from_clients(
    street: Callable[..., Awaitable[Street]],
) -> None:
    here = await street()
    with capture_logs() as lines:
        client = await here.connect()
        client.send(VOTE)
        await settle()
    assert client.closed is not None
    assert [line["reason"] for line in lines] == ["vote is for peers, who have another listener"]
    await here.end()


async def test_what_clients_say_is_not_taken_from_nodes(street: Callable[..., Awaitable[Street]]) -> None:
    here = await street(for_peers=True)
    with capture_logs() as lines:
        node = await here.connect()
        node.send(struct.pack(">ihhih", 10, 11, 9, 1, -1))
        await settle()
    assert node.closed is not None
    assert [line["reason"] for line in lines] == ["join_group is for clients, who have another listener"]
    await here.end()


@pytest.mark.parametrize(
    ("settings", "hosts", "let_in"),
    [
        ({"max.connections": "2"}, ["10.0.0.1", "10.0.0.2", "10.0.0.3"], [True, True, False]),
        ({"max.connections.per.ip": "1"}, ["10.0.0.1", "10.0.0.1", "10.0.0.2"], [True, False, True]),
    ],
)
async def test_who_is_one_too_many_is_turned_away(
    street: Callable[..., Awaitable[Street]], settings: dict[str, str], hosts: list[str], let_in: list[bool]
) -> None:
    here = await street(**settings)
    with capture_logs() as lines:
        clients = [await here.connect(host=host) for host in hosts]
    assert [client.closed is None for client in clients] == let_in
    assert [line["reason"].split()[0] for line in lines] == list(settings)
    assert here.listener.refused == 1
    clients[0].vanish()
    await settle()
    again = await here.connect(host=hosts[0])
    assert again.closed is None, "a place is free again"
    await here.end()


async def test_a_silent_client_is_closed_and_said_to_be(
    street: Callable[..., Awaitable[Street]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener_module, "SWEEP_SECONDS", 0)
    here = await street()
    client = await here.connect()
    client.link.opened_at -= FIRST_REQUEST_SECONDS + 1
    with capture_logs() as lines:
        await settle()
    assert client.closed == "at once"
    assert [line["event"] for line in lines] == ["connection closed"]
    await here.end()


async def test_at_the_end_nobody_new_is_taken_and_who_waits_is_answered(
    street: Callable[..., Awaitable[Street]],
) -> None:
    here = await street()
    broker = here.listener.broker
    client = await here.connect()
    client.send(API_VERSIONS)
    await settle()
    topic = b"\0\1t"
    fetch = struct.pack(">hhih", 1, 4, 2, -1) + struct.pack(">iiiibi", -1, 60_000, 1, 1 << 20, 0, 1) + topic
    fetch += struct.pack(">iiqi", 1, 0, 0, 1 << 20)
    from streamflow.log.controller.topics import NewTopic

    await broker.node.topics.create(NewTopic(name="t"))
    client.send(struct.pack(">i", len(fetch)) + fetch)
    await settle()
    assert len(client.answers()) == 1, "it waits for records"
    await here.end()
    assert here.closed
    assert len(client.answers()) == 2, "it is answered with what there is"


async def test_an_answer_that_does_not_come_is_waited_for_no_longer_than_the_time_there_is(
    street: Callable[..., Awaitable[Street]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener_module, "SHUTDOWN_SECONDS", 0.01)
    here = await street()
    client = await here.connect(window=0)
    client.send(API_VERSIONS)
    await settle()
    with capture_logs() as lines:
        await here.end()
    assert client.closed == "at once"
    assert [line["connections"] for line in lines] == [1]
