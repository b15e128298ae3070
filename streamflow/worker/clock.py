"""Timers, crontabs and start-up tasks: user code that runs by the clock, beside the events."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import partial

import anyio

from streamflow.app import Timer
from streamflow.errors import AgentError
from streamflow.schedule import next_tick

LOOK_SECONDS = 600.0
"""A wait for the wall clock looks at it this often: it may be set, or the machine may have slept."""


async def run_timer(timer: Timer, now_ms: Callable[[], int]) -> None:
    """Fires until cancelled; a firing missed because the one before took long is not made up for.

    Args:
        now_ms: the wall clock, which crontabs go by. Intervals go by the event loop's.

    Raises: AgentError when the function raises: the worker stops rather than go on without its timer.
    """
    if timer.crontab is not None:
        clock, next_after = now_ms, timer.crontab.next_after
    else:
        clock = _loop_ms
        next_after = partial(next_tick, clock(), timer.interval_ms)
    while True:
        await _reach(next_after(clock()), clock)
        await guarded(timer.fn, f"timer '{timer.name}'")


async def _reach(due_ms: int, clock: Callable[[], int]) -> None:
    """Returns once the clock shows `due_ms`. Never earlier: the firing would be due again at once."""
    while True:
        left_ms = due_ms - clock()
        if left_ms <= 0:
            return
        await anyio.sleep(min(left_ms / 1000, LOOK_SECONDS))


def _loop_ms() -> int:
    return int(anyio.current_time() * 1000)


async def guarded(fn: Callable[[], Awaitable[None]], what: str) -> None:
    try:
        running = fn()
        if not inspect.isawaitable(running):
            raise TypeError("it isn't async; write 'async def'")
        await running
    except Exception as error:
        raise AgentError(f"{what} failed: {type(error).__name__}: {error}") from error
