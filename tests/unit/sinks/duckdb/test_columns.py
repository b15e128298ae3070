"""Which column a field becomes, and which values it refuses."""

import dataclasses
import enum
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypedDict, TypeVar
from uuid import UUID

import msgspec
import pytest

from streamflow.errors import ConfigError
from streamflow.sinks.duckdb.columns import Column, fits, inferred_column, record_type

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Place(msgspec.Struct):
    lat: float


class Box(msgspec.Struct, Generic[T]):
    held: T


class Everything(msgspec.Struct):
    a_bool: bool
    an_int: int
    a_float: float
    a_str: str
    some_bytes: bytes
    a_datetime: datetime
    a_date: date
    a_time: time
    a_timedelta: timedelta
    a_decimal: Decimal
    a_uuid: UUID
    maybe: int | None
    bounded: Annotated[int, msgspec.Meta(ge=0)]
    number: int | float
    colour: Colour
    level: Level
    side: Literal["left", "right"]
    names: list[str]
    tuples: tuple[int, ...]
    grid: list[list[float]]
    seen: set[str]
    place: Place
    places: list[Place]
    tags: dict[str, int]
    either: int | str
    anything: Any


def sql_types(value_type: Any) -> dict[str, str]:
    declared = record_type(value_type)
    assert declared is not None
    return {column.name: column.sql_type for column in declared.columns}


def test_every_field_type_has_its_column() -> None:
    assert sql_types(Everything) == {
        "a_bool": "BOOLEAN",
        "an_int": "BIGINT",
        "a_float": "DOUBLE",
        "a_str": "VARCHAR",
        "some_bytes": "BLOB",
        "a_datetime": "TIMESTAMP",
        "a_date": "DATE",
        "a_time": "TIME",
        "a_timedelta": "INTERVAL",
        "a_decimal": "DECIMAL(38,9)",
        "a_uuid": "UUID",
        "maybe": "BIGINT",
        "bounded": "BIGINT",
        "number": "DOUBLE",
        "colour": "VARCHAR",
        "level": "BIGINT",
        "side": "VARCHAR",
        "names": "VARCHAR[]",
        "tuples": "BIGINT[]",
        "grid": "DOUBLE[][]",
        "seen": "JSON",
        "place": "JSON",
        "places": "JSON",
        "tags": "JSON",
        "either": "JSON",
        "anything": "JSON",
    }


class AsNamedTuple(NamedTuple):
    n: int


class AsTypedDict(TypedDict):
    n: int


@dataclasses.dataclass
class AsDataclass:
    n: int


class AsStruct(msgspec.Struct):
    n: int


@pytest.mark.parametrize("value_type", [AsNamedTuple, AsTypedDict, AsDataclass, AsStruct, AsStruct | None])
def test_every_kind_of_record_declares_columns(value_type: Any) -> None:
    assert sql_types(value_type) == {"n": "BIGINT"}


def test_a_generic_record_has_the_columns_of_its_arguments() -> None:
    assert sql_types(Box[int]) == {"held": "BIGINT"}
    declared = record_type(Box[int])
    assert declared is not None and isinstance(Box(1), declared.cls)


def test_any_declares_nothing() -> None:
    assert record_type(Any) is None


@pytest.mark.parametrize("value_type", [int, str, list[int], AsStruct | AsDataclass, dict[str, int]])
def test_rows_that_are_no_records_are_refused(value_type: Any) -> None:
    with pytest.raises(ConfigError):
        record_type(value_type)


def test_fields_that_differ_in_case_only_are_refused() -> None:
    with pytest.raises(ConfigError, match="'a' and 'A' are one column"):
        record_type(msgspec.defstruct("Clash", [("a", int), ("A", int)]))


def test_a_field_no_column_holds_is_named() -> None:
    with pytest.raises(ConfigError, match="'odd' is a complex"):
        record_type(msgspec.defstruct("Odd", [("odd", complex)]))


@pytest.mark.parametrize(
    ("values", "sql_type"),
    [
        ([None, 1], "BIGINT"),
        ([1, 2.5], "DOUBLE"),
        ([True], "BOOLEAN"),
        ([True, 1], "JSON"),
        (["a", 1], "JSON"),
        ([[1, 2]], "JSON"),
        ([{"a": 1}], "JSON"),
        ([datetime(2013, 1, 1)], "TIMESTAMP"),
        ([date(2013, 1, 1)], "DATE"),
        ([Decimal("1.5")], "DECIMAL(38,9)"),
        ([b"x"], "BLOB"),
    ],
)
def test_a_column_is_inferred_from_the_values_seen(values: list[Any], sql_type: str) -> None:
    column = inferred_column("c", values)
    assert column is not None and column.sql_type == sql_type


def test_a_field_that_was_only_none_has_no_column_yet() -> None:
    assert inferred_column("c", [None, None]) is None


@pytest.mark.parametrize(
    ("sql_type", "good", "bad"),
    [
        ("BIGINT", [1, None], 2.5),
        ("BIGINT", [1], True),
        ("BIGINT", [1], "12"),
        ("INTEGER", [1], "12"),
        ("DOUBLE", [1.5, 2, float("nan")], 2**53 + 1),
        ("DOUBLE", [1.5], "x"),
        ("VARCHAR", ["x"], 1),
        ("VARCHAR", ["x"], b"x"),
        ("DATE", [date(2013, 1, 1)], datetime(2013, 1, 1)),
        ("TIMESTAMP", [datetime(2013, 1, 1, tzinfo=UTC)], date(2013, 1, 1)),
        ("TIME", [time(1)], time(1, tzinfo=UTC)),
        (
            "DECIMAL(38,9)",
            [Decimal("0.000000001"), Decimal("1.5000000000000"), Decimal("0E-20")],
            Decimal("1e-10"),
        ),
        ("DECIMAL(38,9)", [Decimal(1)], Decimal("NaN")),
        ("BIGINT[]", [[1, None], [], None, (2,)], [1, "2"]),
        ("BIGINT[]", [[1]], 1),
        ("DOUBLE[][]", [[[1.0], None]], [["x"]]),
        ("ENUM('a')", [None], "a"),
    ],
)
def test_a_value_that_would_be_stored_as_another_is_found(sql_type: str, good: list[Any], bad: Any) -> None:
    column = Column("c", sql_type)
    assert column.misfit(good) is None
    assert column.misfit([*good, bad, *good]) == len(good)


@pytest.mark.parametrize(
    ("declared", "found", "fit"),
    [
        ("BIGINT", "INTEGER", True),
        ("BIGINT", "VARCHAR", False),
        ("DOUBLE", "FLOAT", False),
        ("BIGINT", "DOUBLE", False),
        ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE", True),
        ("DECIMAL(38,9)", "DECIMAL(18,2)", True),
        ("JSON", "VARCHAR", True),
        ("VARCHAR", "JSON", False),
        ("BIGINT[]", "INTEGER[]", True),
        ("BIGINT[]", "BIGINT", False),
    ],
)
def test_an_existing_column_fits_if_it_holds_every_value_or_refuses_it(declared: str, found: str, fit: bool) -> None:
    assert fits(Column("c", declared), found) is fit
