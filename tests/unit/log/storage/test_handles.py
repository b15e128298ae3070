from __future__ import annotations

import os
import threading
from pathlib import Path
from random import Random

import pytest

from streamflow.log.storage import files as files_module
from streamflow.log.storage.files import DiskFile, DiskFiles
from streamflow.log.storage.handles import Handles

MOST = 4


@pytest.fixture
def disk(tmp_path: Path) -> DiskFiles:
    found = DiskFiles(tmp_path)
    found.handles = Handles(MOST)
    return found


def opened(disk: DiskFiles, count: int) -> list[DiskFile]:
    return [disk.open(f"{number}") for number in range(count)]


def test_files_that_nobody_uses_hold_no_handle(disk: DiskFiles) -> None:
    files = opened(disk, 5 * MOST)
    assert len(disk.handles) == MOST
    for number, file in enumerate(files):
        file.write(0, b"%d" % number)
        file.sync()
    assert len(disk.handles) <= MOST + 1
    assert [file.read(0, 9) for file in files] == [b"%d" % number for number in range(5 * MOST)]
    assert len(os.listdir("/proc/self/fd")) < 100 + MOST
    for file in files:
        file.close()
    assert len(disk.handles) == 0


def test_a_file_that_was_written_keeps_its_handle_until_it_is_synced(disk: DiskFiles) -> None:
    files = opened(disk, 2 * MOST)
    for file in files:
        file.write(0, b"x")
    assert [file._handle.number >= 0 for file in files] == [True] * (2 * MOST)
    for file in files:
        file.sync()
    opened(disk, 3 * MOST)
    assert not any(file._handle.number >= 0 for file in files)


def test_a_write_that_comes_while_others_are_synced_is_not_taken_for_durable(
    disk: DiskFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = disk.open("x")
    file.write(0, b"before")
    monkeypatch.setattr(files_module.os, "fsync", lambda number: file.write(6, b"meanwhile"))
    file.sync()
    assert file._handle.unsynced


def test_a_write_that_fails_leaves_the_file_to_be_synced(disk: DiskFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    file = disk.open("x")
    file.sync()

    def fail(*given: object) -> int:
        raise OSError(5, "broken")

    monkeypatch.setattr(files_module.os, "pwrite", fail)
    with pytest.raises(Exception, match="broken"):
        file.write(0, b"x")
    assert file._handle.unsynced


def test_a_file_is_read_by_its_own_handle_whoever_else_asks(disk: DiskFiles) -> None:
    """Threads that use many files at once never see another's bytes."""
    files = opened(disk, 3 * MOST)
    for number, file in enumerate(files):
        file.write(0, b"%02d" % number * 100)
        file.sync()
    wrong: list[str] = []

    def use(seed: int) -> None:
        random = Random(seed)
        for _ in range(2000):
            number = random.randrange(len(files))
            found = files[number].read(2 * random.randrange(100), 2)
            if found != b"%02d" % number:
                wrong.append(f"{number}: {found!r}")
            if random.random() < 0.05:
                files[number].write(0, b"%02d" % number)
                files[number].sync()

    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert not any(file._handle.users for file in files)


def test_a_closed_file_is_closed_once(disk: DiskFiles) -> None:
    file, other = disk.open("x"), disk.open("y")
    file.close()
    file.close()
    other.write(0, b"there")
    assert other.read(0, 9) == b"there"
