"""Leader epochs of a partition: where each began. PURE. (KIP-101, KIP-279, KIP-320)

Two replicas compare logs by epoch: they agree up to the end of the newest epoch both know. A high watermark can't tell
that, because it is learned late.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

UNKNOWN = (-1, -1)


class EpochStarts:
    """Invariant: epochs and their first offsets both grow."""

    def __init__(self, entries: Sequence[tuple[int, int]] = ()) -> None:
        self.entries: list[tuple[int, int]] = [(epoch, start) for epoch, start in entries]

    def __repr__(self) -> str:
        return f"<EpochStarts {self.entries}>"

    def check(self) -> None:
        for (epoch, start), (next_epoch, next_start) in zip(self.entries, self.entries[1:], strict=False):
            assert epoch < next_epoch and start < next_start, self

    @property
    def latest(self) -> int:
        """The newest epoch; -1 before any."""
        return self.entries[-1][0] if self.entries else -1

    def assign(self, epoch: int, offset: int) -> None:
        """The record at `offset`, the log's newest, was written in `epoch`. An epoch of the past changes nothing."""
        if epoch > self.latest:
            self.truncate_to(offset)
            self.entries.append((epoch, offset))

    def epoch_of(self, offset: int) -> int:
        """The epoch in which the record at the offset was written; -1 when it lies before the first known."""
        at = bisect_right(self.entries, offset, key=lambda entry: entry[1]) - 1
        return self.entries[at][0] if at >= 0 else -1

    def end_of(self, epoch: int, log_end_offset: int) -> tuple[int, int]:
        """The largest epoch known that isn't above `epoch`, and the offset behind its last record: how far at most a
        follower or consumer that has read `epoch` agrees with this log.

        `UNKNOWN` for an epoch above the latest. For one below the first, itself and the log's first offset: what it
        wrote is gone.
        """
        if epoch < 0 or epoch > self.latest:
            return UNKNOWN
        if epoch == self.latest:
            return epoch, log_end_offset
        at = bisect_right(self.entries, epoch, key=lambda entry: entry[0]) - 1
        return (self.entries[at][0] if at >= 0 else epoch), self.entries[at + 1][1]

    def truncate_to(self, offset: int) -> None:
        """Records from `offset` on are gone."""
        while self.entries and self.entries[-1][1] >= offset:
            self.entries.pop()

    def begin_at(self, offset: int) -> None:
        """Records below `offset` are gone: the epoch that holds it begins there, and those before are forgotten."""
        at = bisect_right(self.entries, offset, key=lambda entry: entry[1]) - 1
        if at >= 0:
            self.entries[: at + 1] = [(self.entries[at][0], offset)]
