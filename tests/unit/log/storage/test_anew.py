"""A log that begins anew: one empty segment, and nothing else, whatever is cut short."""

from __future__ import annotations

from uuid import UUID

import pytest

from streamflow.log.errors import DirectoryError, LogError, StorageFailedError, StorageFullError
from streamflow.log.model import Identity
from streamflow.log.storage.anew import begin_anew, finish_anew
from streamflow.log.storage.files import MemoryFiles
from streamflow.log.storage.segments import Segments

WHO = Identity("events", UUID(int=7), 3)
NEW = ["00000000000000000050.log"]


class Failing(MemoryFiles):
    """Fails at a name's removal, or where there is no room."""

    full = False
    kept: str | None = None

    def replace(self, path: str, data: bytes) -> None:
        if self.full:
            raise StorageFullError("no room")
        super().replace(path, data)

    def remove(self, path: str) -> None:
        if self.kept is not None and self.kept in path:
            raise DirectoryError("can't")
        super().remove(path)


def filled(files: MemoryFiles) -> Segments:
    segments = Segments(files, "d", WHO)
    for offset in (0, 20, 50, 70):
        segments.add(offset, 100)
        files.replace(f"d/{offset:020d}.state", b"reading")
        segments.all[-1].save_index()
    files.replace("d/kept", b"kept")
    return segments


@pytest.mark.parametrize("offset", [0, 35, 50, 200])
def test_of_what_there_was_nothing_is_left(offset: int) -> None:
    files = MemoryFiles()
    segments = filled(files)
    begin_anew(segments, offset, 100)
    assert files.names("d") == [f"{offset:020d}.log"]
    assert (segments.bases, segments.active.next_offset, segments.size_bytes) == ([offset], offset, 64)
    assert segments.active.sound_header()


def test_without_room_everything_stays_as_it_was() -> None:
    files = Failing()
    segments, before = filled(files), files.names("d")
    files.full = True
    with pytest.raises(StorageFullError):
        begin_anew(segments, 50, 100)
    assert (files.names("d"), segments.bases) == (before, [0, 20, 50, 70])


@pytest.mark.parametrize("kept", ["kept", "20.log", "50.log", "70.index", "0.state"])
def test_once_begun_it_is_finished_by_the_next_start(kept: str) -> None:
    files = Failing()
    segments = filled(files)
    files.kept = kept
    with pytest.raises(StorageFailedError, match="begins anew at offset 50"):
        begin_anew(segments, 50, 100)
    with pytest.raises(LogError):
        finish_anew(files, "d", WHO)
    files.kept = None
    finish_anew(files, "d", WHO)
    assert files.names("d") == NEW
    finish_anew(files, "d", WHO)
    assert files.names("d") == NEW
