"""Makes appends durable, many at a time: whoever asks while a flush is running shares the next (group commit).

Promises: `flush` returns once everything the replicas held when it was called is durable. An fsync that failed is never
tried again: the node has failed then, and says so to everyone who asks (a retried fsync reports success for pages that
were dropped).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from time import perf_counter
from typing import Protocol, TypeVar

import anyio
import anyio.to_thread

from streamflow.log.errors import StorageFailedError
from streamflow.log.node.replica import Replica

T = TypeVar("T")


class Blocking(Protocol):
    """Runs a function that blocks on the disk."""

    def __call__(self, fn: Callable[[], T], /) -> Awaitable[T]: ...


async def in_thread(fn: Callable[[], T]) -> T:
    """For disks: the event loop goes on meanwhile."""
    return await anyio.to_thread.run_sync(fn)


async def inline(fn: Callable[[], T]) -> T:
    """For memory, where nothing blocks; and for virtual time, which doesn't see threads."""
    return fn()


class Flusher:
    """Invariant: at most one flush runs at a time."""

    def __init__(self, blocking: Blocking, now_ms: Callable[[], int]) -> None:
        self._blocking = blocking
        self._now_ms = now_ms
        self._asked: dict[Replica, None] = {}
        self._round: anyio.Event | None = None
        self.failed: StorageFailedError | None = None
        self.observe: Callable[[float], None] = lambda seconds: None
        """Told how long a flush took."""

    def want(self, replicas: Iterable[Replica]) -> None:
        """They are flushed with the next who flushes, or by `flush_wanted`: whoever appended may be gone by then."""
        self._asked.update(dict.fromkeys(replicas))

    async def flush_wanted(self) -> None:
        """What is still wanted becomes durable. Raises: as `flush`."""
        await self.flush(tuple(self._asked))

    async def flush(self, replicas: Iterable[Replica]) -> None:
        """Raises: StorageFailedError, now and for ever after, when the disk can't be relied on."""
        ends = {r: r.end for r in replicas if r.unflushed}
        self.want(ends)
        while any(r.flushed_end < min(end, r.end) and not r.deleted for r, end in ends.items()):
            self.check()
            if self._round is not None:
                await self._round.wait()
            else:
                await self._run_round()
        self.check()

    async def _run_round(self) -> None:
        asked, self._asked = [r for r in self._asked if not r.deleted], {}
        began = perf_counter()
        ends = await self.alone(lambda: [r.log.flush() for r in asked])
        self.observe(perf_counter() - began)
        now_ms = self._now_ms()
        for replica, end in zip(asked, ends, strict=True):
            replica.flushed(end, now_ms)

    async def alone(self, work: Callable[[], T]) -> T:
        """Does blocking work while nothing is being flushed, and isn't interrupted in it.

        Raises: what the work raises; StorageFailedError means that nothing is written any more.
        """
        while self._round is not None:
            await self._round.wait()
        self.check()
        self._round = anyio.Event()
        try:
            with anyio.CancelScope(shield=True):
                done = await self._blocking(work)
        except StorageFailedError as error:
            self.failed = self.failed or error
            raise
        finally:
            self._round.set()
            self._round = None
        return done

    def check(self) -> None:
        """Raises: StorageFailedError once anything couldn't be made durable."""
        if self.failed is not None:
            raise StorageFailedError(f"the log has failed: {self.failed}") from self.failed
