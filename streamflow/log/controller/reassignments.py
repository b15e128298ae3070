"""Moving partitions to other brokers (KIP-455). The image in, a record or a refusal out. PURE.

While one runs, `replicas` are the new ones and then those that will go; `adding` and `removing` say which. It ends by
itself when all that are added are in sync (`elections.settle`), or when it is cancelled. Another one given meanwhile
takes its place: it begins from the replicas there were before the first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from streamflow.event import TopicPartition
from streamflow.log.controller import records as r
from streamflow.log.controller.elections import change_of, settle, terms_of
from streamflow.log.controller.image import MetadataImage, PartitionImage
from streamflow.log.controller.partitions import find_partition
from streamflow.log.controller.placement import check_replicas
from streamflow.log.errors import (
    InvalidReplicaAssignmentError,
    InvalidReplicationFactorError,
    NoReassignmentError,
)


def reassign(
    image: MetadataImage,
    where: TopicPartition,
    target: Sequence[int] | None,
    static: Mapping[str, str],
    *,
    other_factor: bool = True,
) -> r.PartitionChange | None:
    """The record that begins, replaces, ends or cancels a reassignment; None when the partition is where it should be.

    Args:
        target: None cancels.
        other_factor: there may be more or fewer replicas than now.

    Raises: UnknownTopicError, InvalidReplicaAssignmentError, InvalidReplicationFactorError, NoReassignmentError.
    """
    before = find_partition(image, where)
    topic = image.topics[where.topic]
    original = tuple(n for n in before.replicas if n not in before.adding)
    if target is None:
        if not before.adding and not before.removing:
            raise NoReassignmentError(f"{where} isn't being moved; there is nothing to cancel")
        target = original
    else:
        target = check_replicas(target, tuple(image.brokers))
        if not other_factor and len(target) != len(original):
            raise InvalidReplicationFactorError(f"{where} has {len(original)} replicas, and would have {len(target)}")
    terms = terms_of(image, topic, static)
    wanted = _moved(before, original, tuple(target))
    if len(wanted.isr) < min(len(before.isr), max(1, terms.needed(wanted.replicas))):
        raise InvalidReplicaAssignmentError(
            f"{where} can't be moved to {list(target)}: its records are on {list(before.isr)}, and of those too few "
            f"would stay; at least {terms.needed(wanted.replicas)} have to be in sync"
        )
    after = settle(before, wanted, terms)
    return change_of(topic.topic_id, where.partition, before, after)


def _moved(before: PartitionImage, original: tuple[int, ...], target: tuple[int, ...]) -> PartitionImage:
    removing = tuple(n for n in original if n not in target)
    replicas = (*target, *removing)
    return replace(
        before,
        replicas=replicas,
        isr=tuple(n for n in before.isr if n in replicas),
        elr=tuple(n for n in before.elr if n in replicas),
        last_known_elr=tuple(n for n in before.last_known_elr if n in replicas),
        adding=tuple(n for n in target if n not in original),
        removing=removing,
    )


def reassignments(
    image: MetadataImage, topics: Mapping[str, Collection[int]] | None
) -> Iterator[tuple[TopicPartition, PartitionImage]]:
    """What is being moved, of those partitions or of all. What isn't there isn't told."""
    for name in image.topics if topics is None else topics:
        topic = image.topics.get(name)
        for number, partition in enumerate(topic.partitions if topic is not None else ()):
            if (partition.adding or partition.removing) and (topics is None or number in topics[name]):
                yield TopicPartition(name, number), partition
