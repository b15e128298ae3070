"""Bytes <-> values: json, msgpack, text and raw, by declared type.

None is null both ways: a record without a value is a tombstone. Decoding is strict: bytes that aren't a value of
the type are an error, never a value of another type. Nothing is unpickled, ever.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Protocol
from uuid import UUID

import msgspec

from streamflow.errors import ConfigError, DecodeError, EncodeError

SHOWN_BYTES_MAX = 80
"""Of a value that can't be decoded, in the error."""


class DecodeFailed(Exception):
    """The value at `index` isn't of the type. `__cause__` is the `DecodeError` that says why."""

    def __init__(self, index: int) -> None:
        super().__init__(f"value {index} can't be decoded")
        self.index = index


class Codec(Protocol):
    """Values of one type as bytes."""

    def encode(self, value: Any) -> bytes | None:
        """Raises: EncodeError."""

    def decode(self, data: bytes | None) -> Any:
        """Raises: DecodeError."""

    def decode_many(self, column: Sequence[bytes | None]) -> list[Any]:
        """Raises: DecodeFailed at the first value that isn't of the type."""


class _Typed:
    """msgspec's JSON or MessagePack for one type."""

    def __init__(self, name: str, value_type: Any, *, strict: bool) -> None:
        self._type = value_type
        if name == "json":
            self._encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode
            self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(value_type).decode
        else:
            self._encode = msgspec.msgpack.Encoder().encode
            self._decode = msgspec.msgpack.Decoder(value_type).decode
        self._checked = _checkable(value_type)
        self._plain = strict and value_type is Any

    def __repr__(self) -> str:
        return f"<codec for {_type_name(self._type)}>"

    def encode(self, value: Any) -> bytes | None:
        if value is None:
            return None
        if self._checked is not None and not isinstance(value, self._checked):
            raise EncodeError(f"{value!r} is a {type(value).__name__}, the topic holds {_type_name(self._type)}")
        if self._plain and hasattr(type(value), "__struct_fields__"):
            raise EncodeError(
                f"{value!r} would be read back as a dict: the stream's type isn't known here. Say what the step before "
                f"makes, e.g. .map(fn, type={type(value).__name__}), or annotate what fn returns"
            )
        try:
            return self._encode(value)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise EncodeError(f"{value!r} can't be written as {_type_name(self._type)}: {error}") from error

    def decode(self, data: bytes | None) -> Any:
        if data is None:
            return None
        try:
            return self._decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise _refused(data, self._type, error) from error

    def decode_many(self, column: Sequence[bytes | None]) -> list[Any]:
        decode = self._decode
        values: list[Any] = []
        try:
            if None in column:
                for data in column:
                    values.append(None if data is None else decode(data))
            else:  # a list extended by a map keeps what came before the failure: its length is the failing index
                values.extend(map(decode, column))  # type: ignore[arg-type]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            at = len(values)
            raise DecodeFailed(at) from _refused(column[at] or b"", self._type, error)
        return values


class _Text:
    """UTF-8."""

    def encode(self, value: Any) -> bytes | None:
        if value is None:
            return None
        if not isinstance(value, str):
            raise EncodeError(f"{value!r} is a {type(value).__name__}, the topic holds text; send a str")
        return value.encode()

    def decode(self, data: bytes | None) -> Any:
        if data is None:
            return None
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise _refused(data, str, error) from error

    def decode_many(self, column: Sequence[bytes | None]) -> list[Any]:
        return _decode_each(self, column)


class _Raw:
    """Bytes as they are."""

    def encode(self, value: Any) -> bytes | None:
        if value is None or isinstance(value, bytes):
            return value
        raise EncodeError(f"{value!r} is a {type(value).__name__}, the topic holds raw bytes; send bytes")

    def decode(self, data: bytes | None) -> Any:
        return data

    def decode_many(self, column: Sequence[bytes | None]) -> list[Any]:
        return list(column)


