"""Bytes from anybody: whatever they are, they are a message or a `MalformedError`, in little memory and time.

The holes named are Kafka's and its relatives', published: counts, sizes and tags that were believed.
"""

from __future__ import annotations

import struct
import sys
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.errors import MalformedError
from streamflow.log.protocol import codec as codec_module
from streamflow.log.protocol.codec import (
    ELEMENTS_MAX,
    TAGS_MAX,
    Codec,
    compile_schema,
    read_uvarint,
    structure_bytes_min,
    uvarint,
)
from streamflow.log.protocol.messages import codec_of, read_request, structures
from streamflow.log.protocol.schema import Field, Schema, schema_of
from streamflow.log.protocol.versions import APIS

sys.path.insert(0, str(Path(__file__).parent))
from samples import message

SERVED = [(api.name, version) for api in APIS.values() for version in range(api.lowest, api.highest + 1)]
HEAP_BYTES_MAX = 1 << 20
"""What a refused message of a few bytes may cost."""


def frame(api: str, version: int, seed: int = 1) -> bytes:
    out: list[Any] = []
    codec_of(api, version, "request").write(out, message(Random(seed), api, version, "request"))
    return b"".join(out)


def refused(read: Callable[[], object], *, saying: str = ".") -> None:
    """Raises MalformedError, at once, having asked for next to no memory."""
    tracemalloc.start()
    began = time.perf_counter()
    try:
        with pytest.raises(MalformedError, match=saying):
            read()
        assert tracemalloc.get_traced_memory()[1] < HEAP_BYTES_MAX
        assert time.perf_counter() - began < 0.2
    finally:
        tracemalloc.stop()


def of(*fields: Field, flexible: bool = True) -> Codec:
    """The codec of a structure with these fields; it reads into dicts."""

    class Dicts(dict[str, Any]):
        def __missing__(self, path: str) -> Any:
            return dict

    return compile_schema(Schema(name="Sample", flexible=flexible, fields=fields), Dicts())


def field(name: str, kind: str, **given: Any) -> Field:
    plain: dict[str, Any] = {"array": False, "nullable": False, "default": 0, "tag": None, "struct": None}
    return Field(name=name, kind=kind, **{**plain, **given})


def read(codec: Codec, data: bytes) -> Any:
    return codec.read(memoryview(data), 0)[0]


# Numbers


@given(st.integers(0, 2**35 - 1))
def test_a_varint_is_read_as_it_was_written(value: int) -> None:
    data = uvarint(value)
    assert read_uvarint(memoryview(data + b"\xff"), 0) == (value, len(data))


def test_a_varint_of_more_than_five_bytes_is_refused() -> None:
    refused(lambda: read_uvarint(memoryview(b"\x80" * 5 + b"\0"), 0), saying="five bytes")
    refused(lambda: read_uvarint(memoryview(b"\xff" * 1_000_000), 0), saying="five bytes")


# Counts and lengths (CVE-2022-34917, CVE-2026-111108)


@pytest.mark.parametrize("flexible", [False, True])
@pytest.mark.parametrize("count", [2, 1_000, 1_000_000_000, 2**31 - 1])
def test_a_count_beyond_the_bytes_that_are_left_is_refused(flexible: bool, count: int) -> None:
    inner = Schema(name="Inner", flexible=flexible, fields=(field("a", "int32"), field("b", "int32")))
    kinds = [
        field("many", "int32", array=True),
        field("many", "string", array=True),
        field("many", "struct", array=True, struct=inner),
    ]
    for many in kinds:
        codec = of(many, flexible=flexible)
        head = uvarint(count + 1) if flexible else struct.pack(">i", count)
        refused(lambda codec=codec, head=head: read(codec, head + b"\0"), saying=f"{count} elements are announced")


def test_negative_lengths_are_refused_but_for_null() -> None:
    for kind, code in (("string", ">h"), ("bytes", ">i")):
        codec = of(field("f", kind, nullable=True), flexible=False)
        assert read(codec, struct.pack(code, -1)) == {"f": None}
        refused(lambda codec=codec, code=code: read(codec, struct.pack(code, -2)), saying="a length of -2")
    numbers = of(field("f", "int8", array=True, nullable=True), flexible=False)
    assert read(numbers, b"\xff" * 4) == {"f": None}
    refused(lambda: read(numbers, struct.pack(">i", -2)), saying="a length of -2")


@pytest.mark.parametrize("flexible", [False, True])
def test_null_is_refused_where_a_value_must_be(flexible: bool) -> None:
    null = b"\0" if flexible else b"\xff" * 4
    for wrong in (field("f", "string"), field("f", "bytes"), field("f", "int8", array=True)):
        refused(lambda wrong=wrong: read(of(wrong, flexible=flexible), null + b"\0"), saying="null")


@pytest.mark.parametrize("length", [3, 1 << 20, 2**31 - 2])
def test_a_length_beyond_the_bytes_that_are_left_is_refused(length: int) -> None:
    for kind in ("string", "bytes", "records"):
        refused(lambda kind=kind: read(of(field("f", kind)), uvarint(length + 1) + b"ab"), saying="are announced")


def test_a_message_has_no_more_elements_than_the_limit_however_they_are_nested() -> None:
    inner = Schema(name="Inner", flexible=True, fields=(field("many", "bool", array=True),))
    codec = of(field("lists", "struct", array=True, struct=inner))
    lists = 20
    each = (ELEMENTS_MAX - lists) // lists

    def data(first: int) -> bytes:
        some = [uvarint(n + 1) + b"\1" * n + b"\0" for n in [first, *[each] * (lists - 1)]]
        return uvarint(lists + 1) + b"".join(some) + b"\0"

    assert len(read(codec, data(each))["lists"]) == lists
    with pytest.raises(MalformedError, match="200000 elements"):
        read(codec, data(each + 1))
    assert len(read(codec, data(each))["lists"]) == lists, "what was refused isn't counted with the next message"


