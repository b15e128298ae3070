"""Fields of values: how they are read, a column at a time, and what type they have. PURE.

A field is named (an attribute of an object, an item of a dict), or computed by a function, or the value itself. A
field of None is None.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from operator import attrgetter, itemgetter
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from streamflow.errors import ConfigError
from streamflow.operators.stateless import apply

Field = str | Callable[[Any], Any] | None


def reader(field: Field) -> Callable[[Any], Any]:
    """A function that reads the field of one value."""
    if field is None:
        return lambda value: value
    if callable(field):
        return lambda value: None if value is None else field(value)

    def read(value: Any) -> Any:
        if value is None:
            return None
        return value[field] if isinstance(value, Mapping) else getattr(value, field)

    return read


def column_of(field: Field, values: Sequence[Any]) -> Sequence[Any]:
    """The field of every value. Raises: OperatorFailed naming the value that doesn't have it."""
    if field is None:
        return values
    if callable(field):
        return apply(reader(field) if None in values else field, values)
    if values and "." not in field:  # which attrgetter would take for a path
        get = itemgetter(field) if type(values[0]) is dict else attrgetter(field)
        try:
            return list(map(get, values))
        except Exception:  # mixed values: one by one, which also says whose field is missing
            pass
    return apply(reader(field), values)


def type_of(value_type: Any, field: Field) -> Any:
    """The type of a field of values of this type, None aside; Any where it isn't known.

    Raises: ConfigError for a field that a record doesn't have.
    """
    if field is None:
        return _without_none(value_type)
    if callable(field):
        return _without_none(_hints(field).get("return", Any))
    hints = _hints(value_type)
    if field in hints:
        return _without_none(hints[field])
    if hasattr(value_type, "__struct_fields__") and not hasattr(value_type, field):
        near = difflib.get_close_matches(field, hints, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"it has: {', '.join(hints)}"
        raise ConfigError(f"{value_type.__name__} has no field '{field}'; {hint}")
    return Any


def holds_records(kind: Any) -> bool:
    """Whether values of this type have to be read back by it: records, and whatever holds them."""
    if isinstance(kind, type) and get_origin(kind) is None:
        own = hasattr(kind, "__struct_fields__") or dataclasses.is_dataclass(kind) or hasattr(kind, "_fields")
        return own or issubclass(kind, Enum)
    return hasattr(get_origin(kind), "__struct_fields__") or any(map(holds_records, get_args(kind)))


def _hints(annotated: Any) -> dict[str, Any]:
    try:
        return get_type_hints(get_origin(annotated) or annotated)
    except (NameError, TypeError, AttributeError):
        return {}


def _without_none(kind: Any) -> Any:
    if isinstance(kind, TypeVar):
        return Any
    if get_origin(kind) not in (Union, UnionType):
        return kind
    rest = [part for part in get_args(kind) if part is not NoneType]
    return rest[0] if len(rest) == 1 else Union[tuple(rest)]  # noqa: UP007
