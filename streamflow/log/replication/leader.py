"""The leader of a partition: how far its records are committed. PURE.

A record is committed when every in-sync replica has it (KIP-101's high watermark). Here the in-sync replicas are the
leader alone, so it is committed when the leader has it: durable with `flush_before_commit`, else appended.
Followers join as further ends in the minimum.

Rule for whoever edits this: the high watermark never moves back, and never passes the leader's own end.
"""

from __future__ import annotations

from collections.abc import Sequence

from streamflow.log.replication.events import Appended, Effect, Event, Flushed, HighWatermarkMoved


class Leader:
    """Invariant: `high_watermark` <= `end`; `flushed` <= `end`; `leader_epoch` is this leader's for life.

    Args:
        end: of the leader's own log as recovered; all of it is durable and committed.
        flush_before_commit: a record is committed only once it is durable.
    """

    __slots__ = ("_flush_before_commit", "_safe", "end", "flushed", "high_watermark", "leader_epoch")

    def __init__(self, *, leader_epoch: int, end: int, flush_before_commit: bool) -> None:
        self.leader_epoch = leader_epoch
        self.end = self.flushed = self.high_watermark = self._safe = end
        self._flush_before_commit = flush_before_commit

    def __repr__(self) -> str:
        return f"<Leader epoch {self.leader_epoch}: {self.high_watermark} committed of {self.end}>"

    def step(self, event: Event, now_ms: int) -> Sequence[Effect]:
        before = self.high_watermark
        match event:
            case Appended():
                assert event.end >= self.end, "a leader's log only grows"
                if event.repaired and self._safe == self.end:
                    self._safe = event.end
                self.end = event.end
            case Flushed():
                assert event.end <= self.end, "what is durable was appended"
                self.flushed = max(self.flushed, event.end)
                self._safe = max(self._safe, event.end)
        self.high_watermark = self._safe if self._flush_before_commit else self.end
        return () if self.high_watermark == before else (HighWatermarkMoved(offset=self.high_watermark),)

    def deadline_ms(self) -> int | None:
        """Nothing waits for time: without followers, none can fall behind."""
        return None

    def check(self) -> None:
        """Asserts the invariants."""
        assert self.flushed <= self._safe <= self.end
        assert self.high_watermark <= self.end
