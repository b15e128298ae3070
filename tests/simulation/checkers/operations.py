"""What clients did and saw, as checkers read it, and what follows from it alone.

An operation ends `ok`; `fail`, when it certainly did nothing; `info`, when nobody can tell. Values are unique in a
partition. Operations are in the order in which they began.

Rules for whoever edits this: doubt is `info`; a poll is evidence whatever became of its operation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Protocol

OK, FAIL, INFO = "ok", "fail", "info"
Partition = Hashable
Found = dict[str, list[Any]]
"""Anomalies, by their names."""


class Send(Protocol):
    """`offset` is known once it was acknowledged."""

    @property
    def partition(self) -> Any: ...
    @property
    def value(self) -> int: ...
    @property
    def offset(self) -> int | None: ...


class Operation(Protocol):
    """`polled`: offsets and values, by partition, in the order they came; before what was sent."""

    @property
    def process(self) -> str: ...
    @property
    def began(self) -> float: ...
    @property
    def outcome(self) -> str: ...
    @property
    def polled(self) -> Mapping[Any, Sequence[tuple[int, int]]]: ...
    @property
    def sent(self) -> Sequence[Send]: ...


class Evidence:
    """What a history proves. `read`: values that anybody read, by partition; `writer` of each value; `at`: values by
    partition and offset; `index`: where a value is among those known of its partition (offsets have gaps, where
    transactions end)."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self.operations = sorted(operations, key=lambda o: o.began)
        self.read: defaultdict[Partition, set[int]] = defaultdict(set)
        self.writer: dict[tuple[Partition, int], Operation] = {}
        for operation in self.operations:
            for send in operation.sent:
                self.writer[send.partition, send.value] = operation
            for partition, records in operation.polled.items():
                if operation.outcome == OK:
                    self.read[partition].update(value for _, value in records)
        self.at: defaultdict[Partition, defaultdict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
        for operation in self.operations:
            for partition, records in operation.polled.items():
                for offset, value in records:
                    self.at[partition][offset].add(value)
            if self.must(operation):
                for send in operation.sent:
                    if send.offset is not None:
                        self.at[send.partition][send.offset].add(send.value)
        self.places: dict[Partition, dict[int, list[int]]] = {}
        """Every index at which a value is."""
        for partition, values in self.at.items():
            places = self.places[partition] = {}
            for n, offset in enumerate(sorted(values)):
                for value in sorted(values[offset]):
                    places.setdefault(value, []).append(n)

    def must(self, operation: Operation) -> bool:
        """Whether all it sent is committed: it was told so, or one of it was seen (a transaction is whole)."""
        if operation.outcome == INFO:
            return any(send.value in self.read[send.partition] for send in operation.sent)
        return operation.outcome == OK

    def step(self, partition: Partition, before: int, after: int) -> int | None:
        """How far the second value is behind the first; None while it isn't known."""
        places = self.places.get(partition, {})
        return places[after][0] - places[before][0] if before in places and after in places else None
