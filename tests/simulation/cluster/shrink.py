"""The shortest run that still goes wrong: faults and clients are left out while it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from tests.simulation.cluster.run import Outcome, Scenario, run

T = TypeVar("T")
RUNS_MAX = 120


def kinds(outcome: Outcome) -> set[str]:
    """What went wrong, roughly: shrinking mustn't change one mistake into another."""
    return {violation.split(":")[0].split(" of ")[0] for violation in outcome.violations}


def shrink(scenario: Scenario, runs_max: int = RUNS_MAX) -> Outcome:
    """The outcome of the least scenario found in so many runs; of the scenario itself, if it doesn't fail."""
    best = run(scenario, keep=True)
    wanted = kinds(best)
    left = runs_max

    def fails(candidate: Scenario) -> bool:
        nonlocal best, left
        if left <= 0:
            return False
        left -= 1
        outcome = run(candidate, keep=True)
        if kinds(outcome) & wanted:
            best = outcome
            return True
        return False

    if not wanted:
        return best
    part(best.scenario.faults, lambda faults: fails(replace(best.scenario, faults=tuple(faults))))
    part(best.scenario.clients, lambda clients: fails(replace(best.scenario, clients=tuple(clients))))
    while best.scenario.seconds > 1 and fails(replace(best.scenario, seconds=best.scenario.seconds / 2)):
        pass
    part(best.scenario.faults, lambda faults: fails(replace(best.scenario, faults=tuple(faults))))
    return best


def part(items: Sequence[T], fails: Callable[[Sequence[T]], bool]) -> Sequence[T]:
    """A part of the items that fails, of which nothing more can be left out (Zeller's delta debugging)."""
    size = max(1, len(items) // 2)
    while True:
        at = 0
        while at < len(items):
            fewer = [*items[:at], *items[at + size :]]
            if fails(fewer):
                items = fewer
            else:
                at += size
        if size == 1:
            return items
        size //= 2
