"""A partition on a disk that fills up and is freed at any moment: what was acknowledged is there, and nothing else."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.errors import StorageFullError
from streamflow.log.model import Identity
from streamflow.log.records import build_batch, decode
from streamflow.log.storage.files import MemoryFile, MemoryFiles
from streamflow.log.storage.partition import PartitionLog, SegmentConfig

WHO = Identity("events", UUID(int=7), 0)
CONFIG = SegmentConfig(segment_bytes=1_000, index_interval_bytes=100)
PLENTY = 1 << 30


class SmallDisk(MemoryFiles):
    """Has room for `room` more bytes, names included; what is cut or removed isn't given back."""

    NAME_BYTES = 20

    def __init__(self) -> None:
        super().__init__()
        self.room = PLENTY

    def take(self, wanted: int) -> int:
        """Returns: how many of the bytes fit."""
        fits = min(wanted, self.room)
        self.room -= fits
        return fits

    def take_all(self, wanted: int) -> None:
        if self.take(wanted) < wanted:
            raise StorageFullError("no space left")

    def open(self, path: str) -> MemoryFile:
        if path not in self.content:
            self.take_all(self.NAME_BYTES)
        super().open(path)
        return SmallDiskFile(self, path)

    def replace(self, path: str, data: bytes) -> None:
        self.take_all(self.NAME_BYTES + len(data))
        super().replace(path, data)


class SmallDiskFile(MemoryFile):
    def __init__(self, files: SmallDisk, path: str) -> None:
        super().__init__(files, path)
        self._files = files

    def write(self, at: int, data: bytes | bytearray) -> None:
        """What fits is written before it is said that not all does."""
        fits = self._files.take(len(data))
        super().write(at, data[:fits])
        if fits < len(data):
            raise StorageFullError("no space left")


class Acknowledged:
    """A partition on a small disk, and what it said it holds."""

    def __init__(self) -> None:
        self.files = SmallDisk()
        self.values: list[bytes] = []
        self.refused = 0
        self.partition = self.opened()

    def opened(self) -> PartitionLog:
        return PartitionLog.open(self.files, "d", WHO, CONFIG, recovery_point=0, clean=False, now_ms=0)

    def append(self, values: list[bytes]) -> None:
        """Each in a batch of its own, all at once."""
        batches = b"".join(build_batch([None], [value], [0]) for value in values)
        try:
            appended = self.partition.append(batches, leader_epoch=0, now_ms=0)
        except StorageFullError:
            self.refused += 1
            return
        assert appended.base_offset == len(self.values)
        self.values += values

    def killed(self) -> None:
        """And started again, once there is room: without it a start fails as it should."""
        self.files.room = PLENTY
        self.partition = self.opened()

    def check(self) -> None:
        partition, found, at = self.partition, [], 0
        assert partition.log_end_offset == len(self.values)
        while at < partition.log_end_offset:
            for data in partition.read(at, 500, up_to=partition.log_end_offset):
                columns = decode(data, 10**6)
                assert list(columns.offsets) == list(range(at, at + len(columns.values)))
                found += columns.values
                at += len(columns.values)
        assert found == self.values
        assert partition.quarantined == []


def named(number: int, sizes: list[int]) -> list[bytes]:
    return [f"{number}.{n}".encode().ljust(size, b"-") for n, size in enumerate(sizes)]


@pytest.mark.parametrize("before", [1, 4], ids=["into the active segment", "into a new segment"])
@pytest.mark.parametrize("killed", [False, True], ids=["goes on", "is killed"])
def test_an_append_that_runs_full_after_any_byte_leaves_nothing_and_can_be_repeated(before: int, killed: bool) -> None:
    """What is sent then is smaller, and has room in the segment that the first was too large for."""
    refused = 0
    for room in range(0, 900, 3):
        log = Acknowledged()
        for number in range(before):
            log.append(named(number, [100]))
        log.files.room = room
        log.append(named(6, [100, 100, 100]))
        log.check()
        refused += log.refused
        if killed:
            log.killed()
            log.check()
        log.files.room = PLENTY
        log.append(named(7, [50]))
        log.check()
        log.killed()
        log.check()
    assert 50 < refused < 290, "some of the rooms were too small, and some not"


steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.lists(st.integers(10, 300), min_size=1, max_size=4)),
        st.tuples(st.just("room"), st.integers(0, 900)),
        st.tuples(st.just("room"), st.just(PLENTY)),
        st.tuples(st.just("kill"), st.none()),
    ),
    max_size=40,
)


@given(steps)
def test_however_often_the_disk_fills_up_what_was_acknowledged_is_there_and_nothing_else(steps: list[tuple]) -> None:
    log = Acknowledged()
    for number, (step, value) in enumerate(steps):
        if step == "append":
            log.append(named(number, value))
        elif step == "room":
            log.files.room = value
        else:
            log.killed()
        log.check()
    log.killed()
    log.check()
