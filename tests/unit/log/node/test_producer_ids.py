from __future__ import annotations

from random import Random

import anyio
import pytest

from streamflow.log.coordinators.events import ProducerSession
from streamflow.log.errors import ProducerFencedError
from streamflow.log.node import producer_ids
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.flusher import Blocking, in_thread, inline
from streamflow.log.node.node import Node, Surroundings
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
