"""What the records of one KIP-848 group fold to. PURE.

Only `apply` changes a state, and it takes what a start reads and what a step decides alike: a replay gives the same.
After compaction the records of a member may come in any order, so each is applied by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from streamflow.log.coordinators.consumer_records import (
    CurrentAssignment,
    GroupEpoch,
    Key,
    MemberState,
    RecordKind,
    Row,
    Subscription,
    TargetEpoch,
    Value,
    decode_key,
    decode_value,
    encode_key,
    encode_value,
)
from streamflow.log.coordinators.topic_view import Partitions, TopicIdPartition

NOTHING: Partitions = frozenset()


@dataclass(frozen=True, slots=True)
class Member:
    member_id: str
    subscription: Subscription = field(default_factory=Subscription)
    current: CurrentAssignment = field(default_factory=CurrentAssignment)

    def reconciled(self, epoch: int) -> bool:
        return self.current.state is MemberState.STABLE and self.current.epoch == epoch


class GroupState:
    """Invariant: `owners` has each partition that members have been given or haven't yet given up, and `instances` each
    static member; no partition and no instance id has two."""

    def __init__(self) -> None:
        self.epoch = 0
        self.metadata_hash = 0
        self.assignment_epoch = 0
        self.computed_ms = 0
        self.members: dict[str, Member] = {}
        self.targets: dict[str, Partitions] = {}
        self.owners: dict[TopicIdPartition, str] = {}
        self.instances: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<GroupState at epoch {self.epoch}, {len(self.members)} members, {self.label}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GroupState) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    @property
    def exists(self) -> bool:
        return self.epoch > 0

    @property
    def label(self) -> str:
        """The state's name, as KIP-848 has it."""
        if not self.exists:
            return "Dead"
        if not self.members:
            return "Empty"
        if self.epoch > self.assignment_epoch:
            return "Assigning"
        stable = all(member.reconciled(self.assignment_epoch) for member in self.members.values())
        return "Stable" if stable else "Reconciling"

    def copy(self) -> GroupState:
        other = GroupState()
        vars(other).update({name: v.copy() if isinstance(v, dict) else v for name, v in vars(self).items()})
        return other

    def apply(self, key: Key, value: Value | None) -> None:
        match key.kind:
            case RecordKind.GROUP:
                assert value is None or isinstance(value, GroupEpoch)
                self.epoch, self.metadata_hash = (value.epoch, value.metadata_hash) if value else (0, 0)
            case RecordKind.TARGET:
                assert value is None or isinstance(value, TargetEpoch)
                self.assignment_epoch, self.computed_ms = (value.epoch, value.computed_ms) if value else (0, 0)
            case RecordKind.MEMBER:
                assert value is None or isinstance(value, Subscription)
                self._subscription(key.member_id, value)
            case RecordKind.TARGET_MEMBER:
                assert value is None or isinstance(value, frozenset)
                if value is None:
                    self.targets.pop(key.member_id, None)
                else:
                    self.targets[key.member_id] = value
            case RecordKind.CURRENT:
                assert value is None or isinstance(value, CurrentAssignment)
                self._current(key.member_id, value)

    def _subscription(self, member_id: str, value: Subscription | None) -> None:
        before = self.members.get(member_id)
        instance_id = before.subscription.instance_id if before else None
        if instance_id is not None and self.instances.get(instance_id) == member_id:
            del self.instances[instance_id]
        if value is None:
            self._current(member_id, None)
            self.members.pop(member_id, None)
            return
        self.members[member_id] = replace(before or Member(member_id), subscription=value)
        if value.instance_id is not None:
            self.instances[value.instance_id] = member_id

    def _current(self, member_id: str, value: CurrentAssignment | None) -> None:
        before = self.members.get(member_id)
        if before is None and value is None:
            return
        before = before or Member(member_id)
        for where in (*before.current.assigned, *before.current.revoking):
            if self.owners.get(where) == member_id:
                del self.owners[where]
        self.members[member_id] = replace(before, current=value or CurrentAssignment())
        if value is not None:
            self.owners.update(dict.fromkeys((*value.assigned, *value.revoking), member_id))

    def check(self) -> None:
        """Asserts the invariants."""
        owned = [
            (w, m) for m, member in self.members.items() for w in (*member.current.assigned, *member.current.revoking)
        ]
        assert dict(owned) == self.owners and len(owned) == len(self.owners), "a partition has one owner"
        static = {
            m.subscription.instance_id: i for i, m in self.members.items() if m.subscription.instance_id is not None
        }
        assert static == self.instances, "an instance id has one member"
        for member in self.members.values():
            unrevoked = member.current.state is MemberState.UNREVOKED_PARTITIONS
            assert unrevoked == bool(member.current.revoking), "who has to give up something is UNREVOKED"
        assert self.targets.keys() <= self.members.keys(), "only members have targets"
        given = [where for target in self.targets.values() for where in target]
        assert len(given) == len(set(given)), "a target gives each partition once"
        assert self.assignment_epoch <= self.epoch


class Draft:
    """A state as it will be once `rows` are written. What it is made of stays as it is."""

    def __init__(self, group_id: str, state: GroupState) -> None:
        self._group_id = group_id
        self.state = state
        self.rows: list[Row] = []

    def write(self, kind: RecordKind, value: Value | None, member_id: str = "") -> None:
        if not self.rows:
            self.state = self.state.copy()
        key = Key(kind, self._group_id, member_id)
        self.rows.append((encode_key(key), None if value is None else encode_value(value)))
        self.state.apply(key, value)

    def remove(self, member_id: str) -> None:
        for kind in (RecordKind.CURRENT, RecordKind.TARGET_MEMBER, RecordKind.MEMBER):
            self.write(kind, None, member_id)


def fold(rows: Iterable[tuple[bytes | None, bytes | None]], groups: dict[str, GroupState]) -> None:
    """Applies records of `__consumer_offsets`, in order, to their groups; of other kinds there may be any.

    Raises: CorruptBatchError.
    """
    for data, value in rows:
        key = None if data is None else decode_key(data)
        if key is None:
            continue
        group = groups.setdefault(key.group_id, GroupState())
        group.apply(key, None if value is None else decode_value(key.kind, value))
