"""A disk that loses power: what wasn't synced may be there, in part, torn, or not at all.

A twin of `storage.files`: the same interface, deterministic from its chance. Every change of the disk is a moment at
which the power may go (`crash_at` counts them).
"""

from __future__ import annotations

import os.path
from random import Random

from streamflow.log.storage.files import MemoryFile, MemoryFiles

BLOCK = 64
"""What the disk writes at once: small, so that small tests tear."""


class PowerLost(Exception):
    """The machine is off."""


class SimulatedDisk(MemoryFiles):
    """Live state is what the program sees; durable state is what a crash leaves for certain."""

    def __init__(self, chance: Random, crash_at: int | None = None) -> None:
        super().__init__()
        self.operations = 0
        self.crash_at = crash_at
        self._chance = chance
        self._durable: dict[str, bytes] = {}
        self._named: set[str] = set()
        self._renamed: tuple[str, str, bytearray | None] | None = None
        """From, to, and what was there."""

    def tick(self) -> None:
        if self.crash_at is not None and self.operations >= self.crash_at:
            raise PowerLost
        self.operations += 1

    def open(self, path: str) -> SimulatedFile:
        if path not in self.content:
            self.tick()
            self._settle_rename_of(path)
            self.content[path] = bytearray()
        return SimulatedFile(self, path)

    def replace(self, path: str, data: bytes) -> None:
        """Renames are atomic: after a crash before the directory is synced, the old file or the new one."""
        self.tick()
        self._settle_rename_of(path)
        before = self.content.get(path)
        super().replace(path, data)
        try:
            self.tick()
        except PowerLost:
            if self._chance.random() < 0.5:
                if before is None:
                    del self.content[path]
                else:
                    self.content[path] = before
                raise
            self.make_durable(path)
            self._named.add(path)
            raise
        self.make_durable(path)
        self._named.add(path)
        self._settle_rename()

    def rename(self, path: str, to: str) -> None:
        """Until the directory is synced, for another name or by itself, a crash may undo it, whatever happened to other
        names meanwhile. What wasn't synced of the file isn't made durable by it."""
        self.tick()
        self._settle_rename()
        self._renamed = (path, to, self.content.get(to))
        super().rename(path, to)

    def _settle_rename_of(self, path: str) -> None:
        """One that is changed again isn't undone by itself."""
        if self._renamed is not None and path in self._renamed[:2]:
            self._settle_rename()

    def _settle_rename(self) -> None:
        if self._renamed is not None:
            path, to, _ = self._renamed
            self._renamed = None
            self._durable[to] = self._durable.pop(path, b"")
            self._named.discard(path)
            self._named.add(to)

    def _undo_rename(self) -> None:
        if self._renamed is not None:
            path, to, before = self._renamed
            self._renamed = None
            self.content[path] = self.content.pop(to)
            if before is not None:
                self.content[to] = before

    def remove(self, path: str) -> None:
        self.tick()
        if not self.exists(path):
            return
        self._settle_rename_of(path)
        super().remove(path)
        try:
            self.tick()
        except PowerLost:
            if self._chance.random() < 0.5:
                self._forget(path)
            raise
        self._settle_rename()
        self._forget(path)

    def _forget(self, path: str) -> None:
        for known in [p for p in self._durable if p == path or p.startswith(f"{path}/")]:
            del self._durable[known]
            self._named.discard(known)

    def sync_directory(self, path: str) -> None:
        self.tick()
        self._settle_rename()
        self._named.update(p for p in self.content if os.path.dirname(p) == path)

    def make_durable(self, path: str) -> None:
        known_as = self._renamed[0] if self._renamed is not None and self._renamed[1] == path else path
        self._durable[known_as] = bytes(self.content[path])

    def rot(self, path: str, at: int, change: int) -> None:
        """A byte isn't any more what was written."""
        self.content[path][at] ^= change
        durable = bytearray(self._durable[path])
        if at < len(durable):
            durable[at] ^= change
            self._durable[path] = bytes(durable)

    def restart(self) -> None:
        """Power comes back: every file is what was synced, with some of what wasn't."""
        if self._chance.random() < 0.5:
            self._undo_rename()
        self._settle_rename()
        found: dict[str, bytearray] = {}
        for path in sorted(self.content.keys() | self._durable.keys()):
            if path not in self._named and self._chance.random() < 0.5:
                continue
            durable = self._durable.get(path, b"")
            live = bytes(self.content.get(path, durable))
            found[path] = self._torn(durable, live) if path in self.content else bytearray(durable)
        self.content.clear()
        self.content.update(found)
        self._durable = {path: bytes(data) for path, data in found.items()}
        self._named = set(found)
        self.crash_at = None

    def _torn(self, durable: bytes, live: bytes) -> bytearray:
        """Blocks that changed since the sync are new, old or, beyond the old end, zeros; the end is anywhere."""
        if len(live) < len(durable) and self._chance.random() < 0.5:
            live = live + durable[len(live) :]
        size = len(live)
        if size > len(durable):
            size = self._chance.randint(len(durable), size)
        content = bytearray(live[:size])
        if self._chance.random() < 0.5:
            for start in range(0, size, BLOCK):
                if self._chance.random() < 0.3:
                    old = durable[start : start + BLOCK].ljust(BLOCK, b"\0")
                    content[start : start + BLOCK] = old[: len(content[start : start + BLOCK])]
        return content


class SimulatedFile(MemoryFile):
    def __init__(self, disk: SimulatedDisk, path: str) -> None:
        super().__init__(disk, path)
        self._disk = disk

    def write(self, at: int, data: bytes | bytearray) -> None:
        self._disk.tick()
        super().write(at, data)

    def truncate(self, size: int) -> None:
        self._disk.tick()
        super().truncate(size)

    def sync(self) -> None:
        self._disk.tick()
        self._disk.make_durable(self.path)
