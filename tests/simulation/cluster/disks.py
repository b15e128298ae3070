"""A node's disk: loses power, fills up, fails to sync once, and rots in closed segments."""

from __future__ import annotations

import errno
from collections.abc import Callable
from itertools import pairwise
from random import Random

from streamflow.log.errors import StorageFailedError, StorageFullError
from tests.simulation.disk import PowerLost, SimulatedDisk, SimulatedFile

CAPACITY = 1 << 30


class NodeDisk(SimulatedDisk):
    """`full`: nothing more is taken. `sync_fails`: the next fsync does, and nothing is written after it, until the node
    is started again. `on_power_lost` is told at once when the power goes at a change of the disk."""

    def __init__(self, chance: Random) -> None:
        super().__init__(chance)
        self.full = False
        self.sync_fails = False
        self.failed = False
        self.on_power_lost: Callable[[], None] = lambda: None

    def tick(self) -> None:
        if self.failed:
            raise StorageFailedError("the simulated disk has failed: start the node again")
        try:
            super().tick()
        except PowerLost:
            self.on_power_lost()
            raise

    def open(self, path: str) -> NodeFile:
        super().open(path)
        return NodeFile(self, path)

    def replace(self, path: str, data: bytes) -> None:
        if self.full and len(data) > len(self.content.get(path, b"")):
            raise full_error(path)
        super().replace(path, data)

    def space(self) -> tuple[int, int]:
        return CAPACITY, 0 if self.full else CAPACITY // 2

    def boot(self, *, power_was_lost: bool) -> None:
        """The machine, or only the program, starts again. What a program wrote is kept by a system that goes on."""
        self.crash_at = None
        if power_was_lost or self.failed:
            self.restart()
        self.failed = self.sync_fails = False

    def rot(self, chance: Random) -> str | None:
        """Flips a bit in a closed segment, or its index. Returns: which, if there is one."""
        segments = sorted(p for p in self.content if p.endswith(".log") and self.content[p])
        closed = [p for p, q in pairwise(segments) if p.rpartition("/")[0] == q.rpartition("/")[0]]
        if not closed:
            return None
        indexes = [index for p in closed if self.content.get(index := p.removesuffix("log") + "index")]
        path = chance.choice(closed + indexes)
        self.content[path][chance.randrange(len(self.content[path]))] ^= 1 << chance.randrange(8)
        self.make_durable(path)
        return path


class NodeFile(SimulatedFile):
    """Of a `NodeDisk`."""

    def write(self, at: int, data: bytes | bytearray) -> None:
        disk = self._disk
        assert isinstance(disk, NodeDisk)
        if disk.full and at + len(data) > self.size():
            raise full_error(self.path)
        super().write(at, data)

    def sync(self) -> None:
        disk = self._disk
        assert isinstance(disk, NodeDisk)
        if disk.sync_fails:
            disk.tick()
            disk.sync_fails, disk.failed = False, True
            raise StorageFailedError(f"fsync of {self.path} failed: the simulated disk has failed")
        super().sync()


def full_error(path: str) -> StorageFullError:
    """As `DiskFiles` says it."""
    return StorageFullError(f"{path}: {errno.errorcode[errno.ENOSPC]}: the simulated disk is full")


__all__ = ["NodeDisk", "NodeFile", "PowerLost"]