class _AnyKey:
    """Keys of internal topics: 5 and "5" differ, and a key is read back as it was written."""

    def encode(self, value: Any) -> bytes | None:
        return None if value is None else pack(value)

    def decode(self, data: bytes | None) -> Any:
        if data is None:
            return None
        try:
            key = unpack(data)
            hash(key)
        except (msgspec.MsgspecError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            raise _refused(data, "a key", error) from error
        return key

    def decode_many(self, column: Sequence[bytes | None]) -> list[Any]:
        return _decode_each(self, column)


class _JsonKey:
    """JSON of one type, of which only what can be a key: a list can't."""

    def __init__(self, key_type: Any) -> None:
        self._values = value_codec("json", key_type)

    def encode(self, value: Any) -> bytes | None:
        return self._values.encode(value)

    def decode(self, data: bytes | None) -> Any:
        key = self._values.decode(data)
        try:
            hash(key)
        except TypeError as error:
            raise DecodeError(f"{key!r} can't be a key: {error}; declare a key_type of tuples") from error
        return key

    def decode_many(self, column: Sequence[bytes | None]) -> list[Any]:
        keys = self._values.decode_many(column)
        try:
            frozenset(keys)
        except TypeError:
            return _decode_each(self, column)  # says which
        return keys


def _decode_each(codec: Codec, column: Sequence[bytes | None]) -> list[Any]:
    values: list[Any] = []
    try:
        for data in column:
            values.append(codec.decode(data))
    except DecodeError as error:
        raise DecodeFailed(len(values)) from error
    return values


def value_codec(name: str, value_type: Any = Any, *, strict: bool = False) -> Codec:
    """The codec of a topic's values.

    Args:
        name: json, msgpack, text or raw.
        value_type: what json and msgpack decode to, and refuse to encode another type than.
        strict: with Any, refuse records, which would be read back as dicts.

    Raises: ConfigError for an unknown name, or a type the codec doesn't know.
    """
    if name == "text":
        return _Text()
    if name == "raw":
        return _Raw()
    if name not in ("json", "msgpack"):
        raise ConfigError(f"codec {name!r} isn't known; use json, msgpack, text or raw")
    try:
        return _Typed(name, value_type, strict=strict)
    except TypeError as error:
        raise ConfigError(f"{_type_name(value_type)} can't be a {name} value: {error}") from error


def key_codec(key_type: Any) -> Codec:
    """The codec of a topic's keys: UTF-8 for str, as they are for bytes, JSON for other types; "any" is MessagePack
    for keys of mixed types, in topics that only this app reads."""
    if key_type == "any":
        return _AnyKey()
    if key_type is str:
        return _Text()
    if key_type is bytes:
        return _Raw()
    return _JsonKey(key_type)


_encode_plain = msgspec.json.Encoder().encode


def encode_key(key: Any) -> bytes | None:
    """A key in the form that decides its partition: what a client in any language would send.

    Raises: EncodeError for what can't be a key.
    """
    if key is None or isinstance(key, bytes):
        return key
    if isinstance(key, str):
        return key.encode()
    try:
        return _encode_plain(key)
    except (TypeError, ValueError, OverflowError) as error:
        raise EncodeError(f"{key!r} can't be a key: {error}; use str, int, float, bytes or tuples") from error


# State: MessagePack that is read back as it was written, whatever it was

_PLAIN = frozenset({str, int, float, bool, bytes, type(None)})


def _microseconds(text: str) -> timedelta:
    return timedelta(microseconds=int(text))


_TEXTS: dict[type, tuple[int, Callable[[Any], str], Callable[[str], Any]]] = {
    int: (1, str, int),
    Decimal: (2, str, Decimal),
    datetime: (3, datetime.isoformat, datetime.fromisoformat),
    date: (4, date.isoformat, date.fromisoformat),
    time: (5, time.isoformat, time.fromisoformat),
    timedelta: (6, lambda value: str(value // timedelta(microseconds=1)), _microseconds),
    UUID: (7, str, UUID),
}
_GROUPS: dict[type, int] = {tuple: 16, set: 17, frozenset: 18}
_PAIRS = 19

_READERS = {code: read for code, _, read in _TEXTS.values()}
_MAKERS: dict[int, Callable[[list[Any]], Any]] = {16: tuple, 17: set, 18: frozenset, 19: dict}


def exact(value: Any) -> Any:
    """The value in terms that MessagePack gives back as they were: what it has no word for (tuples, sets, decimals,
    dates, …) is tagged. `tagged_hook` is the way back.

    Raises: EncodeError for a value of any other type, which would be read back as something else.
    """
    kind = type(value)
    if kind in _PLAIN and not (kind is int and not -(1 << 63) <= value < 1 << 64):
        return value
    if kind is list:
        return [exact(part) for part in value]
    if kind is dict:
        if all(type(key) is str for key in value):
            return {key: exact(part) for key, part in value.items()}
        return msgspec.msgpack.Ext(_PAIRS, _pack([[exact(k), exact(v)] for k, v in value.items()]))
    if kind in _GROUPS:
        return msgspec.msgpack.Ext(_GROUPS[kind], _pack([exact(part) for part in value]))
    if kind in _TEXTS:
        code, write, _ = _TEXTS[kind]
        return msgspec.msgpack.Ext(code, write(value).encode())
    if isinstance(value, Enum) and value == value.value:  # a StrEnum, an IntEnum: equal to what is read back
        return exact(value.value)
    raise EncodeError(
        f"{value!r} would not be read back as a {kind.__name__}; keys and state are made of str, int, float, bool, "
        "bytes, None, dates and times, Decimal, UUID, and tuples, lists, sets and dicts of them"
    )


def tagged_hook(code: int, data: memoryview) -> Any:
    """For msgspec's `ext_hook`: the inverse of `exact`."""
    if code in _READERS:
        return _READERS[code](str(data, "utf-8"))
    if code in _MAKERS:
        return _MAKERS[code](_unpack(data))
    raise ValueError(f"tag {code} isn't known; the state was written by a newer Streamflow")


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(ext_hook=tagged_hook).decode


def pack(value: Any) -> bytes:
    """A value of state as bytes. Raises: EncodeError for a type that wouldn't be read back as it was."""
    return _pack(value) if type(value) is str else _pack(exact(value))


def unpack(data: bytes) -> Any:
    """What `pack` wrote."""
    return _unpack(data)


NIL = b"\xc0"
"""None as MessagePack has it: a table's value. No bytes at all are a deletion."""

_EXACT = frozenset({object, dict, list, *_PLAIN, *_TEXTS, *_GROUPS})


class _TableValues:
    """Values of a table. What is written can be read back, or is refused: state must never be lost at a restart."""

    def __init__(self, value_type: Any) -> None:
        self._typed = value_codec("msgpack", value_type)
        self._exact = value_type is Any or value_type in _EXACT
        self._checked = _checkable(value_type)

    def encode(self, value: Any) -> bytes:
        if value is None:
            return NIL
        if not self._exact:
            data = self._typed.encode(value)
            try:
                self._typed.decode(data)
            except DecodeError as error:
                raise EncodeError(f"{value!r} could not be read back: {error}") from error
            assert data is not None, "only None is nothing"
            return data
        if self._checked is not None and not isinstance(value, self._checked):
            raise EncodeError(f"{value!r} is a {type(value).__name__}, the table holds {_type_name(self._checked)}")
        return pack(value)

    def decode(self, data: bytes | None) -> Any:
        if data == NIL:
            return None
        if not self._exact:
            return self._typed.decode(data)
        try:
            value = unpack(data or b"")
        except (msgspec.MsgspecError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            raise _refused(data or b"", self._checked or "a value", error) from error
        return value if self._checked is None or isinstance(value, self._checked) else self._typed.decode(data)

    def decode_many(self, column: Sequence[bytes | None]) -> list[Any]:
        return _decode_each(self, column)


def table_codec(value_type: Any) -> Codec:
    """The codec of a table's values, None among them: each is read back as it was, type and all, or refused.

    Raises: ConfigError for a type that can't be kept.
    """
    try:
        return _TableValues(value_type)
    except TypeError as error:
        raise ConfigError(f"a table can't hold {_type_name(value_type)}: {error}") from error


def _checkable(value_type: Any) -> type | tuple[type, ...] | None:
    """What isinstance can check of a type; None where it can't."""
    if not isinstance(value_type, type):
        origin = getattr(value_type, "__origin__", None)
        return origin if isinstance(origin, type) else None
    if value_type is float:
        return (float, int)
    if value_type in (object, Any) or getattr(value_type, "__total__", None) is not None:
        return None
    return value_type


def _type_name(value_type: Any) -> str:
    return str(getattr(value_type, "__name__", value_type))


def _refused(data: bytes, value_type: Any, error: Exception) -> DecodeError:
    shown = repr(data[:SHOWN_BYTES_MAX]) + ("…" if len(data) > SHOWN_BYTES_MAX else "")
    return DecodeError(f"{shown} isn't {_type_name(value_type)}: {error}")
