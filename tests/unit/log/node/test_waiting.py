from __future__ import annotations

import anyio
import pytest

from streamflow.log.node.waiting import wait_for_news

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Moving:
    def __init__(self) -> None:
        self.listeners: set = set()

    def move(self) -> None:
        for listener in tuple(self.listeners):
            listener()


async def test_one_that_moves_wakes_who_waits_for_any_and_nobody_is_left_listening() -> None:
    replicas = [Moving(), Moving()]
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(wait_for_news, replicas, 60)
            await anyio.wait_all_tasks_blocked()
            assert [len(r.listeners) for r in replicas] == [1, 1]
            replicas[1].move()
    assert [r.listeners for r in replicas] == [set(), set()]


async def test_the_wait_ends_with_its_time_and_with_who_waits() -> None:
    replica = Moving()
    with anyio.fail_after(5):
        await wait_for_news([replica], 0.01)
    with anyio.move_on_after(0.01):
        await wait_for_news([replica], 60)
    assert replica.listeners == set()
