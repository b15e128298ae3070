"""Timers, crontabs and start-up tasks: user code that runs by the clock, beside the events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from streamflow.app import Timer
from streamflow.errors import AgentError
from streamflow.schedule import next_tick


async def run_timer(timer: Timer, now_ms: Callable[[], int]) -> None:
    """Fires until cancelled; a firing missed because the one before took long is not made up for.

    Raises: AgentError when the function raises: the worker stops rather than go on without its timer.
    """
    started = now_ms()
    while True:
        now = now_ms()
        due = timer.crontab.next_after(now) if timer.crontab else next_tick(started, timer.interval_ms, now)
        await anyio.sleep((due - now) / 1000)
        await guarded(timer.fn, f"timer '{timer.name}'")


async def guarded(fn: Callable[[], Awaitable[None]], what: str) -> None:
    try:
        await fn()
    except Exception as error:
        raise AgentError(f"{what} failed: {type(error).__name__}: {error}") from error
