"""Frames arrive in order or not at all; whoever has no answer hears so in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest

from streamflow.log.errors import PeerGoneError, PeerUnreachableError
from streamflow.log.protocol.frames import RequestHeader
from streamflow.log.protocol.messages import metadata_request, metadata_response
from tests.simulation.cluster.loop import Host, SimulatedLoop, run
from tests.simulation.cluster.network import Conditions, Door, Network, NoAnswer, NotSent, SimPeers
from tests.simulation.cluster.trace import Trace

Request = metadata_request.MetadataRequest
Test = Callable[[Network, list[int]], Awaitable[Any]]


def on_a_network(test: Test) -> Any:
    """With one node, that tells which requests came."""

    async def main(loop: SimulatedLoop) -> Any:
        came: list[int] = []

        async def serve(header: RequestHeader, frame: memoryview) -> Any:
            came.append(header.correlation_id)
            return metadata_response.MetadataResponse(controller_id=7)

        network = Network(loop, Random(1), Trace(loop))
        network.doors[1] = Door(Host("node-1.1"), serve, serve)
        return await test(network, came)

    return run(main)


def test_requests_of_a_connection_keep_their_order() -> None:
    async def test(network: Network, came: list[int]) -> None:
        network.conditions = Conditions(delay=0, spread=1.0)
        connection = network.connect("c", 1)
        answers = await asyncio.gather(*[connection.ask(Request(), 5.0) for _ in range(20)])
        assert came == list(range(1, 21))
        assert {answer.controller_id for answer in answers} == {7}

    on_a_network(test)


def test_nothing_passes_a_cut_and_who_asks_hears_so_in_time() -> None:
    async def test(network: Network, came: list[int]) -> None:
        for pair, arrived in (("c", "node-1"), False), (("node-1", "c"), True):
            came.clear()
            network.cut = {pair}
            began = network.loop.time()
            connection = network.connect("c", 1)
            with pytest.raises(NoAnswer):
                await connection.ask(Request(), 2.0)
            assert network.loop.time() - began == 2.0
            assert bool(came) is arrived
            with pytest.raises(NotSent):
                await connection.ask(Request(), 2.0)

    on_a_network(test)


def test_what_stalls_comes_late_when_nobody_waits_for_it_any_more() -> None:
    async def test(network: Network, came: list[int]) -> None:
        network.conditions = Conditions(stall=1.0, stall_seconds=100.0)
        with pytest.raises(NoAnswer):
            await network.connect("c", 1).ask(Request(), 1.0)
        assert came == []
        await asyncio.sleep(100)
        assert came == [1]

    on_a_network(test)


def test_nodes_hear_of_who_cant_be_reached() -> None:
    async def test(network: Network, came: list[int]) -> None:
        peers = SimPeers(network, "node-2")
        assert (await peers.ask(1, Request(), timeout_ms=1000)).controller_id == 7
        network.doors[1].host.dead = True
        for node in (1, 3):
            with pytest.raises(PeerUnreachableError):
                await peers.ask(node, Request(), timeout_ms=1000)

    on_a_network(test)


def test_requests_between_nodes_overtake_each_other() -> None:
    async def test(network: Network, came: list[int]) -> None:
        network.conditions = Conditions(delay=0, spread=1.0)
        arrived: list[int] = []

        async def one(n: int) -> None:
            await SimPeers(network, "node-2").ask(1, Request(), timeout_ms=5000)
            arrived.append(n)

        await asyncio.gather(*[one(n) for n in range(20)])
        assert sorted(arrived) == list(range(20)) != arrived

    on_a_network(test)


def test_a_node_learns_that_another_is_gone_but_not_that_its_machine_is_off() -> None:
    async def test(network: Network, came: list[int]) -> None:
        network.doors[1].host.dead = True
        with pytest.raises(PeerGoneError):
            await SimPeers(network, "node-2").ask(1, Request(), timeout_ms=500)
        network.doors[1].dark = True
        with pytest.raises(PeerUnreachableError) as told:
            await SimPeers(network, "node-2").ask(1, Request(), timeout_ms=500)
        assert not isinstance(told.value, PeerGoneError)

    on_a_network(test)
