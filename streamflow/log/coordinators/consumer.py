"""A consumer group of KIP-848: who is in it, and who is to have which partitions. PURE.

Promises
- What is answered is persisted first; what was persisted is what a start finds (but for session timers, which begin
  anew).
- A partition has one owner at a time: `reconciliation` says how it passes from one to the next.

A heartbeat does three things, each with its own epoch (`consumer_rebalance`):
1. the member's subscription is noted; a new one, or topics that changed, bump the *group epoch*;
2. a *target assignment* is worked out if its epoch is behind the group's;
3. the member is brought closer to the target; once it has given up what it must, the *member epoch* follows.

One `Persist` is under way at a time. What comes meanwhile waits, and is then decided as a batch, with one assignment
and one `Persist`: a thousand members that join in the time of one fsync cost one more.

Rule for whoever edits this: all that is kept goes through `Draft.write`, and an event that has written something is no
longer refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from streamflow.event import TopicPartition
from streamflow.log.coordinators.assignors import ASSIGNORS
from streamflow.log.coordinators.consumer_admission import (
    Committer,
    admitted,
    check_commit,
    check_fetch,
    check_request,
    present,
    removable,
)
from streamflow.log.coordinators.consumer_deadlines import Deadlines
from streamflow.log.coordinators.consumer_events import (
    JOIN_EPOCH,
    LEAVE_STATIC_EPOCH,
    Answer,
    ConsumerGroupError,
    DeleteGroup,
    Effect,
    Event,
    GroupDescription,
    Heartbeat,
    HeartbeatAnswer,
    MemberDescription,
    Persist,
    Persisted,
    PersistFailed,
    RefusedError,
    RemovalAnswer,
    RemoveMembers,
    Reply,
    Request,
    Tick,
    Ticket,
    TopicsChanged,
)
from streamflow.log.coordinators.consumer_rebalance import Rebalance, preferred_assignor, wanted_topics
from streamflow.log.coordinators.consumer_records import CurrentAssignment, RecordKind
from streamflow.log.coordinators.consumer_state import NOTHING, Draft, GroupState
from streamflow.log.coordinators.topic_view import TopicView

K = RecordKind

RETRY_MS = 1_000
"""Until members whose time is up are removed again, when that couldn't be persisted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerGroupConfig:
    """Defaults are Apache Kafka's.

    Args:
        session_timeout_ms: `group.consumer.session.timeout.ms`: without a heartbeat for so long, a member is removed.
        heartbeat_interval_ms: `group.consumer.heartbeat.interval.ms`: what members are told.
        members_max: `group.consumer.max.size`.
        assignors: `group.consumer.assignors`; the first is for members that ask for none.
    """

    session_timeout_ms: int = 45_000
    heartbeat_interval_ms: int = 5_000
    members_max: int = 2**31 - 1
    assignors: tuple[str, ...] = tuple(ASSIGNORS)


_Queued = Request | Tick


@dataclass(frozen=True, slots=True)
class _Pending:
    """What holds, and what is answered, once it is persisted."""

    state: GroupState
    replies: list[Reply]


@dataclass(frozen=True, slots=True)
class _Beat:
    """A heartbeat that counts. `was`: what the member had before."""

    event: Heartbeat
    member_id: str
    was: CurrentAssignment | None


