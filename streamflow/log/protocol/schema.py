"""What Kafka's messages look like, version by version: read from `kio`'s generated classes. PURE.

`kio` is used for its schemas only. Its native reader takes a count at its word and asks for the memory first (seen with
0.6.5: five bytes end the process), so `codec` reads and writes by these schemas itself.

A module of `kio` is imported when its version is first asked for: all of them take a second.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import UnionType
from typing import Any, Literal, get_args, get_origin

Side = Literal["request", "response"]

_IN_MS = ("timedelta_i32", "timedelta_i64", "datetime_i64")
_ZEROS: dict[str, object] = {
    "string": "",
    "bytes": b"",
    "records": b"",
    "bool": False,
    "uuid": b"\0" * 16,
    "float64": 0.0,
}

FORKS: dict[str, tuple[int, ...]] = {
    "produce": (12,),
    "fetch": (12,),
    "metadata": (10,),
    "offset_commit": (9, 4),
    "offset_fetch": (9, 7),
    "find_coordinator": (3,),
    "leave_group": (2,),
    "delete_topics": (5,),
    "add_partitions_to_txn": (3,),
    "end_quorum_epoch": (0,),
    "alter_partition": (2,),
    "update_features": (1, 0),
}
"""The last versions that have a field the newest has no more. Nowhere else do versions differ but by absent fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field. `kind` is Kafka's primitive type, or "struct"; of each element, if it is an array."""

    name: str
    kind: str
    array: bool
    nullable: bool
    default: object
    tag: int | None
    struct: Schema | None

    def replace(self, *, struct: Schema | None) -> Field:
        return replace(self, struct=struct)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """One structure, in the order of the wire; tagged fields come last, by tag."""

    name: str
    flexible: bool
    fields: tuple[Field, ...]

    def replace(self, *, fields: tuple[Field, ...]) -> Schema:
        return replace(self, fields=fields)


def newest_version(api: str) -> int:
    """The newest version `kio` has. Raises: ModuleNotFoundError for what isn't an API."""
    package = import_module(f"kio.schema.{api}")
    return max(int(name[1:]) for name in _folders(package) if name[0] == "v")


def _folders(package: Any) -> list[str]:
    return [module.name for module in iter_modules(package.__path__)]


@cache
def schema_of(api: str, version: int, side: Side) -> Schema:
    """The schema of a message.

    Args:
        api: as `kio` calls it: `produce`, `consumer_group_heartbeat`.

    Raises: ModuleNotFoundError for an API or a version that `kio` doesn't have.
    """
    module = import_module(f"kio.schema.{api}.v{version}.{side}")
    (root,) = (c for c in vars(module).values() if is_dataclass(c) and getattr(c, "__type__", None).name == side)  # type: ignore[union-attr]
    return _schema(root)


def merged_schema(api: str, side: Side) -> Schema:
    """The newest version's schema, with what only older ones have."""
    merged = schema_of(api, newest_version(api), side)
    for version in FORKS.get(api, ()):
        merged = _merge(merged, schema_of(api, version, side))
    return merged


def _merge(newer: Schema, older: Schema) -> Schema:
    known = {f.name: f for f in newer.fields}
    before = {f.name: f for f in older.fields}
    fields: list[Field] = []
    for field in newer.fields:
        struct = field.struct
        twin = before.get(field.name)
        if struct is not None and twin is not None and twin.struct is not None:
            struct = _merge(struct, twin.struct)
        fields.append(field.replace(struct=struct))
    return newer.replace(fields=(*fields, *(f for f in older.fields if f.name not in known)))


def _schema(cls: Any) -> Schema:
    found = [_field(f) for f in fields(cls)]
    untagged = [f for f in found if f.tag is None]
    tagged = sorted((f for f in found if f.tag is not None), key=lambda f: f.tag or 0)
    return Schema(name=cls.__name__, flexible=bool(cls.__flexible__), fields=(*untagged, *tagged))


def _field(field: Any) -> Field:
    declared = field.type
    nullable = isinstance(declared, UnionType)
    if nullable:
        (declared,) = (a for a in get_args(declared) if a is not type(None))
    array = get_origin(declared) is tuple
    element = get_args(declared)[0] if array else declared
    kind = field.metadata.get("kafka_type", "struct")
    struct = _schema(element) if kind == "struct" else None
    tag = field.metadata.get("tag")
    in_ms = kind in _IN_MS
    return Field(
        name=field.name + "_ms" if in_ms else field.name,
        kind=kind,
        array=array,
        # A time that is null is -1 on the wire, and here; an id that is null is all zeros.
        nullable=nullable and not in_ms and kind != "uuid",
        default=_default(field, kind, array=array, nullable=nullable),
        tag=tag,
        struct=struct,
    )


def _default(field: Any, kind: str, *, array: bool, nullable: bool) -> object:
    """What the field is when nobody says: as the definition has it, else Kafka's own empty values."""
    given = field.default
    if kind in _IN_MS:
        if given is None:
            return -1
        return 0 if given is MISSING else round(given.total_seconds() * 1000)
    if kind == "uuid" and not array:
        return _ZEROS[kind] if given is MISSING or given is None else given.bytes
    if given is not MISSING and (kind != "struct" or array or given is None):
        return None if given is None else (tuple(given) if array else _plain(given))
    if array:
        return ()
    if kind == "struct":
        return None
    return _ZEROS.get(kind, 0)


def _plain(value: object) -> object:
    """Without `kio`'s own number and text types."""
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return str(value) if isinstance(value, str) else value
