"""A consumer group of the classic protocol: what each request is answered, as Apache Kafka's coordinator does. PURE.

Members join, the coordinator makes a generation of them and picks its leader, the leader says who reads what, and each
member syncs to be told its part. Sources: Kafka's GroupMetadataManager (4.x); KIP-62 (rebalance and session time-outs),
KIP-134, KIP-345 (static members), KIP-394 (member id required), KIP-447 (offsets in transactions), KIP-814.

Promises: each ticket is answered once; an answer that tells of something that is to survive a restart follows its
`Persisted`; whatever bytes a client sends, `step` doesn't raise.

Differs from Kafka where a request would otherwise never be answered: one that is sent again while the first waits
takes its place, and the first is answered REBALANCE_IN_PROGRESS.

Rule for whoever edits this: a request is judged here (a JoinGroup in `joining`), and what it sets off is done in
`rebalance`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from streamflow.log.coordinators.group_events import (
    UNKNOWN_MEMBER,
    Answer,
    CommitOffsets,
    DeleteGroup,
    Effect,
    Event,
    GroupError,
    Heartbeat,
    JoinGroup,
    LeaveAnswer,
    LeaveGroup,
    Leaving,
    Persisted,
    PersistFailed,
    Reply,
    SyncAnswer,
    SyncGroup,
    Tick,
    Ticket,
)
from streamflow.log.coordinators.group_records import GroupMetadata
from streamflow.log.coordinators.group_states import ClassicConfig, GroupState
from streamflow.log.coordinators.joining import Joining
from streamflow.log.coordinators.members import Member
from streamflow.log.coordinators.rebalance import Rebalance, Why
from streamflow.log.coordinators.subscription import CONSUMER_PROTOCOL

E, S = GroupError, GroupState


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedMember:
    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    metadata: bytes
    assignment: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDescription:
    """As DescribeGroups shows it: protocol and metadata are known when the group is Stable."""

    state: GroupState
    protocol_type: str
    protocol_name: str
    members: tuple[DescribedMember, ...]


class ClassicGroup:
    """One group. New ones are Empty; `restored` is what a restart found."""

    def __init__(self, config: ClassicConfig, *, restored: GroupMetadata | None = None, now_ms: int) -> None:
        self._group = Rebalance(config)
        self._group.since_ms = now_ms
        self._joining = Joining(self._group)
        if restored is not None:
            self._group.restore(restored, now_ms)
            if len(self._group.members) > config.max_size:
                self._group.prepare(now_ms)

    def __repr__(self) -> str:
        group = self._group
        return f"<ClassicGroup {group.state.value}, generation {group.generation}, {len(group.members)} members>"

    # The only way in

    def step(self, event: Event, now_ms: int) -> list[Effect]:
        match event:
            case JoinGroup():
                self._joining.step(event, now_ms)
            case SyncGroup():
                self._sync(event)
            case Heartbeat():
                self._reply(event.ticket, self._heartbeat(event, now_ms))
            case LeaveGroup():
                self._leave(event, now_ms)
            case CommitOffsets():
                self._reply(event.ticket, self._commit(event, now_ms))
            case DeleteGroup():
                self._delete(event, now_ms)
            case Tick():
                self._tick(now_ms)
            case Persisted():
                self._persisted(event.number, now_ms)
            case PersistFailed():
                self._persist_failed(event, now_ms)
            case _:
                assert_never(event)
        effects, self._group.effects = self._group.effects, []
        return effects

    def deadline_ms(self) -> int | None:
        """When to send a `Tick`, if nothing else comes."""
        group = self._group
        times = [m.session_ends_ms for m in group.members] + [group.join_ends_ms, group.sync_ends_ms]
        return min((t for t in (*times, *group.pending.values()) if t is not None), default=None)

    # Answers

    @property
    def state(self) -> GroupState:
        return self._group.state

    @property
    def generation(self) -> int:
        return self._group.generation

    @property
    def protocol_type(self) -> str:
        """Empty if no member has ever said."""
        return self._group.members.protocol_type or ""

    @property
    def is_forgettable(self) -> bool:
        """Nothing is lost by making it anew when somebody asks for it again."""
        group = self._group
        if group.state is S.DEAD:
            return not group.writing
        return group.state is S.EMPTY and not (group.generation or group.pending or group.writing)

    def describe(self) -> GroupDescription:
        group, stable = self._group, self.state is S.STABLE
        return GroupDescription(
            state=group.state,
            protocol_type=self.protocol_type,
            protocol_name=(group.protocol_name or "") if stable else "",
            members=tuple(
                DescribedMember(
                    member_id=m.member_id,
                    instance_id=m.instance_id,
                    client_id=m.client_id,
                    client_host=m.client_host,
                    metadata=m.metadata(group.protocol_name) if stable else b"",
                    assignment=m.assignment,
                )
                for m in group.members
            ),
        )

    def offset_deletion_refused(self) -> GroupError:
        """Whether offsets of topics may be deleted by hand: of those that nobody `reads` (KIP-496)."""
        if self.state is S.DEAD:
            return E.GROUP_ID_NOT_FOUND
        in_use = self.state is not S.EMPTY and self.protocol_type != CONSUMER_PROTOCOL
        return E.NON_EMPTY_GROUP if in_use else E.NONE

    def reads(self, topic: str) -> bool:
        """Whether members are subscribed to the topic, as far as anybody can tell."""
        if self._group.subscribed is None:
            return self.protocol_type == CONSUMER_PROTOCOL
        return topic in self._group.subscribed

    def idle_since_ms(self, committed_ms: int) -> int | None:
        """Since when an offset of a topic that nobody `reads` isn't in use; None while it is (KIP-211).

        Args:
            committed_ms: when it was committed.
        """
        if not self.protocol_type:
            return committed_ms
        if self.state is S.EMPTY:
            return self._group.since_ms
        consumers = self.protocol_type == CONSUMER_PROTOCOL and self._group.subscribed is not None
        return committed_ms if consumers and self.state is S.STABLE else None

    def check(self) -> None:
        """Asserts the invariants."""
        group, members = self._group, self._group.members
        members.check()
        ids = {m.member_id for m in members}
        assert not ids & group.pending.keys(), "who is a member isn't pending"
        assert group.unsynced <= ids, "only members are waited for"
        assert (group.sync_ends_ms is not None) == bool(group.unsynced), "who is waited for has a time to come"
        assert (group.join_ends_ms is not None) == (self.state is S.PREPARING_REBALANCE)
        if self.state in (S.EMPTY, S.DEAD):
            assert not members, "a group without members is empty"
        if self.state in (S.COMPLETING_REBALANCE, S.STABLE):
            assert members, "a generation has members"
            assert all(m.metadata(group.protocol_name) is not None for m in members), "all know what was chosen"
        for member in members:
            assert member.syncing is None or self.state is S.COMPLETING_REBALANCE, "a sync waits for the leader's"
            assert member.session_ends_ms is not None or member.waits, "who doesn't wait is seen or times out"
            if member.joining is not None and self.state is not S.PREPARING_REBALANCE:
                assert self.state is S.STABLE and self._renames(member), "a join waits for others, or for its record"

    def _renames(self, member: Member) -> bool:
        return any(w.why is Why.RETURNED and w.member is member for w in self._group.writing.values())

    # Requests

    def _sync(self, event: SyncGroup) -> None:
        group = self._group
        member = group.members.get(event.member_id)
        error = self._sync_refused(event)
        if error or member is None:
            self._reply(event.ticket, SyncAnswer(error=error or E.UNKNOWN_MEMBER_ID))
            return
        group.synced_by(member)
        if self.state is S.STABLE:
            self._reply(event.ticket, group.synced(member))
            return
        group.wait_to_sync(member, event.ticket)
        if group.members.leader == member.member_id and not group.is_being_assigned:
            group.assign(dict(event.assignments))

    def _sync_refused(self, event: SyncGroup) -> GroupError:
        group = self._group
        if self.state is S.DEAD:
            return E.COORDINATOR_NOT_AVAILABLE
        if refusal := group.members.refusal(event.member_id, event.instance_id):
            return refusal
        if event.generation != group.generation:
            return E.ILLEGAL_GENERATION
        said = (event.protocol_type, group.members.protocol_type), (event.protocol_name, group.protocol_name)
        if any(theirs is not None and ours is not None and theirs != ours for theirs, ours in said):
            return E.INCONSISTENT_GROUP_PROTOCOL
        return E.REBALANCE_IN_PROGRESS if self.state is S.PREPARING_REBALANCE else E.NONE

    def _heartbeat(self, event: Heartbeat, now_ms: int) -> GroupError:
        if error := self._stale(event.member_id, event.instance_id, event.generation):
            return error
        self._group.touch(self._group.members[event.member_id], now_ms)
        return E.REBALANCE_IN_PROGRESS if self.state is S.PREPARING_REBALANCE else E.NONE

    def _stale(self, member_id: str, instance_id: str | None, generation: int) -> GroupError:
        if self.state is S.DEAD:
            return E.COORDINATOR_NOT_AVAILABLE
        if refusal := self._group.members.refusal(member_id, instance_id):
            return refusal
        return E.ILLEGAL_GENERATION if generation != self._group.generation else E.NONE

    def _commit(self, event: CommitOffsets, now_ms: int) -> GroupError:
        """Who isn't a member may commit while there are none: an admin's tool, or a consumer that needs no group."""
        group = self._group
        if event.generation < 0 and self.state is S.EMPTY:
            return E.NONE
        if event.generation >= 0 or event.member_id != UNKNOWN_MEMBER or event.instance_id is not None:
            if error := self._stale(event.member_id, event.instance_id, event.generation):
                return error
        elif self.state is S.DEAD:
            return E.COORDINATOR_NOT_AVAILABLE
        elif not event.transactional:
            return E.UNKNOWN_MEMBER_ID
        if event.transactional:
            return E.NONE
        if self.state is S.COMPLETING_REBALANCE:
            return E.REBALANCE_IN_PROGRESS
        group.touch(group.members[event.member_id], now_ms)
        return E.NONE

    def _leave(self, event: LeaveGroup, now_ms: int) -> None:
        if self.state is S.DEAD:
            self._reply(event.ticket, LeaveAnswer(error=E.COORDINATOR_NOT_AVAILABLE))
            return
        left = tuple((leaving, self._let_go(leaving)) for leaving in event.members)
        if E.NONE in (error for _, error in left) and self.state is not S.EMPTY:
            self._group.prepare_or_go_on(now_ms)
        self._group.reply_when_written(Why.EMPTIED, Reply(ticket=event.ticket, answer=LeaveAnswer(members=left)))

    def _let_go(self, leaving: Leaving) -> GroupError:
        group = self._group
        if leaving.member_id == UNKNOWN_MEMBER:
            member = group.members.static(leaving.instance_id)
        elif group.pending.pop(leaving.member_id, None) is not None:
            return E.NONE
        else:
            if refusal := group.members.refusal(leaving.member_id, leaving.instance_id):
                return refusal
            member = group.members[leaving.member_id]
        if member is None:
            return E.UNKNOWN_MEMBER_ID
        group.remove(member)
        return E.NONE

    def _delete(self, event: DeleteGroup, now_ms: int) -> None:
        if self.state is S.DEAD:
            self._reply(event.ticket, E.GROUP_ID_NOT_FOUND)
        elif self.state is not S.EMPTY:
            self._reply(event.ticket, E.NON_EMPTY_GROUP)
        else:
            self._group.delete(now_ms)
            self._group.reply_when_written(Why.DELETED, Reply(ticket=event.ticket, answer=E.NONE))

    # Time, and what was written

    def _tick(self, now_ms: int) -> None:
        group = self._group
        late = [name for name, ends_ms in group.pending.items() if ends_ms <= now_ms]
        for name in late:
            del group.pending[name]
        for member in group.members:
            if (
                member.session_ends_ms is not None
                and member.session_ends_ms <= now_ms
                and member.member_id in group.members
            ):
                self._session_is_over(member, now_ms)
        group.go_on(now_ms)
        if group.join_ends_ms is not None and group.join_ends_ms <= now_ms:
            group.join_is_over(now_ms)
        if group.sync_ends_ms is not None and group.sync_ends_ms <= now_ms:
            for member in group.members:
                if member.member_id in group.unsynced:
                    group.remove(member)
            group.prepare(now_ms)

    def _session_is_over(self, member: Member, now_ms: int) -> None:
        if member.waits and not member.is_new:
            member.session_ends_ms = None
            return
        self._group.remove(member)
        self._group.prepare_or_go_on(now_ms)

    def _persisted(self, number: int, now_ms: int) -> None:
        group = self._group
        writing = group.writing.pop(number)
        if writing.why is Why.ASSIGNED:
            group.assigned(writing, now_ms)
        elif writing.why is Why.RETURNED:
            group.returned(writing, now_ms)
        group.effects += writing.then

    def _persist_failed(self, event: PersistFailed, now_ms: int) -> None:
        group = self._group
        writing = group.writing.pop(event.number)
        match writing.why:
            case Why.ASSIGNED:
                group.not_assigned(writing, event.error, now_ms)
            case Why.RETURNED:
                group.not_returned(writing, event.error, now_ms)
            case Why.DELETED:
                group.undelete(now_ms)
        for reply in writing.then:
            answer = LeaveAnswer(error=event.error) if isinstance(reply.answer, LeaveAnswer) else event.error
            self._reply(reply.ticket, answer)

    def _reply(self, ticket: Ticket, answer: Answer) -> None:
        self._group.effects.append(Reply(ticket=ticket, answer=answer))