class ConsumerGroup:
    """Invariant: nothing waits in the queue unless a `Persist` is under way."""

    def __init__(
        self, group_id: str, config: ConsumerGroupConfig, view: TopicView, now_ms: int, state: GroupState | None = None
    ) -> None:
        """`state`: what a start found (`consumer_state.fold`)."""
        self.group_id = group_id
        self._config = config
        self._view = view
        self._view_checked = False
        self._state = state or GroupState()
        self._pending: _Pending | None = None
        self._queue: deque[_Queued] = deque()
        self._deadlines = Deadlines(config.session_timeout_ms)
        for member in self._state.members.values():
            self._deadlines.heard(member.member_id, now_ms)
            self._deadlines.reconciled(member, now_ms)

    def __repr__(self) -> str:
        return f"<ConsumerGroup {self.group_id}: {self._state!r}>"

    # The only way in

    def step(self, event: Event, now_ms: int) -> Sequence[Effect]:
        """Never raises for the world's failures: refusals are answers."""
        match event:
            case Persisted():
                return self._settled(None, now_ms)
            case PersistFailed():
                return self._settled(event.error, now_ms)
            case TopicsChanged():
                self._view, self._view_checked = event.view, False
                return ()
            case _:
                self._queue.append(event)
                return self._decide(now_ms)

    def deadline_ms(self) -> int | None:
        """When somebody's time may be up; None also while a `Persist` is under way."""
        return None if self._pending else self._deadlines.due_ms

    def check(self) -> None:
        """Asserts the invariants."""
        self._state.check()
        assert self._pending or not self._queue, "nothing waits for nothing"
        assert self._deadlines.covers(self._state.members), "every member has a session"

    # What is told

    @property
    def exists(self) -> bool:
        """Something of it is persisted. Who holds a group that doesn't exist and isn't `busy` may drop it."""
        return self._state.exists

    @property
    def ends(self) -> bool:
        """Its deletion is being persisted."""
        return self._pending is not None and not self._pending.state.exists

    @property
    def busy(self) -> bool:
        return self._pending is not None

    @property
    def view(self) -> TopicView:
        """What it was last told of topics."""
        return self._view

    @property
    def empty(self) -> bool:
        """Without members, now and once all is persisted."""
        return not self._state.members and not (self._pending and self._pending.state.members)

    @property
    def label(self) -> str:
        """The state's name: Empty, Assigning, Reconciling, Stable or Dead."""
        return self._state.label

    def subscribes(self, topic: str) -> bool:
        """Whether a member wants the topic: then its offsets are in use."""
        return topic in wanted_topics(self._state, self._view)

    def describe(self) -> GroupDescription:
        state = self._state
        return GroupDescription(
            state=state.label,
            epoch=state.epoch,
            assignment_epoch=state.assignment_epoch,
            assignor=preferred_assignor(state, self._config.assignors),
            members=tuple(
                MemberDescription(
                    member_id=member.member_id,
                    member_epoch=member.current.epoch,
                    subscription=member.subscription,
                    assigned=frozenset(member.current.assigned) | member.current.revoking.keys(),
                    target=state.targets.get(member.member_id, NOTHING),
                )
                for member in state.members.values()
            ),
        )

    def commit_error(self, who: Committer, partition: TopicPartition) -> ConsumerGroupError:
        """NONE where `who` may commit an offset of the partition."""
        try:
            check_commit(who, partition, self.group_id, self._state, self._view)
        except RefusedError as refused:
            return refused.error
        return ConsumerGroupError.NONE

    def fetch_error(self, member_id: str | None, member_epoch: int) -> ConsumerGroupError:
        """NONE where committed offsets may be read. Who isn't a member says None (or nothing) and -1."""
        try:
            check_fetch(member_id, member_epoch, self.group_id, self._state)
        except RefusedError as refused:
            return refused.error
        return ConsumerGroupError.NONE

    # Persisting

    def _decide(self, now_ms: int) -> Sequence[Effect]:
        replies: list[Reply] = []
        while self._queue and self._pending is None:
            draft, batch = Draft(self.group_id, self._state), self._batch()
            forget = any(isinstance(event, DeleteGroup) and event.with_offsets for event in batch)
            told = self._decide_batch(batch, draft, now_ms)
            if not draft.rows:
                replies += told
                continue
            self._pending = _Pending(draft.state, told)
            return (*replies, Persist(rows=tuple(draft.rows), forget_offsets=forget))
        return replies

    def _batch(self) -> list[_Queued]:
        """What is decided together: one event of each member, or what concerns them all by itself."""
        batch, members = [self._queue.popleft()], set[str]()
        while isinstance(batch[-1], Heartbeat) and self._queue:
            members.add(_member_id(batch[-1]))
            following = self._queue[0]
            if not isinstance(following, Heartbeat) or _member_id(following) in members:
                break
            batch.append(self._queue.popleft())
        return batch

    def _decide_batch(self, batch: list[_Queued], draft: Draft, now_ms: int) -> list[Reply]:
        rebalance = Rebalance(draft, self._view, self._config.assignors)
        answers: dict[Ticket, Answer] = {}
        beats: list[_Beat] = []
        for event in batch:
            match event:
                case Heartbeat():
                    noted = self._note(event, rebalance, now_ms)
                    if isinstance(noted, _Beat):
                        beats.append(noted)
                    else:
                        answers[event.ticket] = noted
                case RemoveMembers():
                    answers[event.ticket] = self._remove(event, rebalance)
                case DeleteGroup():
                    answers[event.ticket] = self._delete(draft)
                case Tick():
                    self._expire(rebalance, now_ms)
        rebalance.settle(now_ms, check_view=bool(beats) and not self._view_checked, assign=bool(beats))
        self._view_checked |= bool(beats)
        for beat in beats:
            answers[beat.event.ticket] = self._answer(beat, rebalance, now_ms)
        return [Reply(ticket=ticket, answer=answer) for ticket, answer in answers.items()]

    def _settled(self, error: ConsumerGroupError | None, now_ms: int) -> Sequence[Effect]:
        pending, self._pending = self._pending, None
        assert pending is not None, "persisted because it was ordered"
        replies = pending.replies
        if error is None:
            self._state = pending.state
        else:
            self._view_checked = False
            self._deadlines.watch(now_ms + RETRY_MS)
            replies = [replace(reply, answer=_failed(reply, error)) for reply in replies]
        return (*replies, *self._decide(now_ms))

    # Events

    def _note(self, event: Heartbeat, rebalance: Rebalance, now_ms: int) -> HeartbeatAnswer | _Beat:
        try:
            check_request(event, self._config.assignors)
            if event.member_epoch < JOIN_EPOCH:
                return self._leave(event, rebalance)
            before = admitted(event, self.group_id, rebalance.draft.state, self._config.members_max)
        except RefusedError as refused:
            return HeartbeatAnswer(error=refused.error, message=refused.message)
        member_id = _member_id(event)
        rebalance.noted(event, member_id, before)
        self._deadlines.heard(member_id, now_ms)
        return _Beat(event, member_id, before.current if before else None)

    def _answer(self, beat: _Beat, rebalance: Rebalance, now_ms: int) -> HeartbeatAnswer:
        event, was = beat.event, beat.was
        current = rebalance.reconciled(event, beat.member_id)
        if current is not was:
            self._deadlines.reconciled(rebalance.draft.state.members[beat.member_id], now_ms)
        full = event.rebalance_timeout_ms != -1 and event.owned is not None
        full = full and (event.topics is not None or event.pattern is not None)
        news = event.member_epoch == JOIN_EPOCH or full or was is None or current.assigned != was.assigned
        return HeartbeatAnswer(
            member_id=beat.member_id,
            member_epoch=current.epoch,
            heartbeat_interval_ms=self._config.heartbeat_interval_ms,
            assignment=frozenset(current.assigned) if news else None,
        )

    def _leave(self, event: Heartbeat, rebalance: Rebalance) -> HeartbeatAnswer:
        state = rebalance.draft.state
        if not state.exists:
            raise RefusedError(ConsumerGroupError.GROUP_ID_NOT_FOUND, f"Group {self.group_id} not found.")
        member = present(event.member_id, event.instance_id, self.group_id, state)
        if event.member_epoch == LEAVE_STATIC_EPOCH:
            rebalance.away(member)
        else:
            rebalance.removed([member.member_id])
        return HeartbeatAnswer(member_id=member.member_id, member_epoch=event.member_epoch)

    def _remove(self, event: RemoveMembers, rebalance: Rebalance) -> RemovalAnswer:
        state, gone, errors = rebalance.draft.state, set[str](), list[ConsumerGroupError]()
        for member_id, instance_id in event.members:
            try:
                gone.add(removable(member_id, instance_id, self.group_id, state).member_id)
                errors.append(ConsumerGroupError.NONE)
            except RefusedError as refused:
                errors.append(refused.error)
        if gone:
            rebalance.removed(sorted(gone))
        return RemovalAnswer(errors=tuple(errors))

    def _delete(self, draft: Draft) -> ConsumerGroupError:
        if not draft.state.exists:
            return ConsumerGroupError.GROUP_ID_NOT_FOUND
        if draft.state.members:
            return ConsumerGroupError.NON_EMPTY_GROUP
        draft.write(K.TARGET, None)
        draft.write(K.GROUP, None)
        return ConsumerGroupError.NONE

    def _expire(self, rebalance: Rebalance, now_ms: int) -> None:
        """Removes who hasn't been heard of, or hasn't given up partitions, for too long."""
        expired = self._deadlines.expired(rebalance.draft.state.members, now_ms)
        if expired:
            rebalance.removed(sorted(expired))


def _member_id(event: Heartbeat) -> str:
    return event.member_id or event.new_member_id


def _failed(reply: Reply, error: ConsumerGroupError) -> Answer:
    """A refusal stays one: it needed nothing written."""
    match reply.answer:
        case HeartbeatAnswer():
            return reply.answer if reply.answer.error else HeartbeatAnswer(error=error)
        case RemovalAnswer():
            return RemovalAnswer(errors=tuple(refused or error for refused in reply.answer.errors))
        case _:
            return reply.answer or error
