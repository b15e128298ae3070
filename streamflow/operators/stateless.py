"""Operators that keep nothing: one pass over a column each. PURE."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, repeat
from typing import Any

from streamflow.event import Batch
from streamflow.operators.base import Operator, OperatorFailed


def apply(fn: Callable[..., Any], *columns: Sequence[Any]) -> list[Any]:
    """`fn` of each row of these columns, in order. Raises: OperatorFailed naming the one it raised on."""
    results: list[Any] = []
    try:
        # Growing a list by a map keeps what was made before the failure: its length is the failing index.
        results.extend(map(fn, *columns))
    except Exception as error:
        raise OperatorFailed(len(results)) from error
    if len(results) < len(columns[0]):  # a map takes StopIteration for its end: events would be lost without a word
        raise OperatorFailed(len(results)) from RuntimeError("StopIteration: next() of nothing; give it a default")
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
        at = list(chain.from_iterable(map(repeat, range(len(lists)), map(len, lists))))

        def spread(column: Sequence[Any]) -> list[Any]:
            return list(map(column.__getitem__, at))

        return Batch(
            spread(batch.keys),
            list(chain.from_iterable(lists)),
            spread(batch.timestamps),
            spread(batch.offsets),
            None if batch.headers is None else spread(batch.headers),
            None if batch.watermarks is None else spread(batch.watermarks),
        )


class Rekey(Operator):
    """The same events under the key `fn(value)`."""

    def __init__(self, fn: Callable[[Any], Any]) -> None:
        self._fn = fn

    def on_batch(self, batch: Batch, side: int = 0) -> Batch | None:
        keys = apply(self._fn, batch.values)
        return Batch(keys, batch.values, batch.timestamps, batch.offsets, batch.headers, batch.watermarks)
