"""Leader epochs of a partition: where each began. PURE. (KIP-101, KIP-279, KIP-320)"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence


class EpochStarts:
    """Invariant: epochs and their first offsets both grow."""

    def __init__(self, entries: Sequence[tuple[int, int]] = ()) -> None:
        self.entries: list[tuple[int, int]] = [(epoch, start) for epoch, start in entries]

    def __repr__(self) -> str:
        return f"<EpochStarts {self.entries}>"

    @property
    def latest(self) -> int:
        """The newest epoch; -1 before any."""
        return self.entries[-1][0] if self.entries else -1

    def assign(self, epoch: int, offset: int) -> None:
        """The record at `offset` was written in `epoch`. An epoch of the past changes nothing."""
        if epoch > self.latest:
            self.entries.append((epoch, offset))

    def end_of(self, epoch: int, log_end_offset: int) -> tuple[int, int]:
        """The largest epoch known that isn't above `epoch`, and the offset behind its last record; (-1, -1) when
        there is none. What a follower truncates by."""
        at = bisect_right(self.entries, (epoch, 2**63)) - 1
        if at < 0:
            return -1, -1
        end = self.entries[at + 1][1] if at + 1 < len(self.entries) else log_end_offset
        return self.entries[at][0], end

    def truncate_to(self, offset: int) -> None:
        """Records from `offset` on are gone."""
        self.entries = [(epoch, start) for epoch, start in self.entries if start < offset]
