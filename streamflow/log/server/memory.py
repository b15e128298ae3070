"""How much is held for clients, over all connections: a bound, and turns when it is reached.

Promises: whoever waits for room is let in in the order they came, as soon as less than the bound is held; no more is
held than the bound and what the last one let in takes.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Memory:
    """Args:
    bytes_max: how much may be held before others wait.
    """

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.held = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __repr__(self) -> str:
        return f"<Memory {self.held} of {self.bytes_max} bytes, {len(self._waiting)} wait>"

    @property
    def free(self) -> int:
        return max(0, self.bytes_max - self.held)

    @property
    def fair(self) -> int:
        """What one may take of it: a quarter of what is free; nothing more than it must while others wait."""
        return 0 if self._waiting else self.free // 4

    @property
    def short(self) -> bool:
        """Whether somebody waits."""
        return bool(self._waiting)

    async def room(self) -> None:
        """Returns once less than the bound is held: the caller then takes what it needs before it awaits anything."""
        if not self._waiting and self.held < self.bytes_max:
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            while True:
                await turn
                if self.held < self.bytes_max:
                    return
                turn = asyncio.get_running_loop().create_future()
                self._waiting.appendleft(turn)
        except asyncio.CancelledError:
            if turn in self._waiting:
                self._waiting.remove(turn)
            raise
        finally:
            self._call_next()

    def change(self, difference: int) -> None:
        self.held += difference
        if difference < 0:
            self._call_next()

    def _call_next(self) -> None:
        while self._waiting and self.held < self.bytes_max:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return


class Share:
    """What one connection holds of it."""

    __slots__ = ("_memory", "held")

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.held = 0

    def hold(self, count: int) -> None:
        """So many bytes from now on."""
        if count != self.held:
            difference, self.held = count - self.held, count
            self._memory.change(difference)
