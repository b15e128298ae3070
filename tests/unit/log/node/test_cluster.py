from __future__ import annotations

from random import Random

import anyio
import pytest

from streamflow.log.node.broker_epoch import write_epoch
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.flusher import inline
from streamflow.log.node.membership import Endpoint, Membership
from streamflow.log.node.node import Node, Surroundings
from streamflow.log.storage.files import MemoryFiles

pytestmark = pytest.mark.anyio
VOTERS = {n: Endpoint("10.0.0.1", 9000 + n) for n in (1, 2, 3)}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def opened(membership: Membership | None = None, *, files: MemoryFiles | None = None, **given: str) -> Node:
    settings = {name.replace("_", "."): value for name, value in given.items()}
    world = Surroundings(
        files=files or MemoryFiles(), now_ms=lambda: 1_000, random_bytes=Random(1).randbytes, blocking=inline
    )
    return await Node.open(world, NodeConfig.parse(settings), clean=False, membership=membership)


async def test_a_node_alone_is_its_own_controller_and_needs_nothing_to_run() -> None:
    node = await opened()
    assert node.controller is not None and node.topics.metadata.active


async def test_only_a_node_with_the_role_has_a_controller() -> None:
    broker = await opened(Membership(node_id=4, roles=frozenset({"broker"}), voters=VOTERS))
    controller = await opened(Membership(node_id=1, voters=VOTERS))
    assert broker.controller is None and controller.controller is not None


async def test_a_broker_that_may_have_lost_records_does_not_say_that_its_data_is_complete() -> None:
    files = MemoryFiles()
    write_epoch(files, 12)
    member = Membership(node_id=1, voters=VOTERS)
    lossy = await opened(member, files=files, log_flush="os")
    durable = await opened(member, files=files, log_flush="commit")
    assert (lossy.cluster.lifecycle._previous_epoch, durable.cluster.lifecycle._previous_epoch) == (-1, 12)


async def test_a_member_that_reaches_nobody_waits_and_is_not_admitted() -> None:
    node = await opened(Membership(node_id=1, voters=VOTERS))
    with anyio.move_on_after(0.05):
        await node.run()
    assert not node.cluster.lifecycle.unfenced.is_set()
    assert not node.topics.metadata.active
