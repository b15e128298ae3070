"""Creating and deleting topics: a request and the image in, records or a refusal out. PURE.

The rules for names, counts and settings are Kafka's (`Topic.validate`, `ReplicationControlManager`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from streamflow.errors import ConfigError, UnknownTopicError
from streamflow.log.controller import records as r
from streamflow.log.controller.configs import TOPIC_SETTINGS, parse_all
from streamflow.log.controller.image import MetadataImage
from streamflow.log.controller.placement import place
from streamflow.log.errors import InvalidTopicError, TopicExistsError

OFFSETS_TOPIC = "__consumer_offsets"
TRANSACTIONS_TOPIC = "__transaction_state"
INTERNAL_TOPICS = frozenset({OFFSETS_TOPIC, TRANSACTIONS_TOPIC})
"""Made by the node when first needed."""

NAME_CHARACTERS_MAX = 249
PARTITIONS_MAX = 10_000
"""Of one topic: far above what one node serves well, low enough that a slip of the hand doesn't fill the disk."""

_LEGAL = re.compile(r"[a-zA-Z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTopic:
    """`replication_factor` -1 is the cluster's default."""

    name: str
    partitions: int = 1
    replication_factor: int = -1
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


def create_topic(image: MetadataImage, new: NewTopic, topic_id: bytes, brokers: tuple[int, ...]) -> list[r.AnyRecord]:
    """The records that create the topic.

    Args:
        topic_id: 16 bytes that no topic ever had.
        brokers: those that may hold replicas.

    Raises: TopicExistsError, InvalidTopicError.
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
    if not 1 <= new.partitions <= PARTITIONS_MAX:
        raise InvalidTopicError(
            f"topic '{new.name}' can't have {new.partitions} partitions; give 1 to {PARTITIONS_MAX}"
        )
    try:
        parse_all(TOPIC_SETTINGS, new.config)
    except ConfigError as error:
        raise InvalidTopicError(f"topic '{new.name}': {error}") from None
    placed = place(new.partitions, new.replication_factor, brokers)
    return [
        r.Topic(name=new.name, topic_id=topic_id),
        *(r.TopicConfig(topic_id=topic_id, name=name, value=value) for name, value in new.config.items()),
        *(
            r.Partition(
                topic_id=topic_id,
                partition=number,
                leader=replicas[0],
                isr=replicas,
                replicas=replicas,
                leader_epoch=0,
                partition_epoch=0,
            )
            for number, replicas in enumerate(placed)
        ),
    ]


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
