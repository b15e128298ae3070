"""Which brokers hold which replicas of a new partition. PURE.

The idea is Kafka's (`StripedReplicaPlacer`): brokers take turns, rack by rack, so that a partition's replicas are on as
many racks as there are, each broker leads as many partitions, and partitions that share a leader don't share all
followers. Fenced brokers hold replicas where there are too few others, and don't lead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from streamflow.log.controller.image import BrokerImage
from streamflow.log.errors import InvalidReplicaAssignmentError, InvalidReplicationFactorError


def place(
    partitions: int,
    replication_factor: int,
    brokers: Sequence[int],
    known: Mapping[int, BrokerImage] | None = None,
    *,
    first: int = 0,
) -> list[tuple[int, ...]]:
    """The replicas of each partition, leader first.

    Args:
        brokers: those that may hold replicas.
        known: what is registered of them: their racks, and who may lead.
        first: where in the row to begin; topics that all begin at the same place have the same leaders.

    Raises: InvalidReplicationFactorError when there are too few brokers.
    """
    known = known or {}
    if not 1 <= replication_factor <= len(brokers):
        raise InvalidReplicationFactorError(
            f"replication factor {replication_factor} can't be had: the log has {len(brokers)} broker(s)"
        )
    able = [n for n in brokers if n not in known or known[n].may_lead]
    if not able:
        raise InvalidReplicationFactorError(f"none of the brokers {list(brokers)} could lead; start one")
    row = _row(able, known)
    rest = _row([n for n in brokers if n not in able], known)
    return [_replicas(row, rest, replication_factor, known, first + number) for number in range(partitions)]


def _row(brokers: Sequence[int], known: Mapping[int, BrokerImage]) -> list[int]:
    """One broker of each rack in turn, so that neighbours are on different racks."""
    racks: dict[str | None, list[int]] = {}
    for broker in brokers:
        racks.setdefault(_rack(broker, known), []).append(broker)
    longest = max(map(len, racks.values()), default=0)
    return [rack[turn] for turn in range(longest) for rack in racks.values() if turn < len(rack)]


def _replicas(
    row: list[int], rest: list[int], factor: int, known: Mapping[int, BrokerImage], turn: int
) -> tuple[int, ...]:
    start, rounds = turn % len(row), turn // len(row)
    others = row[start + 1 :] + row[:start]
    # Each time round, the followers begin one further along: else the load of a broker that fails falls on one other.
    shift = rounds % len(others) if others else 0
    waiting = [*others[shift:], *others[:shift], *rest]
    chosen = [row[start]]
    while len(chosen) < factor:
        used = Counter(_rack(n, known) for n in chosen)
        follower = min(waiting, key=lambda n, used=used: (n in rest, used[_rack(n, known)]))  # type: ignore[misc]
        waiting.remove(follower)
        chosen.append(follower)
    return tuple(chosen)


def _rack(broker: int, known: Mapping[int, BrokerImage]) -> str | None:
    return known[broker].rack if broker in known else None


def internal_factor(wanted: int, registered: int, expected: int) -> int:
    """How many replicas the log's own topics get: as many as wanted, or as there are brokers.

    Args:
        expected: how many brokers there will be at least: a cluster that starts doesn't leave them on its first one.

    Raises: InvalidReplicationFactorError while there are fewer than will be.
    """
    factor = min(wanted, max(registered, expected))
    if registered < factor:
        raise InvalidReplicationFactorError(
            f"the log's own topics need {factor} brokers and {registered} have registered; wait for the others"
        )
    return factor


def check_replicas(replicas: Sequence[int], brokers: Sequence[int]) -> tuple[int, ...]:
    """Somebody's own choice of a partition's replicas. Raises: InvalidReplicaAssignmentError."""
    if not replicas:
        raise InvalidReplicaAssignmentError("a partition needs a replica; the list of them is empty")
    for broker in replicas:
        if broker not in brokers:
            raise InvalidReplicaAssignmentError(f"there is no broker {broker} that could hold a replica")
    if len(set(replicas)) < len(replicas):
        raise InvalidReplicaAssignmentError(f"a broker holds one replica of a partition; {list(replicas)} says more")
    return tuple(replicas)


def check_assignments(assignments: Mapping[int, Sequence[int]], brokers: Sequence[int]) -> list[tuple[int, ...]]:
    """Somebody's own choice for all partitions of a new topic, by number. Raises: InvalidReplicaAssignmentError."""
    if sorted(assignments) != list(range(len(assignments))):
        raise InvalidReplicaAssignmentError(f"partitions are numbered from 0 without gaps, not {sorted(assignments)}")
    placed = [check_replicas(assignments[number], brokers) for number in range(len(assignments))]
    if len({len(replicas) for replicas in placed}) > 1:
        raise InvalidReplicaAssignmentError("all partitions of a topic have as many replicas")
    return placed
