from __future__ import annotations

import pytest

from streamflow.errors import UnknownTopicError
from streamflow.log import errors as e
from streamflow.log.controller.isr import NewIsr, alter_isr
from tests.unit.log.controller.cluster import A0, ImageOfCluster, refused


@pytest.fixture
def c() -> ImageOfCluster:
    cluster = ImageOfCluster()
    cluster.topic("a", (1, 2, 3))
    cluster.alter([1, 2])
    return cluster


def test_the_leader_says_who_is_in_sync(c: ImageOfCluster) -> None:
    before = c.partition()
    c.alter([3, 2, 1])
    after = c.partition()
    assert (after.isr, after.leader_epoch) == ((1, 2, 3), before.leader_epoch)
    assert after.partition_epoch == before.partition_epoch + 1


def test_what_is_so_already_begins_a_new_partition_epoch_so_that_no_older_proposal_is_taken(c: ImageOfCluster) -> None:
    before = c.partition()
    c.alter([1, 2])
    assert (c.partition().isr, c.partition().leader_epoch) == (before.isr, before.leader_epoch)
    with pytest.raises(e.InvalidUpdateVersionError):
        c.alter([1, 2, 3], partition_epoch=before.partition_epoch)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"leader_epoch": 1}, e.NotControllerError),
        ({"leader_epoch": -1}, e.FencedLeaderEpochError),
        ({"partition_epoch": 2}, e.NotControllerError),
        ({"partition_epoch": 0}, e.InvalidUpdateVersionError),
        ({"broker_id": 2}, e.InvalidRequestError),
    ],
)
def test_only_the_leader_as_it_is_now_is_believed(
    c: ImageOfCluster, wrong: dict[str, int], error: type[e.LogError]
) -> None:
    assert refused(lambda: c.alter([1, 2, 3], **wrong)) is error
    assert c.partition().isr == (1, 2)


@pytest.mark.parametrize("isr", [[], [2, 3], [1, 1], [1, 4]])
def test_an_isr_is_of_replicas_and_has_the_leader(c: ImageOfCluster, isr: list[int]) -> None:
    assert refused(lambda: c.alter(isr)) is e.InvalidRequestError


def test_a_fenced_or_stopping_broker_is_not_in_sync(c: ImageOfCluster) -> None:
    c.fence(3)
    assert refused(lambda: c.alter([1, 2, 3])) is e.IneligibleReplicaError
    c.unfence(3)
    c.begin_shutdown(3)
    assert refused(lambda: c.alter([1, 2, 3])) is e.IneligibleReplicaError


def ask(c: ImageOfCluster, *members: tuple[int, int], topic_id: bytes | None = None, partition: int = 0) -> object:
    p = c.partition()
    wanted = NewIsr(
        topic_id=topic_id or c.image.topics["a"].topic_id,
        partition=partition,
        leader_epoch=p.leader_epoch,
        partition_epoch=p.partition_epoch,
        members=members,
    )
    return alter_isr(c.image, p.leader, wanted, c.static)


def test_a_broker_that_has_restarted_since_is_not_whom_the_leader_means(c: ImageOfCluster) -> None:
    epochs = {n: broker.broker_epoch for n, broker in c.image.brokers.items()}
    c.register(3)
    c.unfence(3)
    assert refused(lambda: ask(c, *epochs.items())) is e.IneligibleReplicaError
    assert ask(c, *((n, -1) for n in epochs)) is not None, "older versions don't tell epochs"


def test_a_partition_that_is_not_there_is_unknown(c: ImageOfCluster) -> None:
    assert refused(lambda: ask(c, (1, -1), topic_id=b"?" * 16)) is e.UnknownTopicIdError
    with pytest.raises(UnknownTopicError):
        ask(c, (1, -1), partition=1)


def test_an_isr_that_shrinks_below_the_minimum_leaves_the_others_eligible(c: ImageOfCluster) -> None:
    c.alter([1])
    assert c.state(A0) == (1, (1,), (2,))
