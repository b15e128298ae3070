"""Committed offsets of a group stay: who asks is told the last that was acknowledged, or one committed after it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

from tests.simulation.checkers.operations import FAIL, OK, Found

COMMIT, ASK = "commit", "ask-offset"


class OffsetsOperation(Protocol):
    """`offsets`: what was committed, or told, by partition; -1 for none."""

    kind: str
    group: str
    began: float
    ended: float | None
    outcome: str
    offsets: dict[str, int]


def check(operations: Iterable[OffsetsOperation]) -> Found:
    """`committed-offset`, as group, partition, what was told, what may have been told. A commit of unknown outcome may
    come at any time after it was asked for."""
    commits: defaultdict[tuple[str, str], list[OffsetsOperation]] = defaultdict(list)
    asks: list[OffsetsOperation] = []
    for operation in operations:
        if operation.kind == COMMIT and operation.outcome != FAIL:
            for partition in operation.offsets:
                commits[operation.group, partition].append(operation)
        elif operation.kind == ASK and operation.outcome == OK:
            asks.append(operation)
    wrong = []
    for ask in asks:
        for partition, told in ask.offsets.items():
            may = possible(commits[ask.group, partition], partition, ask)
            if told not in may:
                wrong.append((ask.group, partition, told, sorted(may)))
    return {"committed-offset": wrong} if wrong else {}


def possible(commits: list[OffsetsOperation], partition: str, ask: OffsetsOperation) -> set[int]:
    """What whoever asks may be told."""
    assert ask.ended is not None
    settled = [c for c in commits if c.outcome == OK and c.ended is not None and c.ended <= ask.began]
    last_began = max((c.began for c in settled), default=None)
    may = {-1} if last_began is None else set()
    for commit in commits:
        if commit.began <= ask.ended and (
            last_began is None or commit.outcome != OK or commit.ended is None or commit.ended >= last_began
        ):
            may.add(commit.offsets[partition])
    return may
