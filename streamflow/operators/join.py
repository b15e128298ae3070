"""A stream with a table: each event with the table's value of its key, as of its reading. PURE."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar

import msgspec

from streamflow.event import Batch
from streamflow.operators.base import Operator, OperatorFailed
from streamflow.operators.stateless import apply

L = TypeVar("L")
R = TypeVar("R")


class Joined(msgspec.Struct, Generic[L, R], frozen=True):
    """An event's value and its row; `right` is None where a left join found none."""

    left: L
    right: R


class JoinTable(Operator):
    """`merge(value, row)` for each event; without a row, dropped (`inner`) or merged with None (`left`)."""

    def __init__(
        self,
        lookup: Callable[[Any], Any],
        merge: Callable[[Any, Any], Any] | None = None,
        how: Literal["inner", "left"] = "inner",
    ) -> None:
        self._lookup = lookup
        self._merge: Callable[[Any, Any], Any] = merge or Joined
        self._how = how

    def on_batch(self, batch: Batch, side: int = 0) -> Batch | None:
        rows = apply(self._lookup, batch.keys)
        if self._how == "inner" and None in rows:
            there = [at for at, row in enumerate(rows) if row is not None]
            batch = batch.select([row is not None for row in rows])
            try:
                return batch.with_values(apply(self._merge, batch.values, [rows[at] for at in there]))
            except OperatorFailed as failure:
                raise OperatorFailed(there[failure.index]) from failure.__cause__
        return batch.with_values(apply(self._merge, batch.values, rows))
