"""How a member of a KIP-848 group gets from what it has to what it is to have. PURE.

| state | goes on when | to |
|---|---|---|
| STABLE | there is a newer target assignment | any of the three |
| UNREVOKED_PARTITIONS | it reports owned partitions, and none that it is to give up | the next epoch |
| UNRELEASED_PARTITIONS | at each heartbeat: what others gave up by now becomes its own | STABLE, once it has all |

Promises: a partition becomes a member's only when no other has it any more, that is, when the other no longer reports
it as owned, left, or was fenced; a member's epoch moves only once it has given up what it must.

A heartbeat is believed when it comes with the member's epoch, or with the one before it and owns no more than assigned:
then the answer to its first sending was lost. As in Apache Kafka, this trusts that a member's heartbeats arrive in the
order in which they were sent, and that a member counts as owned what it was given and is about to take.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from streamflow.log.coordinators.consumer_records import CurrentAssignment, MemberState
from streamflow.log.coordinators.consumer_state import Member
from streamflow.log.coordinators.topic_view import Partitions, TopicIdPartition

S = MemberState


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Args:
    target: the target assignment's share of the member, at `epoch`.
    owners: who has each partition.
    owned: what the member says it has, or None.
    """

    epoch: int
    target: Partitions
    owners: Mapping[TopicIdPartition, str]
    owned: Partitions | None

    def still_owned(self, partitions: Mapping[TopicIdPartition, int]) -> bool:
        return self.owned is None or not self.owned.isdisjoint(partitions)


def reconcile(member: Member, goal: Goal) -> CurrentAssignment:
    """What the member has from this heartbeat on; the same object if nothing changes."""
    current = member.current
    match current.state:
        case S.STABLE if current.epoch == goal.epoch:
            return current
        case S.UNREVOKED_PARTITIONS if goal.still_owned(current.revoking):
            return current
        case _:
            return _towards(member, goal)


def _towards(member: Member, goal: Goal) -> CurrentAssignment:
    current = member.current
    kept = {w: epoch for w, epoch in current.assigned.items() if w in goal.target}
    revoking = {w: epoch for w, epoch in current.assigned.items() if w not in goal.target}
    if revoking and goal.still_owned(revoking):
        return CurrentAssignment(
            epoch=current.epoch,
            previous_epoch=current.epoch,
            state=S.UNREVOKED_PARTITIONS,
            assigned=kept,
            revoking=revoking,
        )
    wanted = goal.target - kept.keys()
    released = {where for where in wanted if goal.owners.get(where, member.member_id) == member.member_id}
    after = CurrentAssignment(
        epoch=goal.epoch,
        previous_epoch=current.epoch,
        state=S.STABLE if released == wanted else S.UNRELEASED_PARTITIONS,
        assigned={**kept, **dict.fromkeys(released, goal.epoch)},
    )
    return current if replace(after, previous_epoch=current.previous_epoch) == current else after
