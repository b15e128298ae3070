"""What is computed over a group of values. PURE.

An aggregate folds values into an accumulator that can be written down (`codecs.pack`), so that state survives. Values
that are None are skipped, as in SQL; `count()` alone counts events.

Rules for whoever edits this: the answer depends on the order of the values, never on how they were cut into calls of
`add_many` or on where the accumulator was written down and read back. An accumulator is replaced, not edited: one
that failed half way must leave the old one whole.
"""

from __future__ import annotations

import builtins
import copy
import heapq
import math
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import reduce
from hashlib import blake2b
from operator import add, itemgetter
from typing import Any

import msgspec

from streamflow.codecs import exact, pack
from streamflow.errors import ConfigError
from streamflow.operators.base import OperatorFailed
from streamflow.operators.fields import Field, holds_records, reader


class Aggregate:
    """One column of a result. `field` is what it reads of each value, `of` the field whose type its result has."""

    result: Any = Any
    """Type of the result where the field's type isn't known."""

    def __init__(self, field: Field = None) -> None:
        self.field = self.of = field

    def initial(self) -> Any:
        """The accumulator of no values."""
        return None

    def add_many(self, acc: Any, column: Sequence[Any]) -> Any:
        """The accumulator with these in it: fields of values, at least one, none of them None."""
        raise NotImplementedError

    def merge(self, left: Any, right: Any) -> Any:
        """The accumulator of both, the values of `left` having come first."""
        raise NotImplementedError

    def value(self, acc: Any) -> Any:
        """What the accumulator comes to."""
        return acc

    def result_of(self, field_type: Any) -> Any:
        """Type of the result, by the field's type (Any where it isn't known)."""
        return self.result

    # State

    def kept(self, field_type: Any) -> Any:
        """The type an accumulator is read back as; Any where `plain` says all there is to say."""
        return Any

    def plain(self, acc: Any, field_type: Any) -> Any:
        """The accumulator in MessagePack's terms. Raises: EncodeError where it wouldn't be read back as it was."""
        return exact(acc)


class Count(Aggregate):
    result = int

    def __init__(self, field: Field = None) -> None:
        super().__init__(field)
        self.all = field is None

    def initial(self) -> Any:
        return 0

    def add_many(self, acc: Any, column: Sequence[Any]) -> Any:
        return acc + len(column)

    def merge(self, left: Any, right: Any) -> Any:
        return left + right


class Sum(Aggregate):
    """Of nothing: None."""

    def add_many(self, acc: Any, column: Sequence[Any]) -> Any:
        return _plus(acc, column)

    def merge(self, left: Any, right: Any) -> Any:
        if left is None or right is None:
            return right if left is None else left
        return left + right

    def result_of(self, field_type: Any) -> Any:
        if field_type is bool:
            return int | None
        return field_type | None if field_type in (int, float, Decimal, timedelta) else Any


class Extreme(Aggregate):
    """The least or the greatest, the first of equals; of nothing, None."""

    def __init__(self, field: Field, pick: Callable[..., Any]) -> None:
        super().__init__(field)
        self._pick = pick

    def add_many(self, acc: Any, column: Sequence[Any]) -> Any:
        return self._pick(column if acc is None else (acc, *column))

    def merge(self, left: Any, right: Any) -> Any:
        if left is None or right is None:
            return right if left is None else left
        return self._pick(left, right)

    def result_of(self, field_type: Any) -> Any:
        return field_type if field_type is Any else field_type | None

    def kept(self, field_type: Any) -> Any:
        return field_type | None if holds_records(field_type) else Any

    def plain(self, acc: Any, field_type: Any) -> Any:
        return acc if holds_records(field_type) else exact(acc)


class Mean(Aggregate):
    result = float | None

    def initial(self) -> Any:
        return (0, None)

    def add_many(self, acc: Any, column: Sequence[Any]) -> Any:
        return (acc[0] + len(column), _plus(acc[1], column))

    def merge(self, left: Any, right: Any) -> Any:
        if not left[0] or not right[0]:
            return left if left[0] else right
        return (left[0] + right[0], left[1] + right[1])

    def value(self, acc: Any) -> Any:
        return acc[1] / acc[0] if acc[0] else None

    def result_of(self, field_type: Any) -> Any:
        return field_type | None if field_type in (Decimal, timedelta) else self.result

    def plain(self, acc: Any, field_type: Any) -> Any:
        return [acc[0], exact(acc[1])]


class Collect(Aggregate):
    result = list[Any]

    def __init__(self, field: Field, limit: int) -> None:
        super().__init__(field)
        self._limit = limit

    def initial(self) -> Any:
        return []

    def add_many(self, acc: Any, column: Sequence[Any]) -> Any:
        room = self._limit - len(acc)
        return [*acc, *column[:room]] if room > 0 else acc

    def merge(self, left: Any, right: Any) -> Any:
        return [*left, *right][: self._limit]

    def value(self, acc: Any) -> Any:
        return list(acc)

    def result_of(self, field_type: Any) -> Any:
        return list[field_type]

    def kept(self, field_type: Any) -> Any:
        return list[field_type] if holds_records(field_type) else Any

    def plain(self, acc: Any, field_type: Any) -> Any:
        return acc if holds_records(field_type) else exact(acc)


