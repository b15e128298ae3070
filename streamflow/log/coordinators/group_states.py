"""States of a classic group, which follow each other, and the settings that say how long. PURE."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class GroupState(Enum):
    """With the names Kafka's tools show."""

    EMPTY = "Empty"
    PREPARING_REBALANCE = "PreparingRebalance"
    COMPLETING_REBALANCE = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"


S = GroupState
NEXT = {
    S.EMPTY: {S.PREPARING_REBALANCE, S.DEAD},
    S.PREPARING_REBALANCE: {S.COMPLETING_REBALANCE, S.EMPTY},
    S.COMPLETING_REBALANCE: {S.STABLE, S.PREPARING_REBALANCE},
    S.STABLE: {S.PREPARING_REBALANCE},
    S.DEAD: {S.EMPTY},  # when the deletion couldn't be written
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassicConfig:
    """Kafka's settings of classic groups, by its names and with its defaults."""

    initial_rebalance_delay_ms: int = 3_000
    """`group.initial.rebalance.delay.ms`"""
    max_size: int = 2**31 - 1
    """`group.max.size`"""
    session_timeout_ms_min: int = 6_000
    """`group.min.session.timeout.ms`"""
    session_timeout_ms_max: int = 1_800_000
    """`group.max.session.timeout.ms`"""
    new_member_timeout_ms: int = 300_000
    """How long a new member waits for its first generation: it can't send heartbeats meanwhile, so that nobody sees
    whether it is still there (as Kafka)."""
