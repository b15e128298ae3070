"""What clients did and saw: operations as they began and ended.

An operation is a send, a transaction, or a poll. It ends `ok`; `fail`, when it certainly did nothing; or `info`, when
nobody can tell (a time-out, a client that was torn down). Values are unique. A process never changes what it reads: who
is assigned something else goes on under another name.

Rules for whoever edits this: doubt is `info`. A `fail` that was appended is reported as an anomaly, and so is an `ok`
that wasn't.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

OK, FAIL, INFO = "ok", "fail", "info"


@dataclass(slots=True)
class Send:
    """`offset` is known once it was acknowledged."""

    partition: int
    value: int
    offset: int | None = None


@dataclass(slots=True)
class Operation:
    """`polled` is what was read, by partition, as offset and value; it comes before what was sent. Times in seconds."""

    process: str
    kind: str
    began: float
    polled: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    sent: list[Send] = field(default_factory=list)
    outcome: str = INFO
    ended: float | None = None
    error: str = ""

    def send(self, partition: int, value: int) -> Send:
        """One more send of this operation."""
        self.sent.append(Send(partition, value))
        return self.sent[-1]

    def saw(self, partition: int, offset: int, value: int) -> None:
        """One more record that it read."""
        self.polled.setdefault(partition, []).append((offset, value))


class History:
    """All operations of a run. Threads may write to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.operations: list[Operation] = []

    def begin(self, process: str, kind: str, now: float) -> Operation:
        """An operation whose outcome isn't known: `info` unless `end` is called."""
        operation = Operation(process, kind, now)
        with self._lock:
            self.operations.append(operation)
        return operation

    def end(self, operation: Operation, outcome: str, now: float, error: str = "") -> None:
        operation.outcome, operation.ended, operation.error = outcome, now, error

    def add(self, operation: Operation) -> None:
        """One that has ended already."""
        with self._lock:
            self.operations.append(operation)

    def counts(self) -> dict[str, Counter[str]]:
        """How many operations of each kind came to each outcome."""
        by_kind: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for operation in self.operations:
            by_kind[operation.kind][operation.outcome] += 1
        return dict(by_kind)

    def acknowledged(self) -> int:
        """Records that were promised to stay."""
        return sum(len(o.sent) for o in self.operations if o.outcome == OK)

    def must_be_read(self) -> set[tuple[int, int]]:
        """Partition and value of all of them."""
        return {(s.partition, s.value) for o in self.operations if o.outcome == OK for s in o.sent}

    def write(self, path: Path) -> None:
        """A line of JSON an operation."""
        with path.open("w") as out:
            out.writelines(json.dumps(asdict(operation)) + "\n" for operation in self.operations)


def unavailability(operations: Sequence[Operation], began: float, ended: float) -> dict[int, float]:
    """By partition: the longest time, in seconds, in which nobody had a send acknowledged."""
    times: defaultdict[int, list[float]] = defaultdict(list)
    for operation in operations:
        if operation.outcome == OK and operation.ended is not None:
            for send in operation.sent:
                times[send.partition].append(operation.ended)
    return {partition: longest_gap(sorted(each), began, ended) for partition, each in sorted(times.items())}


def longest_gap(times: Sequence[float], began: float, ended: float) -> float:
    """Between neighbours, the two ends included."""
    inside = [began, *(t for t in times if began <= t <= ended), ended]
    return max(b - a for a, b in itertools.pairwise(inside))


def uneven_copies(operations: Sequence[Operation]) -> dict[str, list[tuple[int, int]]]:
    """Inputs that committed transactions used twice, or passed over: exactly once is neither.

    A copy reads, writes and commits its offsets in one transaction; all copies of a partition are one group's. A
    transaction of unknown outcome counts when somebody has read what it wrote.
    """
    read = {(k, v) for o in operations if o.kind != "copy" for k, seen in o.polled.items() for _, v in seen}
    committed = [
        o
        for o in operations
        if o.kind == "copy"
        and (o.outcome == OK or (o.outcome == INFO and any((s.partition, s.value) in read for s in o.sent)))
    ]
    used: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for operation in committed:
        for partition, seen in operation.polled.items():
            used[partition].update(offset for offset, _ in seen)
    there = {(k, offset) for o in operations if o.outcome == OK for k, seen in o.polled.items() for offset, _ in seen}
    found = {
        "copied-twice": [(k, offset) for k, offsets in used.items() for offset, n in offsets.items() if n > 1],
        "copy-skipped": sorted((k, o) for k, o in there if k in used and o < max(used[k]) and o not in used[k]),
    }
    return {name: which for name, which in found.items() if which}
