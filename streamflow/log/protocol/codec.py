"""Messages to bytes and back, compiled from a schema: a few closures a structure. PURE.

Neighbouring fields of fixed size are read and written by one `struct`; a batch's bytes are passed through uncopied.

Rules for whoever edits this: bytes come from anybody. No count or length is believed before it was held against the
bytes that are left, and against `ELEMENTS_MAX`; whatever is wrong ends in `MalformedError`. (CVE-2022-34917,
CVE-2026-111108, CVE-2026-111115: counts, array sizes and tags that were believed.)
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from streamflow.log.errors import MalformedError
from streamflow.log.protocol.schema import Field, Schema

Buffer = bytes | bytearray | memoryview
Read = Callable[[memoryview, int], tuple[Any, int]]
Write = Callable[[list[Buffer], Any], None]
Fill = Callable[[dict[str, Any], memoryview, int], int]
"""Reads some fields of a structure into a dict; returns where it stopped."""

ELEMENTS_MAX = 200_000
"""Array elements and tags of one message: an element takes some 100 bytes here and may take one on the wire. A group
of 1,000 members over 100,000 partitions fits."""

TAGS_MAX = 64
"""Of one structure. Kafka has five at most; a tag costs its sender two bytes."""

_FIXED = {
    "bool": "?",
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "uint8": "B",
    "uint16": "H",
    "uint32": "I",
    "uint64": "Q",
    "float64": "d",
    "error_code": "h",
    "uuid": "16s",
    "timedelta_i32": "i",
    "timedelta_i64": "q",
    "datetime_i64": "q",
}
_I8, _I16, _I32 = struct.Struct(">b"), struct.Struct(">h"), struct.Struct(">i")
_BYTE = [bytes((n,)) for n in range(256)]
_NO_TAGS = b"\0"


@dataclass(frozen=True, slots=True)
class Codec:
    """Reads and writes one structure."""

    read: Read
    write: Write


class Budget:
    """How many more elements the message that is being read may have."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = ELEMENTS_MAX

    def take(self, count: int, bytes_left: int, element_bytes_min: int) -> None:
        """Raises: MalformedError when so many can't be there."""
        if count * element_bytes_min > bytes_left:
            raise MalformedError(f"{count} elements are announced, {bytes_left} bytes are left")
        self.left -= count
        if self.left < 0:
            raise MalformedError(f"a message may have {ELEMENTS_MAX} elements; this one has more")


# Numbers and texts


