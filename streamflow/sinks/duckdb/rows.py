"""The rows of a write: which are new, and which remain when only the last of a key counts. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from streamflow.errors import SinkError
from streamflow.event import TopicPartition
from streamflow.sinks.base import SinkBatch
from streamflow.sinks.duckdb.columns import Column, as_mapping


@dataclass(slots=True)
class Rows:
    """Rows of all partitions, in the order in which they are written. A value of None deletes by its key."""

    values: list[Any] = field(default_factory=list)
    keys: list[Any] = field(default_factory=list)
    _origins: list[tuple[TopicPartition, Sequence[int]]] = field(default_factory=list)

    def add(self, batch: SinkBatch, next_offset: int) -> None:
        """Adds the rows at and above `next_offset`."""
        start = bisect_left(batch.batch.offsets, next_offset)
        self.values += batch.batch.values[start:]
        self.keys += batch.batch.keys[start:]
        self._origins.append((batch.partition, batch.batch.offsets[start:]))

    def place(self, i: int) -> str:
        """Where row `i` came from, for messages."""
        for partition, offsets in self._origins:
            if i < len(offsets):
                return f"offset {offsets[i]} of {partition}"
            i -= len(offsets)
        raise IndexError(i)

    def first_none(self) -> int | None:
        return next((i for i, row in enumerate(self.values) if row is None), None)

    def check_type(self, cls: type) -> None:
        """Raises SinkError for a row that is neither a `cls` nor None."""
        if all(kind is type(None) or issubclass(kind, cls) for kind in set(map(type, self.values))):
            return
        i = next(i for i, row in enumerate(self.values) if row is not None and not isinstance(row, cls))
        raise SinkError(
            f"the row at {self.place(i)} is a {type(self.values[i]).__name__}, not the {cls.__name__} the "
            "sink was opened for"
        )

    def as_mappings(self) -> list[Mapping[Any, Any]]:
        """Rows of no declared type, each as field -> value. Raises SinkError for a row that has no fields."""
        mappings: list[Mapping[Any, Any]] = []
        for i, row in enumerate(self.values):
            mapping = {} if row is None else as_mapping(row)
            if mapping is None:
                raise SinkError(
                    f"the row at {self.place(i)} is a {type(row).__name__}, which has no fields to make "
                    "columns of; map the stream to records first"
                )
            mappings.append(mapping)
        return mappings


def take_new(batches: Sequence[SinkBatch], offsets: dict[TopicPartition, int]) -> Rows:
    """The rows at or above `offsets`, which move on to each batch's `next_offset` (never back)."""
    rows = Rows()
    for batch in batches:
        known = offsets.get(batch.partition, 0)
        rows.add(batch, known)
        offsets[batch.partition] = max(known, batch.next_offset)
    return rows


def last_by_key(
    rows: Rows, key: Sequence[Column], parts: Sequence[list[Any]]
) -> tuple[list[int], list[tuple[Any, ...]]]:
    """What remains of the rows: positions of the last row of each key, and the keys whose last row is None.

    `parts` holds the rows' values of the `key` columns. Raises SinkError for a row without a key.
    """
    keys = list(zip(*map(_comparable, key, parts), strict=True))
    for i, row in enumerate(rows.values):
        if row is None:
            keys[i] = _deleted_key(rows, i, key)
        if None in keys[i]:
            names = ", ".join(column.name for column in key)
            raise SinkError(f"the row at {rows.place(i)} has no key: {names} is {_bare(keys[i])!r}")
    last = dict(zip(keys, range(len(keys)), strict=True))
    replaced = len(last) < len(keys)
    positions = sorted(last.values()) if replaced else range(len(keys))
    return (
        [i for i in positions if rows.values[i] is not None],
        [keys[i] for i in positions if rows.values[i] is None],
    )


def _comparable(column: Column, values: list[Any]) -> list[Any]:
    """Values that are equal if DuckDB finds them so: a datetime without a zone is in UTC."""
    if column.sql_type.startswith("TIMESTAMP"):
        return [v.replace(tzinfo=UTC) if isinstance(v, datetime) and v.tzinfo is None else v for v in values]
    return values


def _deleted_key(rows: Rows, i: int, key: Sequence[Column]) -> tuple[Any, ...]:
    """The key of a row that is None: the event's, one value a key column."""
    given = rows.keys[i]
    parts = [given] if len(key) == 1 and not isinstance(given, (list, tuple, dict)) else given
    if isinstance(parts, dict):
        parts = [parts.get(column.name) for column in key]
    if isinstance(parts, (list, tuple)) and len(parts) == len(key):
        parts = [_as_text(column, part) for column, part in zip(key, parts, strict=True)]
        if all(column.misfit([part]) is None for column, part in zip(key, parts, strict=True)):
            return tuple(_comparable(column, [part])[0] for column, part in zip(key, parts, strict=True))
    wanted = ", ".join(f"{column.name} {column.sql_type}" for column in key)
    raise SinkError(
        f"the event at {rows.place(i)} is to delete a row, but its key {given!r} isn't ({wanted}); "
        "give the events the key of the table"
    )


def _as_text(column: Column, part: Any) -> Any:
    """Keys of topics that declare no key type are bytes; a VARCHAR takes them as UTF-8, as they were sent."""
    if isinstance(part, bytes) and column.sql_type == "VARCHAR":
        return part.decode(errors="replace")
    return part


def _bare(key: tuple[Any, ...]) -> Any:
    return key[0] if len(key) == 1 else key
