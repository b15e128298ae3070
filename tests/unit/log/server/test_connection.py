"""One connection, with a client that behaves and with clients that don't."""

from __future__ import annotations

import asyncio
import struct
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from streamflow.log.protocol.messages import api_versions_response
from streamflow.log.server import connection as connection_module
from streamflow.log.server.broker import Answer, CloseConnectionError, Later
from streamflow.log.server.complaints import Complaints
from streamflow.log.server.connection import (
    ANSWERS_BYTES_MAX,
    FIRST_REQUEST_SECONDS,
    FRAME_SECONDS,
    FRAME_SECONDS_WHEN_SHORT,
    IN_FLIGHT_MAX,
    TAKE_SECONDS_WHEN_SHORT,
    Connection,
    Door,
)
from streamflow.log.server.figures import Figures
from streamflow.log.server.link import Link
from streamflow.log.server.memory import Memory, Share

sys.path.insert(0, str(Path(__file__).parent))
from sockets import Client, settle

pytestmark = pytest.mark.anyio

IDLE_SECONDS = 600
Served = Callable[[int], Awaitable[Answer]]
"""By a request's number."""


def request(number: int, size: int = 0, api: int = 18, version: int = 0) -> bytes:
    """An ApiVersions request: nothing but its number, and padding."""
    return struct.pack(">ihhih", 10 + size, api, version, number, -1) + bytes(size)


