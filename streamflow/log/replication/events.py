"""What happens to a partition's leader, and what it orders."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """The leader's own log now ends at `end`. `repaired`: what was appended would be written again at the same offset
    if it were lost (a marker of a transaction whose outcome is durable already)."""

    end: int
    repaired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Flushed:
    """The leader's own log is durable below `end`."""

    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HighWatermarkMoved:
    """Records below `offset` are committed: readers may see them."""

    offset: int


Event = Appended | Flushed
Effect = HighWatermarkMoved
