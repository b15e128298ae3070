"""From a record's type, or from rows without one, to DuckDB columns. Pure: knows no connection.

Promises: a value is stored exactly or refused. DuckDB casts on its own (2.5 to BIGINT is 2, '12' is 12, True
is 1); `Column.misfit` finds such values before they get there.

Choices, for whoever edits this:

- A `datetime` becomes TIMESTAMP in UTC, not TIMESTAMP WITH TIME ZONE: reading the latter back from Python
  needs pytz, and its `date_trunc`, `hour`, `::DATE` answer by the time zone of the machine that asks. A
  datetime without a zone is taken as UTC.
- Anything nested becomes JSON (typed lists of scalars aside): a nested record can grow without altering the
  table, and `at->>'lat'` reads it. Keys and sets are sorted, so that equal values are equal texts.
- What isn't declared is inferred from values, and a field that has only been None so far has no column yet.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain
from operator import attrgetter
from typing import Any, get_origin
from uuid import UUID

import msgspec
from msgspec import inspect

from streamflow.errors import ConfigError, StreamflowError

_JSON = msgspec.json.Encoder(order="deterministic")

_SCALARS: dict[type, str] = {
    inspect.BoolType: "BOOLEAN",
    inspect.IntType: "BIGINT",
    inspect.FloatType: "DOUBLE",
    inspect.StrType: "VARCHAR",
    inspect.BytesType: "BLOB",
    inspect.DateTimeType: "TIMESTAMP",
    inspect.DateType: "DATE",
    inspect.TimeType: "TIME",
    inspect.TimeDeltaType: "INTERVAL",
    inspect.DecimalType: "DECIMAL(38,9)",
    inspect.UUIDType: "UUID",
}

_PYTHON: dict[type, str] = {
    bool: "BOOLEAN",
    int: "BIGINT",
    float: "DOUBLE",
    str: "VARCHAR",
    bytes: "BLOB",
    datetime: "TIMESTAMP",
    date: "DATE",
    time: "TIME",
    timedelta: "INTERVAL",
    Decimal: "DECIMAL(38,9)",
    UUID: "UUID",
}

_INTEGERS = {sign + size + "INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")}
_INTEGERS |= {"INTEGER", "UINTEGER"}


def family(sql_type: str) -> str:
    """The type less what doesn't change which Python values fit: INTEGER is BIGINT, DECIMAL(9,2) DECIMAL."""
    if sql_type.endswith("[]"):
        return family(sql_type[:-2]) + "[]"
    if sql_type in _INTEGERS:
        return "BIGINT"  # a value out of range is an error in DuckDB, never another value
    if sql_type == "TIMESTAMP WITH TIME ZONE":
        return "TIMESTAMP"  # the sink's session is in UTC
    return re.sub(r"^DECIMAL\(.*\)$", "DECIMAL", sql_type)


_NUMBERS = frozenset({int, float})
_ACCEPTS = {family(sql_type): frozenset({kind}) for kind, sql_type in _PYTHON.items()} | {"DOUBLE": _NUMBERS}
"""The Python types each family takes, and no subclass of them: True is not a BIGINT."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table. `encode` turns a field's value (never None) into what DuckDB is handed."""

    name: str
    sql_type: str
    encode: Callable[[Any], Any] | None = None

    @property
    def can_be_key(self) -> bool:
        """Whether equal values are equal in Python and in DuckDB alike: NaN and nested values aren't."""
        return family(self.sql_type) in _ACCEPTS.keys() - {"DOUBLE", "INTERVAL"}

    def encoded(self, values: list[Any]) -> list[Any]:
        """`values` as DuckDB takes them. Raises what `encode` raises."""
        encode = self.encode
        if encode is None:
            return values
        return [None if value is None else encode(value) for value in values]

    def misfit(self, values: Sequence[Any]) -> int | None:
        """Where the first of the encoded `values` is that the column can't hold as it is."""
        kind = family(self.sql_type)
        if kind == "JSON":
            return None
        if kind.endswith("[]"):
            return self._misfit_list(values)
        kinds = set(map(type, values)) - {type(None)}
        accepted = _ACCEPTS.get(kind, frozenset())
        if not kinds <= accepted:
            return next(i for i, value in enumerate(values) if value is not None and type(value) not in accepted)
        exact = None if kinds == {float} else _EXACT.get(kind)
        if exact is None:
            return None
        return next((i for i, v in enumerate(values) if v is not None and not exact(v, self.sql_type)), None)

    def _misfit_list(self, values: Sequence[Any]) -> int | None:
        for i, value in enumerate(values):
            if value is not None and not isinstance(value, (list, tuple)):
                return i
        element = Column(self.name, self.sql_type[:-2])
        if element.misfit(list(chain.from_iterable(filter(None, values)))) is None:
            return None
        return next(i for i, value in enumerate(values) if value and element.misfit(value) is not None)


def _exact_double(value: float, sql_type: str) -> bool:
    return type(value) is float or abs(value) <= 2**53


def _exact_decimal(value: Decimal, sql_type: str) -> bool:
    if not value:
        return True
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return False  # NaN, infinity
    zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return -(exponent + zeros) <= int(sql_type.rstrip(")").split(",")[1])


def _exact_time(value: time, sql_type: str) -> bool:
    return value.tzinfo is None


_EXACT: dict[str, Callable[[Any, str], bool]] = {
    "DOUBLE": _exact_double,
    "DECIMAL": _exact_decimal,
    "TIME": _exact_time,
}
"""Families in which a value of the right type may still not be stored as it is."""


