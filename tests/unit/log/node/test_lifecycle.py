from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from streamflow.log.errors import InconsistentClusterIdError, RequestTimedOutError
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.lifecycle import Lifecycle
from streamflow.log.node.membership import Endpoint, Membership
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import broker_registration_response
from tests.unit.log.node.quorum_of_one import QuorumOfOne

pytestmark = pytest.mark.anyio
CONFIG = NodeConfig.parse({"broker.heartbeat.interval.ms": "10"})
LIFE = b"1" * 16


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Straight:
    """A channel to a controller that is always there. `failing`: how many requests it loses first."""

    def __init__(self, quorum: QuorumOfOne) -> None:
        self.controller = quorum.controller()
        self.asked: list[Any] = []
        self.failing = 0

    async def ask(self, request: Any, *, timeout_ms: int) -> Any:
        self.asked.append(request)
        if self.failing:
            self.failing -= 1
            raise RequestTimedOutError("lost")
        return await self.controller.answers[type(request)](request)


class Broker:
    def __init__(self, quorum: QuorumOfOne, *, previous: int = -1) -> None:
        self.quorum = quorum
        self.channel = Straight(quorum)
        self.written: list[int] = []
        me = Membership(node_id=7, rack="r", client=Endpoint("c", 1), peer=Endpoint("p", 2))
        self.life = Lifecycle(
            me,
            quorum,
            self.channel,
            CONFIG,
            incarnation_id=LIFE,
            previous_epoch=previous,
            remember=self._remember,  # type: ignore[arg-type]
        )

    async def _remember(self, epoch: int) -> None:
        assert all(hasattr(asked, "incarnation_id") for asked in self.channel.asked[-1:]), "written before a heartbeat"
        self.written.append(epoch)

    async def until(self, true: Callable[[], object]) -> None:
        with anyio.fail_after(2):
            while not true():
                await anyio.lowlevel.checkpoint()

    async def runs(self, *steps: Callable[[], object]) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self.life.run)
            for step in steps:
                await self.until(step)
            group.cancel_scope.cancel()


async def test_a_broker_registers_writes_its_epoch_down_and_is_unfenced() -> None:
    broker = Broker(await QuorumOfOne().named())
    await broker.runs(broker.life.unfenced.is_set)
    known = broker.quorum.image.brokers[7]
    assert broker.written == [known.broker_epoch] == [broker.life.broker_epoch]
    assert (known.host, known.peer_port, known.rack, known.fenced, broker.life.fenced) == ("c", 2, "r", False, False)
    assert broker.channel.asked[0].previous_broker_epoch == -1


async def test_it_waits_until_it_knows_the_cluster() -> None:
    broker = Broker(QuorumOfOne())
    async with anyio.create_task_group() as group:
        group.start_soon(broker.life.run)
        await anyio.lowlevel.checkpoint()
        assert broker.channel.asked == []
        await broker.quorum.named()
        await broker.until(broker.life.unfenced.is_set)
        group.cancel_scope.cancel()


async def test_what_is_lost_on_the_way_is_tried_again() -> None:
    broker = Broker(await QuorumOfOne().named())
    broker.channel.failing = 3
    await broker.runs(broker.life.unfenced.is_set)
    assert len(broker.written) == 1


async def test_it_stays_fenced_until_it_has_applied_its_registration() -> None:
    quorum = await QuorumOfOne().named()
    broker = Broker(quorum)

    class Behind:
        image = quorum.image
        applied = 0

    broker.life._metadata = behind = Behind()  # type: ignore[assignment]
    await broker.runs(lambda: len(broker.channel.asked) > 3)
    assert broker.life.fenced
    behind.applied = quorum.applied
    await broker.runs(broker.life.unfenced.is_set)


async def test_a_broker_that_is_not_known_any_more_registers_again() -> None:
    broker = Broker(await QuorumOfOne().named())
    async with anyio.create_task_group() as group:
        group.start_soon(broker.life.run)
        await broker.until(broker.life.unfenced.is_set)
        first = broker.life.broker_epoch
        del broker.quorum.image.brokers[7]
        await broker.until(lambda: len(broker.written) == 2)
        await broker.until(lambda: not broker.life.fenced)
        group.cancel_scope.cancel()
    assert broker.life.broker_epoch > first
    again = [asked for asked in broker.channel.asked if hasattr(asked, "previous_broker_epoch")]
    assert again[-1].previous_broker_epoch == first


async def test_a_broker_of_another_cluster_does_not_go_on() -> None:
    broker = Broker(await QuorumOfOne().named())

    async def refuse(_: Any, *, timeout_ms: int) -> Any:
        code = ErrorCode.inconsistent_cluster_id
        return broker_registration_response.BrokerRegistrationResponse(error_code=code)

    broker.channel.ask = refuse  # type: ignore[method-assign]
    with pytest.raises(InconsistentClusterIdError, match="'the-cluster'"):
        await broker.life.run()


async def test_it_stops_when_it_is_told_to() -> None:
    broker = Broker(await QuorumOfOne().named())
    async with anyio.create_task_group() as group:
        group.start_soon(broker.life.run)
        await broker.until(broker.life.unfenced.is_set)
        assert await broker.life.stop(2_000)
    known = broker.quorum.image.brokers[7]
    assert (known.fenced, known.in_controlled_shutdown) == (True, True)


async def test_it_may_stop_without_the_controller() -> None:
    broker = Broker(await QuorumOfOne().named())
    assert not await broker.life.stop(1)
