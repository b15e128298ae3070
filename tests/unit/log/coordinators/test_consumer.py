"""Titles cite KIP-848 by its sections, and Apache Kafka 4.x where it goes beyond."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from streamflow.event import TopicPartition
from streamflow.log.coordinators.consumer import ConsumerGroup, ConsumerGroupConfig
from streamflow.log.coordinators.consumer_admission import Committer
from streamflow.log.coordinators.consumer_events import (
    ConsumerGroupError,
    DeleteGroup,
    HeartbeatAnswer,
    Persist,
    Persisted,
    PersistFailed,
    RemovalAnswer,
    RemoveMembers,
    Reply,
    Tick,
)
from streamflow.log.coordinators.consumer_records import RecordKind, decode_key

sys.path.insert(0, str(Path(__file__).parent))

from consumer_driver import CONFIG, Driver, beat, join, partitions, topic_id, view

E = ConsumerGroupError


def shared(topics: dict[str, int] | None = None) -> Driver:
    """Members a and b of a group that is stable, with two partitions each."""
    group = Driver(topics or {"t": 4})
    group.ask(join("a", "t"))
    group.ask(join("b", "t"))
    group.ask(beat("a", 1))
    group.ask(beat("a", 1, partitions("t", 0, 1)))
    group.ask(beat("b", 2))
    group.ask(beat("a", 2, partitions("t", 0, 1)))
    assert group.label == "Stable"
    return group


# Joining


def test_group_epoch_the_first_member_makes_the_group_and_gets_all() -> None:
    group = Driver({"t": 3})
    answer = group.ask(join("a", "t"))
    assert answer == HeartbeatAnswer(
        member_id="a", member_epoch=1, heartbeat_interval_ms=5_000, assignment=partitions("t", 0, 1, 2)
    )
    assert group.epochs == (1, 1)
    assert group.label == "Stable"


def test_member_id_version_0_is_given_one_and_version_1_must_bring_its_own() -> None:
    group = Driver({"t": 1})
    assert group.refused(join("", "t")) == E.INVALID_REQUEST
    assert group.ask(join("", "t", id_required=False)).member_id == "new"


def test_joining_a_member_may_be_subscribed_to_what_is_not_there_yet() -> None:
    group = Driver({})
    assert group.ask(join("a", "t")).assignment == frozenset()
    group.change({"t": 2})
    assert group.ask(beat("a", 1)).assignment == partitions("t", 0, 1)
    assert group.epochs == (2, 2)


def test_joining_again_with_epoch_0_is_answered_with_what_the_member_has() -> None:
    """The answer to the first join was lost, or the member was fenced."""
    group = Driver({"t": 2})
    group.ask(join("a", "t"))
    again = group.ask(join("a", "t"))
    assert (again.member_epoch, again.assignment) == (1, partitions("t", 0, 1))


def test_group_max_size_the_member_too_many_is_refused_and_those_inside_are_not() -> None:
    group = Driver({"t": 4}, ConsumerGroupConfig(members_max=1))
    group.ask(join("a", "t"))
    assert group.refused(join("b", "t")) == E.GROUP_MAX_SIZE_REACHED
    assert group.ask(join("a", "t")).error == E.NONE


def test_group_max_size_a_static_member_returns_to_a_full_group() -> None:
    group = Driver({"t": 4}, ConsumerGroupConfig(members_max=1))
    group.ask(join("a", "t", instance_id="one"))
    group.ask(beat("a", -2, instance_id="one"))
    assert group.ask(join("b", "t", instance_id="one")).error == E.NONE


# Heartbeats


def test_heartbeat_without_news_writes_nothing_and_carries_no_assignment() -> None:
    group = shared()
    written = len(group.log)
    assert group.ask(beat("a", 2)).assignment is None
    assert len(group.log) == written


def test_heartbeat_a_full_one_is_answered_in_full() -> None:
    group = shared()
    full = beat("a", 2, partitions("t", 0, 1), rebalance_timeout_ms=300_000, topics=("t",))
    assert group.ask(full).assignment == partitions("t", 0, 1)


def test_heartbeat_of_nobody() -> None:
    assert Driver({}).refused(beat("a", 3)) == E.GROUP_ID_NOT_FOUND
    assert shared().refused(beat("z", 2)) == E.UNKNOWN_MEMBER_ID


# Reconciliation


def test_reconciliation_a_partition_is_handed_over_only_once_it_was_given_up() -> None:
    group = Driver({"t": 2})
    group.ask(join("a", "t"))
    assert group.ask(join("b", "t")).assignment == frozenset(), "a still has both"
    assert group.label == "Reconciling"
    told = group.ask(beat("a", 1))
    assert (told.member_epoch, told.assignment) == (1, partitions("t", 0))
    written = len(group.log)
    assert group.ask(beat("b", 2)).assignment is None, "a was told, and hasn't said that it did"
    assert len(group.log) == written, "who waits changes nothing"
    assert group.ask(beat("a", 1)).assignment is None, "a heartbeat that says nothing of partitions gives up none"
    assert group.ask(beat("a", 1, partitions("t", 0, 1))).member_epoch == 1
    assert group.ask(beat("a", 1, partitions("t", 0))).member_epoch == 2
    assert group.ask(beat("b", 2)).assignment == partitions("t", 1)
    assert group.label == "Stable"


def test_reconciliation_a_member_epoch_waits_for_revocations_alone() -> None:
    """Who has nothing to give up has the newest epoch at once, though partitions are still missing."""
    group = Driver({"t": 2})
    group.ask(join("a", "t"))
    assert group.ask(join("b", "t")).member_epoch == 2


def test_reconciliation_what_comes_back_before_it_was_given_up_stays() -> None:
    group = Driver({"t": 2})
    group.ask(join("a", "t"))
    group.ask(join("b", "t"))
    group.ask(beat("a", 1))
    group.ask(beat("b", -1))
    back = group.ask(beat("a", 1, partitions("t", 0)))
    assert (back.member_epoch, back.assignment) == (3, partitions("t", 0, 1))


def test_subscription_change_a_topic_no_longer_wanted_is_given_up_first() -> None:
    group = Driver({"t": 1, "u": 1})
    group.ask(join("a", "t", "u"))
    both = partitions("t", 0) | partitions("u", 0)
    told = group.ask(beat("a", 1, both, topics=("u",)))
    assert (told.member_epoch, told.assignment) == (1, partitions("u", 0))
    assert group.ask(beat("a", 1, partitions("u", 0))).member_epoch == 2


def test_subscription_change_while_partitions_are_given_up_waits_for_that() -> None:
    group = Driver({"t": 2, "u": 1})
    group.ask(join("a", "t", "u"))
    group.ask(join("b", "t"))
    assert group.ask(beat("a", 1)).assignment == partitions("t", 0) | partitions("u", 0)
    everything = partitions("t", 0, 1) | partitions("u", 0)
    assert group.ask(beat("a", 1, everything, topics=("t",))).assignment is None
    told = group.ask(beat("a", 1, partitions("t", 0) | partitions("u", 0)))
    assert (told.member_epoch, told.assignment) == (1, partitions("t", 0))
    assert group.ask(beat("a", 1, partitions("t", 0))).member_epoch == 3


def test_metadata_change_more_partitions_bump_the_group_epoch() -> None:
    group = shared()
    group.change({"t": 6})
    assert group.ask(beat("a", 2)).assignment == partitions("t", 0, 1, 4)
    assert group.ask(beat("b", 2)).assignment == partitions("t", 2, 3, 5)
    assert group.epochs == (3, 3)


def test_metadata_change_is_not_overlooked_when_something_else_happens_first() -> None:
    group = shared()
    group.change({"t": 6})
    group.send(Tick())
    assert group.refused(beat("z", 2)) == E.UNKNOWN_MEMBER_ID
    assert group.ask(beat("a", 2)).member_epoch == 3


def test_metadata_change_of_a_topic_nobody_wants_changes_nothing() -> None:
    group = shared()
    group.change({"t": 4, "u": 9})
    assert group.ask(beat("a", 2)).member_epoch == 2
    assert group.epochs == (2, 2)


def test_metadata_change_a_topic_created_anew_is_another_topic() -> None:
    group = Driver({"t": 1})
    group.ask(join("a", "t"))
    group.change({"t": 1}, {"t": 1})
    told = group.ask(beat("a", 1))
    assert (told.member_epoch, told.assignment) == (1, frozenset()), "the old one is to be given up"
    told = group.ask(beat("a", 1, ()))
    assert {w.topic_id for w in told.assignment or ()} == {topic_id("t", 1)}


# Leaving and fencing


def test_leaving_frees_the_partitions_at_once() -> None:
    group = shared()
    left = group.ask(beat("b", -1))
    assert (left.member_id, left.member_epoch) == ("b", -1)
    assert group.ask(beat("a", 2)).assignment == partitions("t", 0, 1, 2, 3)


def test_leaving_the_last_member_leaves_an_empty_group() -> None:
    group = Driver({"t": 1})
    group.ask(join("a", "t"))
    group.ask(beat("a", -1))
    assert (group.label, group.epochs) == ("Empty", (2, 2))


def test_leaving_of_who_is_not_there() -> None:
    assert Driver({}).refused(beat("a", -1)) == E.GROUP_ID_NOT_FOUND
    assert shared().refused(beat("z", -1)) == E.UNKNOWN_MEMBER_ID


def test_session_timeout_a_silent_member_is_removed_and_its_partitions_given_on() -> None:
    group = shared()
    group.wait(CONFIG.session_timeout_ms - 1)
    assert group.ask(beat("a", 2)).error == E.NONE
    group.wait(1)
    assert group.member_ids() == ["a"]
    assert group.label == "Assigning"
    assert group.ask(beat("a", 2)).assignment == partitions("t", 0, 1, 2, 3)
    assert group.refused(beat("b", 2)) == E.UNKNOWN_MEMBER_ID


def test_rebalance_timeout_who_does_not_give_up_partitions_is_removed_though_it_heartbeats() -> None:
    group = Driver({"t": 2})
    group.ask(join("a", "t", rebalance_timeout_ms=10_000))
    group.ask(join("b", "t"))
    group.ask(beat("a", 1))
    for _ in range(9):
        group.wait(1_000)
        group.ask(beat("a", 1, partitions("t", 0, 1)))
    group.wait(1_000)
    assert group.member_ids() == ["b"]
    assert group.ask(beat("b", 2)).assignment == partitions("t", 0, 1)


def test_rebalance_timeout_is_off_once_the_member_gave_up_what_it_must() -> None:
    group = Driver({"t": 2})
    group.ask(join("a", "t", rebalance_timeout_ms=10_000))
    group.ask(join("b", "t"))
    group.ask(beat("a", 1))
    group.ask(beat("a", 1, partitions("t", 0)))
    group.wait(30_000)
    assert group.member_ids() == ["a", "b"]


def test_fencing_an_epoch_ahead_or_behind_is_refused() -> None:
    group = shared()
    assert group.refused(beat("a", 3)) == E.FENCED_MEMBER_EPOCH
    group.change({"t": 5})
    assert group.ask(beat("a", 2)).member_epoch == 3
    group.change({"t": 6})
    group.ask(beat("a", 3))
    group.ask(beat("b", 2))
    assert group.ask(beat("a", 4)).error == E.NONE
    assert group.refused(beat("a", 2, partitions("t", 0, 1))) == E.FENCED_MEMBER_EPOCH


def test_fencing_the_epoch_before_is_accepted_from_who_owns_no_more_than_it_was_given() -> None:
    """The answer that bumped it was lost."""
    group = shared()
    group.change({"t": 6})
    assert group.ask(beat("a", 2, partitions("t", 0, 1))).member_epoch == 3
    assert group.ask(beat("a", 2, partitions("t", 0, 1))).member_epoch == 3
    assert group.refused(beat("a", 2, partitions("t", 0, 3))) == E.FENCED_MEMBER_EPOCH
    assert group.refused(beat("a", 2)) == E.FENCED_MEMBER_EPOCH


def test_removal_by_an_administrator_names_members_or_instances() -> None:
    group = Driver({"t": 1})
    for name in "abc":
        group.ask(join(name, "t", instance_id=None if name == "a" else f"i{name}"))
    epoch, _ = group.epochs
    named = (("a", None), ("", "ib"), ("x", "ic"), ("z", None), ("", "iz"))
    (answer,) = [e.answer for e in group.send(RemoveMembers(ticket=1, members=named)) if isinstance(e, Reply)]
    assert answer == RemovalAnswer(
        errors=(E.NONE, E.NONE, E.FENCED_INSTANCE_ID, E.UNKNOWN_MEMBER_ID, E.UNKNOWN_MEMBER_ID)
    )
    assert group.member_ids() == ["c"]
    assert group.epochs[0] == epoch + 1


def test_removal_that_cannot_be_persisted_has_not_happened() -> None:
    group = shared()
    group.machine.step(RemoveMembers(ticket=1, members=(("a", None), ("z", None))), 0)
    (reply,) = group.machine.step(PersistFailed(), 0)
    assert isinstance(reply, Reply)
    assert reply.answer == RemovalAnswer(errors=(E.COORDINATOR_NOT_AVAILABLE, E.UNKNOWN_MEMBER_ID))
    assert group.member_ids() == ["a", "b"]


# Static members


def test_static_membership_who_returns_under_another_member_id_has_its_partitions_again() -> None:
    group = Driver({"t": 4})
    group.ask(join("a", "t", instance_id="one"))
    group.ask(join("b", "t", instance_id="two"))
    group.ask(beat("a", 1))
    group.ask(beat("a", 1, partitions("t", 0, 1)))
    group.ask(beat("b", 2))
    away = group.ask(beat("a", -2, instance_id="one"))
    assert (away.member_id, away.member_epoch) == ("a", -2)
    assert group.ask(beat("b", 2)).assignment is None, "they are kept"
    back = group.ask(join("c", "t", instance_id="one"))
    assert (back.member_epoch, back.assignment) == (2, partitions("t", 0, 1))
    assert group.epochs == (2, 2), "nobody else is disturbed"
    assert group.member_ids() == ["b", "c"]


def test_static_membership_who_does_not_return_in_time_loses_its_partitions() -> None:
    group = shared()
    group.ask(join("c", "t", instance_id="one"))
    group.ask(beat("c", -2, instance_id="one"))
    group.wait(CONFIG.session_timeout_ms)
    assert "c" not in group.member_ids()


def test_static_membership_an_instance_id_in_use_is_not_given_away() -> None:
    group = Driver({"t": 1})
    group.ask(join("a", "t", instance_id="one"))
    assert group.refused(join("b", "t", instance_id="one")) == E.UNRELEASED_INSTANCE_ID


def test_static_membership_the_old_member_id_is_fenced() -> None:
    group = Driver({"t": 1})
    group.ask(join("a", "t", instance_id="one"))
    group.ask(beat("a", -2, instance_id="one"))
    group.ask(join("b", "t", instance_id="one"))
    assert group.refused(beat("a", 1, instance_id="one")) == E.FENCED_INSTANCE_ID
    assert group.refused(beat("a", -1, instance_id="one")) == E.FENCED_INSTANCE_ID
    assert group.refused(beat("a", 1, instance_id="two")) == E.UNKNOWN_MEMBER_ID


def test_static_membership_leaving_for_good_frees_the_partitions() -> None:
    group = Driver({"t": 1})
    group.ask(join("a", "t", instance_id="one"))
    group.ask(beat("a", -1, instance_id="one"))
    assert group.label == "Empty"


# Subscriptions


def test_regular_expressions_match_whole_names_and_follow_new_topics() -> None:
    group = Driver({"orders-eu": 1, "orders": 1})
    told = group.ask(join("a", topics=None, pattern="orders-.*"))
    assert told.assignment == partitions("orders-eu", 0)
    group.change({"orders-eu": 1, "orders": 1, "orders-us": 1})
    assert group.ask(beat("a", 1)).assignment == partitions("orders-eu", 0) | partitions("orders-us", 0)


def test_regular_expressions_may_be_changed_for_others() -> None:
    group = Driver({"t": 1, "u": 1})
    group.ask(join("a", topics=None, pattern="t"))
    told = group.ask(beat("a", 1, partitions("t", 0), pattern="u"))
    assert (told.member_epoch, told.assignment) == (1, frozenset())
    assert group.ask(beat("a", 1, ())).assignment == partitions("u", 0)


def test_regular_expressions_that_are_none_are_refused() -> None:
    group = Driver({"t": 1})
    assert group.refused(join("a", topics=None, pattern="(t")) == E.INVALID_REGULAR_EXPRESSION
    assert not group.machine.exists


def test_server_assignor_the_one_most_members_ask_for_is_used() -> None:
    group = Driver({"t": 2, "u": 2})
    assert group.refused(join("a", "t", assignor="mine")) == E.UNSUPPORTED_ASSIGNOR
    group.ask(join("a", "t", "u", assignor="range"))
    group.ask(join("b", "t", "u"))
    assert group.machine.describe().assignor == "range"
    targets = {m.member_id: m.target for m in group.machine.describe().members}
    assert targets["a"] == partitions("t", 0) | partitions("u", 0), "co-partitioned"
    group.ask(beat("a", 1, assignor="uniform"))
    assert group.machine.describe().assignor == "uniform"
    assert group.epochs == (3, 3)


def test_racks_are_remembered() -> None:
    group = Driver({"t": 1})
    group.ask(join("a", "t", rack_id="r1"))
    (member,) = group.machine.describe().members
    assert member.subscription.rack_id == "r1"


@pytest.mark.parametrize(
    "wrong",
    [
        {"rebalance_timeout_ms": -1},
        {"owned": None},
        {"owned": partitions("t", 0)},
        {"topics": None},
        {"instance_id": ""},
        {"rack_id": ""},
        {"member_epoch": -2},
        {"member_epoch": -3},
        {"member_id": "m" * 40_000},
    ],
)
def test_requests_that_no_group_could_answer_are_invalid(wrong: dict[str, object]) -> None:
    assert Driver({"t": 1}).refused(join("a", "t", **wrong)) == E.INVALID_REQUEST


# Offsets


def committer(epoch: int, member_id: str = "a", version: int | None = 9) -> Committer:
    return Committer(member_id=member_id, instance_id=None, member_epoch=epoch, version=version)


def test_offset_commit_counts_only_with_the_member_epoch() -> None:
    group = shared()
    where = TopicPartition("t", 0)
    assert group.machine.commit_error(committer(2), where) == E.NONE
    assert group.machine.commit_error(committer(3), where) == E.STALE_MEMBER_EPOCH
    assert group.machine.commit_error(committer(2, "z"), where) == E.UNKNOWN_MEMBER_ID
    assert group.machine.commit_error(committer(-1, ""), where) == E.UNKNOWN_MEMBER_ID
    assert group.machine.commit_error(committer(2, version=8), where) == E.UNSUPPORTED_VERSION


def test_offset_commit_an_epoch_behind_counts_for_what_the_member_had_then_kip_1251() -> None:
    group = shared()
    group.change({"t": 6})
    group.ask(beat("a", 2))
    assert group.machine.commit_error(committer(2), TopicPartition("t", 0)) == E.NONE
    assert group.machine.commit_error(committer(2), TopicPartition("t", 4)) == E.STALE_MEMBER_EPOCH
    assert group.machine.commit_error(committer(2), TopicPartition("t", 3)) == E.STALE_MEMBER_EPOCH
    assert group.machine.commit_error(committer(0), TopicPartition("t", 0)) == E.STALE_MEMBER_EPOCH


def test_offset_commit_an_epoch_behind_counts_for_what_is_still_to_be_given_up() -> None:
    group = shared()
    group.ask(join("c", "t"))
    told = group.ask(beat("a", 2)).assignment
    assert told is not None
    (given_up,) = partitions("t", 0, 1) - told
    assert group.machine.commit_error(committer(1), TopicPartition("t", given_up.partition)) == E.NONE


def test_offset_commit_a_static_member_that_returned_has_had_its_partitions_from_the_start() -> None:
    group = Driver({"t": 1})
    group.ask(join("a", "t", instance_id="one"))
    group.ask(beat("a", -2, instance_id="one"))
    group.ask(join("b", "t", instance_id="one"))
    assert group.machine.commit_error(committer(0, "b"), TopicPartition("t", 0)) == E.NONE


def test_offset_commit_by_who_is_no_member_counts_while_the_group_is_empty() -> None:
    group = Driver({"t": 1})
    group.ask(join("a", "t"))
    group.ask(beat("a", -1))
    assert group.machine.commit_error(committer(-1, ""), TopicPartition("t", 0)) == E.NONE


def test_offset_commit_in_a_transaction_may_say_nothing_of_the_member_kip_447() -> None:
    group = shared()
    assert group.machine.commit_error(committer(-1, "", version=None), TopicPartition("t", 0)) == E.NONE
    assert group.machine.commit_error(committer(2, version=None), TopicPartition("t", 0)) == E.NONE
    assert group.machine.commit_error(committer(9, version=None), TopicPartition("t", 0)) == E.STALE_MEMBER_EPOCH


def test_offset_fetch_checks_the_member_epoch_when_it_is_given() -> None:
    machine = shared().machine
    assert machine.fetch_error(None, -1) == E.NONE
    assert machine.fetch_error("", -1) == E.NONE
    assert machine.fetch_error("a", 2) == E.NONE
    assert machine.fetch_error("a", 1) == E.STALE_MEMBER_EPOCH
    assert machine.fetch_error("a", -1) == E.STALE_MEMBER_EPOCH
    assert machine.fetch_error("z", 2) == E.UNKNOWN_MEMBER_ID


def test_offset_deletion_is_refused_for_what_is_subscribed() -> None:
    group = shared({"t": 4, "u": 1})
    assert group.machine.subscribes("t")
    assert not group.machine.subscribes("u")


# Deleting


def delete(group: Driver) -> object:
    (answer,) = [e.answer for e in group.send(DeleteGroup(ticket=1, with_offsets=True)) if isinstance(e, Reply)]
    return answer


def test_deleting_takes_an_empty_group_alone_and_leaves_nothing() -> None:
    group = shared()
    assert delete(group) == E.NON_EMPTY_GROUP
    group.ask(beat("a", -1))
    group.ask(beat("b", -1))
    assert group.machine.empty
    assert delete(group) == E.NONE
    assert group.label == "Dead"
    assert delete(group) == E.GROUP_ID_NOT_FOUND
    assert [value for value in dict(group.log).values() if value is not None] == []
    assert group.ask(join("a", "t")).member_epoch == 1, "who joins makes it anew"


# Persisting


def test_persisting_an_answer_waits_for_its_records() -> None:
    machine = ConsumerGroup("g", CONFIG, view({"t": 1}), 0)
    (order,) = machine.step(join("a", "t"), 0)
    assert isinstance(order, Persist)
    assert machine.busy
    assert not machine.exists
    (reply,) = machine.step(Persisted(), 0)
    assert isinstance(reply, Reply)
    assert machine.exists


def test_persisting_what_comes_meanwhile_is_decided_together() -> None:
    machine = ConsumerGroup("g", CONFIG, view({"t": 4}), 0)
    machine.step(join("a", "t"), 0)
    assert [list(machine.step(join(name, "t"), 0)) for name in "bcd"] == [[], [], []]
    reply, order = machine.step(Persisted(), 0)
    assert isinstance(reply, Reply)
    assert isinstance(order, Persist)
    told = machine.step(Persisted(), 0)
    assert [e.ticket for e in told if isinstance(e, Reply)] == ["b", "c", "d"]
    machine.check()


def test_persisting_a_batch_has_one_assignment_and_one_event_of_each_member() -> None:
    machine = ConsumerGroup("g", CONFIG, view({"t": 4}), 0)
    machine.step(join("a", "t"), 0)
    for event in (join("b", "t"), join("c", "t"), beat("b", -1), join("d", "t")):
        machine.step(event, 0)
    _, order = machine.step(Persisted(), 0)
    assert isinstance(order, Persist)
    assert [e.ticket for e in machine.step(Persisted(), 0) if isinstance(e, Reply)] == ["b", "c"]
    assert [m.member_epoch for m in machine.describe().members] == [1, 2, 2]
    assert [e.ticket for e in machine.step(Persisted(), 0) if isinstance(e, Reply)] == ["b", "d"]
    assert {m.member_id for m in machine.describe().members} == {"a", "c", "d"}
    machine.check()


def test_persisting_time_and_deletion_are_decided_by_themselves() -> None:
    group = Driver({"t": 1})
    group.machine.step(join("a", "t"), 0)
    for event in (join("b", "t"), Tick(), DeleteGroup(ticket="delete", with_offsets=True), beat("b", -1)):
        assert not group.machine.step(event, 0)
    told = list(group.machine.step(Persisted(), 0))
    while group.machine.busy:
        told += group.machine.step(Persisted(), 0)
    answers = [(e.ticket, e.answer) for e in told if isinstance(e, Reply)]
    assert [ticket for ticket, _ in answers] == ["a", "b", "delete", "b"]
    assert answers[2][1] == E.NON_EMPTY_GROUP
    assert not any(e.forget_offsets for e in told if isinstance(e, Persist))


def test_persisting_a_member_may_heartbeat_and_be_removed_meanwhile() -> None:
    group = Driver({"t": 2})
    group.ask(join("a", "t", rebalance_timeout_ms=10_000))
    group.ask(join("b", "t"))
    group.ask(beat("a", 1))
    group.machine.step(join("c", "t"), 9_000)
    for event in (beat("a", 1), Tick(), beat("a", 1)):
        assert not group.machine.step(event, 9_999)
    group.now_ms = 10_000
    told = list(group.machine.step(Persisted(), group.now_ms))
    told += group.machine.step(Persisted(), group.now_ms)
    answers = [e.answer.error for e in told if isinstance(e, Reply) and isinstance(e.answer, HeartbeatAnswer)]
    assert answers == [E.NONE, E.NONE, E.UNKNOWN_MEMBER_ID]
    assert group.member_ids() == ["b", "c"]


def test_persisting_a_static_member_that_returns_twice_at_once_returns_once() -> None:
    group = Driver({"t": 1})
    group.ask(join("a", "t", instance_id="one"))
    group.ask(beat("a", -2, instance_id="one"))
    group.machine.step(join("x", "t"), 0)
    for name in "ac":
        assert not group.machine.step(join(name, "t", instance_id="one"), 0)
    group.machine.step(Persisted(), 0)
    told = {e.ticket: e.answer for e in group.machine.step(Persisted(), 0) if isinstance(e, Reply)}
    assert {ticket: a.error for ticket, a in told.items() if isinstance(a, HeartbeatAnswer)} == {
        "a": E.NONE,
        "c": E.UNRELEASED_INSTANCE_ID,
    }


def test_persisting_what_fails_has_not_happened() -> None:
    machine = ConsumerGroup("g", CONFIG, view({"t": 1}), 0)
    machine.step(join("a", "t"), 0)
    (reply,) = machine.step(PersistFailed(), 0)
    assert isinstance(reply, Reply)
    assert reply.answer == HeartbeatAnswer(error=E.COORDINATOR_NOT_AVAILABLE)
    assert not machine.exists
    machine.check()


def test_persisting_a_member_whose_removal_fails_is_removed_later() -> None:
    group = shared()
    group.now_ms += CONFIG.session_timeout_ms
    group.machine.step(Tick(), group.now_ms)
    assert group.machine.deadline_ms() is None, "nothing to be done before it is known what came of it"
    group.machine.step(PersistFailed(), group.now_ms)
    assert group.member_ids() == ["a", "b"]
    group.wait(1_000)
    assert group.member_ids() == []


def test_persisting_a_change_of_topics_that_fails_is_seen_again() -> None:
    group = shared()
    group.change({"t": 6})
    group.machine.step(beat("a", 2), group.now_ms)
    group.machine.step(PersistFailed(), group.now_ms)
    assert group.ask(beat("a", 2)).member_epoch == 3


def test_persisting_targets_that_stay_are_not_written_again() -> None:
    group = Driver({"t": 2, "u": 2})
    group.ask(join("a", "t"))
    written = len(group.log)
    group.ask(join("b", "u"))
    keys = [decode_key(key) for key, _ in group.log[written:]]
    assert {key.member_id for key in keys if key and key.kind is RecordKind.TARGET_MEMBER} == {"b"}


def test_persisting_a_restart_finds_the_group_and_sessions_begin_anew() -> None:
    group = shared()
    group.wait(CONFIG.session_timeout_ms - 1)
    again = group.restart()
    assert again.machine.describe() == group.machine.describe()
    again.wait(1)
    assert again.ask(beat("a", 2)).error == E.NONE
    again.wait(CONFIG.session_timeout_ms - 1)
    assert again.member_ids() == ["a"]


def test_persisting_a_restart_does_not_forget_who_has_partitions_to_give_up() -> None:
    group = Driver({"t": 2})
    group.ask(join("a", "t", rebalance_timeout_ms=10_000))
    group.ask(join("b", "t"))
    group.ask(beat("a", 1))
    again = group.restart()
    again.wait(9_999)
    again.ask(beat("a", 1))
    again.wait(1)
    assert again.member_ids() == ["b"]


def test_persisting_a_restart_sees_topics_that_changed_meanwhile() -> None:
    group = shared()
    group.view = view({"t": 6})
    again = group.restart()
    assert again.ask(beat("a", 2)).member_epoch == 3
