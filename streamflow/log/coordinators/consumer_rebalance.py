"""What a batch of events changes in a KIP-848 group: its epoch, its target assignment, what members have. PURE.

Everything is written to a draft; nothing here refuses anything or knows of time-outs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from streamflow.log.coordinators.assignors import ASSIGNORS, AssignorMember
from streamflow.log.coordinators.consumer_events import JOIN_EPOCH, LEAVE_STATIC_EPOCH, Heartbeat
from streamflow.log.coordinators.consumer_records import (
    CurrentAssignment,
    GroupEpoch,
    RecordKind,
    Subscription,
    TargetEpoch,
)
from streamflow.log.coordinators.consumer_state import NOTHING, Draft, GroupState, Member
from streamflow.log.coordinators.reconciliation import Goal, reconcile
from streamflow.log.coordinators.topic_view import TopicView

K = RecordKind


def preferred_assignor(state: GroupState, assignors: tuple[str, ...]) -> str:
    """What most members ask for; of equals, the first that is configured."""
    asked = Counter(member.subscription.assignor for member in state.members.values())
    return max(assignors, key=lambda name: asked[name])


def wanted_topics(state: GroupState, view: TopicView) -> set[str]:
    """Those that are there and that a member subscribes to."""
    distinct = {(m.subscription.topics, m.subscription.pattern) for m in state.members.values()}
    return {name for topics, pattern in distinct for name in view.subscribed(topics, pattern or "")}


class Rebalance:
    """Of one batch: first what each event says is noted (`noted`, `away`, `removed`), then `settle` works out what that
    comes to, once for all, then each member that heartbeats is `reconciled`.
    """

    def __init__(self, draft: Draft, view: TopicView, assignors: tuple[str, ...]) -> None:
        self.draft = draft
        self._view = view
        self._assignors = assignors
        self._assignor_before: str | None = None
        self._changed = False

    def noted(self, event: Heartbeat, member_id: str, before: Member | None) -> None:
        """What the member says of itself."""
        was = before.subscription if before else Subscription()
        now = _updated(was, event)
        returns = before is not None and before.current.epoch == LEAVE_STATIC_EPOCH
        if before is not None and was == now and not returns:
            return
        if self._assignor_before is None:
            self._assignor_before = preferred_assignor(self.draft.state, self._assignors)
        if before is not None and returns:
            self._replace(before, member_id, now)
        else:
            self.draft.write(K.MEMBER, now, member_id)
        self._changed |= before is None or (now.topics, now.pattern) != (was.topics, was.pattern)

    def away(self, member: Member) -> None:
        """A static member leaves for a while."""
        # Whoever returns has had the partitions from the start: epoch 0 (KIP-1251).
        kept = dict.fromkeys(member.current.assigned, 0)
        current = CurrentAssignment(
            epoch=LEAVE_STATIC_EPOCH, previous_epoch=member.current.previous_epoch, assigned=kept
        )
        self.draft.write(K.CURRENT, current, member.member_id)

    def removed(self, member_ids: list[str]) -> None:
        for member_id in member_ids:
            self.draft.remove(member_id)
        self._changed = True

    def settle(self, now_ms: int, *, check_view: bool, assign: bool) -> None:
        """Bumps the group epoch if anything that was noted matters.

        Args:
            check_view: topics may have changed since the epoch was last bumped.
            assign: somebody heartbeats, and is to know the newest target.
        """
        if self._assignor_before is not None:
            self._changed |= preferred_assignor(self.draft.state, self._assignors) != self._assignor_before
        if self._changed or check_view:
            wanted = wanted_topics(self.draft.state, self._view)
            fingerprint = self._view.fingerprint(wanted)
            if self._changed or fingerprint != self.draft.state.metadata_hash:
                self.draft.write(K.GROUP, GroupEpoch(epoch=self.draft.state.epoch + 1, metadata_hash=fingerprint))
        if self._changed and not self.draft.state.members:
            self.draft.write(K.TARGET, TargetEpoch(epoch=self.draft.state.epoch, computed_ms=0))
        elif assign and self.draft.state.assignment_epoch < self.draft.state.epoch:
            self._assign(now_ms)

    def reconciled(self, event: Heartbeat, member_id: str) -> CurrentAssignment:
        """Returns: what the member has from now on."""
        state, member = self.draft.state, self.draft.state.members[member_id]
        goal = Goal(
            epoch=state.assignment_epoch,
            target=state.targets.get(member_id, NOTHING),
            owners=state.owners,
            owned=event.owned,
        )
        current = reconcile(member, goal)
        if current is not member.current:
            self.draft.write(K.CURRENT, current, member_id)
        return current

    def _replace(self, before: Member, member_id: str, subscription: Subscription) -> None:
        """A static member returns, mostly under another member id: what it had is its own again."""
        target = self.draft.state.targets.get(before.member_id, NOTHING)
        self.draft.remove(before.member_id)
        self.draft.write(K.MEMBER, subscription, member_id)
        self.draft.write(K.TARGET_MEMBER, target, member_id)
        self.draft.write(K.CURRENT, replace(before.current, epoch=JOIN_EPOCH, previous_epoch=JOIN_EPOCH), member_id)

    def _assign(self, now_ms: int) -> None:
        state, view = self.draft.state, self._view
        members = {
            member_id: AssignorMember(
                instance_id=member.subscription.instance_id,
                topics=view.ids(view.subscribed(member.subscription.topics, member.subscription.pattern or "")),
                partitions=state.targets.get(member_id, NOTHING),
            )
            for member_id, member in state.members.items()
        }
        counts = {view.topics[name].topic_id: view.topics[name].partitions for name in wanted_topics(state, view)}
        targets = ASSIGNORS[preferred_assignor(state, self._assignors)](members, counts)
        for member_id, target in targets.items():
            if target != state.targets.get(member_id):
                self.draft.write(K.TARGET_MEMBER, target, member_id)
        self.draft.write(K.TARGET, TargetEpoch(epoch=state.epoch, computed_ms=now_ms))


def _updated(was: Subscription, event: Heartbeat) -> Subscription:
    """None in a heartbeat leaves what was."""
    return Subscription(
        instance_id=was.instance_id if event.instance_id is None else event.instance_id,
        rack_id=was.rack_id if event.rack_id is None else event.rack_id,
        client_id=event.client_id,
        client_host=event.client_host,
        topics=was.topics if event.topics is None else tuple(sorted(set(event.topics))),
        pattern=was.pattern if event.pattern is None else event.pattern,
        rebalance_timeout_ms=(
            was.rebalance_timeout_ms if event.rebalance_timeout_ms == -1 else event.rebalance_timeout_ms
        ),
        assignor=was.assignor if event.assignor is None else event.assignor,
    )
