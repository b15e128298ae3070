"""Time goes on only when nothing is ready; the same program runs the same way; hosts are paused and killed."""

from __future__ import annotations

import asyncio
from random import Random

import anyio
import pytest

from tests.simulation.cluster.loop import Host, SimulatedLoop, Stuck, run


def test_time_jumps_to_the_next_timer() -> None:
    async def main(loop: SimulatedLoop) -> list[float]:
        seen = []
        for seconds in (0.5, 3600, 0):
            await anyio.sleep(seconds)
            seen.append(loop.time())
        return seen

    assert run(main) == [0.5, 3600.5, 3600.5]


def test_timers_of_one_time_fire_in_the_order_they_were_set() -> None:
    async def main(loop: SimulatedLoop) -> list[int]:
        order: list[int] = []
        for n in range(50):
            loop.call_later(1.0, order.append, n)
        await anyio.sleep(2)
        return order

    assert run(main) == list(range(50))


def test_ready_callbacks_are_shuffled_if_asked() -> None:
    async def main(loop: SimulatedLoop) -> list[int]:
        order: list[int] = []
        for n in range(20):
            loop.call_soon(order.append, n)
        await anyio.sleep(1)
        return order

    assert run(main) == list(range(20))
    assert run(main, Random(1)) == run(main, Random(1)) != list(range(20))


def test_tasks_of_a_group_are_cancelled_in_the_order_they_began() -> None:
    async def main(loop: SimulatedLoop) -> list[int]:
        ended: list[int] = []

        async def wait(n: int) -> None:
            with anyio.CancelScope():
                try:
                    await anyio.sleep_forever()
                finally:
                    ended.append(n)

        async with anyio.create_task_group() as group:
            for n in range(40):
                group.start_soon(wait, n)
            await anyio.sleep(1)
            group.cancel_scope.cancel()
        return ended

    assert run(main) == list(range(40))


def test_what_waits_for_nothing_is_told() -> None:
    async def waits(loop: SimulatedLoop) -> None:
        await asyncio.get_running_loop().create_future()

    async def spins(loop: SimulatedLoop) -> None:
        def again() -> None:
            loop.call_soon(again)

        again()
        await anyio.sleep(1)

    with pytest.raises(Stuck, match="no timer"):
        run(waits)
    with pytest.raises(Stuck, match="callbacks at"):
        run(spins)


def test_a_paused_host_does_late_what_it_should_have_done() -> None:
    async def main(loop: SimulatedLoop) -> list[float]:
        host, done = Host("a"), []

        async def work() -> None:
            await anyio.sleep(1)
            done.append(loop.time())

        loop.begin(host, work())
        await anyio.sleep(0.5)
        host.paused = True
        await anyio.sleep(4.5)
        assert done == []
        loop.resume(host)
        await anyio.sleep(0.001)
        return done

    assert run(main) == [5.0]


def test_a_killed_host_runs_nothing_not_even_what_cleans_up() -> None:
    done: list[str] = []

    async def main(loop: SimulatedLoop) -> list[str]:
        host = Host("a")

        async def work() -> None:
            try:
                await anyio.sleep(1)
            finally:
                done.append("cleaned up")

        loop.begin(host, work())
        await anyio.sleep(0.5)
        host.dead = True
        await anyio.sleep(5)
        return list(done)

    assert run(main) == []
