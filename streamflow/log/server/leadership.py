"""Which replica a request is for, and who leads a partition where this node doesn't (KIP-951).

A client that asks the wrong node, or believes in another leader epoch, is told who leads and where that is, so that it
needn't ask for metadata first.
"""

from __future__ import annotations

from collections.abc import Iterator

from streamflow.errors import UnknownTopicError
from streamflow.log.controller.image import TopicImage
from streamflow.log.errors import (
    FencedLeaderEpochError,
    NotLeaderError,
    UnknownLeaderEpochError,
    UnknownTopicIdError,
)
from streamflow.log.node.replica import Replica
from streamflow.log.server.broker import NO_ID, Broker

ANY_EPOCH = -1


def find_topic(broker: Broker, name: str, topic_id: bytes = NO_ID) -> TopicImage:
    """Raises: UnknownTopicError, UnknownTopicIdError."""
    topic = broker.topic(name, topic_id)
    if topic is None:
        raise UnknownTopicError(name) if topic_id == NO_ID else UnknownTopicIdError(f"no topic has id {topic_id.hex()}")
    return topic


def find_replica(broker: Broker, topic: TopicImage, partition: int, epoch: int = ANY_EPOCH) -> Replica:
    """This node's replica, whether it leads or not.

    Args:
        epoch: the leader epoch whoever asks believes in (KIP-320).

    Raises: UnknownTopicError for a partition that isn't there, or couldn't be opened; NotLeaderError,
        FencedLeaderEpochError, UnknownLeaderEpochError.
    """
    replica = broker.replica(topic, partition)
    if replica is None:
        if 0 <= partition < len(topic.partitions) and topic.partitions[partition].leader != broker.node_id:
            raise NotLeaderError(f"{topic.name}-{partition} has no replica on node {broker.node_id}")
        raise UnknownTopicError(f"{topic.name}-{partition}")
    if epoch not in (ANY_EPOCH, replica.leader_epoch):
        kind = FencedLeaderEpochError if epoch < replica.leader_epoch else UnknownLeaderEpochError
        raise kind(f"{replica.where} is in leader epoch {replica.leader_epoch} here, not {epoch}")
    return replica


def find_leader(broker: Broker, topic: TopicImage, partition: int, epoch: int = ANY_EPOCH) -> Replica:
    """This node's replica, which leads. Raises: as `find_replica`."""
    replica = find_replica(broker, topic, partition, epoch)
    if not replica.leads:
        raise NotLeaderError(f"{replica.where} isn't led by node {broker.node_id}")
    return replica


class Directions:
    """To other nodes, for one answer: who leads the partitions it refuses, and where clients reach those."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._nodes: dict[int, None] = {}

    def leader(self, topic: TopicImage | None, partition: int) -> tuple[int, int] | None:
        """The leader and its epoch, as metadata has it."""
        if topic is None or not 0 <= partition < len(topic.partitions):
            return None
        known = topic.partitions[partition]
        self._nodes[known.leader] = None
        return known.leader, known.leader_epoch

    def endpoints(self) -> Iterator[tuple[int, str, int, str | None]]:
        """Node, host, port, rack of the leaders that were named."""
        brokers = self._broker.node.topics.metadata.image.brokers
        for node_id in sorted(self._nodes):
            if (found := brokers.get(node_id)) is not None and found.host:
                yield found.broker_id, found.host, found.port, found.rack