def fits(declared: Column, found: str) -> bool:
    """Whether an existing column of type `found` can hold what `declared` would."""
    return family(declared.sql_type) == family(found) or (declared.sql_type == "JSON" and found == "VARCHAR")


def existing_column(name: str, sql_type: str) -> Column:
    """A column that the table has and no type declares."""
    return Column(name, sql_type, _to_json if sql_type == "JSON" else None)


@dataclass(frozen=True, slots=True)
class RecordType:
    """What rows are declared to be: the Python type of a row, and its columns."""

    cls: type
    columns: tuple[Column, ...]

    def values(self, column: Column, rows: list[Any]) -> list[Any]:
        """One field of every row; None for a row that is None."""
        if self.cls is dict:
            return [None if row is None else row.get(column.name) for row in rows]
        field = attrgetter(column.name)
        return [None if row is None else field(row) for row in rows]


def record_type(value_type: Any) -> RecordType | None:
    """The columns of a Struct, dataclass, NamedTuple or TypedDict (or one of them `| None`); None for `Any`.

    Raises:
        ConfigError: rows of this type have no columns, or two fields would be one column.
    """
    try:
        kind = _without_none(inspect.type_info(value_type))
    except TypeError as e:
        raise ConfigError(f"rows of type {_shown(value_type)} can't become columns: {e}") from e
    if isinstance(kind, inspect.AnyType):
        return None
    if isinstance(kind, (inspect.StructType, inspect.DataclassType, inspect.NamedTupleType)):
        cls: type = get_origin(kind.cls) or kind.cls
    elif isinstance(kind, inspect.TypedDictType):
        cls = dict
    else:
        raise ConfigError(
            f"rows of a DuckDB sink are records (a Record, dataclass, NamedTuple or TypedDict), not "
            f"{_shown(value_type)}; map the stream to a record first"
        )
    columns = tuple(_declared(field.name, field.type) for field in kind.fields)
    check_names([column.name for column in columns])
    return RecordType(cls, columns)


def check_names(names: Iterable[Any], error: type[StreamflowError] = ConfigError) -> None:
    """Raises `error` for names DuckDB can't give to the columns of one table."""
    seen: dict[str, str] = {}
    for name in names:
        if not isinstance(name, str) or not name or "\0" in name:
            raise error(f"{name!r} can't name a column: field names are non-empty strings")
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise error(f"fields '{other}' and '{name}' are one column to DuckDB, which ignores case; rename one")


def as_mapping(row: Any) -> Mapping[Any, Any] | None:
    """An undeclared row as field -> value, None if it isn't a record."""
    if isinstance(row, dict):
        return row
    if isinstance(row, msgspec.Struct):
        return msgspec.structs.asdict(row)
    if isinstance(row, tuple) and hasattr(row, "_asdict"):
        fields: dict[str, Any] = row._asdict()
        return fields
    if dataclasses.is_dataclass(row):
        return {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    return None


def inferred_column(name: str, values: Iterable[Any]) -> Column | None:
    """A column that takes all of `values`, None while all of them are None."""
    kinds = frozenset(map(type, values)) - {type(None)}
    if not kinds:
        return None
    if kinds == _NUMBERS:
        return Column(name, "DOUBLE")
    sql_type = _PYTHON.get(next(iter(kinds))) if len(kinds) == 1 else None
    return Column(name, "JSON", _to_json) if sql_type is None else Column(name, sql_type)


def _declared(name: str, kind: inspect.Type) -> Column:
    kind = _without_none(kind)
    if isinstance(kind, (inspect.EnumType, inspect.LiteralType)):
        enum = isinstance(kind, inspect.EnumType)
        values = [member.value for member in kind.cls] if isinstance(kind, inspect.EnumType) else kind.values
        column = inferred_column(name, values)
        if column is not None and column.encode is None:
            return Column(name, column.sql_type, attrgetter("value") if enum else None)
        return Column(name, "JSON", _to_json)
    if isinstance(kind, inspect.CustomType):
        raise ConfigError(
            f"field '{name}' is a {_shown(kind.cls)}, which no column holds; declare one that JSON can write"
        )
    sql_type = _sql_type(kind)
    return Column(name, "JSON", _to_json) if sql_type is None else Column(name, sql_type)


def _sql_type(kind: inspect.Type) -> str | None:
    """The column type of a scalar or of a list of what has one; None for everything that goes as JSON."""
    if isinstance(kind, (inspect.ListType, inspect.VarTupleType)):
        element = _sql_type(_without_none(kind.item_type))
        return None if element is None else element + "[]"
    if isinstance(kind, inspect.UnionType) and {type(t) for t in kind.types} == {
        inspect.IntType,
        inspect.FloatType,
    }:
        return "DOUBLE"
    return _SCALARS.get(type(kind))


def _without_none(kind: inspect.Type) -> inspect.Type:
    """`T` of `T | None`, and of `Annotated[T, …]`."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if not isinstance(kind, inspect.UnionType):
        return kind
    rest = tuple(t for t in kind.types if not isinstance(t, inspect.NoneType))
    return _without_none(rest[0]) if len(rest) == 1 else inspect.UnionType(rest)


def _to_json(value: Any) -> str:
    return _JSON.encode(value).decode()


def _shown(value_type: Any) -> str:
    return value_type.__name__ if isinstance(value_type, type) else str(value_type)
