"""A partition's segments in a row: which one holds an offset, what is added at the end, removed or replaced.

Invariant: a segment begins where the one before it ends, or above: then what lies between is quarantined (`recovery`).
Only segments that were read lately keep their file open and their index in memory.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from streamflow.log.model import Identity
from streamflow.log.storage.files import Files
from streamflow.log.storage.segment import Segment

WARM_SEGMENTS = 4
"""Sealed segments of a partition whose file and index stay open: about as many as readers stand in."""


class Segments:
    """Iterating gives them by offset. `bases` are the offsets they begin with."""

    def __init__(self, files: Files, directory: str, identity: Identity) -> None:
        self.files = files
        self.directory = directory
        self.identity = identity
        self.all: list[Segment] = []
        self.bases: list[int] = []
        self._warm: list[Segment] = []

    @property
    def active(self) -> Segment:
        """The last: where appends go."""
        return self.all[-1]

    @property
    def size_bytes(self) -> int:
        return sum(s.size for s in self.all)

    def number_of(self, offset: int) -> int:
        """Which one holds the offset; the first for one below all."""
        return max(0, bisect_right(self.bases, offset) - 1)

    def end_of(self, segment: Segment) -> int:
        """Where the next begins; of the last, where the next batch goes."""
        number = bisect_right(self.bases, segment.base_offset)
        return self.bases[number] if number < len(self.bases) else segment.next_offset

    def open(self, base_offset: int, index_bytes: int) -> Segment:
        """The one that is there, as the last."""
        if self.all:
            self.keep_warm(self.active)
        segment = Segment(self.files, self.directory, self.identity, base_offset, index_bytes)
        self.all.append(segment)
        self.bases.append(base_offset)
        return segment

    def add(self, base_offset: int, index_bytes: int) -> None:
        """A new one, durably, as the last."""
        segment = Segment(self.files, self.directory, self.identity, base_offset, index_bytes)
        segment.create()
        if self.all:
            self.keep_warm(self.active)
        self.all.append(segment)
        self.bases.append(base_offset)

    def keep_warm(self, segment: Segment) -> None:
        """It is read now; the one read longest ago lets go of what it holds."""
        if segment in self._warm:
            self._warm.remove(segment)
        self._warm.append(segment)
        while len(self._warm) > WARM_SEGMENTS:
            oldest = self._warm.pop(0)
            if oldest is not self.active:
                oldest.close()

    def drop_below(self, offset: int) -> int:
        """Removes those wholly below the offset, never the last. Returns: how many."""
        dropped = 0
        while len(self.all) > 1 and self.bases[1] <= offset:
            del self.bases[0]
            self._forget(self.all.pop(0)).remove()
            dropped += 1
        return dropped

    def drop_above(self, offset: int) -> None:
        """Removes those that begin above the offset, never the first."""
        while len(self.all) > 1 and self.bases[-1] > offset:
            self.bases.pop()
            self._forget(self.all.pop()).remove()

    def replace(self, old: Sequence[Segment], new: Segment) -> None:
        """`new` stands for neighbours from now on, or before all. Their files are left to the caller."""
        at = self.all.index(old[0]) if old else 0
        assert self.all[at : at + len(old)] == list(old), "neighbours"
        self.all[at : at + len(old)] = [new]
        self.bases[at : at + len(old)] = [new.base_offset]
        for segment in old:
            self._forget(segment).close()

    def begin_with(self, new: Segment) -> None:
        """`new` is all there is from now on. The others' files are left to the caller."""
        self.close()
        self.all, self.bases, self._warm = [new], [new.base_offset], []

    def _forget(self, segment: Segment) -> Segment:
        if segment in self._warm:
            self._warm.remove(segment)
        return segment

    def close(self) -> None:
        for segment in self.all:
            segment.close()
