"""Which brokers hold which replicas of a new topic. PURE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streamflow.log.errors import InvalidReplicaAssignmentError, InvalidReplicationFactorError


def place(partitions: int, replication_factor: int, brokers: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The replicas of each partition, leader first; partitions take turns over the brokers.

    Args:
        replication_factor: -1 is the cluster's default, 1.

    Raises: InvalidReplicationFactorError when there are too few brokers.
    """
    factor = 1 if replication_factor == -1 else replication_factor
    if not 1 <= factor <= len(brokers):
        raise InvalidReplicationFactorError(
            f"replication factor {factor} can't be had: the log has {len(brokers)} broker(s)"
        )
    turns = brokers + brokers
    return [turns[first : first + factor] for first in (n % len(brokers) for n in range(partitions))]


def check_replicas(replicas: Sequence[int], brokers: tuple[int, ...]) -> tuple[int, ...]:
    """Somebody's own choice of a partition's replicas. Raises: InvalidReplicaAssignmentError."""
    if not replicas:
        raise InvalidReplicaAssignmentError("a partition needs a replica; the list of them is empty")
    for broker in replicas:
        if broker not in brokers:
            raise InvalidReplicaAssignmentError(f"there is no broker {broker} that could hold a replica")
    if len(set(replicas)) < len(replicas):
        raise InvalidReplicaAssignmentError(f"a broker holds one replica of a partition; {list(replicas)} says more")
    return tuple(replicas)


def check_assignments(assignments: Mapping[int, Sequence[int]], brokers: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Somebody's own choice for all partitions of a new topic, by number. Raises: InvalidReplicaAssignmentError."""
    if sorted(assignments) != list(range(len(assignments))):
        raise InvalidReplicaAssignmentError(f"partitions are numbered from 0 without gaps, not {sorted(assignments)}")
    placed = [check_replicas(assignments[number], brokers) for number in range(len(assignments))]
    if len({len(replicas) for replicas in placed}) > 1:
        raise InvalidReplicaAssignmentError("all partitions of a topic have as many replicas")
    return placed
