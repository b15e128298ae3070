"""Reading fields, and knowing their types."""

from __future__ import annotations

from collections import UserDict
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, NamedTuple, TypedDict, TypeVar

import msgspec
import pytest

from streamflow.errors import ConfigError
from streamflow.operators.base import OperatorFailed
from streamflow.operators.fields import column_of, holds_records, reader, type_of

T = TypeVar("T")


class Ride(msgspec.Struct):
    km: float
    driver: str | None = None

    @property
    def miles(self) -> float:
        return self.km / 1.609


class Pair(msgspec.Struct, Generic[T]):
    left: T
    right: int


@dataclass
class Point:
    x: int


class Row(TypedDict):
    n: int


class Spot(NamedTuple):
    x: int


class Kind(Enum):
    A = 1


@pytest.mark.parametrize(
    ("field", "values", "column"),
    [
        (None, [1, None, 2], [1, None, 2]),
        ("km", [Ride(1.0), Ride(2.0)], [1.0, 2.0]),
        ("km", [Ride(1.0), None], [1.0, None]),
        ("km", [None, {"km": 2.0}], [None, 2.0]),
        ("km", [{"km": 1.0}, Ride(2.0), UserDict(km=3.0)], [1.0, 2.0, 3.0]),
        ("a.b", [{"a.b": 1}], [1]),
        (lambda r: r.km * 2, [Ride(1.0), None], [2.0, None]),
        (lambda r: r.km * 2, [Ride(1.0)], [2.0]),
        (None, [], []),
        (abs, [], []),
    ],
)
def test_a_field_is_an_attribute_an_item_or_what_a_function_says_and_that_of_none_is_none(
    field, values, column
) -> None:
    assert list(column_of(field, values)) == column
    assert [reader(field)(value) for value in values] == column


def test_a_field_of_no_values_is_an_empty_column() -> None:
    assert column_of("km", []) == []


@pytest.mark.parametrize(
    ("field", "values", "index"),
    [
        ("km", [Ride(1.0), 5, Ride(2.0)], 1),
        ("km", [{"km": 1}, {"km": 1}, {}], 2),
        (lambda r: 1 / r, [1, 0], 1),
        (lambda r: next(iter(())), [1], 0),
    ],
)
def test_the_value_that_does_not_have_the_field_is_named(field, values, index) -> None:
    with pytest.raises(OperatorFailed) as failed:
        column_of(field, values)
    assert failed.value.index == index
    assert failed.value.__cause__ is not None


def test_a_dot_in_a_name_is_part_of_the_name() -> None:
    with pytest.raises(OperatorFailed):
        column_of("left.km", [Pair(Ride(1.0), 2)])


def annotated(ride: Ride) -> int | None:
    return int(ride.km)


@pytest.mark.parametrize(
    ("value_type", "field", "kind"),
    [
        (Ride, "km", float),
        (Ride, "driver", str),
        (Ride, None, Ride),
        (Ride, annotated, int),
        (Ride, lambda r: r.km, Any),
        (Ride, "miles", Any),
        (Ride | None, None, Ride),
        (Point, "x", int),
        (Row, "n", int),
        (Row, "other", Any),
        (Spot, "x", int),
        (Pair[str], "right", int),
        (Pair[str], "left", Any),
        (int | str | None, None, int | str),
        (dict, "n", Any),
        (Any, "n", Any),
        (msgspec.defstruct("Made", [("n", int | None)]), "n", int),
    ],
)
def test_the_type_of_a_field_is_known_where_it_was_declared(value_type, field, kind) -> None:
    assert type_of(value_type, field) == kind


def test_a_field_that_a_record_does_not_have_is_refused_with_the_nearest_that_it_has() -> None:
    with pytest.raises(ConfigError, match="Ride has no field 'kms'; did you mean 'km'"):
        type_of(Ride, "kms")
    with pytest.raises(ConfigError, match="it has: km, driver"):
        type_of(Ride, "zzz")


@pytest.mark.parametrize(
    "kind", [Ride, Point, Spot, Kind, list[Ride], dict[str, Ride] | int, Pair[int], tuple[Kind, ...]]
)
def test_records_and_what_holds_them_have_to_be_read_back_by_their_type(kind) -> None:
    assert holds_records(kind)


@pytest.mark.parametrize("kind", [int, str, Any, list[int], dict, Row, int | None, tuple[int, str], object])
def test_what_needs_no_type_to_be_read_back(kind) -> None:
    assert not holds_records(kind)
