"""A cleaned segment takes the place of neighbours, whole, whenever the power goes.

    FIRST.cleaned       being written; a start removes it
    FIRST-NEXT.swap     complete and durable: from here on it stands for all segments from FIRST to below NEXT
    FIRST.log           once these are removed

Renaming `.cleaned` to `.swap` is the moment: a start that finds a `.swap` goes on from there, so that it never takes
both, and none twice.

`commit` and `remove_old` block, and are for any thread; the others change what readers see, and are for the thread that
owns the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

import structlog

from streamflow.log.model import Identity
from streamflow.log.records import BatchHeader, parse_header
from streamflow.log.storage.files import Files
from streamflow.log.storage.segment import Damage, Segment, segment_path
from streamflow.log.storage.segments import Segments
from streamflow.log.storage.survivors import placeholder

log = structlog.get_logger("streamflow.log")

CLEANED, SWAP = ".cleaned", ".swap"
LEFT_OVER = (CLEANED, ".tmp")
WRITE_BYTES = 1 << 20


class Stage(Enum):
    WRITING = auto()
    COMMITTED = auto()
    IN_PLACE = auto()
    OVER = auto()


class Swap:
    """Args:
    old: neighbours; none for what is to stand before all there is.
    following: where the segment behind them begins.
    first: where the new one does; by default, where the old ones do.
    """

    def __init__(
        self, segments: Segments, old: Sequence[Segment], following: int, index_bytes: int, first: int | None = None
    ) -> None:
        self.stage = Stage.WRITING
        self._segments = segments
        self._old = old
        self._following = following
        first = old[0].base_offset if first is None else first
        path = f"{segments.directory}/{first:020d}{CLEANED}"
        self._new = Segment(segments.files, segments.directory, segments.identity, first, index_bytes, path=path)
        self._new.create()
        self._waiting: list[tuple[BatchHeader, memoryview]] = []
        self._waiting_bytes = 0

    @property
    def size_bytes(self) -> int:
        return self._new.size

    def append(self, batch: bytes | bytearray | memoryview) -> None:
        header = parse_header(batch)
        self._waiting.append((header, memoryview(batch)))
        self._waiting_bytes += header.size
        if self._waiting_bytes >= WRITE_BYTES:
            self._write()

    def _write(self) -> None:
        self._new.append(self._waiting, durable=self._following)
        self._waiting, self._waiting_bytes = [], 0

    def keep_damaged(self, data: bytes) -> None:
        """Bytes that aren't batches, and that nobody may take for nothing."""
        if self._waiting:
            self._write()
        self._new.append_damaged(data)

    def commit(self, last: BatchHeader | None) -> None:
        """All is appended.

        Args:
            last: of the last batch that the old ones hold: so far the new one comes as well. None when what they end
                with can't be read.
        """
        if self._waiting:
            self._write()
        if last is not None and self._new.next_offset < self._following:
            self.append(placeholder(last))
            self._write()
        assert last is None or self._new.next_offset == self._following, "the log goes on where the new segment ends"
        self._new.sync()
        self._index = self._new.encoded_index()
        self._new.rename(f"{self._segments.directory}/{self._new.base_offset:020d}-{self._following:020d}{SWAP}")
        self._segments.files.sync_directory(self._segments.directory)
        self.stage = Stage.COMMITTED

    def take_place(self) -> None:
        """Whoever reads from now on reads the new one."""
        self._segments.replace(self._old, self._new)
        self.stage = Stage.IN_PLACE

    def remove_old(self) -> None:
        files = self._segments.files
        for segment in self._old:
            files.remove(segment.path)
            files.remove(segment.index_path)
        files.replace(self._new.index_path, self._index)

    def settle(self) -> None:
        """The new one gets the name that a start looks for. Should a crash undo it, the start does it again."""
        self._new.rename(segment_path(self._segments.directory, self._new.base_offset))
        self.stage = Stage.OVER

    def abandon(self) -> None:
        """Everything is as it was, unless the new one has taken its place."""
        if self.stage in (Stage.WRITING, Stage.COMMITTED):
            self._new.close()
            self._segments.files.remove(self._new.path)
            self.stage = Stage.OVER

    def finish(self) -> None:
        """What is left to do is done at once."""
        if self.stage is Stage.IN_PLACE:
            self.remove_old()
            self.settle()


def finish_swaps(files: Files, directory: str, identity: Identity) -> None:
    """Before segments are looked for: goes on with what a crash cut short."""
    for name in files.names(directory):
        path = f"{directory}/{name}"
        if name.endswith(LEFT_OVER):
            files.remove(path)
        if name.endswith(SWAP):
            first, following = map(int, name.removesuffix(SWAP).split("-"))
            _finish(files, directory, Segment(files, directory, identity, first, 0, path=path), following)


def _finish(files: Files, directory: str, new: Segment, following: int) -> None:
    final = segment_path(directory, new.base_offset)
    if files.exists(final) and not _sound(new, following):
        # It was removed first, so all it was to stand for is there.
        log.error("a cleaned segment can't be read; those it was made from are kept", path=new.path)
        new.close()
        files.remove(new.path)
        return
    for name in files.names(directory):
        base = name.partition(".")[0]
        if name.endswith((".log", ".index")) and new.base_offset <= int(base) < following:
            files.remove(f"{directory}/{name}")
    new.rename(final)
    files.sync_directory(directory)


def _sound(segment: Segment, following: int) -> bool:
    damaged = any(isinstance(found, Damage) for found in segment.scan())
    return segment.sound_header() and not damaged and segment.next_offset == following
