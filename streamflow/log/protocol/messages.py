"""Every message by its plain name, in all its versions at once, as Kafka's own message classes are.

    from streamflow.log.protocol.messages import fetch_response

    fetch_response.FetchResponse(session_id=0, responses=[…])

A message is a struct whose fields all have defaults: those of Kafka's definitions. What an older version lacks has its
default after reading, and isn't written; what only older versions have is there as well. Times are integers
in ms, ids are 16 bytes, error codes are numbers; records are a view of the frame when read, and a list of batches when
written. `messages.pyi` says all of it to the type checker; it is made by `stubs`.

Loaded on first use: a name here is a namespace of one message's structures, made from its schema.
"""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace
from typing import Any

import msgspec

from streamflow.log.protocol.codec import Buffer, Codec, compile_schema
from streamflow.log.protocol.schema import Schema, Side, merged_schema, schema_of


def __getattr__(name: str) -> SimpleNamespace:
    api, _, side = name.rpartition("_")
    if side in ("request", "response"):
        try:
            return _namespace(api, "request" if side == "request" else "response")
        except ModuleNotFoundError:
            pass  # Not a message's name, then.
    raise AttributeError(f"there is no message '{name}'")


@cache
def _namespace(api: str, side: Side) -> SimpleNamespace:
    classes = structures(api, side)
    return SimpleNamespace(**{c.__name__: c for c in classes.values()})


@cache
def structures(api: str, side: Side) -> dict[str, Any]:
    """Every structure's class, by the path of field names that leads to it."""
    classes: dict[str, Any] = {}
    _define(merged_schema(api, side), "", classes)
    return classes


def _define(schema: Schema, path: str, classes: dict[str, Any]) -> Any:
    fields: list[tuple[str, Any, Any]] = []
    for field in schema.fields:
        default: object = field.default
        if field.struct is not None:
            inner = _define(field.struct, f"{path}.{field.name}" if path else field.name, classes)
            if not field.array and not field.nullable:
                default = msgspec.field(default_factory=inner)
        if field.array and default == ():
            default = msgspec.field(default_factory=list)
        fields.append((field.name, Any, default))
    classes[path] = msgspec.defstruct(schema.name, fields, kw_only=True)
    return classes[path]


@cache
def codec_of(api: str, version: int, side: Side) -> Codec:
    """What reads and writes one version of a message."""
    return compile_schema(schema_of(api, version, side), structures(api, side))


def read_request(api: str, version: int, view: memoryview, at: int) -> Any:
    """The request whose body begins at `at`. Raises: MalformedError."""
    message, _ = codec_of(api, version, "request").read(view, at)
    return message


def write_response(api: str, version: int, message: Any) -> list[Buffer]:
    """The body, in parts to be sent one after the other."""
    out: list[Buffer] = []
    codec_of(api, version, "response").write(out, message)
    return out
