"""The sink: a connection, a transaction a write, and what is said when one of them fails.

Promises:

- Effectively once: the next offset of each partition is in the table `_streamflow_offsets` of the same file,
  written in the same transaction as the rows; rows below it are dropped when they come again.
- A write is all or nothing, the creation of tables and columns included. After an error in a row the sink
  goes on from where it was; after one of the file it is closed, and `open` reads what was kept.
- A table never loses anything: a new field becomes a new column, a column that no field has is left alone,
  and a column of another type is an error.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from streamflow.errors import ConfigError, SinkError, StreamflowError
from streamflow.event import TopicPartition
from streamflow.sinks.base import SinkBatch
from streamflow.sinks.duckdb.columns import (
    Column,
    check_names,
    existing_column,
    inferred_column,
    record_type,
)
from streamflow.sinks.duckdb.rows import Rows, last_by_key, take_new
from streamflow.sinks.duckdb.table import Table, refused_value

_OFFSETS = "_streamflow_offsets"
_CREATE_OFFSETS = f"""CREATE TABLE IF NOT EXISTS {_OFFSETS} (
    sink VARCHAR, topic VARCHAR, partition INTEGER, next_offset BIGINT,
    PRIMARY KEY (sink, topic, partition))"""
_STORE_OFFSETS = f"""INSERT OR REPLACE INTO {_OFFSETS}
    SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), unnest(?::INTEGER[]), unnest(?::BIGINT[])"""

_NAME_LENGTH_MAX = 120
"""The name is part of a topic's name, which Kafka limits to 249 characters."""

_opening = threading.Lock()
"""Two sinks of one file may be opened from two threads: creating a table twice at once is a conflict."""


