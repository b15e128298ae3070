"""Creating and deleting topics: a request and the image in, records or a refusal out. PURE.

The rules for names, counts and settings are Kafka's (`Topic.validate`, `ReplicationControlManager`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streamflow.errors import ConfigError, UnknownTopicError
from streamflow.log.controller import records as r
from streamflow.log.controller.alter import Alterable
from streamflow.log.controller.image import BrokerImage, MetadataImage
from streamflow.log.controller.inert import ALL_TOPIC_SETTINGS
from streamflow.log.controller.placement import check_assignments, place
from streamflow.log.errors import (
    InvalidPartitionsError,
    InvalidReplicaAssignmentError,
    InvalidTopicConfigError,
    InvalidTopicError,
    TopicExistsError,
)

OFFSETS_TOPIC = "__consumer_offsets"
TRANSACTIONS_TOPIC = "__transaction_state"
INTERNAL_TOPICS = frozenset({OFFSETS_TOPIC, TRANSACTIONS_TOPIC})
"""Made by the node when first needed."""

NAME_CHARACTERS_MAX = 249
PARTITIONS_MAX = 10_000
"""Of one topic: far above what one node serves well, low enough that a slip of the hand doesn't fill the disk."""

TOPIC_ALTERABLE = Alterable(settings=ALL_TOPIC_SETTINGS, ordered=[("min.compaction.lag.ms", "max.compaction.lag.ms")])

_LEGAL = re.compile(r"[a-zA-Z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTopic:
    """`replication_factor` -1 is the cluster's default (`default.replication.factor`). `assignments`, if any, say
    which brokers hold each partition: then they are as many as there are partitions."""

    name: str
    partitions: int = 1
    replication_factor: int = -1
    assignments: Mapping[int, Sequence[int]] = field(default_factory=dict)
    config: Mapping[str, str] = field(default_factory=dict)


def validate_name(name: str) -> None:
    """Raises: InvalidTopicError when Kafka wouldn't take the name."""
    if not name:
        raise InvalidTopicError("a topic's name can't be empty")
    if name in (".", ".."):
        raise InvalidTopicError(f"topic name '{name}' isn't allowed; choose another than '.' and '..'")
    if len(name) > NAME_CHARACTERS_MAX:
        raise InvalidTopicError(
            f"topic name '{name[:40]}…' has {len(name)} characters; the limit is {NAME_CHARACTERS_MAX}"
        )
    if not _LEGAL.fullmatch(name):
        raise InvalidTopicError(f"topic name '{name}' isn't legal; use ASCII letters, digits, '.', '_' and '-' only")


def create_topic(
    image: MetadataImage,
    new: NewTopic,
    topic_id: bytes,
    brokers: Sequence[int],
    *,
    default_factor: int = 1,
    first: int = 0,
) -> list[r.AnyRecord]:
    """The records that create the topic.

    Args:
        topic_id: 16 bytes that no topic ever had.
        brokers: those that may hold replicas.
        first: any number: the turn at which `place` begins.

    Raises: TopicExistsError, InvalidTopicError and its kinds.
    """
    assert topic_id not in image.topics_by_id, "a topic id is new"
    assert topic_id not in image.removed, "a topic id is new"
    validate_name(new.name)
    if new.name in image.topics:
        raise TopicExistsError(new.name)
    twin = next((n for n in image.topics if n.replace(".", "_") == new.name.replace(".", "_")), None)
    if twin is not None:
        raise InvalidTopicError(
            f"topic name '{new.name}' collides with '{twin}': '.' and '_' are the same in the names of metrics"
        )
    count = len(new.assignments) or new.partitions
    if not 1 <= count <= PARTITIONS_MAX:
        raise InvalidPartitionsError(f"topic '{new.name}' can't have {count} partitions; give 1 to {PARTITIONS_MAX}")
    try:
        config = TOPIC_ALTERABLE.checked(new.config, new.config)
    except ConfigError as error:
        raise InvalidTopicConfigError(f"topic '{new.name}': {error}") from None
    if new.assignments:
        placed = check_assignments(new.assignments, brokers)
    else:
        factor = default_factor if new.replication_factor == -1 else new.replication_factor
        placed = place(count, factor, brokers, image.brokers, first=first)
    return [
        r.Topic(name=new.name, topic_id=topic_id),
        *(r.TopicConfig(topic_id=topic_id, name=name, value=value) for name, value in config.items()),
        *new_partitions(topic_id, 0, placed, image.brokers),
    ]


def new_partitions(
    topic_id: bytes, number: int, placed: Sequence[tuple[int, ...]], known: Mapping[int, BrokerImage]
) -> list[r.Partition]:
    """The records of partitions that begin their lives, from a number on: all replicas that may lead are in sync, and
    the first of them leads.

    Raises: InvalidReplicaAssignmentError when none may.
    """
    records = []
    for at, replicas in enumerate(placed, number):
        isr = tuple(n for n in replicas if n not in known or known[n].may_lead)
        if not isr:
            raise InvalidReplicaAssignmentError(f"none of the brokers {list(replicas)} could lead partition {at}")
        records.append(
            r.Partition(
                topic_id=topic_id,
                partition=at,
                leader=isr[0],
                isr=isr,
                replicas=replicas,
                leader_epoch=0,
                partition_epoch=0,
            )
        )
    return records


def delete_topic(image: MetadataImage, name: str) -> list[r.AnyRecord]:
    """The record that deletes the topic.

    Raises: UnknownTopicError; InvalidTopicError for a topic that the node itself needs.
    """
    topic = image.topics.get(name)
    if topic is None:
        raise UnknownTopicError(name, list(image.topics))
    if name in INTERNAL_TOPICS:
        raise InvalidTopicError(f"topic '{name}' holds offsets or transactions and can't be deleted")
    return [r.RemoveTopic(topic_id=topic.topic_id)]