def test_an_element_takes_the_bytes_it_must_take_at_least() -> None:
    """A count is held against them; a smaller figure would let more through, a greater one refuse what is good."""
    for api, version in SERVED:
        schema = schema_of(api, version, "request")
        least: list[Any] = []
        empty = structures(api, "request")[""](**{f.name: None for f in schema.fields if f.nullable and f.tag is None})
        codec_of(api, version, "request").write(least, empty)
        assert structure_bytes_min(schema) <= len(b"".join(least)), f"{api} {version}"


# Tags (CVE-2026-111115)


def test_tags_out_of_order_or_twice_are_refused() -> None:
    codec = of()
    assert read(codec, b"\2" + b"\1\0" + b"\2\1x") == {}
    for tags in (b"\2\0" + b"\1\0", b"\1\0" + b"\1\0"):
        refused(lambda tags=tags: read(codec, b"\2" + tags), saying="in order, each once")


def test_more_tags_than_any_structure_has_are_refused_before_they_are_read() -> None:
    codec = of()
    many = b"".join(uvarint(tag) + b"\0" for tag in range(TAGS_MAX + 1))
    assert read(codec, uvarint(TAGS_MAX) + many) == {}
    for count in (TAGS_MAX + 1, 20_000_000, 2**35 - 1):
        refused(lambda count=count: read(codec, uvarint(count) + many), saying="tagged fields")


def test_tags_of_many_structures_count_as_elements() -> None:
    inner = Schema(name="Inner", flexible=True, fields=())
    codec = of(field("many", "struct", array=True, struct=inner))
    tags = uvarint(TAGS_MAX) + b"".join(uvarint(tag) + b"\0" for tag in range(TAGS_MAX))
    count = ELEMENTS_MAX // TAGS_MAX
    with pytest.raises(MalformedError, match="elements"):
        read(codec, uvarint(count + 1) + tags * count + b"\0")


def test_a_tagged_field_has_the_size_it_says() -> None:
    codec = of(field("f", "int32", tag=0))
    assert read(codec, b"\1\0\4\0\0\0\7") == {"f": 7}
    refused(lambda: read(codec, b"\1\0\5\0\0\0\7\0"), saying="1 bytes too many")
    refused(lambda: read(codec, b"\1\0\3\0\0\0\7"))
    refused(lambda: read(codec, b"\1\0\x7f\0\0\0\7"), saying="127 bytes, 4 are left")


def test_a_tagged_field_reads_nothing_beyond_its_end() -> None:
    codec = of(field("f", "string", tag=0))
    refused(lambda: read(codec, b"\1\0\2\5abcd"), saying="are announced")


# Texts


def test_a_text_that_is_not_utf_8_is_refused() -> None:
    for wrong in (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80"):
        data = uvarint(len(wrong) + 1) + wrong + b"\0"
        refused(lambda data=data: read(of(field("f", "string")), data), saying="isn't UTF-8")


# Everything served


@pytest.mark.parametrize(("api", "version"), SERVED)
def test_a_request_cut_short_at_any_byte_is_refused(api: str, version: int) -> None:
    data = frame(api, version)
    for end in range(len(data)):
        with pytest.raises(MalformedError):
            read_request(api, version, memoryview(data[:end]), 0)


@pytest.mark.parametrize(("api", "version"), SERVED)
def test_a_mutated_request_is_read_or_refused_and_nothing_else(api: str, version: int) -> None:
    random = Random(f"{api} {version}")
    for seed in range(20):
        whole = frame(api, version, seed)
        for _ in range(20):
            data = bytearray(whole or b"\0")
            for _ in range(random.choice((1, 1, 4))):
                data[random.randrange(len(data))] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
            read_request_or_not(api, version, bytes(data))


@pytest.mark.parametrize(("api", "version"), SERVED)
def test_noise_is_read_or_refused_in_little_memory(api: str, version: int) -> None:
    """A frame of noise costs a few times its own size: a count is never more than the bytes vouch for."""
    random = Random(f"noise {api} {version}")
    read_request_or_not(api, version, b"")
    tracemalloc.start()
    try:
        for fill in (0x00, 0x01, 0x02, 0x7F, 0x80, 0xFF, None):
            data = random.randbytes(4096) if fill is None else bytes([fill]) * 4096
            read_request_or_not(api, version, data)
        assert tracemalloc.get_traced_memory()[1] < 4 * HEAP_BYTES_MAX
    finally:
        tracemalloc.stop()


def read_request_or_not(api: str, version: int, data: bytes) -> None:
    with suppress(MalformedError):
        read_request(api, version, memoryview(data), 0)


# Writing


def test_a_null_in_the_place_of_a_value_is_our_own_error() -> None:
    for wrong in (field("f", "string"), field("f", "bytes"), field("f", "int8", array=True)):
        codec = of(wrong)
        with pytest.raises(AssertionError):
            codec.write([], type("Sample", (), {"f": None})())


def test_every_kind_a_schema_may_have_is_read_and_written() -> None:
    kinds = {"string", "bytes", "records", "struct", *codec_module._FIXED}
    for api, version in SERVED:
        pending = [schema_of(api, version, side) for side in ("request", "response")]
        while pending:
            schema = pending.pop()
            assert {f.kind for f in schema.fields} <= kinds
            pending += [f.struct for f in schema.fields if f.struct is not None]
