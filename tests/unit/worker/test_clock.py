"""Code that runs by the clock: when it fires, what of it is missed, and what happens when it fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from streamflow.app import Timer
from streamflow.errors import AgentError
from streamflow.schedule import Crontab
from streamflow.testing.loop import VirtualLoop
from streamflow.worker.clock import guarded, run_timer


class Clock:
    """A wall clock that goes at `rate` beside the loop's own."""

    def __init__(self, rate: float = 1.0) -> None:
        self.loop = VirtualLoop()
        self.rate = rate
        self.stepped_ms = 0

    def now_ms(self) -> int:
        return int(self.loop.time() * 1000 * self.rate) + self.stepped_ms

    def run(self, timer: Callable[[Clock], Timer], seconds: float) -> None:
        """Runs the timer for so long on the loop's clock."""

        async def main() -> None:
            with anyio.move_on_after(seconds):
                await run_timer(timer(self), self.now_ms)

        try:
            self.loop.drive(main(), unless=lambda: False, waiting=lambda: "the timer")
        finally:
            self.loop.close()


def noting(fired: list[int], **when: Any) -> Callable[[Clock], Timer]:
    """A timer that notes the wall clock's seconds when it fires."""

    def made(clock: Clock) -> Timer:
        async def fn() -> None:
            fired.append(clock.now_ms() // 1000)

        return Timer("tick", fn, **when)

    return made


def test_a_timer_fires_at_every_interval_from_its_start() -> None:
    fired: list[int] = []
    Clock().run(noting(fired, interval_ms=10_000), 35)
    assert fired == [10, 20, 30]


def test_firings_missed_because_one_took_long_are_left_out() -> None:
    fired: list[int] = []

    def slow(clock: Clock) -> Timer:
        async def fn() -> None:
            fired.append(clock.now_ms() // 1000)
            if len(fired) == 1:
                await anyio.sleep(25)

        return Timer("slow", fn, interval_ms=10_000)

    Clock().run(slow, 55)
    assert fired == [10, 40, 50]


@pytest.mark.parametrize("rate", [0.999, 1.0, 1.001])
def test_a_crontab_fires_once_for_each_time_though_the_clocks_drift_apart(rate: float) -> None:
    fired: list[int] = []
    Clock(rate).run(noting(fired, crontab=Crontab("0 * * * *")), 3 * 3600 + 60)
    assert [f // 60 for f in fired] == [60, 120, 180]


def test_a_crontab_follows_a_clock_that_was_set_or_a_machine_that_slept() -> None:
    fired: list[int] = []
    clock = Clock()

    async def set_forward() -> None:
        await anyio.sleep(60)
        clock.stepped_ms = 11 * 3_600_000

    def both(clock: Clock) -> Timer:
        clock.loop.create_task(set_forward())
        return noting(fired, crontab=Crontab("0 12 * * *"))(clock)

    clock.run(both, 2 * 3600)
    assert [f // 3600 for f in fired] == [12]


def test_an_interval_is_not_moved_by_a_clock_that_was_set() -> None:
    fired: list[int] = []
    clock = Clock()

    async def set_back() -> None:
        await anyio.sleep(15)
        clock.stepped_ms = -3_605_000

    def both(clock: Clock) -> Timer:
        clock.loop.create_task(set_back())
        return noting(fired, interval_ms=10_000)(clock)

    clock.run(both, 45)
    assert fired == [10, 20 - 3605, 30 - 3605, 40 - 3605]


def test_a_timer_that_fails_stops_the_worker_with_its_name() -> None:
    async def broken() -> None:
        raise ZeroDivisionError("by zero")

    with pytest.raises(AgentError, match=r"timer 'tick' failed: ZeroDivisionError: by zero"):
        Clock().run(lambda clock: Timer("tick", broken, interval_ms=1), 1)
    with pytest.raises(AgentError, match="task 'warm' failed"):
        anyio.run(guarded, broken, "task 'warm'")
