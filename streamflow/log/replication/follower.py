"""A follower of a partition: makes its log its leader's. PURE.

It tells with each fetch where its log ends and in which epoch its last record was written; the leader finds by that how
far both agree. What goes beyond is truncated, by epoch and never to the high watermark, which is learned late and may
lie below what is committed (KIP-101, KIP-279, KIP-320).

Rules for whoever edits this:

- A fetch claims all below its offset: with `flush_before_fetch` it is asked only once that is durable.
- Nothing is appended from an answer that speaks of divergence, or that was asked for in another place or epoch.
- Records are removed for two reasons only: the leader's epochs say that it hasn't them, or the log lies below all that
  the leader still has.
"""

from __future__ import annotations

from collections.abc import Sequence

from streamflow.log.epochs import EpochStarts
from streamflow.log.replication.events import (
    NOBODY,
    Answered,
    Append,
    Appended,
    Ask,
    Assignment,
    BackOff,
    Flushed,
    FollowerEffect,
    FollowerEvent,
    HighWatermarkMoved,
    MoveStart,
    StartAnew,
    StartedAnew,
    Trouble,
    Truncate,
    Truncated,
)
from streamflow.log.replication.leader import Leader


class Follower:
    """Invariant: `high_watermark` <= `end`, `flushed` <= `end`.

    Args:
        leader: the broker that leads, or `NOBODY`.
        start: where the log begins. The rest as for a `Leader`.
    """

    __slots__ = (
        "_leader_high_watermark",
        "durable",
        "end",
        "flushed",
        "high_watermark",
        "leader",
        "leader_epoch",
        "start",
    )

    def __init__(
        self,
        *,
        leader: int = NOBODY,
        leader_epoch: int,
        start: int = 0,
        end: int,
        flushed: int | None = None,
        high_watermark: int = 0,
        flush_before_fetch: bool,
    ) -> None:
        self.leader = leader
        self.leader_epoch = leader_epoch
        self.start = start
        self.end = end
        self.flushed = end if flushed is None else flushed
        self.high_watermark = self._leader_high_watermark = min(high_watermark, end)
        self.durable = flush_before_fetch

    def __repr__(self) -> str:
        return f"<Follower of {self.leader} in epoch {self.leader_epoch}: {self.high_watermark} of {self.end}>"

    def successor(self, leader_epoch: int, assignment: Assignment) -> Leader:
        """This replica leads from now on: with what it knows to be committed, and no less."""
        return Leader(
            leader_epoch=leader_epoch,
            end=self.end,
            flush_before_commit=self.durable,
            flushed=self.flushed,
            high_watermark=self.high_watermark,
            assignment=assignment,
        )

    def ask(self, epochs: EpochStarts) -> Ask | None:
        """What to fetch next; None while nothing may be asked."""
        if self.leader == NOBODY or (self.durable and self.flushed < self.end):
            return None
        return self._standing(epochs)

    def _standing(self, epochs: EpochStarts) -> Ask:
        last_epoch = epochs.epoch_of(self.end - 1) if self.end > self.start else -1
        return Ask(offset=self.end, last_epoch=last_epoch, leader_epoch=self.leader_epoch)

    def step(self, event: FollowerEvent, epochs: EpochStarts) -> Sequence[FollowerEffect]:
        """Args:
        epochs: of the follower's own log.
        """
        effects: Sequence[FollowerEffect] = ()
        match event:
            case Answered():
                effects = self._answered(event, epochs)
            case Appended():
                self.end = max(self.end, event.end)
            case Flushed():
                self.flushed = max(self.flushed, min(event.end, self.end))
            case Truncated():
                self.end, self.flushed = event.end, min(self.flushed, event.end)
                # How far the leader has committed says nothing of a log that isn't known to agree with its own.
                self.high_watermark = self._leader_high_watermark = min(self.high_watermark, event.end)
            case StartedAnew():
                self.start = self.end = self.flushed = event.offset
                self.high_watermark = self._leader_high_watermark = event.offset
        committed = min(self._leader_high_watermark, self.end)
        if committed <= self.high_watermark:
            return effects
        self.high_watermark = committed
        return (*effects, HighWatermarkMoved(offset=committed))

    def _answered(self, answer: Answered, epochs: EpochStarts) -> Sequence[FollowerEffect]:
        if answer.ask != self._standing(epochs):
            return ()  # Late: the log ends elsewhere by now, or with another record.
        if answer.trouble is Trouble.OUT_OF_RANGE:
            return (self._out_of_range(answer),)
        if answer.trouble is not None:
            return (BackOff(),)
        if answer.diverging is not None:
            return (self._truncation(answer.diverging, epochs),)
        self._leader_high_watermark = max(self.high_watermark, answer.high_watermark)
        if answer.log_start_offset > self.start:
            return Append(), MoveStart(offset=answer.log_start_offset)
        return (Append(),)

    def _truncation(self, diverging: tuple[int, int], epochs: EpochStarts) -> FollowerEffect:
        epoch, end = diverging
        _, own_end = epochs.end_of(epoch, self.end)
        agreed = min(end, own_end)
        if agreed >= self.end:
            return BackOff(reason=f"the leader's log differs from offset {end} on in epoch {epoch}, this one can't")
        return StartAnew(offset=agreed) if agreed < self.start else Truncate(offset=agreed)

    def _out_of_range(self, answer: Answered) -> FollowerEffect:
        if answer.log_start_offset >= 0 and (self.end < answer.log_start_offset or self.end == self.start):
            return StartAnew(offset=answer.log_start_offset)
        return BackOff(
            reason=f"offset {self.end} isn't in the leader's log, which begins at {answer.log_start_offset}; nothing "
            "is removed for that"
        )

    def moved_start(self, start: int) -> None:
        """The log begins there now."""
        self.start = max(self.start, start)

    def check(self) -> None:
        """Asserts the invariants."""
        assert self.start <= self.end
        assert self.flushed <= self.end
        assert self.high_watermark <= self.end
