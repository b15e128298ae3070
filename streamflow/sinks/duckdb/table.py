"""A table of a DuckDB file: what it has, how it becomes what is wanted, and the SQL that writes it.

Rows travel as one list a column, `SELECT unnest(?) AS c0, …`, two hundred times as fast as `executemany`. The alias
is half of that: an unnamed column is named after its text, which is the whole list. Values reach SQL as
parameters, names through `quoted`, and nothing else does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import duckdb

from streamflow.errors import SinkError
from streamflow.sinks.duckdb.columns import Column, fits

_HERE = "database_name = current_database() AND schema_name = current_schema()"


def quoted(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


class Table:
    """One table and its key. `connection` is in a transaction whenever `ensure` is called.

    `columns` maps lower-case names, as DuckDB compares them, to what the table has; it is empty as long as
    there is no table.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, name: str, key: Sequence[str]) -> None:
        self._connection = connection
        self.name = name
        self.key = key
        self.columns: dict[str, str] = {}

    def load(self) -> list[tuple[str, str]]:
        """Reads what the table has, as (name, type); nothing if there is none. Raises SinkError."""
        found = self._connection.execute(
            f"""SELECT column_name, data_type FROM duckdb_columns()
                WHERE {_HERE} AND lower(table_name) = lower(?) ORDER BY column_index""",
            [self.name],
        ).fetchall()
        if found:
            self._check_kind()
        self.columns = {name.lower(): sql_type for name, sql_type in found}
        return found

    def ensure(self, wanted: Iterable[Column]) -> list[Column]:
        """Creates the table or adds the columns it lacks. Returns `wanted` with the types the table has.

        Raises:
            SinkError: a column is there with a type that can't hold the declared one.
        """
        wanted = list(wanted)
        if not self.columns:
            self._create(wanted)
        for column in wanted:
            if column.name.lower() not in self.columns:
                self._connection.execute(
                    f"ALTER TABLE {quoted(self.name)} ADD COLUMN {quoted(column.name)} {column.sql_type}"
                )
                self.columns[column.name.lower()] = column.sql_type
        return [self._matched(column) for column in wanted]

    def upsert(self, columns: Sequence[Column], values: Sequence[list[object]]) -> None:
        """Adds rows; with a key, they replace those of the same key. No key may occur twice."""
        names = [quoted(column.name) for column in columns]
        self._connection.execute(
            f"INSERT INTO {quoted(self.name)} ({', '.join(names)}) SELECT {_unnest(columns)}"
            + self._on_conflict(names),
            list(values),
        )

    def delete(self, columns: Sequence[Column], values: Sequence[list[object]]) -> None:
        """Deletes the rows with these keys."""
        names = ", ".join(quoted(column.name) for column in columns)
        self._connection.execute(
            f"DELETE FROM {quoted(self.name)} WHERE ({names}) IN (SELECT {_unnest(columns)})", list(values)
        )

    def _on_conflict(self, names: Sequence[str]) -> str:
        if not self.key:
            return ""
        key = [quoted(name) for name in self.key]
        changes = ", ".join(f"{name} = excluded.{name}" for name in names if name not in key)
        return f" ON CONFLICT ({', '.join(key)}) DO " + (f"UPDATE SET {changes}" if changes else "NOTHING")

    def _create(self, wanted: list[Column]) -> None:
        parts = [f"{quoted(column.name)} {column.sql_type}" for column in wanted]
        if self.key:
            parts.append(f"PRIMARY KEY ({', '.join(map(quoted, self.key))})")
        self._connection.execute(f"CREATE TABLE {quoted(self.name)} ({', '.join(parts)})")
        self.columns = {column.name.lower(): column.sql_type for column in wanted}

    def _matched(self, column: Column) -> Column:
        found = self.columns[column.name.lower()]
        if not fits(column, found):
            raise SinkError(
                f"column '{column.name}' of table '{self.name}' should be {column.sql_type} but is {found}; "
                f"use another table, or: ALTER TABLE {quoted(self.name)} ALTER {quoted(column.name)} "
                f"TYPE {column.sql_type}"
            )
        return replace(column, sql_type=found)

    def _check_kind(self) -> None:
        """Raises SinkError for a view, and for a table that can't be upserted by the key."""
        execute = self._connection.execute
        if execute(
            f"SELECT 1 FROM duckdb_views() WHERE {_HERE} AND lower(view_name) = lower(?)", [self.name]
        ).fetchall():
            raise SinkError(f"'{self.name}' is a view; a sink writes to a table: name another")
        unique = execute(
            f"""SELECT constraint_column_names FROM duckdb_constraints() WHERE {_HERE}
                AND lower(table_name) = lower(?) AND constraint_type IN ('PRIMARY KEY', 'UNIQUE')""",
            [self.name],
        ).fetchall()
        wanted = {name.lower() for name in self.key}
        if wanted and wanted not in [{name.lower() for name in names} for (names,) in unique]:
            key = ", ".join(map(quoted, self.key))
            raise SinkError(
                f"table '{self.name}' has no PRIMARY KEY ({key}), so rows can't be upserted by it; use "
                f"another table, or: ALTER TABLE {quoted(self.name)} ADD PRIMARY KEY ({key})"
            )


def refused_value(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[Column], values: Sequence[list[object]]
) -> tuple[int, int] | None:
    """Column number and position of a value that DuckDB can't store; None if it isn't one of these."""

    def stored(column: Column, part: list[object]) -> bool:
        try:
            connection.execute(f"SELECT count(c0) FROM (SELECT {_unnest([column])})", [part])
        except duckdb.Error:
            return False
        return True

    for number, (column, part) in enumerate(zip(columns, values, strict=True)):
        if stored(column, part):
            continue
        low, high = 0, len(part)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if stored(column, part[low:middle]) else (low, middle)
        return number, low
    return None


def _unnest(columns: Sequence[Column]) -> str:
    return ", ".join(f"unnest(?::{column.sql_type}[]) AS c{i}" for i, column in enumerate(columns))
