"""Whether a transaction that another node coordinates has a partition of this one."""

from __future__ import annotations

import pytest

from streamflow.log.errors import CoordinatorNotAvailableError, PartitionNotAddedError
from streamflow.log.node.effects import JOURNAL
from streamflow.log.protocol.errors import ErrorCode
from tests.unit.log.node.test_markers import HERE, SESSION, World, verified

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def world() -> World:
    return await World().start()


async def test_a_batch_is_taken_once_the_coordinator_elsewhere_agrees(world: World) -> None:
    world.transactions.resign()
    world.node.topics.metadata.image.topics.pop(JOURNAL.topic)
    world.there(leader=2, name=JOURNAL.topic, topic_id=bytes(15) + b"j")
    with pytest.raises(CoordinatorNotAvailableError):
        world.verification.check(SESSION, HERE)
    world.peers.answers[2] = [verified(ErrorCode.transaction_abortable), verified()]
    refused = await world.verification.ask(SESSION, [HERE], add=False)
    assert isinstance(refused[HERE], PartitionNotAddedError)
    assert await world.verification.ask(SESSION, [HERE], add=True) == {}
    assert [r.transactions[0].verify_only for _, r in world.peers.asked] == [True, False]
    world.verification.check(SESSION, HERE)
    world.write(SESSION)
    assert await world.verification.ask(SESSION, [HERE], add=True) == {}
    world.verification.check(SESSION, HERE)
    assert len(world.peers.asked) == 2, "what is open in the log is known"


async def test_a_marker_takes_back_what_the_coordinator_said(world: World) -> None:
    world.transactions.resign()
    world.node.topics.metadata.image.topics.pop(JOURNAL.topic)
    world.there(leader=2, name=JOURNAL.topic, topic_id=bytes(15) + b"j")
    world.peers.answers[2] = [verified()]
    await world.verification.ask(SESSION, [HERE], add=False)
    await world.markers.write(world.wish(), [HERE])
    with pytest.raises(CoordinatorNotAvailableError):
        world.verification.check(SESSION, HERE)