def read_uvarint(view: memoryview, at: int) -> tuple[int, int]:
    byte = view[at]
    if byte < 0x80:
        return byte, at + 1
    value, shift = byte & 0x7F, 7
    while True:
        at += 1
        byte = view[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at + 1
        shift += 7
        if shift > 28:
            raise MalformedError("a length takes more than five bytes")


def uvarint(value: int) -> bytes:
    if value < 0x80:
        return _BYTE[value]
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _read_length(fixed: struct.Struct | None, view: memoryview, at: int) -> tuple[int, int]:
    """A length or count; -1 for null. `fixed` is None where it is compact."""
    if fixed is None:
        value, at = read_uvarint(view, at)
        return value - 1, at
    (value,) = fixed.unpack_from(view, at)
    if value < -1:
        raise MalformedError(f"a length of {value}")
    return value, at + fixed.size


def _sized(fixed: struct.Struct | None, take: Callable[[memoryview], Any], nullable: bool) -> Read:
    def read(view: memoryview, at: int) -> tuple[Any, int]:
        length, at = _read_length(fixed, view, at)
        if length < 0:
            if nullable:
                return None, at
            raise MalformedError("null where a value must be")
        end = at + length
        if end > len(view):
            raise MalformedError(f"{length} bytes are announced, {len(view) - at} are left")
        return take(view[at:end]), end

    return read


def _length_writer(fixed: struct.Struct | None) -> Callable[[int], bytes]:
    return fixed.pack if fixed is not None else lambda length: uvarint(length + 1)


def _text(view: memoryview) -> str:
    return str(view, "utf-8")


def _string(flexible: bool, nullable: bool) -> Codec:
    fixed = None if flexible else _I16
    length = _length_writer(fixed)

    def write(out: list[Buffer], value: str | None) -> None:
        if value is None:
            assert nullable, "a text that must be there is"
            out.append(length(-1))
        else:
            data = value.encode()
            out += (length(len(data)), data)

    return Codec(_sized(fixed, _text, nullable), write)


def _bytes(flexible: bool, nullable: bool) -> Codec:
    fixed = None if flexible else _I32
    length = _length_writer(fixed)

    def write(out: list[Buffer], value: Buffer | None) -> None:
        if value is None:
            assert nullable, "bytes that must be there are"
            out.append(length(-1))
        else:
            out += (length(len(value)), value)

    return Codec(_sized(fixed, bytes, nullable), write)


def _records(flexible: bool) -> Codec:
    """Read: a view of the frame. Written: the batches, one after the other."""
    fixed = None if flexible else _I32
    length = _length_writer(fixed)

    def write(out: list[Buffer], value: Sequence[Buffer] | None) -> None:
        if value is None:
            out.append(length(-1))
        else:
            out.append(length(sum(map(len, value))))
            out += value

    return Codec(_sized(fixed, lambda view: view, True), write)


# Structures


def compile_schema(schema: Schema, classes: Mapping[str, Callable[..., Any]]) -> Codec:
    """The codec of a message.

    Args:
        classes: what is made of the fields of each structure, by the path of field names that leads to it: "" is the
            message, "topics.partitions" one inside.
    """
    budget = Budget()
    codec = _Compiler(budget, classes).structure(schema, "")

    def read(view: memoryview, at: int) -> tuple[Any, int]:
        budget.left = ELEMENTS_MAX
        try:
            return codec.read(view, at)
        except (IndexError, struct.error) as error:
            raise MalformedError(f"a {schema.name} ends too early") from error
        except UnicodeDecodeError as error:
            raise MalformedError(f"a text in a {schema.name} isn't UTF-8") from error

    return Codec(read, codec.write)


class _Compiler:
    def __init__(self, budget: Budget, classes: Mapping[str, Callable[..., Any]]) -> None:
        self._budget = budget
        self._classes = classes

    def structure(self, schema: Schema, path: str) -> Codec:
        """Fields in runs: those of fixed size together, the others each by itself; then what is tagged."""
        fills: list[Fill] = []
        writes: list[Write] = []
        untagged = [f for f in schema.fields if f.tag is None]
        for fixed, run in groupby(untagged, key=lambda f: f.kind in _FIXED and not f.array):
            if fixed:
                fill, write = _fixed_run(list(run))
                fills.append(fill)
                writes.append(write)
                continue
            for field in run:
                codec = self._field(field, schema.flexible, path)
                fills.append(_field_filler(field.name, codec.read))
                writes.append(_field_writer(field.name, codec.write))
        if schema.flexible:
            fill, write = self._tags([f for f in schema.fields if f.tag is not None], path)
            fills.append(fill)
            writes.append(write)
        return Codec(_structure_reader(self._classes[path], fills), _structure_writer(writes))

    def _field(self, field: Field, flexible: bool, path: str) -> Codec:
        codec = self._element(field, flexible, _join(path, field.name))
        if not field.array:
            return codec
        return _array(codec, None if flexible else _I32, field.nullable, _bytes_min(field, flexible), self._budget)

    def _element(self, field: Field, flexible: bool, path: str) -> Codec:
        nullable = field.nullable and not field.array
        if field.struct is not None:
            codec = self.structure(field.struct, path)
            return _nullable(codec) if nullable and field.tag is None else codec
        if field.kind == "string":
            return _string(flexible, nullable)
        if field.kind == "bytes":
            return _bytes(flexible, nullable)
        if field.kind == "records":
            return _records(flexible)
        return _fixed(_FIXED[field.kind])

    def _tags(self, known: list[Field], path: str) -> tuple[Fill, Write]:
        codecs = {f.tag: (f.name, self._field(f, True, path)) for f in known}
        defaults = [self._default(f, path) for f in known]
        budget = self._budget

        def fill(values: dict[str, Any], view: memoryview, at: int) -> int:
            count, at = read_uvarint(view, at)
            if not count:
                return at
            if count > TAGS_MAX:
                raise MalformedError(f"a structure may have {TAGS_MAX} tagged fields; this one has {count}")
            budget.take(count, len(view) - at, 2)
            seen = -1
            for _ in range(count):
                tag, at = read_uvarint(view, at)
                size, at = read_uvarint(view, at)
                if tag <= seen:
                    raise MalformedError(f"tag {tag} after tag {seen}: tags come in order, each once")
                if size > len(view) - at:
                    raise MalformedError(f"a tagged field of {size} bytes, {len(view) - at} are left")
                seen, end = tag, at + size
                if tag in codecs:
                    name, codec = codecs[tag]
                    values[name], ended = codec.read(view[:end], at)
                    if ended != end:
                        raise MalformedError(f"tagged field {name} has {end - ended} bytes too many")
                at = end
            return at

        def write(out: list[Buffer], message: Any) -> None:
            given: list[tuple[int, Write, Any]] = []
            for field, default in zip(known, defaults, strict=True):
                value = getattr(message, field.name)
                if value != default:
                    assert field.tag is not None, "known by their tags"
                    given.append((field.tag, codecs[field.tag][1].write, value))
            out.append(uvarint(len(given)))
            for tag, write_field, value in given:
                part: list[Buffer] = []
                write_field(part, value)
                out += (uvarint(tag), uvarint(sum(map(len, part))), *part)

        return fill, write if known else lambda out, message: out.append(_NO_TAGS)

    def _default(self, field: Field, path: str) -> object:
        """What a tagged field has when it isn't there."""
        if field.array:
            return [] if field.default == () else field.default
        if field.struct is not None and not field.nullable:
            return self._classes[_join(path, field.name)]()
        return field.default


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _fixed(code: str) -> Codec:
    packer = struct.Struct(">" + code)

    def read(view: memoryview, at: int) -> tuple[Any, int]:
        return packer.unpack_from(view, at)[0], at + packer.size

    return Codec(read, lambda out, value: out.append(packer.pack(value)))


def _fixed_run(run: list[Field]) -> tuple[Fill, Write]:
    packer = struct.Struct(">" + "".join(_FIXED[f.kind] for f in run))
    names = tuple(f.name for f in run)
    get = attrgetter(*names)

    def fill(values: dict[str, Any], view: memoryview, at: int) -> int:
        values.update(zip(names, packer.unpack_from(view, at), strict=True))
        return at + packer.size

    if len(names) == 1:
        return fill, lambda out, message: out.append(packer.pack(get(message)))
    return fill, lambda out, message: out.append(packer.pack(*get(message)))


def _field_filler(name: str, read: Read) -> Fill:
    def fill(values: dict[str, Any], view: memoryview, at: int) -> int:
        values[name], at = read(view, at)
        return at

    return fill


def _field_writer(name: str, write: Write) -> Write:
    get = attrgetter(name)
    return lambda out, message: write(out, get(message))


def _structure_reader(cls: Callable[..., Any], fills: list[Fill]) -> Read:
    def read(view: memoryview, at: int) -> tuple[Any, int]:
        values: dict[str, Any] = {}
        for fill in fills:
            at = fill(values, view, at)
        return cls(**values), at

    return read


def _structure_writer(writes: list[Write]) -> Write:
    def write(out: list[Buffer], message: Any) -> None:
        for write_part in writes:
            write_part(out, message)

    return write


def _nullable(codec: Codec) -> Codec:
    """A structure that may be null has a byte before it."""

    def read(view: memoryview, at: int) -> tuple[Any, int]:
        return (None, at + 1) if _I8.unpack_from(view, at)[0] < 0 else codec.read(view, at + 1)

    def write(out: list[Buffer], value: Any) -> None:
        if value is None:
            out.append(b"\xff")
        else:
            out.append(b"\x01")
            codec.write(out, value)

    return Codec(read, write)


def _array(codec: Codec, fixed: struct.Struct | None, nullable: bool, bytes_min: int, budget: Budget) -> Codec:
    length = _length_writer(fixed)
    read_element, write_element = codec.read, codec.write

    def read(view: memoryview, at: int) -> tuple[list[Any] | None, int]:
        count, at = _read_length(fixed, view, at)
        if count < 0:
            if nullable:
                return None, at
            raise MalformedError("null where an array must be")
        budget.take(count, len(view) - at, bytes_min)
        values = []
        for _ in range(count):
            value, at = read_element(view, at)
            values.append(value)
        return values, at

    def write(out: list[Buffer], values: Sequence[Any] | None) -> None:
        if values is None:
            assert nullable, "an array that must be there is"
            out.append(length(-1))
            return
        out.append(length(len(values)))
        for value in values:
            write_element(out, value)

    return Codec(read, write)


def _bytes_min(field: Field, flexible: bool) -> int:
    """What an element takes at least."""
    if field.struct is not None:
        return max(1, structure_bytes_min(field.struct))
    if field.kind in _FIXED:
        return struct.calcsize(">" + _FIXED[field.kind])
    return 1 if flexible else (2 if field.kind == "string" else 4)


def structure_bytes_min(schema: Schema) -> int:
    sizes = [1 if schema.flexible else 0]
    for field in schema.fields:
        if field.tag is None:
            whole = not field.array and not (field.struct is not None and field.nullable)
            sizes.append(_bytes_min(field, schema.flexible) if whole else (1 if schema.flexible else 4))
    return sum(sizes)