class TopK(Aggregate):
    """The `k` greatest, greatest first, the first of equals first; by `by`, or by themselves."""

    result = list[Any]

    def __init__(self, k: int, field: Field, by: Field) -> None:
        self._k = k
        self._ranked_by_itself = by is None
        read, rank = reader(field), reader(by)

        def pair(value: Any) -> Any:
            found = read(value)
            place = found if by is None else rank(value)
            return None if place is None else (place, found)

        super().__init__(pair)
        self.of = field

    def initial(self) -> Any:
        return []

    def add_many(self, acc: Any, column: Sequence[Any]) -> Any:
        return self.merge(acc, column)

    def merge(self, left: Any, right: Any) -> Any:
        return heapq.nlargest(self._k, [*left, *right], key=itemgetter(0))

    def value(self, acc: Any) -> Any:
        return [row[1] for row in acc]

    def result_of(self, field_type: Any) -> Any:
        return list[field_type]

    def kept(self, field_type: Any) -> Any:
        if not holds_records(field_type):
            return Any
        rank_type: Any = field_type if self._ranked_by_itself else Any
        return list[tuple[rank_type, field_type]]

    def plain(self, acc: Any, field_type: Any) -> Any:
        if not holds_records(field_type):
            return [[exact(rank), exact(found)] for rank, found in acc]
        return acc if self._ranked_by_itself else [[exact(rank), found] for rank, found in acc]


HLL_PRECISION = 12
"""4,096 registers: a standard error of 1.04 / sqrt(4096) = 1.6 % in 4 KiB (Flajolet et al., 2007)."""

_encode = msgspec.msgpack.Encoder().encode


def _hashable(value: Any) -> bytes:
    try:
        return _encode(value)
    except (TypeError, OverflowError):
        return pack(value)


class ApproxDistinct(Aggregate):
    """How many different values, by HyperLogLog; few of them are counted by linear counting."""

    result = int

    def initial(self) -> Any:
        return b""

    def add_many(self, acc: Any, column: Sequence[Any]) -> Any:
        registers = bytearray(acc or 1 << HLL_PRECISION)
        for key in set(map(_hashable, column)):
            # Not CRC-32, twice or otherwise: it is linear, so a second seed adds nothing to its 32 bits.
            hashed = int.from_bytes(blake2b(key, digest_size=8).digest(), "big")
            at = hashed >> (64 - HLL_PRECISION)
            rank = 65 - HLL_PRECISION - (hashed & (1 << 64 - HLL_PRECISION) - 1).bit_length()
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
        sum_of_powers, counted, rank = float(zeros), zeros, 0
        while counted < m:
            rank += 1
            at_rank = acc.count(rank)
            counted += at_rank
            sum_of_powers += at_rank * 2.0**-rank
        estimate = 0.7213 / (1 + 1.079 / m) * m * m / sum_of_powers
        if estimate <= 2.5 * m and zeros:
            estimate = m * math.log(m / zeros)
        return round(estimate)


class Fold(Aggregate):
    """A user's own."""

    def __init__(
        self, initial: Any, step: Callable[[Any, Any], Any], result: Callable[[Any], Any] | None, type: Any
    ) -> None:
        super().__init__(None)
        self.result = type
        self._initial = initial
        self._step = step
        self._shown = result

    def initial(self) -> Any:
        return copy.deepcopy(self._initial)

    def add_many(self, acc: Any, column: Sequence[Any]) -> Any:
        done = 0
        try:
            for value in column:
                acc = self._step(acc, value)
                done += 1
        except Exception as error:
            raise OperatorFailed(done) from error
        return acc

    def value(self, acc: Any) -> Any:
        return acc if self._shown is None else self._shown(acc)

    def kept(self, field_type: Any) -> Any:
        own = type(self._initial)
        return own if holds_records(own) else Any

    def plain(self, acc: Any, field_type: Any) -> Any:
        own = type(self._initial)
        return acc if holds_records(own) and isinstance(acc, own) else exact(acc)


def count(field: Field = None) -> Aggregate:
    """How many events; with a field, how many whose field isn't None."""
    return Count(field)


def sum(field: Field = None) -> Aggregate:
    """The sum, added in the order of the events; of nothing, None."""
    return Sum(field)


def min(field: Field = None) -> Aggregate:
    """The least; of nothing, None."""
    return Extreme(field, builtins.min)


def max(field: Field = None) -> Aggregate:
    """The greatest; of nothing, None."""
    return Extreme(field, builtins.max)


def mean(field: Field = None) -> Aggregate:
    """The arithmetic mean; of nothing, None."""
    return Mean(field)


def collect(field: Field = None, *, limit: int = 1_000) -> Aggregate:
    """The first `limit` values, as a list. Raises: ConfigError for a limit below 1."""
    return Collect(field, _positive("collect(limit=…)", limit))


def top_k(k: int, field: Field = None, *, by: Field = None) -> Aggregate:
    """The `k` greatest values of `field`, greatest first: by `by`, or by themselves. Raises: ConfigError for k < 1."""
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
    """An aggregate of your own.

    `add(accumulator, value)` gives the next accumulator and doesn't edit the one it was given; `result(accumulator)`
    is what is shown of it, `type` the type of that. An accumulator is a record, or made of numbers, text, bytes,
    dates, tuples, lists, sets and dicts.
    """
    return Fold(initial, add, result, type)


def _positive(what: str, n: int) -> int:
    if n < 1:
        raise ConfigError(f"{what} is {n}; give 1 or more")
    return n


def _plus(acc: Any, column: Sequence[Any]) -> Any:
    """Added one by one, not by `sum`: its rounding of floats would depend on how the stream was cut into batches."""
    return reduce(add, column) if acc is None else reduce(add, column, acc)