class DuckDB:
    """Writes each row to a table of a DuckDB file, which it creates from the rows' type.

    Args:
        path: the file. Its directory must exist. One process at a time can have it open.
        table: its name as it is, of any characters; it is created if it isn't there.
        key: the field or fields that make a row unique. A row then replaces the one with its key, the last
            one wins, and a None value deletes the row whose key is the event's key. "Last" is by order within
            a partition: let the event's key be the same, so that all rows of a key are in one. Without `key`,
            every row is added.
        name: the sink's name, for the offsets it stores: keep it as long as the table.

    Raises:
        ConfigError: a name that can't be.
    """

    def __init__(
        self,
        path: str | Path,
        table: str,
        *,
        key: str | Sequence[str] | None = None,
        name: str | None = None,
    ) -> None:
        if str(path).startswith(":memory:") or not Path(path).name:
            raise ConfigError(f"'{path}' isn't a file; a DuckDB sink keeps its rows and offsets in one")
        check_names([table])
        if table.lower() == _OFFSETS:
            raise ConfigError(f"table '{_OFFSETS}' is where sinks keep their offsets; name another")
        self._path = Path(path)
        self._table_name = table
        self._key = (key,) if isinstance(key, str) else tuple(key or ())
        check_names(self._key)
        self._name = _checked_name(name) if name is not None else _default_name(self._path, table)
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._offsets: dict[TopicPartition, int] = {}
        self._columns: list[Column] = []

    def __repr__(self) -> str:
        return f"DuckDB({str(self._path)!r}, {self._table_name!r})"

    @property
    def name(self) -> str:
        return self._name

    def open(self, value_type: Any) -> None:
        """Opens the file and, unless `value_type` is `Any`, creates the table.

        Raises:
            ConfigError: rows of this type have no columns, or not the key.
            SinkError: the file can't be opened, or the table can't take such rows.
        """
        self._type = record_type(value_type)
        if self._type is not None:
            _check_key(self._key, self._type.columns, ConfigError)
        if not self._path.absolute().parent.is_dir():
            raise SinkError(f"can't open '{self._path}': its directory doesn't exist; create it first")
        try:
            with _opening:
                self._connect()
        except duckdb.Error as e:
            self.close()
            raise SinkError(f"can't open '{self._path}': {_explained(e)}") from e
        except BaseException:
            self.close()
            raise

    def offsets(self) -> Mapping[TopicPartition, int]:
        self._opened()
        return dict(self._offsets)

    def write(self, batches: list[SinkBatch]) -> None:
        """Adds the rows that aren't there yet.

        Raises:
            SinkError: a row can't be stored (it says which and why), or the file can't be written.
        """
        connection = self._opened()
        offsets = dict(self._offsets)
        rows = take_new(batches, offsets)
        if offsets == self._offsets:
            return
        try:
            with _transaction(connection):
                columns = self._store(rows)
                self._store_offsets(connection, offsets)
        except duckdb.Error as e:
            self._recover(connection)
            raise SinkError(f"can't write to '{self._path}': {_explained(e)}") from e
        except BaseException:
            self._recover(connection)
            raise
        self._offsets, self._columns = offsets, columns

    def close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with suppress(duckdb.Error):  # what was committed is in the file or its log already
                connection.close()

    def _connect(self) -> None:
        self._connection = connection = duckdb.connect(str(self._path.absolute()))
        connection.execute("SET TimeZone = 'UTC'")
        self._table = Table(connection, self._table_name, self._key)
        with _transaction(connection):
            connection.execute(_CREATE_OFFSETS)
            found = [existing_column(name, sql_type) for name, sql_type in self._table.load()]
            self._columns = found if self._type is None else self._table.ensure(self._type.columns)
        self._offsets = self._read_offsets(connection)

    def _opened(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            raise SinkError(f"sink '{self._name}' isn't open; open it (again) before writing")
        return self._connection

    def _recover(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Goes on from what the file holds; closes if it can't be read, or no longer be trusted."""
        try:
            self._table.load()
            self._offsets = self._read_offsets(connection)
        except (duckdb.Error, SinkError):
            self.close()

    def _read_offsets(self, connection: duckdb.DuckDBPyConnection) -> dict[TopicPartition, int]:
        found = connection.execute(
            f"SELECT topic, partition, next_offset FROM {_OFFSETS} WHERE sink = ?", [self._name]
        ).fetchall()
        return {TopicPartition(topic, partition): offset for topic, partition, offset in found}

    def _store_offsets(self, connection: duckdb.DuckDBPyConnection, offsets: Mapping[TopicPartition, int]) -> None:
        changed = [(at, offset) for at, offset in offsets.items() if self._offsets.get(at) != offset]
        topics = [at.topic for at, _ in changed]
        partitions = [at.partition for at, _ in changed]
        connection.execute(
            _STORE_OFFSETS,
            [[self._name] * len(changed), topics, partitions, [offset for _, offset in changed]],
        )

    def _store(self, rows: Rows) -> list[Column]:
        """Puts the rows into the table. Returns the table's columns as they are then."""
        if not rows.values:
            return self._columns
        dead = rows.first_none()
        if dead is not None and not self._key:
            raise SinkError(
                f"the row at {rows.place(dead)} is None; give the sink a key= to delete by, or filter it out"
            )
        columns, values = self._in_columns(rows)
        if not columns:
            return columns
        values = [_storable(column, part, rows) for column, part in zip(columns, values, strict=True)]
        places: Sequence[int] = range(len(rows.values))
        if self._key:
            named = {column.name: i for i, column in enumerate(columns)}
            key = [columns[named[name]] for name in self._key]
            places, deleted = last_by_key(rows, key, [values[named[name]] for name in self._key])
            if deleted:
                self._table.delete(key, [list(part) for part in zip(*deleted, strict=True)])
            if len(places) < len(rows.values):
                values = [[part[i] for i in places] for part in values]
        if places:
            self._upsert(columns, values, rows, places)
        return columns

    def _in_columns(self, rows: Rows) -> tuple[list[Column], list[list[Any]]]:
        """The rows' fields, a list a column; None in all of them for a row that is None."""
        if self._type is not None:
            rows.check_type(self._type.cls)
            return self._columns, [self._type.values(column, rows.values) for column in self._columns]
        mappings = rows.as_mappings()
        names = dict.fromkeys(chain.from_iterable(mappings))
        known = [column.name for column in self._columns]
        check_names([*known, *names], SinkError)
        inferred = [inferred_column(name, [m.get(name) for m in mappings]) for name in names if name not in set(known)]
        wanted = [*self._columns, *(column for column in inferred if column is not None)]
        if not wanted:
            if all(row is None for row in rows.values):
                return [], []  # to be deleted from a table that isn't there
            raise SinkError(f"the rows from {rows.place(0)} on have no field with a value, so no column to create")
        _check_key(self._key, wanted, SinkError)
        columns = self._table.ensure(wanted)
        return columns, [[m.get(column.name) for m in mappings] for column in columns]

    def _upsert(self, columns: list[Column], values: list[list[Any]], rows: Rows, places: Sequence[int]) -> None:
        try:
            self._table.upsert(columns, values)
        except (duckdb.DataError, duckdb.InvalidInputException) as e:
            # The transaction is lost; a cursor is a connection of its own.
            with self._opened().cursor() as cursor:
                refused = refused_value(cursor, columns, values)
            if refused is None:
                raise
            column, i = refused
            raise _unstorable(columns[column], values[column][i], rows.place(places[i])) from e


def _storable(column: Column, values: list[Any], rows: Rows) -> list[Any]:
    """One column's values as DuckDB takes them. Raises SinkError for the first it can't hold as it is."""
    try:
        encoded = column.encoded(values)
    except (TypeError, ValueError, AttributeError, OverflowError, msgspec.MsgspecError) as e:
        raise SinkError(f"field '{column.name}' can't become {column.sql_type}: {e}") from e
    i = column.misfit(encoded)
    if i is not None:
        raise _unstorable(column, values[i], rows.place(i))
    return encoded


def _unstorable(column: Column, value: Any, place: str) -> SinkError:
    shown = repr(value)
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    return SinkError(
        f"column '{column.name}' is {column.sql_type} and can't hold {shown} ({type(value).__name__}), "
        f"the value at {place}; declare the field's type, or convert the value before the sink"
    )


def _check_key(key: Sequence[str], columns: Sequence[Column], error: type[StreamflowError]) -> None:
    by_name = {column.name: column for column in columns}
    for name in key:
        if name not in by_name:
            raise error(f"key '{name}' isn't a field of the rows; they have: {', '.join(by_name)}")
        if not by_name[name].can_be_key:
            raise error(f"key '{name}' is {by_name[name].sql_type}, which has no safe equality; use another field")


def _default_name(path: Path, table: str) -> str:
    return _checked_name(re.sub(r"[^a-zA-Z0-9._-]", "-", f"duckdb-{path.stem}-{table}"))


def _checked_name(name: str) -> str:
    if not re.fullmatch(r"[a-zA-Z0-9._-]+", name) or len(name) > _NAME_LENGTH_MAX:
        raise ConfigError(
            f"a sink's name is part of a topic's: 1 to {_NAME_LENGTH_MAX} of a-z, A-Z, 0-9, '.', '_', '-'; "
            f"{name!r} isn't: give it one with name="
        )
    return name


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.begin()
    try:
        yield
    except BaseException:
        with suppress(duckdb.Error):  # the first error is the one to tell
            connection.rollback()
        raise
    connection.commit()


def _explained(error: duckdb.Error) -> str:
    """What DuckDB said, with what to do about it where that is known."""
    said = str(error).strip().split("\n")[0]
    held = re.search(r"Conflicting lock is held in (.*?) \(PID (\d+)\)", said)
    if held:
        return (
            f"it is open in another process (pid {held[2]}, {held[1]}), and a DuckDB file has one at a time; "
            "close it there, or write to another file"
        )
    if "No space left" in said or "File too large" in said:
        return f"{said}; free some space and start again: what was written before is kept"
    return said
