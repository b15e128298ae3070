from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.server.memory import Memory, Share

sys.path.insert(0, str(Path(__file__).parent))
from sockets import settle

pytestmark = pytest.mark.anyio


async def test_there_is_room_until_as_much_as_the_bound_is_held() -> None:
    memory = Memory(10)
    first, second = Share(memory), Share(memory)
    await memory.room()
    first.hold(9)
    await memory.room()
    second.hold(100)
    assert (memory.held, memory.free, memory.short) == (109, 0, False)
    waiting = asyncio.ensure_future(memory.room())
    await settle()
    assert not waiting.done() and memory.short
    second.hold(0)
    await waiting
    assert (memory.held, memory.free, memory.short) == (9, 1, False)


async def test_who_waits_is_let_in_one_after_the_other_and_no_more_than_fit() -> None:
    memory = Memory(10)
    full = Share(memory)
    full.hold(10)
    let_in: list[int] = []

    async def come(number: int) -> None:
        await memory.room()
        Share(memory).hold(10)
        let_in.append(number)

    tasks = [asyncio.ensure_future(come(n)) for n in range(3)]
    await settle()
    assert let_in == []
    full.hold(0)
    await settle()
    assert let_in == [0] and memory.held == 10
    memory.change(-10)
    await settle()
    assert let_in == [0, 1]
    for task in tasks:
        task.cancel()


async def test_one_may_take_a_quarter_of_what_is_free_and_next_to_nothing_while_others_wait() -> None:
    memory = Memory(100)
    share = Share(memory)
    share.hold(20)
    assert memory.fair == 20
    share.hold(100)
    first, second, third = (asyncio.ensure_future(memory.room()) for _ in range(3))
    await settle()
    share.hold(20)
    assert memory.fair == 0, "one is let in, two wait"
    await asyncio.gather(first, second, third)
    assert memory.fair == 20


async def test_who_gives_up_waiting_holds_nobody_up() -> None:
    memory = Memory(10)
    full = Share(memory)
    full.hold(10)
    first, second = asyncio.ensure_future(memory.room()), asyncio.ensure_future(memory.room())
    await settle()
    full.hold(0)
    first.cancel()
    await settle()
    assert first.cancelled() and second.done() and not memory.short


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 100)), max_size=30))
def test_what_is_held_is_the_sum_of_the_shares(steps: list[tuple[int, int]]) -> None:
    memory = Memory(50)
    shares = [Share(memory) for _ in range(4)]
    for number, count in steps:
        shares[number].hold(count)
        assert memory.held == sum(share.held for share in shares)
