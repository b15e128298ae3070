"""The gate between work and commits: a commit waits until nobody is inside, and nobody enters while it runs.

So a commit never cuts an event in the middle, and whoever is inside may take state, outputs and positions to belong
together.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio


class Gate:
    def __init__(self) -> None:
        self._inside = 0
        self._closed = False
        self._opened = anyio.Event()
        self._left = anyio.Event()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Held by a runner for as long as its task is between consistent states."""
        while self._closed:
            await self._opened.wait()
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            if not self._inside:
                self._left.set()

    @asynccontextmanager
    async def committing(self) -> AsyncIterator[None]:
        """Held by the committer; entered once everybody has left."""
        assert not self._closed, "one commit at a time"
        self._closed = True
        self._opened = anyio.Event()
        try:
            while self._inside:
                self._left = anyio.Event()
                await self._left.wait()
            yield
        finally:
            self._closed = False
            self._opened.set()
