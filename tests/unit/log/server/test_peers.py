"""Asking other nodes over connections whose other end is the test."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any

import pytest

from streamflow.log.controller.image import BrokerImage, MetadataImage
from streamflow.log.errors import PeerUnreachableError
from streamflow.log.node.membership import Endpoint
from streamflow.log.protocol.frames import parse_header
from streamflow.log.protocol.messages import read_request, vote_request, vote_response, write_response
from streamflow.log.server.peers import CONNECTIONS_MAX, Conversation, SocketPeers, reached_at

pytestmark = pytest.mark.anyio
HERE, THERE = Endpoint("a", 1), Endpoint("b", 2)
VOTE = vote_request.VoteRequest(cluster_id="c")


class End(asyncio.Transport):
    """The other end: what came, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.came: list[memoryview] = []
        self.closed = False
        self.conversation: Conversation

    def write(self, data: Any) -> None:
        assert struct.unpack_from(">i", data)[0] == len(data) - 4
        self.came.append(memoryview(data)[4:])

    def abort(self) -> None:
        self.closed = True

    def answer(self, number: int, code: int = 0) -> None:
        header = parse_header(self.came[number])
        assert read_request("vote", header.version, self.came[number], header.body_at).cluster_id == "c"
        message = vote_response.VoteResponse(error_code=code)
        body = b"".join((b"\0", *write_response("vote", header.version, message)))
        frame = struct.pack(">ii", len(body) + 4, header.correlation_id) + body
        self.conversation.data_received(frame[:5])
        self.conversation.data_received(frame[5:])


class Net:
    def __init__(self) -> None:
        self.ends: list[End] = []
        self.wrong: OSError | None = None
        self.dials = 0
        self.at: Endpoint | None = HERE
        self.peers = SocketPeers("node-1", lambda _: self.at, self.dial)

    async def dial(self, made: Callable[[], Conversation], to: Endpoint) -> Conversation:
        self.dials += 1
        await asyncio.sleep(0)
        if self.wrong is not None:
            raise self.wrong
        end = End()
        end.conversation = made()
        end.conversation.connection_made(end)
        self.ends.append(end)
        return end.conversation

    async def ask(self, timeout_ms: int = 5_000) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(self.peers.ask(2, VOTE, timeout_ms=timeout_ms))
        for _ in range(5):
            await asyncio.sleep(0)
        return task


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_an_answer_comes_back_and_the_connection_is_used_again() -> None:
    net = Net()
    for number in range(2):
        task = await net.ask()
        net.ends[0].answer(number, code=number)
        assert (await task).error_code == number
    assert net.dials == 1


async def test_a_request_does_not_wait_behind_another() -> None:
    net = Net()
    slow, quick = await net.ask(), await net.ask()
    net.ends[1].answer(0, code=7)
    assert (await quick).error_code == 7
    assert not slow.done()
    net.ends[0].answer(0)
    await slow


async def test_when_all_connections_are_busy_requests_are_pipelined() -> None:
    net = Net()
    tasks = [await net.ask() for _ in range(CONNECTIONS_MAX + 1)]
    assert net.dials == CONNECTIONS_MAX
    net.ends[0].answer(0, code=1)
    net.ends[0].answer(1, code=2)
    assert [(await tasks[0]).error_code, (await tasks[-1]).error_code] == [1, 2]
    net.peers.close()
    done = await asyncio.gather(*tasks[1:-1], return_exceptions=True)
    assert all(isinstance(error, PeerUnreachableError) for error in done)


async def test_a_silent_node_is_given_up_with_its_connection() -> None:
    net = Net()
    with pytest.raises(PeerUnreachableError, match=r"node 2.*vote within"):
        await net.peers.ask(2, VOTE, timeout_ms=1)
    assert net.ends[0].closed
    await net.ask()
    assert net.dials == 2


async def test_a_late_answer_is_dropped() -> None:
    net = Net()
    task = await net.ask()
    task.cancel()
    await asyncio.sleep(0)
    net.ends[0].answer(0)
    again = await net.ask()
    net.ends[0].answer(1, code=3)
    assert (await again).error_code == 3


async def test_a_connection_that_is_lost_fails_who_waits() -> None:
    net = Net()
    task = await net.ask()
    net.ends[0].conversation.connection_lost(None)
    with pytest.raises(PeerUnreachableError, match="closed the connection"):
        await task
    await net.ask()
    assert net.dials == 2


@pytest.mark.parametrize(
    "data", [struct.pack(">i", 2**31 - 1), struct.pack(">i", 1), struct.pack(">ii", 4, 99), struct.pack(">ii", 4, 1)]
)
async def test_nonsense_for_an_answer_ends_the_connection(data: bytes) -> None:
    net = Net()
    task = await net.ask()
    net.ends[0].conversation.data_received(data)
    with pytest.raises(PeerUnreachableError, match="can't be read"):
        await task
    assert net.ends[0].closed


async def test_a_node_that_cannot_be_reached_is_not_dialled_again_at_once_unless_it_moved() -> None:
    net = Net()
    net.wrong = ConnectionRefusedError("refused")
    for _ in range(3):
        with pytest.raises(PeerUnreachableError, match="a:1: refused"):
            await (await net.ask())
    assert net.dials == 1
    net.wrong, net.at = None, THERE
    task = await net.ask()
    net.ends[0].answer(0)
    await task


async def test_a_node_without_an_address_and_a_closed_door_are_said() -> None:
    net = Net()
    net.at = None
    with pytest.raises(PeerUnreachableError, match="isn't known"):
        await (await net.ask())
    net.peers.close()
    with pytest.raises(PeerUnreachableError, match="stopping"):
        await (await net.ask())


def test_voters_are_reached_as_configured_and_others_as_they_registered() -> None:
    image = MetadataImage()
    image.brokers[2] = BrokerImage(broker_id=2, broker_epoch=1, peer_host="b", peer_port=2)
    image.brokers[3] = BrokerImage(broker_id=3, broker_epoch=1)
    at = reached_at({1: HERE}, lambda: image)
    assert [at(node_id) for node_id in (1, 2, 3, 4)] == [HERE, THERE, None, None]
