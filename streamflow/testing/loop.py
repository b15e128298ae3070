"""An event loop whose clock is virtual: it stands still while there is work, and jumps when there is only waiting.

So `anyio.sleep(3600)` in an app takes no time at all, timers fire in order, and a test of a day runs in
milliseconds. Work in threads is not seen by it: a test shouldn't start any.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from streamflow.errors import AppError

T = TypeVar("T")

SETTLE_SECONDS = 20.0
"""Real time something may take before the test fails rather than hang."""

IDLE_TURNS = 4
"""Turns of the loop in which nothing but the driver ran: then all others wait for the clock."""


class VirtualLoop(asyncio.SelectorEventLoop):
    _ready: Any
    _scheduled: Any

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__()

    def time(self) -> float:
        return self._now

    def drive(self, coroutine: Coroutine[Any, Any, T], *, unless: Callable[[], bool], waiting: Callable[[], str]) -> T:
        """Runs until the coroutine is done.

        Args:
            unless: whether to give up, e.g. because what it waits for is dead.
            waiting: says what is waited for, for the error.

        Raises: AppError when it takes too long; asyncio.CancelledError when given up.
        """
        return self.run_until_complete(self._drive(coroutine, unless, waiting))

    async def _drive(
        self, coroutine: Coroutine[Any, Any, T], unless: Callable[[], bool], waiting: Callable[[], str]
    ) -> T:
        task = self.create_task(coroutine)
        deadline = time.monotonic() + SETTLE_SECONDS
        idle = 0
        while not task.done() and not unless():
            idle = idle + 1 if not self._ready else 0
            if idle >= IDLE_TURNS:
                self._jump()
                idle = 0
            await asyncio.sleep(0)
            if time.monotonic() > deadline:
                task.cancel()
                raise AppError(f"the app didn't settle within {SETTLE_SECONDS:.0f} s; it waits for {waiting()}")
        if not task.done():
            task.cancel()
        return await task

    def _jump(self) -> None:
        """To the next timer. Without one, what is waited for comes from outside: keep turning."""
        due = min((h.when() for h in self._scheduled if not h.cancelled()), default=self._now)
        self._now = max(self._now, due)
