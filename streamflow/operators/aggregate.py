"""What is computed over a group of values. PURE.

An aggregate folds values into an accumulator that can be written down (MessagePack), so that state survives. Values
that are None are skipped, as in SQL; `count()` alone counts events.
"""

from __future__ import annotations

import builtins
import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any
from zlib import crc32

import msgspec

from streamflow.errors import ConfigError

Field = str | Callable[[Any], Any] | None


def reader(field: Field) -> Callable[[Any], Any] | None:
    """How to read a field: None for the value itself."""
    if field is None or callable(field):
        return field

    def read(value: Any) -> Any:
        return value[field] if isinstance(value, Mapping) else getattr(value, field)

    return read


class Aggregate:
    """One column of a result. `result` is its type; `initial` the accumulator of no values."""

    result: Any = Any
    initial: Any = None

    def __init__(self, field: Field = None) -> None:
        self._read = reader(field)

    def column(self, values: Sequence[Any]) -> list[Any]:
        """The field of each value that has one."""
        read = self._read
        if read is None:
            return [v for v in values if v is not None]
        return [r for v in values if (r := read(v)) is not None]

    def add_many(self, acc: Any, values: Sequence[Any]) -> Any:
        """The accumulator with these values in it."""
        raise NotImplementedError

    def merge(self, left: Any, right: Any) -> Any:
        """The accumulator of both."""
        raise NotImplementedError

    def value(self, acc: Any) -> Any:
        """What the accumulator comes to."""
        return acc


class Count(Aggregate):
    result = int
    initial = 0

    def __init__(self, field: Field = None) -> None:
        super().__init__(field)
        self.all = field is None

    def add_many(self, acc: Any, values: Sequence[Any]) -> Any:
        return acc + len(values) if self.all else acc + len(self.column(values))

    def merge(self, left: Any, right: Any) -> Any:
        return left + right


class Sum(Aggregate):
    """Of nothing: None."""

    def add_many(self, acc: Any, values: Sequence[Any]) -> Any:
        column = self.column(values)
        return _plus(acc, column) if column else acc

    def merge(self, left: Any, right: Any) -> Any:
        if left is None or right is None:
            return right if left is None else left
        return left + right


class Extreme(Aggregate):
    """The least or the greatest; of nothing, None."""

    def __init__(self, field: Field, pick: Callable[..., Any]) -> None:
        super().__init__(field)
        self._pick = pick

    def add_many(self, acc: Any, values: Sequence[Any]) -> Any:
        column = self.column(values)
        if not column:
            return acc
        best = self._pick(column)
        return best if acc is None else self._pick(acc, best)

    def merge(self, left: Any, right: Any) -> Any:
        if left is None or right is None:
            return right if left is None else left
        return self._pick(left, right)


class Mean(Aggregate):
    result = float | None
    initial = (0, 0)

    def add_many(self, acc: Any, values: Sequence[Any]) -> Any:
        column = self.column(values)
        return (acc[0] + len(column), _plus(acc[1], column)) if column else acc

    def merge(self, left: Any, right: Any) -> Any:
        return (left[0] + right[0], left[1] + right[1])

    def value(self, acc: Any) -> Any:
        return acc[1] / acc[0] if acc[0] else None


class Collect(Aggregate):
    result = list[Any]
    initial = ()

    def __init__(self, field: Field, limit: int) -> None:
        super().__init__(field)
        self._limit = limit

    def add_many(self, acc: Any, values: Sequence[Any]) -> Any:
        return [*acc, *self.column(values)][: self._limit]

    def merge(self, left: Any, right: Any) -> Any:
        return [*left, *right][: self._limit]

    def value(self, acc: Any) -> Any:
        return list(acc)


class TopK(Aggregate):
    """The `k` greatest, greatest first; by `by`, or by themselves."""

    result = list[Any]
    initial = ()

    def __init__(self, k: int, field: Field, by: Field) -> None:
        super().__init__(field)
        self._k = k
        self._by = reader(by)

    def add_many(self, acc: Any, values: Sequence[Any]) -> Any:
        by, read = self._by, self._read
        found = [v if read is None else read(v) for v in values]
        ranks = found if by is None else [by(v) for v in values]
        rows = [[r, f] for r, f in zip(ranks, found, strict=True) if r is not None]
        return self.merge(acc, rows)

    def merge(self, left: Any, right: Any) -> Any:
        return heapq.nlargest(self._k, [*left, *right], key=lambda row: row[0])

    def value(self, acc: Any) -> Any:
        return [row[1] for row in acc]


