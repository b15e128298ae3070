"""Bytes and values: what is refused, with which words, and what is read back as it was written."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamflow.codecs import DecodeFailed, encode_key, key_codec, pack, table_codec, unpack, value_codec
from streamflow.errors import ConfigError, DecodeError, EncodeError


class Order(msgspec.Struct):
    id: int
    at: datetime
    amount: Decimal


class Colour(Enum):
    RED = "red"


class Size(StrEnum):
    S = "s"


class Level(IntEnum):
    LOW = 1


ORDER = Order(7, datetime(2026, 1, 2, tzinfo=UTC), Decimal("1.50"))

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.decimals(allow_nan=False),
    st.dates(),
    st.times().map(lambda t: t.replace(fold=0)),
    st.datetimes().map(lambda t: t.replace(fold=0)),
    st.datetimes(timezones=st.just(timezone(timedelta(hours=5, minutes=30)))).map(lambda t: t.replace(fold=0)),
    st.timedeltas(),
    st.uuids(),
)
keys = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6)
kept = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.sets(scalars, max_size=3),
        st.frozensets(scalars, max_size=3),
        st.dictionaries(scalars, inner, max_size=3),
    ),
    max_leaves=6,
)


def shape(value: Any) -> Any:
    """Types all the way down: 1 == True, and a tuple's bytes could be a list's."""
    if isinstance(value, (list, tuple)):
        return type(value), [shape(v) for v in value]
    if isinstance(value, (set, frozenset)):
        return type(value), sorted(repr(shape(v)) for v in value)
    if isinstance(value, dict):
        return dict, [(shape(k), shape(v)) for k, v in value.items()]
    return type(value), value


@example(2**64)
@example([-(2**63) - 1, {"n": 10**30}])
@given(kept)
def test_state_is_read_back_as_it_was_type_by_type(value) -> None:
    assert shape(unpack(pack(value))) == shape(value)


@given(keys)
def test_keys_of_internal_topics_are_read_back_as_they_were(key) -> None:
    codec = key_codec("any")
    again = codec.decode(codec.encode(key))
    assert shape(again) == shape(key)
    assert hash(again) == hash(key)


def test_an_enum_that_equals_its_value_is_kept_as_the_value_and_any_other_is_refused() -> None:
    assert unpack(pack(Size.S)) == "s"
    assert unpack(pack((Level.LOW,))) == (1,)
    with pytest.raises(EncodeError, match="would not be read back as a Colour"):
        pack(Colour.RED)


@pytest.mark.parametrize("value", [object(), ORDER, [ORDER], {"a": {1: Colour.RED}}, type("Text", (str,), {})("x")])
def test_state_that_would_come_back_as_something_else_is_refused(value) -> None:
    with pytest.raises(EncodeError, match="would not be read back"):
        pack(value)


@given(kept)
def test_a_tables_values_are_read_back_as_they_were_and_none_is_not_nothing(value) -> None:
    codec = table_codec(Any)
    data = codec.encode(value)
    assert data is not None
    assert shape(codec.decode(data)) == shape(value)


@pytest.mark.parametrize("value", [{1, 2}, (1, 2), Decimal("1.5"), date(2026, 1, 2), {"a": 1}, 1.5])
def test_a_tables_values_are_read_as_other_writers_of_messagepack_put_them(value) -> None:
    assert shape(table_codec(type(value)).decode(msgspec.msgpack.encode(value))) == shape(value)


def test_a_tables_value_of_another_type_is_no_value_of_it() -> None:
    with pytest.raises(DecodeError, match="isn't int"):
        table_codec(int).decode(table_codec(str).encode("x"))
    with pytest.raises(DecodeError):
        table_codec(Any).decode(b"\xc1")
    with pytest.raises(ConfigError, match="lambda"):
        table_codec(lambda: 0)


def test_state_with_an_unknown_tag_says_that_it_is_newer() -> None:
    with pytest.raises(DecodeError, match="newer Streamflow"):
        key_codec("any").decode(msgspec.msgpack.encode(msgspec.msgpack.Ext(99, b"")))


@pytest.mark.parametrize("name", ["json", "msgpack"])
def test_a_typed_value_survives_and_null_is_none_both_ways(name) -> None:
    codec = value_codec(name, Order)
    data = codec.encode(ORDER)
    assert codec.decode(data) == ORDER
    assert codec.encode(None) is None
    assert codec.decode(None) is None
    assert codec.decode_many([data, None, data]) == [ORDER, None, ORDER]
    assert codec.decode_many([data, data]) == [ORDER, ORDER]
    assert codec.decode_many([]) == []


@pytest.mark.parametrize("name", ["json", "msgpack"])
@pytest.mark.parametrize("value", [{"a": 1}, [1, 2], "text", 5, 1.5, True])
def test_without_a_declared_type_any_plain_value_is_written(name, value) -> None:
    codec = value_codec(name, Any)
    assert codec.decode(codec.encode(value)) == value


@pytest.mark.parametrize("filled", [[b'{"id":1}', b"5"], [None, b"5"], [b"5"]])
def test_of_many_values_the_first_that_is_not_of_the_type_is_named(filled) -> None:
    codec = value_codec("json", dict[str, int])
    with pytest.raises(DecodeFailed) as failed:
        codec.decode_many([*filled, b"{"])
    assert failed.value.index == len(filled) - 1
    assert "b'5' isn't dict" in str(failed.value.__cause__)
    assert isinstance(failed.value.__cause__, DecodeError)


def test_an_error_shows_eighty_bytes_of_the_value_at_most() -> None:
    with pytest.raises(DecodeError) as caught:
        value_codec("json", int).decode(b"[" + b"1," * 5_000)
    assert len(str(caught.value)) < 250
    assert "…" in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"nul", b"[" * 100_000, b'"\\ud800"', b"1e999"])
def test_no_bytes_raise_anything_but_a_decode_error(data) -> None:
    for codec in (value_codec("json", int), value_codec("msgpack", int), value_codec("json", Any)):
        try:
            codec.decode(data)
        except DecodeError:
            with pytest.raises(DecodeFailed):
                codec.decode_many([data])


@example(b"\x90")
@example(b"\xc7\x00\x02")
@given(st.binary(max_size=40))
def test_garbage_as_an_internal_key_is_a_decode_error_or_a_key(data) -> None:
    with contextlib.suppress(DecodeError):
        hash(key_codec("any").decode(data))


@pytest.mark.parametrize(
    ("codec", "value", "says"),
    [
        (value_codec("json", Order), {"id": 1}, "the topic holds Order"),
        (value_codec("json", int), "5", "the topic holds int"),
        (value_codec("json", Any), object(), "can't be written"),
        (value_codec("msgpack", Any), 2**70, "can't be written"),
        (value_codec("msgpack", Any, strict=True), ORDER, "the stream's type isn't known"),
        (value_codec("text"), b"bytes", "the topic holds text"),
        (value_codec("raw"), "text", "the topic holds raw bytes"),
    ],
)
def test_a_value_the_topic_cannot_hold_is_refused_when_it_is_sent(codec, value, says) -> None:
    with pytest.raises(EncodeError, match=says):
        codec.encode(value)


def test_text_and_raw_are_what_they_say() -> None:
    text, raw = value_codec("text"), value_codec("raw")
    assert text.decode_many([text.encode("é"), None]) == ["é", None]
    assert raw.decode_many([raw.encode(b"\xff"), None]) == [b"\xff", None]
    with pytest.raises(DecodeFailed) as failed:
        text.decode_many([b"ok", b"\xff"])
    assert failed.value.index == 1


def test_an_integer_may_stand_where_a_float_is_declared() -> None:
    assert value_codec("json", float).encode(5) == b"5"


@pytest.mark.parametrize(
    ("name", "kind"), [("pickle", Any), ("json", Colour | Size), ("msgpack", Order | Level | dict)]
)
def test_a_codec_that_cannot_work_is_refused_when_it_is_declared(name, kind) -> None:
    with pytest.raises(ConfigError):
        value_codec(name, kind)


@pytest.mark.parametrize(
    ("key", "data"),
    [
        (None, None),
        (b"\xff", b"\xff"),
        ("é", "é".encode()),
        (5, b"5"),
        (1.5, b"1.5"),
        (True, b"true"),
        ((1, "a"), b'[1,"a"]'),
    ],
)
def test_a_plain_key_is_what_any_client_would_send(key, data) -> None:
    assert encode_key(key) == data


def test_a_key_that_has_no_plain_form_is_refused() -> None:
    with pytest.raises(EncodeError, match="can't be a key"):
        encode_key(object())


def test_keys_of_a_declared_type_are_read_back_as_that_type() -> None:
    for kind, key in ((str, "a"), (bytes, b"\x00"), (int, 5), (date, date(2026, 1, 2)), (tuple[int, str], (1, "a"))):
        codec = key_codec(kind)
        assert codec.decode_many([codec.encode(key)]) == [key]
    assert time(1, 2) == unpack(pack(time(1, 2)))
