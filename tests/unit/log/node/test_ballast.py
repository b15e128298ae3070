from __future__ import annotations

import pytest

from streamflow.log.errors import StorageFullError
from streamflow.log.node.ballast import PATH, Ballast
from streamflow.log.storage.files import MemoryFile, MemoryFiles

SIZE = 100


class SmallDisk(MemoryFiles):
    """Holds so many bytes."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity

    def open(self, path: str) -> MemoryFile:
        self.content.setdefault(path, bytearray())
        return SmallFile(self, path)

    @property
    def free(self) -> int:
        return self.capacity - sum(map(len, self.content.values()))


class SmallFile(MemoryFile):
    def __init__(self, disk: SmallDisk, path: str) -> None:
        super().__init__(disk, path)
        self._disk = disk

    def write(self, at: int, data: bytes | bytearray) -> None:
        if at + len(data) - self.size() > self._disk.free:
            raise StorageFullError("no space left")
        super().write(at, data)


def take(disk: SmallDisk, name: str, size: int) -> None:
    file = disk.open(name)
    file.write(file.size(), bytes(size))


def filled(capacity: int) -> tuple[SmallDisk, Ballast]:
    disk = SmallDisk(capacity)
    ballast = Ballast(disk, SIZE)
    ballast.fill()
    return disk, ballast


def test_a_full_disk_refuses_records_and_still_does_the_housekeeping() -> None:
    disk, ballast = filled(1000)
    with pytest.raises(StorageFullError):
        ballast.lend(lambda: take(disk, "records", 950), housekeeping=False)
    assert ballast.spent
    with pytest.raises(StorageFullError, match="free some space"):
        ballast.lend(lambda: take(disk, "records", 1), housekeeping=False)
    take(disk, "records", 950)
    ballast.lend(lambda: take(disk, "note", 20), housekeeping=True)


def test_housekeeping_that_meets_the_full_disk_first_is_done_with_the_ballast() -> None:
    disk, ballast = filled(1000)
    take(disk, "records", 895)
    ballast.lend(lambda: take(disk, "note", 20), housekeeping=True)
    assert ballast.spent
    assert not disk.exists(PATH)


def test_records_are_taken_again_once_there_is_room_for_the_ballast_and_as_much_beside() -> None:
    disk, ballast = filled(1000)
    take(disk, "records", 895)
    ballast.lend(lambda: take(disk, "note", 20), housekeeping=True)
    ballast.fill()
    assert ballast.spent
    disk.remove("records")
    ballast.fill()
    assert not ballast.spent
    assert len(disk.content[PATH]) == SIZE
    ballast.lend(lambda: take(disk, "records", 10), housekeeping=False)


def test_a_disk_that_is_full_from_the_start_is_known_to_be() -> None:
    _, ballast = filled(150)
    assert ballast.spent


def test_without_a_ballast_the_error_is_passed_on() -> None:
    disk = SmallDisk(10)
    ballast = Ballast(disk, 0)
    ballast.fill()
    with pytest.raises(StorageFullError):
        ballast.lend(lambda: take(disk, "records", 50), housekeeping=True)
    assert not ballast.spent
