from __future__ import annotations

from collections.abc import Sequence

import pytest

from streamflow.log import errors as e
from streamflow.log.controller.image import PartitionImage
from streamflow.log.controller.reassignments import reassign, reassignments
from tests.unit.log.controller.cluster import A0, ImageOfCluster, refused


def cluster(replicas: Sequence[int] = (1, 2, 3), in_sync_min: int = 2) -> ImageOfCluster:
    c = ImageOfCluster((1, 2, 3, 4, 5, 6))
    c.topic("a", replicas, in_sync_min=in_sync_min)
    return c


def move(c: ImageOfCluster, *target: int, other_factor: bool = True) -> PartitionImage:
    """Without a target it is cancelled."""
    change = reassign(c.image, A0, target or None, c.static, other_factor=other_factor)
    c.apply([] if change is None else [change])
    return c.partition()


def test_replicas_are_added_first_and_removed_once_they_are_in_sync() -> None:
    c = cluster()
    moving = move(c, 4, 5, 6)
    assert (moving.replicas, moving.adding, moving.removing) == ((4, 5, 6, 1, 2, 3), (4, 5, 6), (1, 2, 3))
    assert (moving.leader, moving.isr) == (1, (1, 2, 3))
    c.alter([1, 2, 3, 4, 5])
    assert c.partition().adding == (4, 5, 6)
    epoch = c.partition().leader_epoch
    c.alter([1, 2, 3, 4, 5, 6])
    done = c.partition()
    assert (done.leader, done.isr, done.replicas) == (4, (4, 5, 6), (4, 5, 6))
    assert (done.adding, done.removing, done.leader_epoch) == ((), (), epoch + 1)


def test_a_leader_that_stays_begins_an_epoch_without_those_who_go() -> None:
    c = cluster()
    done = move(c, 1, 2)
    assert (done.replicas, done.isr, done.leader, done.leader_epoch) == ((1, 2), (1, 2), 1, 1)


def test_a_partition_that_is_where_it_should_be_is_left_alone() -> None:
    c = cluster()
    before = c.offset
    move(c, 1, 2, 3)
    assert c.offset == before
    assert move(c, 3, 2, 1).replicas == (3, 2, 1)
    assert c.partition().leader == 1, "another order is another preference, no election"


def test_who_goes_waits_until_enough_of_those_who_stay_are_in_sync() -> None:
    c = cluster()
    c.alter([1, 3])
    waiting = move(c, 1, 2)
    assert (waiting.replicas, waiting.removing, waiting.isr) == ((1, 2, 3), (3,), (1, 3))
    c.alter([1, 2, 3])
    assert (c.partition().replicas, c.partition().isr) == ((1, 2), (1, 2))


def test_a_cancelled_one_goes_back_to_what_was() -> None:
    c = cluster()
    move(c, 4, 5, 6)
    c.alter([1, 2, 3, 4])
    back = move(c)
    assert (back.replicas, back.isr, back.leader) == ((1, 2, 3), (1, 2, 3), 1)
    assert (back.adding, back.removing) == ((), ())
    assert refused(lambda: move(c)) is e.NoReassignmentError


def test_another_one_takes_the_place_of_the_first() -> None:
    c = cluster()
    move(c, 1, 2, 4)
    c.alter([1, 2, 3, 4])
    assert c.partition().replicas == (1, 2, 4), "done, before the next is asked for"
    move(c, 1, 2, 5)
    moving = move(c, 1, 2, 6)
    assert (moving.replicas, moving.adding, moving.removing) == ((1, 2, 6, 4), (6,), (4,))


def test_what_would_leave_the_records_on_too_few_is_refused() -> None:
    c = cluster()
    move(c, 4, 5, 6)
    c.alter([1, 4])
    assert refused(lambda: move(c)) is e.InvalidReplicaAssignmentError, "broker 1 alone would have them"
    c.alter([1, 2, 4])
    assert move(c).isr == (1, 2)


@pytest.mark.parametrize("target", [(9,), (1, 1)])
def test_replicas_are_on_brokers_there_are(target: tuple[int, ...]) -> None:
    assert refused(lambda: move(cluster(), *target)) is e.InvalidReplicaAssignmentError


def test_the_number_of_replicas_changes_only_if_it_may() -> None:
    assert refused(lambda: move(cluster(), 1, 2, other_factor=False)) is e.InvalidReplicationFactorError
    assert move(cluster(), 1, 2, 4, other_factor=False).adding == (4,)


def test_what_is_being_moved_is_listed() -> None:
    c = cluster()
    assert list(reassignments(c.image, None)) == []
    move(c, 1, 2, 4)
    for asked in (None, {"a": [0]}):
        assert [(where, p.adding) for where, p in reassignments(c.image, asked)] == [(A0, (4,))]
    for asked in ({"a": [1]}, {"nope": [0]}):
        assert list(reassignments(c.image, asked)) == []
