"""What is wrong with a run's history: the known anomalies, and copies that weren't made exactly once.

Rules for whoever edits this: definitions of anomalies belong to `tests/simulation/checkers`, which the simulation
uses too; a history's operations are what those read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.chaos.history import Operation, uneven_copies
from tests.simulation.checkers.anomalies import find


def anomalies(operations: Sequence[Operation]) -> dict[str, list[Any]]:
    """By their names; empty if there are none."""
    return {**find(operations), **uneven_copies(operations)}
