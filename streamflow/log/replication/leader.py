"""The leader of a partition: who is in sync, and how far the records are committed. PURE.

A record is committed when everybody who might be elected has it (KIP-101's high watermark, over KIP-497's maximal ISR),
and enough replicas are in sync (KIP-966). The leader has a record itself when it is durable, with
`flush_before_commit`, else when it is appended; a follower has what its fetch says: all below the offset it asks for.

Rules for whoever edits this:

- The high watermark never moves back, and never passes the leader's own end.
- A fetch is believed only after `examine` found that both logs agree up to its offset.
- Nobody is proposed who hasn't everything that is committed, and the start of this leader's epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from streamflow.log.epochs import UNKNOWN, EpochStarts
from streamflow.log.replication.events import (
    NO_EPOCH,
    Appended,
    Assignment,
    Diverged,
    Fetched,
    Flushed,
    HighWatermarkMoved,
    IsrCommitted,
    IsrNotCommitted,
    LeaderEffect,
    LeaderEvent,
    ProposeIsr,
    Reassigned,
    Refusal,
    TimePassed,
)
from streamflow.log.replication.isr import Isr

ALONE = Assignment(me=0, replicas=(0,), isr=(0,))
NOTHING = -1
"""What a follower has that hasn't fetched."""


@dataclass(slots=True)
class Standing:
    """What the leader knows of a follower. `leader_end` is where the leader's log ended when it last fetched."""

    caught_up_ms: int
    end: int = NOTHING
    log_start_offset: int = NOTHING
    broker_epoch: int = NO_EPOCH
    fetched_ms: int = 0
    leader_end: int = 0


