"""Coordination that is lost and gained, and the groups with it, on one log that stays."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from streamflow.event import TopicPartition
from streamflow.log.coordinators.group_events import GroupError, JoinAnswer, SyncAnswer
from streamflow.log.coordinators.group_states import GroupState
from streamflow.log.coordinators.records import OffsetValue
from streamflow.log.errors import CoordinatorLoadingError, NotCoordinatorError
from streamflow.log.node.coordination import Coordination
from streamflow.log.node.group_coordinator import Promise
from tests.unit.log.node.test_group_coordinator import DELAY_MS, SESSION_MS, T0, World

E = GroupError

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _waits(promise: Promise) -> bool:
    return promise.answer is None


async def stable() -> World:
    return await (await World().start()).stable()


async def test_a_group_taken_over_goes_on_where_it_was() -> None:
    world = await stable()
    await world.commit()
    world.groups.resign()
    assert world.node.groups.offsets.committed("g") == {}
    await world.groups.take_over()
    assert world.state() is GroupState.STABLE
    assert world.node.groups.offsets.committed("g")[T0].offset == 5
    assert await world.heartbeat("a", 1) is E.NONE
    assert await world.may_commit("a", 1) is E.NONE


async def test_sessions_begin_anew_with_the_coordinator() -> None:
    world = await stable()
    world.groups.resign()
    world.now += 10 * SESSION_MS
    await world.groups.take_over()
    await world.wait(SESSION_MS - 1)
    assert world.state() is GroupState.STABLE
    await world.wait(2)
    assert world.state() is GroupState.EMPTY


async def test_who_waits_to_join_is_sent_elsewhere_at_once() -> None:
    world = await World().start()
    joining = await world.join(new="a")
    assert _waits(joining)
    world.groups.resign()
    assert isinstance(joining.answer, JoinAnswer)
    assert joining.answer.error is E.NOT_COORDINATOR
    await world.wait(DELAY_MS)
    await world.groups.take_over()
    assert world.state() is None


async def test_who_waits_for_a_record_to_be_committed_is_sent_elsewhere() -> None:
    world = await World().start()
    await world.join(new="a")
    await world.wait(DELAY_MS)
    sync = await world.sync("a", 1, a=b"all")
    assert _waits(sync)
    world.groups.resign()
    assert isinstance(sync.answer, SyncAnswer)
    assert sync.answer.error is E.NOT_COORDINATOR
    await world.groups.attend()
    assert sync.answer.error is E.NOT_COORDINATOR


async def test_nobody_is_served_by_a_node_that_doesnt_coordinate() -> None:
    world = await stable()
    world.groups.resign()
    assert await world.heartbeat("a", 1) is E.NOT_COORDINATOR
    assert await world.groups.delete("g") is E.NOT_COORDINATOR
    with pytest.raises(NotCoordinatorError):
        await world.commit()


async def test_offsets_are_told_once_they_are_committed() -> None:
    world = await stable()
    groups = world.node.groups
    rows = groups.rows("g", {T0: OffsetValue(offset=5, commit_timestamp_ms=world.now)})
    groups.append(rows)
    assert groups.offsets.committed("g") == {}
    assert groups.offsets.knows("g")
    assert len(groups.offsets.forget_group("g")) == 1
    await groups.flush()
    assert groups.offsets.committed("g")[T0].offset == 5


async def test_while_the_partition_is_read_back_members_are_told_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    world = await stable()
    for _ in range(40):
        await world.commit()
    world.groups.resign()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(world.groups.take_over)
        await anyio.lowlevel.checkpoint()
        assert await world.heartbeat("a", 1) is E.COORDINATOR_LOAD_IN_PROGRESS
        with pytest.raises(CoordinatorLoadingError):
            await world.commit()
    assert await world.heartbeat("a", 1) is E.NONE


async def test_a_partition_lost_while_it_is_read_back_isnt_served() -> None:
    world = await stable()
    for _ in range(40):
        await world.commit()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(world.groups.take_over)
        await anyio.lowlevel.checkpoint()
        world.groups.resign()
    assert await world.heartbeat("a", 1) is E.NOT_COORDINATOR
    assert world.node.groups.offsets.committed("g") == {}


def test_a_node_alone_coordinates_from_its_start() -> None:
    coordination = Coordination(TopicPartition("__consumer_offsets", 0))
    coordination.check()
    assert coordination.active


def test_a_partition_gained_is_read_back_before_anything_is_answered() -> None:
    coordination = Coordination(TopicPartition("__consumer_offsets", 0))
    coordination.resign()
    with pytest.raises(NotCoordinatorError):
        coordination.check()
    first = coordination.begin()
    with pytest.raises(CoordinatorLoadingError):
        coordination.check()
    coordination.loaded()
    coordination.check()
    coordination.resign()
    assert not coordination.active
    assert coordination.begin() > first
