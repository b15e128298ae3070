from __future__ import annotations

from typing import Any

import anyio
import pytest

from streamflow.log.errors import PeerUnreachableError, RequestTimedOutError
from streamflow.log.node.controller_channel import ControllerChannel
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import (
    allocate_producer_ids_response,
    unregister_broker_request,
    unregister_broker_response,
)
from tests.unit.log.node.quorum_of_one import OtherNodes, QuorumOfOne

pytestmark = pytest.mark.anyio
ASK = unregister_broker_request.UnregisterBrokerRequest(broker_id=9)
DONE = unregister_broker_response.UnregisterBrokerResponse()
NOT_ME = unregister_broker_response.UnregisterBrokerResponse(error_code=ErrorCode.not_controller)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> QuorumOfOne:
    """Sleeping takes no time, and moves the clock."""
    quorum = QuorumOfOne()
    sleep = anyio.sleep

    async def sleeps(seconds: float) -> None:
        quorum.now += round(seconds * 1000)
        await sleep(0)

    monkeypatch.setattr(anyio, "sleep", sleeps)
    return quorum


def channel(clock: QuorumOfOne, leaders: list[int], others: dict[int, list[Any]]) -> tuple[ControllerChannel, Any]:
    """`leaders`: who leads, as this node learns it."""
    peers = OtherNodes(others)
    own = clock.controller()
    return ControllerChannel(
        1, lambda: leaders.pop(0) if len(leaders) > 1 else leaders[0], own, peers, clock.now_ms
    ), peers


async def test_this_nodes_own_controller_is_asked_directly(clock: QuorumOfOne) -> None:
    ask, peers = channel(clock, [1], {})
    assert (await ask.ask(ASK, timeout_ms=100)).error_code == ErrorCode.broker_id_not_registered
    assert peers.asked == []


async def test_another_node_is_asked_through_its_address(clock: QuorumOfOne) -> None:
    ask, peers = channel(clock, [2], {2: [DONE]})
    assert await ask.ask(ASK, timeout_ms=100) is DONE
    assert peers.asked == [(2, ASK)]


async def test_a_controller_that_moved_is_found_again(clock: QuorumOfOne) -> None:
    gone = PeerUnreachableError("gone")
    ask, peers = channel(clock, [-1, 2, 2, 3], {2: [NOT_ME, gone], 3: [DONE]})
    assert await ask.ask(ASK, timeout_ms=1_000) is DONE
    assert [node for node, _ in peers.asked] == [2, 2, 3]


@pytest.mark.parametrize(("leader", "said"), [(-1, "nobody is known"), (2, "isn't the active"), (3, "node 3 is gone")])
async def test_when_nobody_answers_in_time_it_is_said_why(clock: QuorumOfOne, leader: int, said: str) -> None:
    ask, _ = channel(clock, [leader], {2: [NOT_ME]})
    began = clock.now
    with pytest.raises(RequestTimedOutError, match=f"UnregisterBrokerRequest within 500 ms.*{said}"):
        await ask.ask(ASK, timeout_ms=500)
    assert clock.now - began == 500


async def test_other_refusals_are_answers(clock: QuorumOfOne) -> None:
    refused = allocate_producer_ids_response.AllocateProducerIdsResponse(error_code=ErrorCode.stale_broker_epoch)
    ask, _ = channel(clock, [2], {2: [refused]})
    assert await ask.ask(ASK, timeout_ms=100) is refused
