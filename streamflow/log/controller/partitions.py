"""More partitions for a topic; other replicas or another leader for a partition: the image in, records or a refusal
out. PURE.

The rules are Kafka's (KIP-195, KIP-455, KIP-460; `ReplicationControlManager`). There is one broker: what would move a
partition is refused with the reason, and what is as asked already is answered so.
"""

from __future__ import annotations

from collections.abc import Sequence

from streamflow.errors import UnknownTopicError
from streamflow.event import TopicPartition
from streamflow.log.controller import records as r
from streamflow.log.controller.image import MetadataImage, PartitionImage, TopicImage
from streamflow.log.controller.placement import check_replicas, place
from streamflow.log.controller.topics import PARTITIONS_MAX, new_partitions
from streamflow.log.errors import (
    ElectionNotNeededError,
    InvalidPartitionsError,
    InvalidReplicaAssignmentError,
    NoReassignmentError,
)


def create_partitions(
    image: MetadataImage,
    name: str,
    count: int,
    assignments: Sequence[Sequence[int]] | None,
    brokers: tuple[int, ...],
) -> list[r.AnyRecord]:
    """The records that give a topic more partitions. Records already there stay where they are: keys may go elsewhere
    from now on.

    Args:
        count: of all its partitions then.
        assignments: which brokers hold each new partition; None leaves it to us.

    Raises: UnknownTopicError, InvalidPartitionsError, InvalidReplicaAssignmentError.
    """
    topic = _topic(image, name)
    there = len(topic.partitions)
    if count <= there:
        raise InvalidPartitionsError(f"topic '{name}' has {there} partitions; {count} would not be an increase")
    if count > PARTITIONS_MAX:
        raise InvalidPartitionsError(f"topic '{name}' can't have {count} partitions; give up to {PARTITIONS_MAX}")
    if assignments is None:
        placed = place(count, len(topic.partitions[0].replicas), brokers)[there:]
    elif len(assignments) != count - there:
        raise InvalidReplicaAssignmentError(
            f"topic '{name}' gets {count - there} more partitions; brokers are given for {len(assignments)}"
        )
    else:
        placed = [check_replicas(replicas, brokers) for replicas in assignments]
    return [*new_partitions(topic.topic_id, there, placed)]


def reassign(
    image: MetadataImage, where: TopicPartition, replicas: Sequence[int] | None, brokers: tuple[int, ...]
) -> None:
    """Returns when the partition is where it should be: with one broker it is, or can't be.

    Args:
        replicas: None cancels a reassignment.

    Raises: UnknownTopicError, InvalidReplicaAssignmentError, NoReassignmentError.
    """
    find_partition(image, where)
    if replicas is None:
        raise NoReassignmentError(f"{where} isn't being moved; there is nothing to cancel")
    check_replicas(replicas, brokers)


def elect(image: MetadataImage, where: TopicPartition) -> None:
    """Raises: ElectionNotNeededError, as the partition's only replica leads; UnknownTopicError."""
    partition = find_partition(image, where)
    raise ElectionNotNeededError(f"{where} is led by broker {partition.leader}, as it should be")


def find_partition(image: MetadataImage, where: TopicPartition) -> PartitionImage:
    """Raises: UnknownTopicError, for a number the topic doesn't have as well."""
    topic = _topic(image, where.topic)
    if not 0 <= where.partition < len(topic.partitions):
        raise UnknownTopicError(str(where))
    return topic.partitions[where.partition]


def _topic(image: MetadataImage, name: str) -> TopicImage:
    if name not in image.topics:
        raise UnknownTopicError(name)
    return image.topics[name]