HLL_PRECISION = 12
"""4,096 registers: a standard error of 1.04 / sqrt(4096) = 1.6 % in 4 KiB (Flajolet et al., 2007)."""

_hash_key = msgspec.msgpack.Encoder().encode


class ApproxDistinct(Aggregate):
    """How many different values, by HyperLogLog; few of them are counted by linear counting."""

    result = int
    initial = b""

    def add_many(self, acc: Any, values: Sequence[Any]) -> Any:
        registers = bytearray(acc) if acc else bytearray(1 << HLL_PRECISION)
        for value in set(map(_hash_key, self.column(values))):
            mixed = _mix64(crc32(value) | crc32(value, 0x9E3779B9) << 32)
            at = mixed >> (64 - HLL_PRECISION)
            rest = mixed << HLL_PRECISION & 0xFFFFFFFFFFFFFFFF
            rank = 64 - rest.bit_length() + 1
            if rank > registers[at]:
                registers[at] = rank
        return bytes(registers)

    def merge(self, left: Any, right: Any) -> Any:
        if not left or not right:
            return left or right
        return bytes(map(builtins.max, left, right))

    def value(self, acc: Any) -> Any:
        if not acc:
            return 0
        m = len(acc)
        zeros = acc.count(0)
        estimate = 0.7213 / (1 + 1.079 / m) * m * m / math.fsum(2.0**-r for r in acc)
        if estimate <= 2.5 * m and zeros:
            estimate = m * math.log(m / zeros)
        return round(estimate)


class Fold(Aggregate):
    """A user's own. The accumulator must be plain data: numbers, text, bytes, lists, dicts."""

    def __init__(
        self, initial: Any, step: Callable[[Any, Any], Any], result: Callable[[Any], Any] | None, type: Any
    ) -> None:
        super().__init__(None)
        self.initial = initial
        self.result = type
        self._step = step
        self._result = result

    def add_many(self, acc: Any, values: Sequence[Any]) -> Any:
        for value in values:
            acc = self._step(acc, value)
        return acc

    def value(self, acc: Any) -> Any:
        return acc if self._result is None else self._result(acc)


def count(field: Field = None) -> Aggregate:
    """How many events; with a field, how many whose field isn't None."""
    return Count(field)


def sum(field: Field = None) -> Aggregate:
    return Sum(field)


def min(field: Field = None) -> Aggregate:
    return Extreme(field, builtins.min)


def max(field: Field = None) -> Aggregate:
    return Extreme(field, builtins.max)


def mean(field: Field = None) -> Aggregate:
    """The arithmetic mean; of nothing, None."""
    return Mean(field)


def collect(field: Field = None, *, limit: int = 1_000) -> Aggregate:
    """The first `limit` values, as a list."""
    return Collect(field, _positive("collect(limit=…)", limit))


def top_k(k: int, field: Field = None, *, by: Field = None) -> Aggregate:
    """The `k` greatest values of `field`, greatest first: by `by`, or by themselves."""
    return TopK(_positive("top_k", k), field, by)


def approx_distinct(field: Field = None) -> Aggregate:
    """About how many different values (1.6 % standard error, 4 KiB a group)."""
    return ApproxDistinct(field)


def fold(
    initial: Any,
    add: Callable[[Any, Any], Any],
    *,
    result: Callable[[Any], Any] | None = None,
    type: Any = Any,
) -> Aggregate:
    """An aggregate of your own: `add(accumulator, value)` gives the next accumulator (it doesn't edit the one it was
    given), `result(accumulator)` what is shown of it, `type` the type of that."""
    return Fold(initial, add, result, type)


def _positive(what: str, n: int) -> int:
    if n < 1:
        raise ConfigError(f"{what} is {n}; give 1 or more")
    return n


def _plus(acc: Any, column: Sequence[Any]) -> Any:
    """Added one by one, not by `sum`: its rounding of floats would depend on how the stream was cut into batches."""
    return reduce(add, column) if acc is None else reduce(add, column, acc)


def _mix64(x: int) -> int:
    """splitmix64's finisher: every bit of the input moves every bit of the output."""
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    x = (x ^ x >> 27) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
    return x ^ x >> 31
