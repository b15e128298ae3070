"""How a node's part of a cluster stands: which of its partitions lack replicas, and how far its followers are behind.

Promises: a partition is counted by one node alone, the one that leads it, and one that nobody leads by the active
controller: sums over a cluster's nodes come out right.
"""

from __future__ import annotations

from collections.abc import Iterator

from streamflow.event import TopicPartition
from streamflow.log.controller.image import NO_LEADER
from streamflow.log.node.node import Node
from streamflow.log.node.replica import Replica


def led(node: Node) -> Iterator[Replica]:
    """What the node leads."""
    return (replica for replica in list(node.topics.replicas.values()) if replica.leads)


def under_replicated(node: Node) -> int:
    """Partitions with replicas that aren't in sync."""
    return sum(len(r.leader.isr.committed) < len(r.leader.assignment.replicas) for r in led(node))


def under_min_isr(node: Node) -> int:
    """Partitions whose producers are refused when they ask for acks=all."""
    return sum(len(r.leader.isr.committed) < r.admission.in_sync_min for r in led(node))


def offline(node: Node) -> int:
    """Partitions that nobody leads, if this is the active controller, and what this node should lead and can't."""
    topics = node.topics
    active, serving = topics.metadata.active, topics.hosted.serving
    return sum(
        (active and partition.leader == NO_LEADER)
        or (serving and partition.leader == topics.metadata.node_id and where not in topics.replicas)
        for topic in list(topics.metadata.image.topics.values())
        for number, partition in enumerate(topic.partitions)
        for where in (TopicPartition(topic.name, number),)
    )


def fenced(node: Node) -> int:
    """Brokers that registered and aren't admitted now, if this is the active controller."""
    metadata = node.topics.metadata
    return sum(broker.fenced for broker in metadata.image.brokers.values()) if metadata.active else 0


def quarantined(node: Node) -> int:
    """Ranges of offsets that can't be read here, and whose loss wasn't accepted."""
    return sum(not q.accepted for replica in list(node.topics.replicas.values()) for q in replica.log.quarantined)


def follower_lags(node: Node) -> dict[int, int]:
    """By broker, the records it lacks of what is led here, in the partition where it lacks most."""
    furthest: dict[int, int] = {}
    for replica in led(node):
        leader, start = replica.leader, replica.log.log_start_offset
        for follower in leader.assignment.replicas:
            standing = leader.standing(follower)
            if standing is not None:
                # One that hasn't fetched from this leader yet may lack everything.
                lag = leader.end - max(standing.end, start)
                furthest[follower] = max(furthest.get(follower, 0), lag)
    return furthest
