"""What records fold to, in whatever order compaction has left them."""

from __future__ import annotations

import sys
from itertools import permutations
from pathlib import Path

import pytest

from streamflow.log.coordinators.consumer_records import (
    CurrentAssignment,
    GroupEpoch,
    Key,
    MemberState,
    RecordKind,
    Subscription,
    TargetEpoch,
    Value,
    encode_key,
    encode_value,
)
from streamflow.log.coordinators.consumer_state import Draft, GroupState, fold
from streamflow.log.coordinators.topic_view import TopicIdPartition
from streamflow.log.errors import CorruptBatchError

sys.path.insert(0, str(Path(__file__).parent))

from consumer_driver import Driver, join, partitions, topic_id

K = RecordKind
WHERE = TopicIdPartition(topic_id("t"), 0)


def member(state: GroupState, name: str, *assigned: TopicIdPartition, epoch: int = 1) -> None:
    state.apply(Key(K.CURRENT, "g", name), CurrentAssignment(epoch=epoch, assigned=dict.fromkeys(assigned, epoch)))


def test_the_newest_records_of_a_group_give_the_same_in_any_order() -> None:
    group = Driver({"t": 2})
    group.ask(join("a", "t", instance_id="one"))
    group.ask(join("b", "t"))
    newest = dict(group.log)
    rows = sorted(newest.items())
    for shuffled in (rows, rows[::-1], [*rows[3:], *rows[:3]]):
        groups: dict[str, GroupState] = {}
        fold(shuffled, groups)
        groups["g"].check()
        assert groups["g"] == group.folded()


def test_records_of_each_group_go_to_it_and_others_to_none() -> None:
    groups: dict[str, GroupState] = {}
    epochs = [
        (encode_key(Key(K.GROUP, name)), encode_value(GroupEpoch(epoch=n, metadata_hash=0)))
        for n, name in enumerate("ab", 1)
    ]
    fold([(None, b"x"), (b"\0\1\0\1g", b"x"), *epochs], groups)
    assert {name: state.epoch for name, state in groups.items()} == {"a": 1, "b": 2}
    with pytest.raises(CorruptBatchError):
        fold([(encode_key(Key(K.GROUP, "a")), b"\0\0")], groups)


def test_who_gave_up_a_partition_after_another_got_it_takes_nothing_away() -> None:
    """A cleaner that was interrupted leaves an old record of one beside newer ones of others."""
    state = GroupState()
    member(state, "a", WHERE)
    member(state, "b", WHERE, epoch=2)
    member(state, "a", epoch=3)
    assert state.owners == {WHERE: "b"}
    state.check()


def test_tombstones_take_away_what_they_name() -> None:
    state = GroupState()
    given: dict[Key, Value] = {
        Key(K.MEMBER, "g", "a"): Subscription(instance_id="one", topics=("t",)),
        Key(K.GROUP, "g"): GroupEpoch(epoch=1, metadata_hash=5),
        Key(K.TARGET_MEMBER, "g", "a"): partitions("t", 0),
        Key(K.TARGET, "g"): TargetEpoch(epoch=1, computed_ms=7),
        Key(K.CURRENT, "g", "a"): CurrentAssignment(epoch=1, assigned={WHERE: 1}),
    }
    for order in permutations(given):
        for key, value in given.items():
            state.apply(key, value)
        state.check()
        assert state.exists
        for key in order:
            state.apply(key, None)
        # A member is gone with its MEMBER record; what comes after for it is nobody's.
        assert state == GroupState()


def test_an_instance_id_belongs_to_who_said_it_last() -> None:
    state = GroupState()
    for name in "ab":
        state.apply(Key(K.MEMBER, "g", name), Subscription(instance_id="one"))
        state.apply(Key(K.MEMBER, "g", name), Subscription(instance_id="one", client_id="c"))
    state.apply(Key(K.MEMBER, "g", "a"), None)
    assert state.instances == {"one": "b"}


def test_names_of_states_are_those_of_the_kip() -> None:
    state = GroupState()
    assert state.label == "Dead"
    state.apply(Key(K.GROUP, "g"), GroupEpoch(epoch=1, metadata_hash=0))
    assert state.label == "Empty"
    member(state, "a")
    assert state.label == "Assigning"
    state.apply(Key(K.TARGET, "g"), TargetEpoch(epoch=1, computed_ms=0))
    assert state.label == "Stable"
    state.apply(
        Key(K.CURRENT, "g", "a"),
        CurrentAssignment(epoch=1, state=MemberState.UNREVOKED_PARTITIONS, revoking={WHERE: 1}),
    )
    assert state.label == "Reconciling"


def test_a_draft_leaves_what_it_was_made_of_as_it_was() -> None:
    state = GroupState()
    member(state, "a", WHERE)
    draft = Draft("g", state)
    assert draft.state is state
    draft.remove("a")
    assert state.owners == {WHERE: "a"}
    assert draft.state.members == {}
    assert [value for _, value in draft.rows] == [None, None, None]