def answer(size: int = 0) -> api_versions_response.ApiVersionsResponse:
    key = api_versions_response.ApiVersion()
    return api_versions_response.ApiVersionsResponse(api_keys=[key] * (size // 6))


def numbers(client: Client) -> list[int]:
    """Of the requests that were answered, in order."""
    return [struct.unpack_from(">i", frame)[0] for frame in client.answers()]


class Room:
    """A broker's door, with handlers that a test says. `begun` are the requests' numbers."""

    def __init__(self, broker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun: list[int] = []
        self.served: Served = self._at_once
        self.door = Door(broker, Complaints(lambda: 0.0), Memory(1 << 20), Figures(), IDLE_SECONDS)
        self.connections: list[Connection] = []
        monkeypatch.setattr(connection_module, "dispatch", self._dispatch)

    async def _at_once(self, number: int) -> Answer:
        return answer()

    async def _dispatch(self, broker: Any, header: Any, frame: memoryview, host: str, *, from_peer: bool) -> Answer:
        assert not from_peer
        self.begun.append(header.correlation_id)
        return await self.served(header.correlation_id)

    @asynccontextmanager
    async def client(self, **given: Any) -> AsyncIterator[Client]:
        client, links = Client(**given), list[Link]()
        client.connect(Link(links.append))
        self.connections.append(Connection(self.door, links[0]))
        task = asyncio.ensure_future(self.connections[-1].serve())
        try:
            yield client
        finally:
            client.vanish()
            self.connections[-1].hang_up()
            await asyncio.wait_for(task, 5)

    def overdue(self, seconds: float, number: int = -1) -> str | None:
        """After so long."""
        return self.connections[number].overdue(asyncio.get_running_loop().time() + seconds)


@pytest.fixture
async def room(door: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Room]:
    room = Room(door.broker, monkeypatch)
    yield room
    assert room.door.requests.held == room.door.broker.answers.held == 0, "all is given back"


class Gate:
    """Answers that come when they are let."""

    def __init__(self) -> None:
        self.opened: dict[int, asyncio.Event] = {}

    async def __call__(self, number: int) -> Answer:
        gate = self.opened.setdefault(number, asyncio.Event())

        async def make() -> Answer:
            await gate.wait()
            return answer()

        return Later(make, gate.is_set)

    def open(self, *numbers: int) -> None:
        for number in numbers:
            self.opened[number].set()


# Order


async def test_requests_are_answered_in_their_order(room: Room) -> None:
    async with room.client() as client:
        client.send(request(1) + request(2) + request(3))
        await settle()
        assert numbers(client) == [1, 2, 3]


async def test_a_request_behind_one_that_waits_is_begun_and_answered_after_it(room: Room) -> None:
    room.served = gate = Gate()
    async with room.client() as client:
        client.send(b"".join(map(request, range(4))))
        await settle()
        assert (room.begun, numbers(client)) == ([0, 1, 2, 3], [])
        gate.open(1, 2)
        await settle()
        assert numbers(client) == []
        gate.open(0)
        await settle()
        assert numbers(client) == [0, 1, 2]
        gate.open(3)
        await settle()
        assert numbers(client) == [0, 1, 2, 3]


async def test_an_answer_that_is_there_waits_for_the_one_before_it(room: Room) -> None:
    gate = Gate()

    async def served(number: int) -> Answer:
        return await gate(number) if number == 0 else answer()

    room.served = served
    async with room.client() as client:
        client.send(b"".join(map(request, range(3))))
        await settle()
        assert numbers(client) == []
        gate.open(0)
        await settle()
        assert numbers(client) == [0, 1, 2]


async def test_a_request_that_wants_no_answer_gets_none(room: Room) -> None:
    async def served(number: int) -> Answer:
        return None if number == 1 else answer()

    room.served = served
    async with room.client() as client:
        client.send(b"".join(map(request, range(3))))
        await settle()
        assert numbers(client) == [0, 2]
    assert sum(room.door.figures.requests["api_versions"].counts) == 3, "all are counted"


# Limits


async def test_no_more_requests_are_begun_than_may_be_in_flight(room: Room) -> None:
    room.served = gate = Gate()
    async with room.client() as client:
        client.send(b"".join(map(request, range(2 * IN_FLIGHT_MAX))))
        await settle()
        assert len(room.begun) == IN_FLIGHT_MAX
        gate.open(0)
        await settle()
        assert len(room.begun) == IN_FLIGHT_MAX + 1
        while len(numbers(client)) < 2 * IN_FLIGHT_MAX:
            gate.open(*gate.opened)
            await settle()
        assert numbers(client) == list(range(2 * IN_FLIGHT_MAX))


async def test_who_asks_and_does_not_read_is_asked_to_wait(room: Room) -> None:
    async def served(number: int) -> Answer:
        return answer(ANSWERS_BYTES_MAX // 4)

    room.served = served
    async with room.client(window=0) as client:
        client.send(b"".join(map(request, range(90))))
        await settle(200)
        assert len(room.begun) < 10
        assert room.door.broker.answers.held < 2 * ANSWERS_BYTES_MAX
        client.read(1 << 30)
        await settle(2000)
        assert numbers(client) == list(range(90))


async def test_a_long_frame_waits_for_room_and_a_heartbeat_does_not(room: Room) -> None:
    async with room.client() as greedy, room.client() as large, room.client() as small:
        for client in (greedy, large, small):
            client.send(request(0))
        await settle()
        greedy.send(request(1, size=2 << 20)[:100])
        await settle()
        assert room.door.requests.held >= 2 << 20, "it is held before it has come"
        whole = request(2, size=1 << 18)
        large.send(whole[: 1 << 17])
        await settle()
        assert room.door.requests.short
        large.send(whole[1 << 17 :])
        small.send(request(3))
        await settle()
        assert numbers(small) == [0, 3]
        assert not large.reading, "what is more waits in the client's own socket"
        greedy.vanish()
        await settle()
        assert not room.door.requests.short
        assert numbers(large) == [0, 2]


async def test_requests_that_wait_for_their_answers_count_as_what_they_take_decoded(room: Room) -> None:
    room.served = gate = Gate()
    async with room.client() as client:
        client.send(request(0) + request(1, size=5000))
        await settle()
        assert room.door.requests.held >= 50_000
        gate.open(0, 1)
        await settle()
        assert room.door.requests.held == 0


# Time


async def test_a_client_that_says_nothing_at_first_is_closed_soon(room: Room) -> None:
    async with room.client() as client:
        await settle()
        assert room.overdue(FIRST_REQUEST_SECONDS - 1) is None
        assert "no request came" in (room.overdue(FIRST_REQUEST_SECONDS + 1) or "")
        client.send(request(0)[:-1])
        await settle()
        assert "no request came" in (room.overdue(FIRST_REQUEST_SECONDS + 1) or ""), "half a request is none"


async def test_a_client_that_sends_a_byte_a_minute_is_closed(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    async with room.client() as client:
        client.send(request(0))
        await settle()
        began = asyncio.get_running_loop().time()
        for byte in request(1)[:10]:
            client.send(bytes([byte]))
            await settle()
        client.link.received_at = began + FRAME_SECONDS
        assert room.overdue(FRAME_SECONDS - 1) is None
        assert "isn't whole" in (room.overdue(FRAME_SECONDS + 1) or "")
        client.send(request(1)[10:])
        await settle()
        assert room.overdue(FRAME_SECONDS + 1) is None


async def test_a_slow_client_is_closed_sooner_when_others_wait_for_memory(room: Room) -> None:
    async with room.client() as slow, room.client() as other:
        for client in (slow, other):
            client.send(request(0))
        await settle()
        slow.send(request(1, size=2 << 20)[:100])
        await settle()
        assert room.overdue(FRAME_SECONDS_WHEN_SHORT + 1, 0) is None
        other.send(request(1, size=1 << 18)[:100])
        await settle()
        assert "isn't whole" in (room.overdue(FRAME_SECONDS_WHEN_SHORT + 1, 0) or "")
        assert room.overdue(FRAME_SECONDS + 1, 1) is None, "who waits for us isn't slow"


async def test_an_idle_client_is_closed_but_not_one_that_waits_for_an_answer(room: Room) -> None:
    room.served = gate = Gate()
    async with room.client() as client:
        client.send(request(0))
        await settle()
        assert room.overdue(2 * IDLE_SECONDS) is None
        gate.open(0)
        await settle()
        assert room.overdue(IDLE_SECONDS - 1) is None
        assert "idle" in (room.overdue(IDLE_SECONDS + 1) or "")


async def test_a_client_that_takes_nothing_is_closed_late_or_soon_if_others_wait(room: Room) -> None:
    async def served(number: int) -> Answer:
        return answer(1000)

    room.served = served
    async with room.client(window=10) as client:
        client.send(request(0))
        await settle()
        assert room.overdue(IDLE_SECONDS - 1) is None
        assert "takes nothing" in (room.overdue(IDLE_SECONDS + 1) or "")
        answers = room.door.broker.answers
        full = Share(answers)
        full.hold(answers.bytes_max)
        waiting = asyncio.ensure_future(answers.room())
        await settle()
        assert "takes nothing" in (room.overdue(TAKE_SECONDS_WHEN_SHORT + 1) or "")
        full.hold(0)
        await waiting


# Ends


async def test_what_came_before_the_end_is_done_and_answered(room: Room) -> None:
    async with room.client() as client:
        client.send(request(0) + request(1))
        client.finish()
        await settle()
        assert numbers(client) == [0, 1]
        assert client.closed == "when all was sent"


async def test_who_has_gone_is_waited_for_no_longer(room: Room) -> None:
    room.served = Gate()
    async with room.client() as client:
        client.send(request(0))
        client.finish()
        await settle()
        assert client.closed is None
        assert room.overdue(0.5) is None
        assert room.overdue(2) == "", "nothing to complain of"
        room.connections[0].hang_up()
        await settle()
        assert client.closed == "at once"


async def test_what_was_begun_is_done_though_the_client_has_gone(room: Room) -> None:
    begun, go_on, done = asyncio.Event(), asyncio.Event(), []

    async def served(number: int) -> Answer:
        begun.set()
        await go_on.wait()
        done.append(number)
        return answer()

    room.served = served
    async with room.client() as client:
        client.send(request(0))
        await begun.wait()
        client.vanish()
        room.connections[0].hang_up()
        await settle()
        assert done == []
        go_on.set()
        await settle()
        assert done == [0]


async def test_draining_answers_what_was_begun_and_begins_no_more(room: Room) -> None:
    room.served = gate = Gate()
    async with room.client() as client:
        client.send(request(0) + request(1))
        await settle()
        room.connections[0].drain()
        client.send(request(2))
        await settle()
        assert client.closed is None
        gate.open(0, 1)
        await settle()
        assert (room.begun, numbers(client)) == ([0, 1], [0, 1])
        assert client.closed == "when all was sent"


# What goes wrong


async def test_a_malformed_frame_closes_its_connection_with_the_reason(room: Room) -> None:
    with capture_logs() as lines:
        async with room.client() as client:
            client.send(struct.pack(">ihh", 2**31 - 1, 3, 1))
            await settle()
            assert client.closed == "at once"
    assert [(line["log_level"], line["client"]) for line in lines] == [("warning", "10.0.0.1:4711")]
    assert "2147483647 bytes" in lines[0]["reason"]


def later(make: Callable[[], Awaitable[Answer]]) -> Served:
    async def served(number: int) -> Answer:
        return Later(make)

    return served


async def fail() -> Answer:
    raise RuntimeError("nobody foresaw this")


async def hang_up() -> Answer:
    raise CloseConnectionError("acks=0, and it failed")


async def be_cancelled() -> Answer:
    """By somebody who isn't the connection."""
    strange: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    strange.cancel()
    await strange


async def nonsense() -> Answer:
    return object()


@pytest.mark.parametrize("wrong", [fail, hang_up, be_cancelled, nonsense])
@pytest.mark.parametrize("at", ["once", "later"])
async def test_what_fails_closes_its_own_connection_and_no_other(
    room: Room, wrong: Callable[[], Awaitable[Answer]], at: str
) -> None:
    async def at_once(number: int) -> Answer:
        return await wrong()

    async with room.client() as bad, room.client() as good:
        good.send(request(0))
        await settle()
        with capture_logs() as lines:
            room.served = at_once if at == "once" else later(wrong)
            bad.send(request(1))
            await settle()
        assert bad.closed == "at once"
        assert len(lines) == 1
        room.served = room._at_once
        good.send(request(2))
        await settle()
        assert numbers(good) == [0, 2]
