"""The answer to one request, which may come later."""

from __future__ import annotations

from typing import Generic, TypeVar

import anyio

T = TypeVar("T")


class Promise(Generic[T]):
    """Told once; who waits is woken, and whoever asks later needn't wait."""

    def __init__(self) -> None:
        self.answer: T | None = None
        self._told: anyio.Event | None = None

    def tell(self, answer: T) -> None:
        self.answer = answer
        if self._told is not None:
            self._told.set()

    async def wait(self) -> T:
        while self.answer is None:
            self._told = self._told or anyio.Event()
            await self._told.wait()
        return self.answer
