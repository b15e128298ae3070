"""Messages made by chance from their schemas, and what `kio` calls the same message.

One generator for the codec's tests and the fuzzers: `message` draws from a `Random`, so that a seed is a message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from random import Random
from types import UnionType
from typing import Any, get_args, get_origin
from uuid import UUID

from kio.schema.errors import ErrorCode
from kio.schema.index import api_key_map
from kio.static.constants import EntityType

from streamflow.log.protocol.messages import structures
from streamflow.log.protocol.schema import Field, Schema, Side, newest_version, schema_of

APIS = tuple(api_key_map.values())
SIDES: tuple[Side, ...] = ("request", "response")
RECORDS = {"records", "unaligned_records"}
NO_ID = b"\0" * 16
TEXTS = ("", "a", "orders", "ünïcödé ☃", "x" * 200)
RANGES = {
    "int8": (-(2**7), 2**7 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint8": (0, 2**8 - 1),
    "uint16": (0, 2**16 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
    # kio's own times are floats and dates: exact in these ranges. -1 is null where that may be.
    "timedelta_i32": (0, 2**31 - 1),
    "timedelta_i64": (0, 2**40),
    "datetime_i64": (0, 2**41),
}

Draw = Callable[[Random, Field], Any]
"""A primitive value for a field."""


def versions(api: str, side: Side) -> Iterator[int]:
    for version in range(newest_version(api) + 1):
        try:
            schema_of(api, version, side)
        except ModuleNotFoundError:
            continue
        yield version


def any_value(random: Random, field: Field) -> Any:
    """Of the field's whole range, its ends and its default often."""
    kind = field.kind
    if kind in RANGES:
        low, high = RANGES[kind]
        if random.random() < 0.3 and isinstance(field.default, int) and (field.default >= low or field.tag is not None):
            return field.default
        return random.choice((low, high, max(low, 0), random.randint(low, high)))
    match kind:
        case "bool":
            return random.random() < 0.5
        case "string":
            return random.choice(TEXTS)
        case "bytes":
            return random.randbytes(random.choice((0, 1, 200)))
        case "records":
            return [random.randbytes(random.choice((0, 70))) for _ in range(random.randrange(3))]
        case "uuid":
            return random.choice((NO_ID, random.randbytes(16)))
        case "float64":
            return random.choice((0.0, -1.5, random.random() * 1e9))
        case "error_code":
            return int(random.choice(list(ErrorCode)))
    raise AssertionError(f"no values for a {kind}")


def message(random: Random, api: str, version: int, side: Side, draw: Draw = any_value) -> Any:
    """A message with values for all that the version has."""
    return _structure(random, schema_of(api, version, side), structures(api, side), "", draw)


def _structure(random: Random, schema: Schema, classes: dict[str, Any], path: str, draw: Draw) -> Any:
    return classes[path](**{f.name: _value(random, f, classes, path, draw) for f in schema.fields})


def _value(random: Random, field: Field, classes: dict[str, Any], path: str, draw: Draw) -> Any:
    if field.nullable and random.random() < 0.25:
        return None

    def one() -> Any:
        if field.struct is None:
            return draw(random, field)
        return _structure(random, field.struct, classes, f"{path}.{field.name}" if path else field.name, draw)

    return [one() for _ in range(random.choice((0, 1, 1, 3)))] if field.array else one()


# As kio has it


def kio_class(api: str, version: int, side: Side) -> Any:
    module = import_module(f"kio.schema.{api}.v{version}.{side}")
    (root,) = (c for c in vars(module).values() if is_dataclass(c) and getattr(c, "__type__", None) is EntityType[side])
    return root


def to_kio(message: Any, cls: Any) -> Any:
    """The same message, by kio's class for one version."""
    return cls(**{f.name: _kio_value(message, f) for f in fields(cls)})


def _kio_value(message: Any, field: Any) -> Any:
    declared = field.type
    nullable = isinstance(declared, UnionType)
    if nullable:
        (declared,) = (a for a in get_args(declared) if a is not type(None))
    kind = field.metadata.get("kafka_type")
    value = getattr(
        message, field.name + "_ms" if kind in ("timedelta_i32", "timedelta_i64", "datetime_i64") else field.name
    )
    array = get_origin(declared) is tuple
    if value is None:
        return None
    one = _converter(kind, get_args(declared)[0] if array else declared, nullable)
    return tuple(map(one, value)) if array else one(value)


def _converter(kind: str | None, cls: Any, nullable: bool) -> Callable[[Any], Any]:
    match kind:
        case None:
            return lambda value: to_kio(value, cls)
        case "uuid":
            return lambda value: None if value == NO_ID else UUID(bytes=value)
        case "records":
            return b"".join
        case "error_code":
            return ErrorCode
        case "timedelta_i32" | "timedelta_i64":
            return lambda value: None if nullable and value == -1 else timedelta(milliseconds=value)
        case "datetime_i64":
            return lambda value: None if nullable and value == -1 else datetime.fromtimestamp(value / 1000, UTC)
    return lambda value: value


def plain(value: Any) -> Any:
    """As dicts and lists: records are the same whether they are read or to be written."""
    names = getattr(value, "__struct_fields__", None)
    if names is None:
        return [plain(v) for v in value] if isinstance(value, list) else value
    return {name: _plain_field(name, getattr(value, name)) for name in names}


def _plain_field(name: str, value: Any) -> Any:
    if name in RECORDS and value is not None:
        return bytes(value) if isinstance(value, memoryview) else b"".join(value)
    return plain(value)
