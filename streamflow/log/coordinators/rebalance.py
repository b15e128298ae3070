"""How a classic group goes from one generation of members to the next. PURE.

    Empty -> PreparingRebalance -> CompletingRebalance -> Stable -> PreparingRebalance ...

PreparingRebalance waits until all members have sent a JoinGroup, at most as long as the most patient of them allows; a
group that was Empty waits a little for others to come (`group.initial.rebalance.delay.ms`, KIP-134). Who didn't come is
out, unless it is static. CompletingRebalance waits for the leader's assignment, which is written before anybody is told
it: then the group is Stable, and is so again after a restart.

Promises: each generation is above the one before; a member that waits is answered when its wait is over, whichever way.

Rule for whoever edits this: `state` changes in `_move` only, along `NEXT`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import count

from streamflow.log.coordinators.group_events import (
    Effect,
    GroupError,
    JoinAnswer,
    JoinedMember,
    Persist,
    Reply,
    SyncAnswer,
    Ticket,
)
from streamflow.log.coordinators.group_records import GroupMetadata
from streamflow.log.coordinators.group_states import NEXT, ClassicConfig, GroupState
from streamflow.log.coordinators.members import Member, Members

PATIENCE_MS_MIN = 100
"""Rebalances last at least so long, or a member that allows none would make the clock go round without end."""


S = GroupState


class Why(Enum):
    """What a record is written for."""

    ASSIGNED = "a generation has its assignment"
    EMPTIED = "the last member is gone"
    RETURNED = "a static member came back under another id"
    DELETED = "the group is deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """A record on its way, and the answers that wait for it."""

    why: Why
    generation: int
    assignments: Mapping[str, bytes] = field(default_factory=dict)
    member: Member | None = None
    ticket: Ticket | None = None
    leader: str | None = None
    then: list[Reply] = field(default_factory=list)


class Rebalance:
    """Invariants: `pending` are ids given out to who isn't a member yet (KIP-394), with when they are forgotten;
    `unsynced` are members that know their generation and haven't asked for their part of it."""

    def __init__(self, config: ClassicConfig) -> None:
        self.config = config
        self.state = S.EMPTY
        self.since_ms = 0
        self.generation = 0
        self.protocol_name: str | None = None
        self.subscribed: frozenset[str] | None = None
        self.members = Members()
        self.pending: dict[str, int] = {}
        self.unsynced: set[str] = set()
        self.join_ends_ms: int | None = None
        self.sync_ends_ms: int | None = None
        self.writing: dict[int, Writing] = {}
        self.effects: list[Effect] = []
        self._numbers = count(1)
        self._initial = False
        self._more_came = False
        self._delay_ms = 0
        self._remaining_ms = 0

    def restore(self, group: GroupMetadata, now_ms: int) -> None:
        """As the record says; sessions begin anew."""
        self.state = S.STABLE if group.members else S.EMPTY
        self.since_ms, self.generation = group.since_ms, group.generation
        self.protocol_name = (group.protocol_name or "") if group.members else None
        for metadata in group.members:
            member = Member.restored(metadata, self.protocol_name or "")
            self.members.add(member, group.protocol_type)
            self.touch(member, now_ms)
        self.members.protocol_type = group.protocol_type or None
        if group.leader in self.members:
            self.members.leader = group.leader
        self.subscribed = self.members.subscribed_topics(self.protocol_name)

    def touch(self, member: Member, now_ms: int) -> None:
        """The member is there: its session begins anew."""
        member.session_ends_ms = now_ms + member.session_timeout_ms

    # Who comes

    def add(self, member: Member, protocol_type: str, now_ms: int) -> None:
        """A new member, whose JoinGroup waits."""
        self.pending.pop(member.member_id, None)
        self._more_came = True
        self.members.add(member, protocol_type)
        member.session_ends_ms = now_ms + self.config.new_member_timeout_ms
        self.prepare_or_go_on(now_ms)

    def wait_to_join(self, member: Member, ticket: Ticket) -> None:
        """A JoinGroup sent again takes the place of the one before, whose connection is gone by all likelihood."""
        self.answer_join(member, JoinAnswer(error=GroupError.REBALANCE_IN_PROGRESS, member_id=member.member_id))
        member.joining = ticket

    def wait_to_sync(self, member: Member, ticket: Ticket) -> None:
        """As `wait_to_join`."""
        self.answer_sync(member, SyncAnswer(error=GroupError.REBALANCE_IN_PROGRESS))
        member.syncing = ticket

    def remove(self, member: Member) -> None:
        """Without what follows from it: `prepare_or_go_on`."""
        self.answer_join(member, JoinAnswer(error=GroupError.UNKNOWN_MEMBER_ID))
        self.answer_sync(member, SyncAnswer(error=GroupError.UNKNOWN_MEMBER_ID))
        self.members.remove(member)
        self.synced_by(member)

    def rename(self, member: Member, member_id: str, now_ms: int) -> None:
        """A static member came back (KIP-345): whoever asks under its old id is fenced."""
        self.answer_join(member, JoinAnswer(error=GroupError.FENCED_INSTANCE_ID, member_id=member.member_id))
        self.answer_sync(member, SyncAnswer(error=GroupError.FENCED_INSTANCE_ID))
        if member.member_id in self.unsynced:
            self.unsynced.remove(member.member_id)
            self.unsynced.add(member_id)
        self.members.rename(member, member_id)
        member.is_new = False
        self.touch(member, now_ms)

    # From one generation to the next

    def prepare_or_go_on(self, now_ms: int) -> None:
        """Members have changed."""
        if S.PREPARING_REBALANCE in NEXT[self.state]:
            self.prepare(now_ms)
        else:
            self.go_on(now_ms)

    def prepare(self, now_ms: int) -> None:
        if self.state is S.COMPLETING_REBALANCE:
            self._take_back(GroupError.REBALANCE_IN_PROGRESS, now_ms)
        self.unsynced.clear()
        self.sync_ends_ms = None
        self._initial = self.state is S.EMPTY
        self._move(S.PREPARING_REBALANCE, now_ms)
        if self._initial:
            self._more_came = False
            self._delay_ms = self.config.initial_rebalance_delay_ms
            self._remaining_ms = max(self.members.rebalance_timeout_ms - self._delay_ms, 0)
            self.join_ends_ms = now_ms + self._delay_ms
        else:
            self.join_ends_ms = now_ms + self._patience_ms
            self.go_on(now_ms)

    def go_on(self, now_ms: int) -> None:
        """Ends the wait for members if all are there. The first members of a group wait for others in any case."""
        if self.state is S.PREPARING_REBALANCE and not self._initial and self.everybody_joins:
            self.complete_join(now_ms)

    @property
    def everybody_joins(self) -> bool:
        return not self.pending and self.members.all_join

    def join_is_over(self, now_ms: int) -> None:
        """The time for members to come is up; among the first members, each that comes late gives others more."""
        if self._initial and self._more_came and self._remaining_ms:
            self._more_came = False
            passed_ms = self._delay_ms
            self._delay_ms = min(self.config.initial_rebalance_delay_ms, self._remaining_ms)
            self._remaining_ms = max(self._remaining_ms - passed_ms, 0)
            self.join_ends_ms = now_ms + self._delay_ms
        else:
            self.complete_join(now_ms)

    def complete_join(self, now_ms: int) -> None:
        self.join_ends_ms = None
        for member in self.members:
            if member.joining is None and member.instance_id is None:
                self.members.remove(member)
        if self.members and not self.members.elect_one_who_joins():
            # Static members alone, none of which came: sessions will tell.
            self.join_ends_ms = now_ms + self._patience_ms
            return
        self.generation += 1
        self.protocol_name = self.members.vote() if self.members else None
        self.subscribed = self.members.subscribed_topics(self.protocol_name)
        if not self.members:
            self._move(S.EMPTY, now_ms)
            self.write(Why.EMPTIED, self.record({}))
            return
        self._move(S.COMPLETING_REBALANCE, now_ms)
        for member in self.members:
            self.answer_join(member, self.joined(member))
            self.touch(member, now_ms)
            member.is_new = False
            self.unsynced.add(member.member_id)
        self.sync_ends_ms = now_ms + self._patience_ms

    def joined(self, member: Member, *, skip_assignment: bool = False) -> JoinAnswer:
        """What a member is told of its generation: all of it, if it leads."""
        everybody: tuple[JoinedMember, ...] = ()
        if self.members.leader == member.member_id:
            everybody = tuple(
                JoinedMember(member_id=m.member_id, instance_id=m.instance_id, metadata=m.metadata(self.protocol_name))
                for m in self.members
            )
        return JoinAnswer(
            member_id=member.member_id,
            generation=self.generation,
            protocol_type=self.members.protocol_type,
            protocol_name=self.protocol_name,
            leader=self.members.leader or "",
            skip_assignment=skip_assignment and bool(everybody),
            members=everybody,
        )

    def synced(self, member: Member) -> SyncAnswer:
        return SyncAnswer(
            protocol_type=self.members.protocol_type, protocol_name=self.protocol_name, assignment=member.assignment
        )

    # Assignments

    def synced_by(self, member: Member) -> None:
        """Nothing more is expected of the member."""
        self.unsynced.discard(member.member_id)
        if not self.unsynced:
            self.sync_ends_ms = None

    def assign(self, assignments: Mapping[str, bytes]) -> None:
        """The leader has said who does what: it counts when it is written."""
        self.write(Why.ASSIGNED, self.record(assignments), assignments)

    def assigned(self, writing: Writing, now_ms: int) -> None:
        if not self._is_of_this_generation(writing):
            return
        for member in self.members:
            member.assignment = writing.assignments.get(member.member_id, b"")
            self._propagate(member, self.synced(member), now_ms)
        self._move(S.STABLE, now_ms)

    def not_assigned(self, writing: Writing, error: GroupError, now_ms: int) -> None:
        if self._is_of_this_generation(writing):
            self._take_back(error, now_ms)
            self.prepare(now_ms)

    def _is_of_this_generation(self, writing: Writing) -> bool:
        return self.state is S.COMPLETING_REBALANCE and writing.generation == self.generation

    @property
    def is_being_assigned(self) -> bool:
        """The leader's assignment of this generation is being written."""
        return any(w.why is Why.ASSIGNED and self._is_of_this_generation(w) for w in self.writing.values())

    def _take_back(self, error: GroupError, now_ms: int) -> None:
        for member in self.members:
            member.assignment = b""
            self._propagate(member, SyncAnswer(error=error), now_ms)

    def _propagate(self, member: Member, answer: SyncAnswer, now_ms: int) -> None:
        if member.syncing is not None:
            self.answer_sync(member, answer)
            self.touch(member, now_ms)

    # A static member's return

    def write_return(self, member: Member, *, leader: str | None) -> None:
        """Args:
        leader: who to name as the leader, so that the member leaves the assignment alone; None if it can be told to.
        """
        assert member.joining is not None, "it returned by a JoinGroup"
        record = self.record({m.member_id: m.assignment for m in self.members})
        self._write(
            record,
            Writing(why=Why.RETURNED, generation=self.generation, member=member, ticket=member.joining, leader=leader),
        )

    def returned(self, writing: Writing, now_ms: int) -> None:
        if (member := self._who_waits_for(writing)) is None:
            return
        answer = self.joined(member, skip_assignment=True)
        if writing.leader is not None:
            answer = replace(answer, leader=writing.leader, skip_assignment=False, members=())
        self.answer_join(member, answer)
        self.touch(member, now_ms)

    def not_returned(self, writing: Writing, error: GroupError, now_ms: int) -> None:
        """The member tries again."""
        if (member := self._who_waits_for(writing)) is not None:
            self.answer_join(member, JoinAnswer(error=error))
            self.touch(member, now_ms)

    def _who_waits_for(self, writing: Writing) -> Member | None:
        """None where something else has answered the member, or a new generation will."""
        member = writing.member
        waits = member is not None and member.joining is not None and member.joining == writing.ticket
        return member if waits and self.state is S.STABLE else None

    # Deletion

    def delete(self, now_ms: int) -> None:
        self._move(S.DEAD, now_ms)
        self.write(Why.DELETED, None)

    def undelete(self, now_ms: int) -> None:
        self._move(S.EMPTY, now_ms)

    # Parts

    def write(self, why: Why, record: GroupMetadata | None, assignments: Mapping[str, bytes] | None = None) -> None:
        self._write(record, Writing(why=why, generation=self.generation, assignments=assignments or {}))

    def _write(self, record: GroupMetadata | None, writing: Writing) -> None:
        number = next(self._numbers)
        self.writing[number] = writing
        self.effects.append(Persist(number=number, record=record))

    def reply_when_written(self, why: Why, reply: Reply) -> None:
        """At once if nothing is being written for that."""
        writing = next((w for w in reversed(self.writing.values()) if w.why is why), None)
        (self.effects if writing is None else writing.then).append(reply)

    def record(self, assignments: Mapping[str, bytes]) -> GroupMetadata:
        return GroupMetadata(
            protocol_type=self.members.protocol_type or "",
            generation=self.generation,
            protocol_name=self.protocol_name,
            leader=self.members.leader,
            since_ms=self.since_ms,
            members=self.members.metadata(self.protocol_name, assignments),
        )

    def answer_join(self, member: Member, answer: JoinAnswer) -> None:
        if member.joining is not None:
            self.effects.append(Reply(ticket=member.joining, answer=answer))
            member.joining = None

    def answer_sync(self, member: Member, answer: SyncAnswer) -> None:
        if member.syncing is not None:
            self.effects.append(Reply(ticket=member.syncing, answer=answer))
            member.syncing = None

    @property
    def _patience_ms(self) -> int:
        return max(self.members.rebalance_timeout_ms, PATIENCE_MS_MIN)

    def _move(self, state: GroupState, now_ms: int) -> None:
        assert state in NEXT[self.state], f"{self.state.value} doesn't become {state.value}"
        self.state, self.since_ms = state, now_ms
