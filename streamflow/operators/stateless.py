"""Operators that keep nothing: one pass over a column each. PURE."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from streamflow.event import Batch
from streamflow.operators.base import Operator, OperatorFailed


def apply(fn: Callable[[Any], Any], column: Sequence[Any]) -> list[Any]:
    """`fn` of each value, in order. Raises: OperatorFailed naming the one it raised on."""
    results: list[Any] = []
    try:
        # Growing a list by a map keeps what was made before the failure: its length is the failing index.
        results.extend(map(fn, column))
    except Exception as error:
        raise OperatorFailed(len(results)) from error
    return results


class Map(Operator):
    """Each value replaced by `fn(value)`."""

    def __init__(self, fn: Callable[[Any], Any]) -> None:
        self._fn = fn

    def on_batch(self, batch: Batch, side: int = 0) -> Batch | None:
        return batch.with_values(apply(self._fn, batch.values))


class Filter(Operator):
    """Events whose value the predicate is true for."""

    def __init__(self, predicate: Callable[[Any], object]) -> None:
        self._predicate = predicate

    def on_batch(self, batch: Batch, side: int = 0) -> Batch | None:
        return batch.select(apply(self._predicate, batch.values))


class BranchOf(Operator):
    """Events whose first true predicate is the one numbered `number`."""

    def __init__(self, predicates: Sequence[Callable[[Any], object]], number: int) -> None:
        self._before = predicates[:number]
        self._own = predicates[number]

    def on_batch(self, batch: Batch, side: int = 0) -> Batch | None:
        return batch.select(apply(self._first, batch.values))

    def _first(self, value: Any) -> bool:
        return not any(p(value) for p in self._before) and bool(self._own(value))


class FlatMap(Operator):
    """Each value replaced by the values `fn(value)` iterates over; key, time and offset are the event's."""

    def __init__(self, fn: Callable[[Any], Iterable[Any]]) -> None:
        self._fn = fn

    def on_batch(self, batch: Batch, side: int = 0) -> Batch | None:
        lists = apply(lambda value: list(self._fn(value)), batch.values)
        at = [n for n, values in enumerate(lists) for _ in values]
        return Batch(
            [batch.keys[n] for n in at],
            [value for values in lists for value in values],
            [batch.timestamps[n] for n in at],
            [batch.offsets[n] for n in at],
            None if batch.headers is None else [batch.headers[n] for n in at],
            None if batch.watermarks is None else [batch.watermarks[n] for n in at],
        )


class Rekey(Operator):
    """The same events under the key `fn(value)`."""

    def __init__(self, fn: Callable[[Any], Any]) -> None:
        self._fn = fn

    def on_batch(self, batch: Batch, side: int = 0) -> Batch | None:
        keys = apply(self._fn, batch.values)
        return Batch(keys, batch.values, batch.timestamps, batch.offsets, batch.headers, batch.watermarks)
