"""What clients did and saw, in the order in which it began."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.simulation.checkers.operations import INFO
from tests.simulation.cluster.loop import SimulatedLoop

COMMITTED, ANYTHING = "poll", "peek"
"""Kinds of reading: committed records alone, or all."""


@dataclass(slots=True)
class Send:
    """`offset` is known once it was acknowledged."""

    partition: str
    value: int
    offset: int | None = None


@dataclass(slots=True)
class Operation:
    """`polled` by partition, as offset and value. `group` and `offsets` are of who commits or asks for offsets. Times
    in seconds; `began` is unique."""

    process: str
    kind: str
    began: float
    polled: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    sent: list[Send] = field(default_factory=list)
    outcome: str = INFO
    ended: float | None = None
    error: str = ""
    group: str = ""
    offsets: dict[str, int] = field(default_factory=dict)

    def saw(self, partition: str, offset: int, value: int) -> None:
        """One more record."""
        self.polled.setdefault(partition, []).append((offset, value))


class History:
    """`violations` is what a client itself knows to be wrong."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop
        self.operations: list[Operation] = []
        self.violations: list[str] = []

    def begin(self, process: str, kind: str, **known: Any) -> Operation:
        """An operation whose outcome isn't known until `end` is called."""
        operation = Operation(process, kind, self._loop.time() + len(self.operations) * 1e-9, **known)
        self.operations.append(operation)
        return operation

    def end(self, operation: Operation, outcome: str, error: str = "") -> None:
        operation.outcome, operation.ended, operation.error = outcome, self._loop.time(), error

    def counts(self) -> Counter[tuple[str, str]]:
        """How many operations of each kind came to each outcome."""
        return Counter((operation.kind, operation.outcome) for operation in self.operations)

    def rows(self) -> list[dict[str, Any]]:
        """To be written as JSON."""
        return [asdict(operation) for operation in self.operations]
