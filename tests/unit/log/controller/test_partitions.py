from __future__ import annotations

import pytest

from streamflow.errors import UnknownTopicError
from streamflow.event import TopicPartition
from streamflow.log.controller.image import MetadataImage
from streamflow.log.controller.partitions import create_partitions, find_partition
from streamflow.log.controller.topics import NewTopic, create_topic
from streamflow.log.errors import InvalidPartitionsError, InvalidReplicaAssignmentError

A0, A9, NOPE = TopicPartition("a", 0), TopicPartition("a", 9), TopicPartition("nope", 0)


def image_with(partitions: int, factor: int = 1, brokers: tuple[int, ...] = (1,)) -> MetadataImage:
    image = MetadataImage()
    new = NewTopic(name="a", partitions=partitions, replication_factor=factor)
    for record in create_topic(image, new, b"\1" * 16, brokers):
        image.apply(record)
    return image


def test_new_partitions_follow_those_there_are() -> None:
    image = image_with(2)
    for record in create_partitions(image, "a", 5, None, (1,)):
        image.apply(record)
    image.check()
    assert [p.leader for p in image.topics["a"].partitions] == [1] * 5


def test_new_partitions_take_their_turns_where_the_old_ones_stopped() -> None:
    image = image_with(2, 2, (1, 2, 3))
    assert [r.replicas for r in create_partitions(image, "a", 4, None, (1, 2, 3))] == [(3, 1), (1, 3)]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("count", "error"), [(2, "2 would not be an increase"), (0, "0 would not"), (10_001, "up to 10000")]
)
def test_a_count_that_cannot_be_is_refused(count: int, error: str) -> None:
    with pytest.raises(InvalidPartitionsError, match=error):
        create_partitions(image_with(2), "a", count, None, (1,))


@pytest.mark.parametrize("assignments", [[], [[1]], [[1], [2]], [[1], []], [[1], [1, 1]]])
def test_assignments_are_for_each_new_partition_and_on_brokers_there_are(assignments: list[list[int]]) -> None:
    with pytest.raises(InvalidReplicaAssignmentError):
        create_partitions(image_with(2), "a", 4, assignments, (1,))
    assert len(create_partitions(image_with(2), "a", 4, [[1], [1]], (1,))) == 2


@pytest.mark.parametrize("where", [A9, NOPE, TopicPartition("a", -1)])
def test_a_partition_that_is_not_there_is_unknown(where: TopicPartition) -> None:
    with pytest.raises(UnknownTopicError):
        find_partition(image_with(1), where)
