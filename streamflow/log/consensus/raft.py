"""A member of the metadata quorum: Raft, as KRaft does it. PURE. (Ongaro & Ousterhout; KIP-595, KIP-996)

Followers fetch; what a fetch claims to have, the follower has durably. What it says of itself in a new epoch is durable
before it is said: effects are done in their order, and each is done before the next.

Rules for whoever edits this:

- One vote an epoch, given only to a log that goes as far as the voter's own (§5.2, §5.4.1).
- A leader commits nothing by counting but records of its own epoch, and with them what is before (§5.4.2).
- A leader that hasn't heard from a majority for a while resigns: another may have been elected.
- A disk that has never been a voter's might have been lost by one: it gives no vote until it has all that a leader has
  committed, or until every voter's log is found empty, which is when a cluster begins. It might have voted for one that
  hasn't led yet, too: so it asks every voter which epoch it is in, and leaves out the newest. Until a cluster has
  begun, it needs every disk.
- A question asked for the sake of asking (pre-vote) changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, assert_never

from streamflow.log.consensus import events as e
from streamflow.log.consensus.events import NOBODY, Effect, Event
from streamflow.log.consensus.quorum import decides, reached
from streamflow.log.consensus.roles import Candidate, Follower, Leader, Prospective, Role, Standing, Unattached
from streamflow.log.consensus.votes import QuorumState
from streamflow.log.epochs import UNKNOWN, EpochStarts

if TYPE_CHECKING:
    from random import Random

OBSERVER_SESSION_MS = 300_000
"""As Kafka's: an observer that hasn't fetched for so long is no longer told of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RaftConfig:
    """Kafka's `controller.quorum.…` settings, in ms."""

    election_timeout_ms: int = 1_000
    """How long a vote is waited for, and up to twice that."""
    fetch_timeout_ms: int = 2_000
    """How long a leader may be silent. A leader waits half as long again for a majority."""
    tell_interval_ms: int = 500
    """How often voters that don't fetch are told who leads."""


class Outline:
    """What the machine knows of its log: where it ends, and where epochs begin."""

    def __init__(self, end: int, epochs: EpochStarts) -> None:
        self.end = end
        self.epochs = EpochStarts(epochs.entries)

    @property
    def last_epoch(self) -> int:
        """Of the last record; 0 of an empty log."""
        return max(0, self.epochs.latest)

    def append(self, epoch: int, end: int) -> None:
        self.epochs.assign(epoch, self.end)
        self.end = end

    def truncate(self, offset: int) -> None:
        self.epochs.truncate_to(offset)
        self.end = offset

    def divergence(self, offset: int, last_epoch: int) -> tuple[int, int] | None:
        """Where a log that ends at `offset` with a record of `last_epoch` may still agree with this one; None when it
        agrees up to its end."""
        if offset == 0:
            return None
        found = self.epochs.end_of(last_epoch, self.end)
        if found == UNKNOWN:
            return self.last_epoch, self.end
        epoch, end = found
        return None if epoch == last_epoch and end >= offset else (epoch, end)


