"""Which brokers hold which replicas of a new topic. PURE."""

from __future__ import annotations

from streamflow.log.errors import InvalidTopicError


def place(partitions: int, replication_factor: int, brokers: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The replicas of each partition, leader first; partitions take turns over the brokers.

    Args:
        replication_factor: -1 is the cluster's default, 1.

    Raises: InvalidTopicError when there are too few brokers.
    """
    factor = 1 if replication_factor == -1 else replication_factor
    if not 1 <= factor <= len(brokers):
        raise InvalidTopicError(f"replication factor {factor} can't be had: the log has {len(brokers)} broker(s)")
    turns = brokers + brokers
    return [turns[first : first + factor] for first in (n % len(brokers) for n in range(partitions))]
