from __future__ import annotations

from random import Random
from typing import Any

import anyio
import pytest

from streamflow.log.coordinators.events import ProducerSession
from streamflow.log.errors import CoordinatorNotAvailableError, ProducerFencedError
from streamflow.log.node import producer_ids
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.flusher import Blocking, in_thread, inline
from streamflow.log.node.node import Node, Surroundings
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import allocate_producer_ids_response
from streamflow.log.storage.files import MemoryFiles

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def opened(files: MemoryFiles, blocking: Blocking = inline) -> Node:
    world = Surroundings(files=files, now_ms=lambda: 0, random_bytes=Random(1).randbytes, blocking=blocking)
    return await Node.open(world, NodeConfig.parse({}), clean=True)


async def test_nobody_gets_an_id_that_another_has_however_many_ask_at_once() -> None:
    node = await opened(MemoryFiles(), in_thread)
    sessions: list[ProducerSession] = []

    async def ask(name: str | None) -> None:
        sessions.append(await node.client_transactions.open(name, 1000))

    async with anyio.create_task_group() as asking:
        for n in range(50):
            asking.start_soon(ask, f"t{n}")
            asking.start_soon(ask, None)
    assert len({s.producer_id for s in sessions}) == 100
    node.transactions.coordinator.check()
    await node.close()


async def test_an_id_is_not_given_again_after_a_restart_and_one_that_was_not_needed_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(producer_ids, "BLOCK", 20)
    files = MemoryFiles()
    node = await opened(files)
    first = await node.client_transactions.open("t", 1000)
    for _ in range(30):
        await node.client_transactions.open("t", 1000)
    for _ in range(30):
        with pytest.raises(ProducerFencedError):
            await node.client_transactions.open("t", 1000, (first.producer_id, first.producer_epoch))
    assert (await node.client_transactions.open("u", 1000)).producer_id == first.producer_id + 1
    await node.close()
    node = await opened(files)
    assert (await node.client_transactions.open("v", 1000)).producer_id >= 20
    await node.close()


class Channel:
    """A controller that gives blocks of 3 from 7000 on."""

    broker_epoch = 5

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.error = 0

    async def ask(self, request: Any, *, timeout_ms: int) -> Any:
        self.asked.append(request)
        start = 7000 + 3 * len(self.asked)
        return allocate_producer_ids_response.AllocateProducerIdsResponse(
            error_code=self.error, producer_id_start=start, producer_id_len=3
        )


async def test_a_node_among_others_asks_the_controller_for_its_ids() -> None:
    node, channel = await opened(MemoryFiles()), Channel()
    ids = producer_ids.ProducerIds(node.topics, channel)
    assert [await ids.take() for _ in range(4)] == [7003, 7004, 7005, 7006]
    assert [(r.broker_id, r.broker_epoch) for r in channel.asked] == [(node.membership.node_id, 5)] * 2
    channel.error = ErrorCode.stale_broker_epoch
    await ids.take(), await ids.take()
    with pytest.raises(CoordinatorNotAvailableError, match="stale_broker_epoch"):
        await ids.take()
    await node.close()
