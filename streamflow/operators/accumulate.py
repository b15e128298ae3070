"""Several aggregates over groups of events at once. PURE.

What windows and running aggregates share: fields are read a column at a time for the whole batch, values are handed
to each aggregate a group at a time, and nothing of the state is touched before all of that has succeeded. So an event
that a user's function raises on can be left out and the batch given again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import chain, compress
from typing import Any, TypeVar

import msgspec

from streamflow.codecs import SHOWN_BYTES_MAX, tagged_hook
from streamflow.errors import ConfigError, DecodeError, EncodeError
from streamflow.operators.aggregate import Aggregate, Count
from streamflow.operators.base import OperatorFailed
from streamflow.operators.fields import Field, column_of, type_of

K = TypeVar("K", bound=Hashable)

Accs = list[Any]
"""One accumulator an aggregate."""

Columns = dict[Field, Sequence[Any]]
"""The fields that a batch's aggregates read."""

_encode = msgspec.msgpack.Encoder().encode


def row_type(name: str, own: Sequence[tuple[str, Any]], aggregates: Mapping[str, Aggregate], value_type: Any) -> Any:
    """The type of a result: fields of its own, then one an aggregate.

    Raises: ConfigError for an aggregate that bears the name of one of these, or reads a field that values of this type
        don't have, or when there is none.
    """
    if not aggregates:
        raise ConfigError("aggregate() computes nothing; name at least one, e.g. aggregate(n=sf.count())")
    for field in aggregates:
        if field in dict(own):
            raise ConfigError(f"aggregate '{field}' bears the name of a result's own field; call it something else")
    computed = [(field, a.result_of(type_of(value_type, a.of))) for field, a in aggregates.items()]
    return msgspec.defstruct(name, [*own, *computed], frozen=True)


class Accumulators:
    """How the accumulators of one key (and window) are started, added to, shown and written down.

    Groups say which events of a batch belong to a key: where they are in it, or, if `only_counts`, how many.
    """

    def __init__(self, aggregates: Mapping[str, Aggregate], value_type: Any = Any) -> None:
        self._names = list(aggregates)
        self._aggregates = list(aggregates.values())
        self._types = [type_of(value_type, a.of) for a in self._aggregates]
        self._counts = [type(a) is Count and a.all for a in self._aggregates]
        self.only_counts = all(self._counts)
        kept = [(n, a.kept(t)) for n, a, t in zip(self._names, self._aggregates, self._types, strict=True)]
        self._shape = msgspec.defstruct("State", kept)
        self._decode = msgspec.msgpack.Decoder(self._shape, ext_hook=tagged_hook).decode

    # Adding

    def group(self, keys: Sequence[K], at: Sequence[int] | None = None) -> Mapping[K, Any]:
        """The events of a batch (only those `at` these positions) by key, keys in the order they first come."""
        if self.only_counts:
            return Counter(keys if at is None else map(keys.__getitem__, at))
        groups: defaultdict[K, list[int]] = defaultdict(list)
        for position, key in enumerate(keys) if at is None else zip(at, map(keys.__getitem__, at), strict=True):
            groups[key].append(position)
        return groups

    def columns(self, values: Sequence[Any]) -> Columns:
        """The fields of a batch. Raises: OperatorFailed naming the event whose field can't be read."""
        columns: Columns = {}
        for aggregate, counts in zip(self._aggregates, self._counts, strict=True):
            if not counts and aggregate.field not in columns:
                columns[aggregate.field] = column_of(aggregate.field, values)
        return columns

    def add(self, state: Mapping[K, Accs], groups: Mapping[K, Any], columns: Columns) -> dict[K, Accs]:
        """The accumulators of every group with its events in them; `state` is left as it is.

        Raises: OperatorFailed naming the event that one of them can't take.
        """
        if self.only_counts:
            none = [0] * len(self._aggregates)
            return {key: [acc + n for acc in state.get(key, none)] for key, n in groups.items()}
        fresh: dict[K, Accs] = {}
        for key in groups:
            known = state.get(key)
            fresh[key] = [a.initial() for a in self._aggregates] if known is None else known.copy()
        rows = list(fresh.values())
        segments: dict[Field, _Segments] = {}
        for n, aggregate in enumerate(self._aggregates):
            field = aggregate.field
            if self._counts[n]:
                for accs, at in zip(rows, groups.values(), strict=True):
                    accs[n] += len(at)
            else:
                if field not in segments:
                    segments[field] = _Segments(columns[field], groups.values(), rows)
                segments[field].add(n, aggregate)
        return fresh

    # Showing and keeping

    def values(self, accs: Accs) -> list[Any]:
        """What the accumulators come to."""
        return [a.value(acc) for a, acc in zip(self._aggregates, accs, strict=True)]

    def pack(self, accs: Accs) -> bytes:
        """Raises: EncodeError for an accumulator that wouldn't be read back as it was."""
        if self.only_counts:
            return _encode(self._shape(*accs))
        plain: list[Any] = []
        for name, a, acc, kind in zip(self._names, self._aggregates, accs, self._types, strict=True):
            try:
                plain.append(a.plain(acc, kind))
            except EncodeError as error:
                raise EncodeError(
                    f"aggregate '{name}' can't keep its state: {error}. If it is a record, its type has to be known: "
                    "name the field, or annotate what the function (or the map before it) returns"
                ) from error
        return _encode(self._shape(*plain))

    def unpack(self, data: bytes) -> Accs:
        """What `pack` wrote. Raises: DecodeError where it was written for other aggregates or another type."""
        try:
            return list(msgspec.structs.astuple(self._decode(data)))
        except (msgspec.MsgspecError, ValueError) as error:
            raise DecodeError(
                f"kept state {data[:SHOWN_BYTES_MAX]!r} isn't that of {', '.join(self._names)}: {error}; "
                "the app has changed, so give the aggregate another name= to start anew"
            ) from error


class _Segments:
    """One field's values that aren't None, those of a group side by side. `order` is where each was in the batch."""

    __slots__ = ("order", "rows", "spans", "values")

    def __init__(self, column: Sequence[Any], groups: Iterable[list[int]], rows: list[Accs]) -> None:
        if None in column:
            there = [[n for n in at if column[n] is not None] for at in groups]
            rows = list(compress(rows, there))
            groups = list(filter(None, there))
        self.rows = rows
        self.order = list(chain.from_iterable(groups))
        self.values = list(map(column.__getitem__, self.order))
        self.spans: list[slice] = []
        start = 0
        for at in groups:
            stop = start + len(at)
            self.spans.append(slice(start, stop))
            start = stop

    def add(self, n: int, aggregate: Aggregate) -> None:
        """Into accumulator `n` of each row. Raises: OperatorFailed."""
        add, values = aggregate.add_many, self.values
        for accs, span in zip(self.rows, self.spans, strict=True):
            try:
                accs[n] = add(accs[n], values[span])
            except OperatorFailed as failure:
                raise OperatorFailed(self.order[span.start + failure.index]) from failure.__cause__
            except Exception as error:
                index = span.start + _culprit(add, accs[n], values[span])
                raise OperatorFailed(self.order[index]) from error


def _culprit(add: Callable[[Any, Any], Any], acc: Any, column: Sequence[Any]) -> int:
    """Which value an aggregate can't take: it has failed on one of these. (Never a user's `fold`: that one says.)"""
    for n, value in enumerate(column):
        try:
            acc = add(acc, [value])
        except Exception:
            return n
    return len(column) - 1