class Raft:
    """Made for one life of a node.

    Args:
        state: the vote as it was persisted.
        joined: whether this disk was a voter's before (see `Join`).
        chance: spreads time-outs, so that voters don't always ask at once.
    """

    def __init__(
        self,
        me: int,
        voters: frozenset[int],
        state: QuorumState,
        log: Outline,
        config: RaftConfig,
        chance: Random,
        *,
        joined: bool = True,
        now_ms: int = 0,
    ) -> None:
        self.me = me
        self.voters = tuple(sorted(voters))
        self.log = log
        self.high_watermark = 0
        self.joined = joined
        self._heard_from: set[int] = set()
        """Voters whose epochs are known, in this life, not to be above this one's. Who has joined needn't ask."""
        self._asked_ms = now_ms - config.election_timeout_ms
        self.config = config
        self._chance = chance
        self._state = state
        if state.leader_epoch < log.last_epoch:
            # The vote is lost. The log tells an epoch that was; whoever was elected in it may have had this vote.
            self._state = replace(state, leader_epoch=log.last_epoch, leader_id=NOBODY, voted_for=me)
        self.role: Role = Unattached(deadline_ms=now_ms + self._spread(config.election_timeout_ms))

    def __repr__(self) -> str:
        role = type(self.role).__name__
        return f"<Raft {self.me}: {role} in epoch {self.epoch}, {self.high_watermark} committed of {self.log.end}>"

    # What there is

    @property
    def epoch(self) -> int:
        return self._state.leader_epoch

    @property
    def leader(self) -> int:
        """Who leads, as far as is known here; -1 else."""
        match self.role:
            case Leader():
                return self.me
            case Follower():
                return self.role.leader
            case _:
                return NOBODY

    @property
    def leads(self) -> bool:
        return isinstance(self.role, Leader)

    @property
    def settled(self) -> bool:
        """It leads, and everything committed before it is known to be: a record of its own epoch is committed."""
        return isinstance(self.role, Leader) and self.high_watermark > self.role.epoch_start

    @property
    def told_high_watermark(self) -> int:
        """What a leader says is committed: nothing, before it knows of all that is. 0 is no news to a follower."""
        return self.high_watermark if self.settled else 0

    @property
    def votes(self) -> bool:
        return self.me in self.voters

    def deadline_ms(self) -> int | None:
        """When to step next if nothing comes."""
        match self.role:
            case Leader():
                times = [self.role.told_ms + self.config.tell_interval_ms] if self._silent(self.role) else []
                return min([*times, self._quorum_ends_ms(self.role)], default=None) if len(self.voters) > 1 else None
            case Follower():
                return self.role.deadline_ms
            case _:
                return self.role.deadline_ms if self.votes else None

    def check(self) -> None:
        """Asserts the invariants."""
        assert self.high_watermark <= self.log.end, self
        assert not isinstance(self.role, Leader | Candidate) or (self.votes and self.joined), self
        assert not isinstance(self.role, Leader) or self._state.voted_for == self.me, self
        assert self.log.last_epoch <= self.epoch, self
        self.log.epochs.check()

    # Stepping

    def step(self, event: Event, now_ms: int) -> list[Effect]:
        match event:
            case e.TimePassed():
                return self._time_passed(now_ms)
            case e.VoteAsked():
                return self._vote_asked(event, now_ms)
            case e.VoteAnswered():
                return self._vote_answered(event, now_ms)
            case e.EpochBegun():
                return self._epoch_begun(event, now_ms)
            case e.EpochEnded():
                return self._epoch_ended(event, now_ms)
            case e.FetchAsked():
                return self._fetch_asked(event, now_ms)
            case e.FetchAnswered():
                return self._fetch_answered(event, now_ms)
            case e.Appended():
                return self._appended(event)
            case _:
                assert_never(event)

    def resign(self, now_ms: int) -> list[Effect]:
        """A leader that stops says so: others needn't find out."""
        if not isinstance(self.role, Leader):
            return []
        order = sorted(self.role.standings.items(), key=lambda item: (-item[1].end, item[0]))
        ended = e.EpochEnded(
            leader=self.me, epoch=self.epoch, successors=tuple(n for n, _ in order if n in self.voters)
        )
        return [
            *self._become_unattached(self.epoch, now_ms),
            *(e.TellEnd(voter=n, ended=ended) for n in self.voters if n != self.me),
        ]

    def _time_passed(self, now_ms: int) -> list[Effect]:
        deadline_ms = self.deadline_ms()
        if deadline_ms is None or now_ms < deadline_ms:
            return []
        role = self.role
        if isinstance(role, Leader):
            if now_ms >= self._quorum_ends_ms(role):
                return self._become_unattached(self.epoch, now_ms)
            role.told_ms = now_ms
            return [e.TellEpoch(voter=n, epoch=self.epoch) for n in self._silent(role)]
        return self._become_prospective(now_ms) if self.votes else self._become_unattached(self.epoch, now_ms)

    # Elections

    def _become_unattached(self, epoch: int, now_ms: int) -> list[Effect]:
        persisted = self._persist(epoch=epoch) if epoch > self.epoch else []
        self.role = Unattached(deadline_ms=now_ms + self._spread(self.config.election_timeout_ms))
        return [*persisted, e.RoleChanged()]

    def _become_prospective(self, now_ms: int) -> list[Effect]:
        had_leader = self.leader != NOBODY
        self.role = Prospective(deadline_ms=now_ms + self._spread(self.config.election_timeout_ms), granted={self.me})
        changed: list[Effect] = [e.RoleChanged()] if had_leader else []
        return [*changed, *self._ask_votes(pre=True), *self._count(now_ms)]

    def _become_candidate(self, now_ms: int) -> list[Effect]:
        persisted = self._persist(epoch=self.epoch + 1, voted_for=self.me)
        self.role = Candidate(deadline_ms=now_ms + self._spread(self.config.election_timeout_ms), granted={self.me})
        return [*persisted, e.RoleChanged(), *self._ask_votes(pre=False), *self._count(now_ms)]

    def _become_leader(self, now_ms: int) -> list[Effect]:
        standings = {n: Standing() for n in self.voters if n != self.me}
        persisted = self._persist(leader=self.me)
        self.role = Leader(epoch_start=self.log.end, since_ms=now_ms, told_ms=now_ms, standings=standings)
        self.log.append(self.epoch, self.log.end + 1)
        return [
            *persisted,
            e.AppendEpoch(),
            e.RoleChanged(),
            *(e.TellEpoch(voter=n, epoch=self.epoch) for n in standings),
            *self._commit(self.role),
        ]

    def _become_follower(self, leader: int, epoch: int, now_ms: int) -> list[Effect]:
        if isinstance(self.role, Follower) and self.epoch == epoch:
            return []
        persisted = self._persist(epoch=epoch, leader=leader)
        self.role = Follower(leader=leader, deadline_ms=now_ms + self._spread(self.config.fetch_timeout_ms))
        return [*persisted, e.RoleChanged()]

    def _ask_votes(self, *, pre: bool) -> list[Effect]:
        ask = e.VoteAsked(
            candidate=self.me, epoch=self.epoch, last_epoch=self.log.last_epoch, end=self.log.end, pre=pre
        )
        return [e.AskVote(voter=n, ask=ask) for n in self.voters if n != self.me]

    def _count(self, now_ms: int) -> list[Effect]:
        """The votes there are."""
        role = self.role
        if isinstance(role, Candidate):
            return self._become_leader(now_ms) if decides(role.granted, self.voters) else []
        if not isinstance(role, Prospective):
            return []
        if self.joined:
            return self._become_candidate(now_ms) if decides(role.granted, self.voters) else []
        if self.log.end == 0 and role.granted >= set(self.voters):
            return self._join()  # Every log is empty: the cluster begins.
        return []

    def _join(self) -> list[Effect]:
        self.joined = True
        # What may have been promised in this epoch is forgotten with the disk: nothing more is promised in it.
        abstained = [] if self._state.voted_for != NOBODY or not self.epoch else self._persist(voted_for=self.me)
        return [*abstained, e.Join()]

    def _join_late(self, role: Follower, now_ms: int) -> list[Effect]:
        """It has all that is committed. Whoever it may have voted for before it lost its disk is in that epoch yet."""
        if self._heard_from | {self.me, role.leader} >= set(self.voters):
            return self._join()
        if now_ms - self._asked_ms < self.config.election_timeout_ms:
            return []
        self._asked_ms = now_ms
        return self._ask_votes(pre=True)

    def _vote_asked(self, event: e.VoteAsked, now_ms: int) -> list[Effect]:
        if event.candidate not in self.voters:
            return [e.ReplyVote(granted=False)]  # Whoever that is, it deposes nobody.
        before: list[Effect] = []
        if not event.pre and event.epoch > self.epoch:
            before = self._become_unattached(event.epoch, now_ms)
        goes_as_far = (event.last_epoch, event.end) >= (self.log.last_epoch, self.log.end)
        may = self.votes and event.epoch >= self.epoch and goes_as_far
        if event.pre:
            # Who hears from a leader, or leads, sees no need for another.
            content = isinstance(self.role, Leader) or (isinstance(self.role, Follower) and self.role.heard)
            empty = not self.joined and self.log.end == 0 and event.end == 0
            return [e.ReplyVote(granted=may and not content and (self.joined or empty))]
        may = may and self.joined and self.leader == NOBODY and self._state.voted_for in (NOBODY, event.candidate)
        if not may:
            return [*before, e.ReplyVote(granted=False)]
        persisted = self._persist(voted_for=event.candidate)
        self.role = Unattached(deadline_ms=now_ms + self._spread(self.config.election_timeout_ms))
        return [*before, *persisted, e.ReplyVote(granted=True)]

    def _vote_answered(self, event: e.VoteAnswered, now_ms: int) -> list[Effect]:
        self._heard_from.add(event.voter)
        if event.epoch > self.epoch:
            return self._heard_of(event.leader, event.epoch, now_ms)
        role = self.role
        if event.asked_in != self.epoch or not isinstance(role, Prospective if event.pre else Candidate):
            return []
        if not event.granted and event.leader not in (NOBODY, self.me) and event.epoch == self.epoch:
            return self._become_follower(event.leader, event.epoch, now_ms)
        (role.granted if event.granted else role.refused).add(event.voter)
        return self._count(now_ms)

    def _heard_of(self, leader: int, epoch: int, now_ms: int) -> list[Effect]:
        if leader in (NOBODY, self.me):
            return self._become_unattached(epoch, now_ms)
        return self._become_follower(leader, epoch, now_ms)

    def _epoch_begun(self, event: e.EpochBegun, now_ms: int) -> list[Effect]:
        if event.epoch < self.epoch or event.leader == self.me or event.leader not in self.voters:
            return []
        return self._become_follower(event.leader, event.epoch, now_ms)

    def _epoch_ended(self, event: e.EpochEnded, now_ms: int) -> list[Effect]:
        known = self.leader in (NOBODY, event.leader) or event.epoch > self.epoch
        if event.epoch < self.epoch or not known or event.leader not in self.voters:
            return []
        effects = self._become_unattached(event.epoch, now_ms)
        if self.me in event.successors and isinstance(self.role, Unattached):
            # The one that has most asks first.
            turn = event.successors.index(self.me)
            self.role.deadline_ms = now_ms + turn * self.config.election_timeout_ms // 4
        return effects

    # Replication

    def standings(self, now_ms: int) -> dict[int, Standing]:
        """Of voters, and of observers that fetched of late, as the leader knows them; of nobody, if it isn't this."""
        if not isinstance(self.role, Leader):
            return {}
        own = Standing(end=self.log.end, fetched_ms=now_ms, caught_up_ms=now_ms)
        others = self.role.standings.items()
        late = now_ms - OBSERVER_SESSION_MS
        return {self.me: own} | {n: s for n, s in others if n in self.voters or s.fetched_ms > late}

    def fetch(self) -> e.FetchAsked | None:
        """What to ask the leader for, when there is one to be asked."""
        if not isinstance(self.role, Follower):
            return None
        return e.FetchAsked(replica=self.me, epoch=self.epoch, offset=self.log.end, last_epoch=self.log.last_epoch)

    def _fetch_asked(self, event: e.FetchAsked, now_ms: int) -> list[Effect]:
        role = self.role
        if not isinstance(role, Leader):
            higher = event.epoch > self.epoch
            return [e.ReplyFetch(leads=False, fenced=event.epoch < self.epoch, unknown=higher)]
        if event.epoch != self.epoch:
            fenced = event.epoch < self.epoch
            return [e.ReplyFetch(leads=True, fenced=fenced, unknown=not fenced)]
        diverging = self.log.divergence(event.offset, event.last_epoch)
        standing = role.standings.setdefault(event.replica, Standing()) if event.replica >= 0 else Standing()
        standing.fetched_ms = now_ms
        if diverging is not None:
            return [e.ReplyFetch(leads=True, diverging=diverging)]
        standing.end = event.offset
        if event.offset >= self.log.end:
            standing.caught_up_ms = now_ms
        return [*self._commit(role), e.ReplyFetch(leads=True)]

    def _fetch_answered(self, event: e.FetchAnswered, now_ms: int) -> list[Effect]:
        if event.epoch > self.epoch:
            return self._heard_of(event.leader, event.epoch, now_ms)
        role = self.role
        if not isinstance(role, Follower):
            if event.epoch == self.epoch and event.leader not in (NOBODY, self.me) and not self.leads:
                return self._become_follower(event.leader, event.epoch, now_ms)
            return []
        here = (self.epoch, self.epoch, self.log.end, self.log.last_epoch)
        if not event.ok or (event.asked_in, event.epoch, event.offset, event.asked_last_epoch) != here:
            return []
        role.heard = True
        role.deadline_ms = now_ms + self._spread(self.config.fetch_timeout_ms)
        if event.diverging is not None:
            return self._truncate(*event.diverging)
        effects: list[Effect] = []
        if event.batches:
            for epoch, end in event.batches:
                self.log.append(epoch, end)
            effects.append(e.AppendFetched())
        before, self.high_watermark = (
            self.high_watermark,
            max(self.high_watermark, min(event.high_watermark, self.log.end)),
        )
        if self.votes and not self.joined and 0 < event.high_watermark <= self.log.end:
            effects += self._join_late(role, now_ms)
        if self.high_watermark > before:
            effects.append(e.HighWatermarkMoved(offset=self.high_watermark))
        return effects

    def _truncate(self, epoch: int, end: int) -> list[Effect]:
        """To where both logs may agree: the leader's `epoch` ends at `end`."""
        own_epoch, own_end = self.log.epochs.end_of(epoch, self.log.end)
        offset = min(end, own_end) if own_epoch >= 0 else min(end, self.log.end)
        offset = max(offset, self.high_watermark)
        self.log.truncate(offset)
        return [e.Truncate(offset=offset)]

    def _appended(self, event: e.Appended) -> list[Effect]:
        role = self.role
        assert isinstance(role, Leader), "who appends leads"
        self.log.append(self.epoch, event.end)
        return self._commit(role)

    def _commit(self, role: Leader) -> list[Effect]:
        ends = [self.log.end, *(role.standings[n].end for n in self.voters if n != self.me)]
        offset = reached(ends)
        if offset <= max(role.epoch_start, self.high_watermark):
            return []
        self.high_watermark = offset
        return [e.HighWatermarkMoved(offset=offset)]

    # Time

    def _silent(self, role: Leader) -> Sequence[int]:
        """Voters that haven't fetched in this epoch."""
        return [n for n in self.voters if n != self.me and role.standings[n].fetched_ms < 0]

    def _quorum_ends_ms(self, role: Leader) -> int:
        """When, at the latest, a majority must have been heard from."""
        heard = [max(role.since_ms, role.standings[n].fetched_ms) for n in self.voters if n != self.me]
        since = reached([2**62, *heard])
        return since + self.config.fetch_timeout_ms * 3 // 2

    def _spread(self, ms: int) -> int:
        return ms + self._chance.randrange(ms)

    def _persist(
        self, *, epoch: int | None = None, voted_for: int | None = None, leader: int | None = None
    ) -> list[Effect]:
        before = self._state
        new_epoch = before.leader_epoch if epoch is None else epoch
        assert new_epoch >= before.leader_epoch, "an epoch never goes back"
        fresh = new_epoch > before.leader_epoch
        self._state = QuorumState(
            sequence=before.sequence + 1,
            leader_epoch=new_epoch,
            leader_id=(NOBODY if fresh else before.leader_id) if leader is None else leader,
            voted_for=(NOBODY if fresh else before.voted_for) if voted_for is None else voted_for,
        )
        return [e.PersistVote(state=self._state)]
