"""Writes `messages.pyi`: what the messages' structures hold, for the type checker.

python -m streamflow.log.protocol.stubs > streamflow/log/protocol/messages.pyi
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from kio.schema.index import api_key_map

from streamflow.log.protocol.schema import Field, Schema, Side, merged_schema

_TYPES = {"string": "str", "bytes": "bytes", "uuid": "bytes", "bool": "bool", "float64": "float"}
_HEAD = '''"""Made by `stubs`; don't edit."""

# ruff: noqa
# fmt: off
from collections.abc import Sequence
from typing import Any

from streamflow.log.protocol.codec import Buffer, Codec
from streamflow.log.protocol.schema import Side

def structures(api: str, side: Side) -> dict[str, Any]: ...
def codec_of(api: str, version: int, side: Side) -> Codec: ...
def read_request(api: str, version: int, view: memoryview, at: int) -> Any: ...
def write_response(api: str, version: int, message: Any) -> list[Buffer]: ...
'''
_SIDES: tuple[Side, ...] = ("request", "response")


def lines() -> Iterator[str]:
    yield from _HEAD.splitlines()
    for name in api_key_map.values():
        for side in _SIDES:
            yield ""
            yield f"class {name}_{side}:"
            yield from _structure(merged_schema(name, side), f"{name}_{side}", set())


def _structure(schema: Schema, outer: str, written: set[str]) -> Iterator[str]:
    if schema.name in written:
        return
    written.add(schema.name)
    for field in schema.fields:
        if field.struct is not None:
            yield from _structure(field.struct, outer, written)
    yield f"    class {schema.name}:"
    types = {f.name: _type(f, outer) for f in schema.fields}
    for name, kind in types.items():
        yield f"        {name}: {kind}"
    given = "".join(f", {name}: {kind} = ..." for name, kind in types.items())
    yield f"        def __init__(self{', *' if given else ''}{given}) -> None: ..."


def _type(field: Field, outer: str) -> str:
    if field.struct is not None:
        kind = f"{outer}.{field.struct.name}"
    elif field.kind == "records":
        return "memoryview | Sequence[Buffer] | None"
    else:
        kind = _TYPES.get(field.kind, "int")
    if field.array:
        kind = f"list[{kind}]"
    return f"{kind} | None" if field.nullable else kind


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines()) + "\n")