class Leader:
    """Invariant: `high_watermark` <= `end`; `flushed` <= `end`; `leader_epoch` is this leader's for life.

    Args:
        end: of the leader's own log as recovered, durable below `flushed`, which is all of it unless told otherwise.
        flush_before_commit: the leader has a record only once it is durable.
        high_watermark: what was known to be committed before.
    """

    __slots__ = (
        "_safe",
        "_standings",
        "assignment",
        "durable",
        "end",
        "epoch_start",
        "flushed",
        "high_watermark",
        "isr",
        "leader_epoch",
    )

    def __init__(
        self,
        *,
        leader_epoch: int,
        end: int,
        flush_before_commit: bool,
        flushed: int | None = None,
        high_watermark: int = 0,
        assignment: Assignment = ALONE,
    ) -> None:
        self.leader_epoch = leader_epoch
        self.end = self.epoch_start = end
        self.flushed = self._safe = end if flushed is None else flushed
        self.high_watermark = min(high_watermark, end)
        self.assignment = assignment
        self.isr = Isr(assignment.isr, assignment.partition_epoch)
        self.durable = flush_before_commit
        self._standings: dict[int, Standing] = {}
        self._advance()

    def __repr__(self) -> str:
        return f"<Leader epoch {self.leader_epoch}: {self.high_watermark} committed of {self.end}, {self.isr!r}>"

    def successor(self, leader_epoch: int, assignment: Assignment) -> Leader:
        """This node leads in another epoch."""
        return Leader(
            leader_epoch=leader_epoch,
            end=self.end,
            flush_before_commit=self.durable,
            flushed=self.flushed,
            high_watermark=self.high_watermark,
            assignment=assignment,
        )

    @property
    def enough_in_sync(self) -> bool:
        return len(self.isr.committed) >= self.assignment.in_sync_needed

    def low_watermark(self, log_start_offset: int, counts: Callable[[int], bool]) -> int:
        """The lowest start of the replicas' logs; `NOTHING` while a follower hasn't told.

        Args:
            log_start_offset: of the leader's own log.
            counts: whether a follower does.
        """
        return min([log_start_offset, *(s.log_start_offset for n, s in self._standings.items() if counts(n))])

    def standing(self, replica: int) -> Standing | None:
        """What is known of a follower."""
        return self._standings.get(replica)

    # What a follower may be told

    def end_of(self, epochs: EpochStarts, epoch: int) -> tuple[int, int]:
        """As `EpochStarts.end_of`, and this leader's own epoch, which may have no record yet, begins where it did."""
        if epoch == self.leader_epoch:
            return epoch, self.end
        if epochs.latest < epoch < self.leader_epoch:
            return (epochs.latest if epochs.entries else epoch), self.epoch_start
        return epochs.end_of(epoch, self.end)

    def examine(self, fetch: Fetched, epochs: EpochStarts, log_start_offset: int) -> Refusal | Diverged | None:
        """What is wrong with a follower's fetch; None when it is to be served, and believed."""
        if fetch.leader_epoch != self.leader_epoch:
            return Refusal.FENCED_EPOCH if fetch.leader_epoch < self.leader_epoch else Refusal.UNKNOWN_EPOCH
        if fetch.replica not in self.assignment.replicas or fetch.replica == self.assignment.me:
            return Refusal.UNKNOWN_REPLICA
        known = self._standings.get(fetch.replica)
        if known is not None and fetch.broker_epoch < known.broker_epoch:
            return Refusal.STALE_BROKER
        if fetch.offset < log_start_offset:
            return Refusal.OUT_OF_RANGE
        if fetch.last_epoch != NO_EPOCH:
            found = self.end_of(epochs, fetch.last_epoch)
            if found == UNKNOWN:
                return Refusal.OUT_OF_RANGE
            if found[0] < fetch.last_epoch or found[1] < fetch.offset:
                return Diverged(epoch=found[0], end=found[1])
        return Refusal.OUT_OF_RANGE if fetch.offset > self.end else None

    # What happens

    def step(self, event: LeaderEvent, now_ms: int) -> Sequence[LeaderEffect]:
        before, proposal = self.high_watermark, None
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
            case Fetched():
                self._fetched(event, now_ms)
            case Reassigned():
                self._reassigned(event.assignment, now_ms)
            case IsrCommitted():
                self.isr.learn(event.isr, event.partition_epoch)
            case IsrNotCommitted():
                self.isr.not_committed(event.partition_epoch)
            case TimePassed():
                proposal = self._shrink(now_ms)
        self._advance()
        if isinstance(event, Fetched):
            proposal = self._expand(event)
        moved = () if self.high_watermark == before else (HighWatermarkMoved(offset=self.high_watermark),)
        return moved if proposal is None else (*moved, proposal)

    def begin(self, now_ms: int) -> None:
        """The clock starts: everybody is taken to have caught up now."""
        self._standings = {
            n: Standing(caught_up_ms=now_ms) for n in self.assignment.replicas if n != self.assignment.me
        }

    def _fetched(self, fetch: Fetched, now_ms: int) -> None:
        standing = self._standings[fetch.replica]
        if fetch.offset >= self.end:
            standing.caught_up_ms = max(standing.caught_up_ms, now_ms)
        elif fetch.offset >= standing.leader_end and standing.end != NOTHING:
            # It had, when it last asked, what there was then.
            standing.caught_up_ms = max(standing.caught_up_ms, standing.fetched_ms)
        standing.end, standing.log_start_offset = fetch.offset, fetch.log_start_offset
        standing.broker_epoch, standing.fetched_ms, standing.leader_end = fetch.broker_epoch, now_ms, self.end

    def _reassigned(self, assignment: Assignment, now_ms: int) -> None:
        self.isr.learn(assignment.isr, assignment.partition_epoch)
        if assignment.partition_epoch < self.isr.partition_epoch:
            assignment = replace(assignment, replicas=self.assignment.replicas)
        self.assignment = assignment
        for replica in assignment.replicas:
            if replica != assignment.me and replica not in self._standings:
                self._standings[replica] = Standing(caught_up_ms=now_ms)
        for replica in [r for r in self._standings if r not in assignment.replicas]:
            del self._standings[replica]

    def _advance(self) -> None:
        if not self.enough_in_sync:
            return
        committed = self._safe if self.durable else self.end
        for replica in self.isr.maximal:
            if replica != self.assignment.me:
                standing = self._standings.get(replica)
                committed = min(committed, NOTHING if standing is None else standing.end)
        self.high_watermark = max(self.high_watermark, committed)

    # Who is in sync

    def _expand(self, fetch: Fetched) -> ProposeIsr | None:
        caught_up = fetch.offset >= max(self.high_watermark, self.epoch_start)
        if self.isr.in_flight or fetch.replica in self.isr.committed or not (fetch.eligible and caught_up):
            return None
        return self._propose((*self.isr.committed, fetch.replica))

    def _shrink(self, now_ms: int) -> ProposeIsr | None:
        if self.isr.in_flight:
            return None
        keeping = tuple(r for r in self.isr.committed if not self._lags(r, now_ms))
        # With doubts, as it is: once the controller has said so, it is certain who is in sync.
        return self._propose(keeping) if keeping != self.isr.committed or self.isr.doubted else None

    def _lags(self, replica: int, now_ms: int) -> bool:
        if replica == self.assignment.me:
            return False
        standing = self._standings.get(replica)
        if standing is None:
            return True
        return standing.end != self.end and now_ms - standing.caught_up_ms > self.assignment.lag_ms_max

    def _propose(self, members: Sequence[int]) -> ProposeIsr:
        self.isr.propose(members)
        known = {replica: standing.broker_epoch for replica, standing in self._standings.items()}
        return ProposeIsr(
            members=tuple((n, known.get(n, NO_EPOCH)) for n in sorted(members)),
            leader_epoch=self.leader_epoch,
            partition_epoch=self.isr.partition_epoch,
        )

    def check(self) -> None:
        """Asserts the invariants."""
        assert self.flushed <= self._safe <= self.end
        assert self.high_watermark <= self.end
        assert self.assignment.me in self.isr.committed, "a leader is in sync"
        assert set(self.isr.committed) <= set(self.isr.maximal)
        assert self.assignment.me not in self._standings
