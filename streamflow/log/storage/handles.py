"""Which of the disk's files are open: as many as are in use, and some that were used last.

Promises: a file that nobody reads or writes holds no handle for ever, however many partitions there are; one that was
written and not synced keeps its own, as only that one is sure to tell of a write that failed. Any thread may ask.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

HANDLES_MAX = 512
"""Of files that could be closed: half of the 1,024 that a process may have open where nobody has said more."""
LOOKED_AT_MAX = 8
"""How many of those used longest ago are looked at for one to close: that all are in use is rare."""


@dataclass(slots=True, eq=False)
class Handle:
    """A file that is there, open or not. `number` is -1 when it isn't."""

    path: str
    number: int = -1
    users: int = 0
    changes: int = 0
    unsynced: bool = False

    def changed(self) -> None:
        """Called after a write, while it is in use."""
        self.changes += 1
        self.unsynced = True

    def synced(self, changes: int) -> None:
        """What so many changes had made of it is durable: all there is, unless another came meanwhile."""
        if self.changes == changes:
            self.unsynced = False


class Handles:
    def __init__(self, most: int = HANDLES_MAX) -> None:
        self._most = most
        self._open: OrderedDict[Handle, None] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._open)

    def create(self, path: str) -> Handle:
        """Opens the file for reading and writing, and makes it if it isn't there. Raises: OSError."""
        handle = Handle(path)
        self.take(handle, os.O_CREAT)
        self.give_back(handle)
        return handle

    def take(self, handle: Handle, flags: int = 0) -> int:
        """The number to use until it is given back. Raises: OSError."""
        with self._lock:
            if handle.number < 0:
                handle.number = os.open(handle.path, os.O_RDWR | os.O_CLOEXEC | flags, 0o644)
            handle.users += 1
            self._open[handle] = None
            self._open.move_to_end(handle)
            if len(self._open) > self._most:
                self._close_one()
            return handle.number

    def give_back(self, handle: Handle) -> None:
        with self._lock:
            handle.users -= 1

    def close(self, handle: Handle) -> None:
        """For good."""
        with self._lock:
            if self._open.pop(handle, handle) is None:
                os.close(handle.number)
                handle.number = -1

    def _close_one(self) -> None:
        for _ in range(LOOKED_AT_MAX):
            oldest = next(iter(self._open))
            if not oldest.users and not oldest.unsynced:
                del self._open[oldest]
                os.close(oldest.number)
                oldest.number = -1
                return
            self._open.move_to_end(oldest)
