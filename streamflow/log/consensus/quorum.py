"""Majorities. PURE."""

from __future__ import annotations

from collections.abc import Collection, Iterable


def majority(count: int) -> int:
    """How many of `count` voters decide."""
    return count // 2 + 1


def decides(some: Collection[int], voters: Collection[int]) -> bool:
    """Whether those are enough of the voters."""
    return len(set(some) & set(voters)) >= majority(len(voters))


def reached(values: Iterable[int]) -> int:
    """The highest value that a majority has reached, of one value a voter."""
    ordered = sorted(values, reverse=True)
    return ordered[majority(len(ordered)) - 1]
