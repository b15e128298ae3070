"""What happens to a partition's replicas, and what they order. The nouns are Kafka's (KIP-101, KIP-320, KIP-497)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

NOBODY = -1
"""As a leader: nobody leads at the moment."""
NO_EPOCH = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Who has a partition, as metadata says. `me` is one of the `replicas`.

    Args:
        in_sync_min: `min.insync.replicas`; no more are asked for than there are replicas.
        lag_ms_max: `replica.lag.time.max.ms`: who hasn't caught up for longer isn't in sync.
    """

    me: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    partition_epoch: int = 0
    in_sync_min: int = 1
    lag_ms_max: int = 30_000

    @property
    def in_sync_needed(self) -> int:
        return min(self.in_sync_min, len(self.replicas))


# To both


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """The replica's own log now ends at `end`. `repaired`: what was appended would be written again at the same offset
    if it were lost (a marker of a transaction whose outcome is durable already)."""

    end: int
    repaired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Flushed:
    """The replica's own log is durable below `end`."""

    end: int


# To a leader


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A follower asks for what comes at `offset`: it has everything below, and `last_epoch` is its last record's.

    Args:
        leader_epoch: in which it believes this leader to lead.
        broker_epoch: of the life of its broker that asks (KIP-903).
        eligible: metadata knows that life, and it is neither fenced nor stopping (KIP-841).
    """

    replica: int
    broker_epoch: int
    leader_epoch: int
    offset: int
    last_epoch: int
    log_start_offset: int = 0
    eligible: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Reassigned:
    """Metadata has a newer state of the partition, in the same leader epoch; or a setting has changed."""

    assignment: Assignment


@dataclass(frozen=True, slots=True, kw_only=True)
class IsrCommitted:
    """The controller answers that this ISR is committed."""

    isr: tuple[int, ...]
    partition_epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IsrNotCommitted:
    """A proposal made in `partition_epoch` was refused, or nobody knows what came of it: a copy of it may still be on
    its way, so the two are one."""

    partition_epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePassed:
    """Who lags is looked at."""


# To a follower


class Trouble(Enum):
    """Why a leader didn't serve a fetch."""

    OUT_OF_RANGE = auto()
    OTHER = auto()
    """Epochs that don't agree, another leader, a disk that failed: it passes, or metadata will tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a follower's next fetch says of it."""

    offset: int
    last_epoch: int
    leader_epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The leader's answer to `ask`.

    Args:
        diverging: the leader's largest epoch that isn't above the follower's last, and where it ends there.
        log_start_offset: the leader's; told with `OUT_OF_RANGE` too.
    """

    ask: Ask
    high_watermark: int = -1
    log_start_offset: int = -1
    diverging: tuple[int, int] | None = None
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncated:
    """The follower's own log now ends at `end`: `Truncate` was done."""

    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedAnew:
    """The follower's own log is empty, and begins at `offset`: `StartAnew` was done."""

    offset: int


# What they order


@dataclass(frozen=True, slots=True, kw_only=True)
class HighWatermarkMoved:
    """Records below `offset` are committed: readers may see them."""

    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeIsr:
    """Ask the controller for this ISR: brokers and the epochs they fetched with; -1 where none is known."""

    members: tuple[tuple[int, int], ...]
    leader_epoch: int
    partition_epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Diverged:
    """The follower has records this leader hasn't: they agree at most up to `end`, in `epoch`."""

    epoch: int
    end: int


class Refusal(Enum):
    """Why a leader doesn't serve a fetch."""

    FENCED_EPOCH = auto()
    UNKNOWN_EPOCH = auto()
    UNKNOWN_REPLICA = auto()
    STALE_BROKER = auto()
    OUT_OF_RANGE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """Append what the leader sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncate:
    """Remove what is at or above `offset`, and what was sent."""

    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StartAnew:
    """Remove everything; the log goes on at `offset`."""

    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveStart:
    """Records below `offset` were deleted by the leader (KIP-107)."""

    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOff:
    """Ask again later; `reason` where somebody should look at it."""

    reason: str = ""


LeaderEvent = Appended | Flushed | Fetched | Reassigned | IsrCommitted | IsrNotCommitted | TimePassed
LeaderEffect = HighWatermarkMoved | ProposeIsr
FollowerEvent = Appended | Flushed | Answered | Truncated | StartedAnew
FollowerEffect = HighWatermarkMoved | Append | Truncate | StartAnew | MoveStart | BackOff
