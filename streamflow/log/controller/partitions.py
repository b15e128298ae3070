"""More partitions for a topic (KIP-195): the image in, records or a refusal out. PURE."""

from __future__ import annotations

from collections.abc import Sequence

from streamflow.errors import UnknownTopicError
from streamflow.event import TopicPartition
from streamflow.log.controller import records as r
from streamflow.log.controller.image import MetadataImage, PartitionImage, TopicImage
from streamflow.log.controller.placement import check_replicas, place
from streamflow.log.controller.topics import PARTITIONS_MAX, new_partitions
from streamflow.log.errors import (
    InvalidPartitionsError,
    InvalidReplicaAssignmentError,
)


def create_partitions(
    image: MetadataImage,
    name: str,
    count: int,
    assignments: Sequence[Sequence[int]] | None,
    brokers: Sequence[int],
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
        begun = brokers.index(topic.partitions[0].replicas[0]) if topic.partitions[0].replicas[0] in brokers else 0
        placed = place(count, _factor(topic), brokers, image.brokers, first=begun)[there:]
    elif len(assignments) != count - there:
        raise InvalidReplicaAssignmentError(
            f"topic '{name}' gets {count - there} more partitions; brokers are given for {len(assignments)}"
        )
    else:
        placed = [check_replicas(replicas, brokers) for replicas in assignments]
    return [*new_partitions(topic.topic_id, there, placed, image.brokers)]


def _factor(topic: TopicImage) -> int:
    """How many replicas each partition has, but for what a reassignment adds."""
    return len(topic.partitions[0].replicas) - len(topic.partitions[0].adding)


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
