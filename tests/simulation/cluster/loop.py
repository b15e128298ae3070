"""An event loop without a clock, sockets or threads: when nothing is ready, time jumps to the next timer.

Promises: the same program with the same seed runs the same callbacks in the same order at the same times, whatever
PYTHONHASHSEED and addresses are. Whatever runs on behalf of a host (a context variable says whose it is) can be paused,
when its callbacks are held, or killed, when they never run again: no `finally` of a killed host is run, as with
kill -9.

Rules for whoever edits this: nothing here may look at the real clock, or go through a set of objects.
"""

from __future__ import annotations

import asyncio
import gc
import heapq
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from itertools import count
from random import Random
from typing import Any, TypeVar

from anyio._backends import _asyncio as anyio_asyncio

T = TypeVar("T")

CALLBACKS_AT_ONCE_MAX = 200_000
"""So many callbacks without time going on are a loop that waits for nothing."""


class Stuck(Exception):
    """Nothing will ever happen again, or time doesn't go on."""


class Host:
    """One life of a machine, or a program: what runs in its context lives and dies with it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.paused = False
        self.held: list[Any] = []
        """Callbacks that came while it was paused, or was dead: a task is never forgotten while it could clean up."""

    def __repr__(self) -> str:
        return f"<Host {self.name}{' dead' * self.dead}{' paused' * self.paused}>"


def context_of(host: Host | None) -> Context:
    """One in which everything is done on behalf of this host."""
    context = copy_context()
    context.run(HOST.set, host)
    return context


HOST: ContextVar[Host | None] = ContextVar("HOST", default=None)
"""On whose behalf the code runs; None is the world's."""


class _Task(asyncio.Task[Any]):
    """A task whose place in a set doesn't depend on its address: anyio cancels a set of them, one after the other."""

    _numbers = count()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._number = next(_Task._numbers)
        super().__init__(*args, **kwargs)
        self._log_destroy_pending = False

    def __hash__(self) -> int:
        return self._number


class _Timer(asyncio.TimerHandle):
    """Timers of one time fire in the order they were set."""

    __slots__ = ("_number",)
    _numbers = count()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._number = next(_Timer._numbers)

    def __lt__(self, other: Any) -> bool:
        return (self._when, self._number) < (other._when, other._number)  # type: ignore[attr-defined]


class SimulatedLoop(asyncio.BaseEventLoop):
    """Args:
    shuffle: callbacks that are ready together run in an order it draws; unless given, in the order they became ready.
    """

    def __init__(self, shuffle: Random | None = None) -> None:
        super().__init__()
        self._now = 0.0
        self._shuffle = shuffle
        self._at_once = 0
        self._kept: list[asyncio.Task[Any]] = []
        self.errors: list[dict[str, Any]] = []
        """What nobody caught."""
        self.set_task_factory(self._make_task)
        self.set_exception_handler(lambda loop, context: self.errors.append(context))

    def _make_task(self, loop: Any, coroutine: Any, *, context: Context | None = None) -> asyncio.Task[Any]:
        task = _Task(coroutine, loop=loop, context=context)
        if (HOST.get() if context is None else context.get(HOST)) is not None:
            self._kept.append(task)
            if len(self._kept) > 4_000:
                self._kept = [t for t in self._kept if not t.done()]
        return task

    def time(self) -> float:
        return self._now

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> asyncio.TimerHandle:
        timer = _Timer(when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def after(self, seconds: float, host: Host | None, action: Callable[..., object], *args: Any) -> None:
        """Calls on behalf of the host, if it still lives by then."""
        self.call_later(seconds, action, *args, context=context_of(host))

    def begin(self, host: Host | None, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task on behalf of the host."""
        return self.create_task(work, context=context_of(host))

    def resume(self, host: Host) -> None:
        """What was held runs now."""
        host.paused = False
        held, host.held = host.held, []
        self._ready.extend(held)

    def _run_once(self) -> None:
        ready: deque[Any] = self._ready
        scheduled: list[Any] = self._scheduled
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
        if not ready:
            if self._stopping:
                return
            if not scheduled:
                raise Stuck("nothing is ready, and no timer is set")
            if scheduled[0]._when > self._now:
                self._now = scheduled[0]._when
                self._at_once = 0
        while scheduled and scheduled[0]._when <= self._now:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            if not handle._cancelled:
                ready.append(handle)
        self._at_once += len(ready)
        if self._at_once > CALLBACKS_AT_ONCE_MAX:
            raise Stuck(f"{self._at_once} callbacks at {self._now} s; the next is {ready[0]}")
        batch = [ready.popleft() for _ in range(len(ready))]
        if self._shuffle is not None and len(batch) > 1:
            self._shuffle.shuffle(batch)
        for handle in batch:
            if handle._cancelled:
                continue
            host = handle._context.get(HOST)
            if host is not None and (host.dead or host.paused):
                host.held.append(handle)
            else:
                handle._run()

    def _timer_handle_cancelled(self, handle: Any) -> None:
        """It is dropped when its time comes."""

    def _write_to_self(self) -> None:
        """Nobody sleeps."""

    def _process_events(self, event_list: Any) -> None:
        """There are none."""


class _OrderedSet(dict[Any, None]):
    """A set that is gone through in the order things came into it."""

    def add(self, item: Any) -> None:
        self[item] = None

    def discard(self, item: Any) -> None:
        self.pop(item, None)

    def remove(self, item: Any) -> None:
        del self[item]


@contextmanager
def _ordered_scopes() -> Iterator[None]:
    """anyio keeps the scopes in a scope as a set, and cancels them one after the other."""
    scope: Any = anyio_asyncio.CancelScope
    original = scope.__init__

    def ordered(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self._child_scopes = _OrderedSet()

    scope.__init__ = ordered
    try:
        yield
    finally:
        scope.__init__ = original


@contextmanager
def _quiet_end() -> Iterator[None]:
    """Garbage is collected when a run is over: what a killed host leaves is thrown away without a word."""
    hook, on = sys.unraisablehook, gc.isenabled()
    gc.disable()
    gc.freeze()  # What was there before isn't looked through: it is a hundred times as much.
    try:
        yield
    finally:
        sys.unraisablehook = lambda unraisable: None
        gc.collect()
        gc.unfreeze()
        sys.unraisablehook = hook
        if on:
            gc.enable()


def run(main: Callable[[SimulatedLoop], Coroutine[Any, Any, T]], shuffle: Random | None = None) -> T:
    """Runs to its end on a loop of its own. What other tasks are left is dropped."""
    with _quiet_end(), _ordered_scopes():
        return _run(main, shuffle)


def _run(main: Callable[[SimulatedLoop], Coroutine[Any, Any, T]], shuffle: Random | None) -> T:
    loop = SimulatedLoop(shuffle)
    _Task._numbers = count()
    try:
        return loop.run_until_complete(main(loop))
    finally:
        loop._ready.clear()
        loop._scheduled.clear()
        loop.close()
        # anyio knows tasks by weak references, but what it knows of one refers to it.
        for task in [task for task in anyio_asyncio._task_states if task.get_loop() is loop]:
            del anyio_asyncio._task_states[task]
